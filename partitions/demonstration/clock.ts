/**
 * Keeps absolute time: says date and time of day at each full second of WALL. Trace code 1: the seconds since 1970, at each.
 *
 * Program: TypeScript. Memory: 16 MiB. Plan: a slot in each frame; the line comes at the second, or at the next slot's start. Ports, health
 * rules: none.
 */
import type { Shims } from '../../kernel/hw/shims.ts';
import { instant, nanos, NANOS_PER_SECOND } from '../../kernel/time/units.ts';
import { civilFromSeconds } from '../../kernel/time/calendar.ts';
import { openPartition } from '../sdk/partition.ts';

const SECOND = 1;
const twoDigits = (value: number): string => String(value).padStart(2, '0');

export function main(shims: Shims): void {
  const partition = openPartition(shims);
  const { time } = partition;

  const timer = partition.timers.create('hw', () => {
    const seconds = time.wall() / NANOS_PER_SECOND;
    partition.trace(SECOND, seconds);
    const { year, month, day, hour, minute, second } = civilFromSeconds(seconds);
    partition.console.line(
      `clock: ${year}-${twoDigits(month)}-${twoDigits(day)} ${twoDigits(hour)}:${twoDigits(minute)}:${twoDigits(second)} UTC`,
    );
  });
  // The first full second of absolute time, as an instant of the clock that timers run on.
  const now = time.now();
  const intoSecond = time.wall() % NANOS_PER_SECOND;
  timer.armEvery(instant(now + NANOS_PER_SECOND - intoSecond), nanos(NANOS_PER_SECOND));
  partition.run();
}
