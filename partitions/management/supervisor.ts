/**
 * Takes another partition through its states and looks at it after each step: suspended it does not run, resumed it does, reset it starts
 * anew, halted it stays; last its clock is frozen and moved. What is not as it should be is a line that begins with `wrong:` and a partition
 * error; trace code 1 is a step that held.
 *
 * Program: TypeScript. Memory: 16 MiB. A system partition. Plan: a slot in each frame, beside one of partition TARGET, whose program is ./worker.ts.
 * Ports: none. Health: partition-error, for instance stop.
 */
import type { Shims } from '../../kernel/hw/shims.ts';
import { LINE } from '../../kernel/partition/abi.ts';
import { millis } from '../../kernel/time/units.ts';
import type { PartitionStatus } from '../sdk/management.ts';
import { openPartition } from '../sdk/partition.ts';

/** The one that is managed, by its place in the system file. */
const TARGET = 1;
const HELD = 1;

interface Step {
  readonly name: string;
  act(): void;
  /** Some frames later. */
  holds(before: PartitionStatus, after: PartitionStatus): boolean;
}

export function main(shims: Shims): void {
  const partition = openPartition(shims);
  const target = partition.management.partition(TARGET);
  const ran = (before: PartitionStatus, after: PartitionStatus): boolean => after.execClock > before.execClock;

  const steps: readonly Step[] = [
    { name: 'let alone', act: () => undefined, holds: ran },
    {
      name: 'suspend',
      act: () => target.suspend(),
      holds: (before, after) => after.state === 'suspended' && !ran(before, after),
    },
    { name: 'resume', act: () => target.resume(), holds: (before, after) => after.state !== 'suspended' && ran(before, after) },
    { name: 'warm reset', act: () => target.reset('warm'), holds: (before, after) => after.resets === before.resets + 1 },
    { name: 'cold reset', act: () => target.reset('cold'), holds: (before, after) => after.resets === before.resets + 1 },
    { name: 'freeze its clock', act: () => target.freezeClock(), holds: (before, after) => after.hwClock - before.hwClock < millis(1) },
    { name: 'thaw its clock', act: () => target.thawClock(), holds: (before, after) => after.hwClock > before.hwClock },
    {
      name: 'move its clock by an hour',
      act: () => target.offsetClock(millis(3_600_000)),
      holds: (before, after) => after.hwClock - before.hwClock > millis(3_600_000),
    },
    { name: 'halt', act: () => target.halt(), holds: (before, after) => after.state === 'halted' && !ran(before, after) },
  ];

  /** Frames from a step to the look at what came of it: a TypeScript program boots in some. */
  const FRAMES = 4;
  let step = 0;
  let frames = 0;
  let before = target.status();

  partition.events.on(LINE.SLOT_START, () => {
    const current = steps[step];
    if (!current) return partition.stop();
    if (frames === 0) {
      before = target.status();
      current.act();
    } else if (frames === FRAMES) {
      const after = target.status();
      if (current.holds(before, after)) partition.trace(HELD, step);
      else {
        partition.console.line(`wrong: ${current.name}: ${after.state}, exec ${before.execClock} -> ${after.execClock} ns`);
        partition.health.raise(step);
      }
      step++;
      frames = -1;
    }
    frames++;
  });
  partition.run();
}
