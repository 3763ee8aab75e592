/**
 * Puts out a timed signal: port 80h goes up and down at required instants, PERIOD apart, absolute on the HW clock. The timer wakes it a little
 * early, the last stretch is waited for awake, and the way from there to the port is measured and led by, so what remains is a few ns.
 * Each write is an event of the trace, dated by the hypervisor.
 *
 * Program: TypeScript. Memory: 16 MiB. Plan: slots that hold the instants: every PERIOD from FIRST on, with 200 us before each. Ports: none; I/O
 * port 80h, traced. Health rules: none.
 */
import type { Shims } from '../../kernel/hw/shims.ts';
import { instant, micros, millis } from '../../kernel/time/units.ts';
import { openPartition } from '../sdk/partition.ts';

const SIGNAL = 0x80;
/** Between two interrupts of the sensor's input: each takes some 25 us of whoever runs, and some always fall near a beat of 10 ms. */
const FIRST = instant(micros(101_060));
const PERIOD = millis(10);
/** An interpreted callback's way from the interrupt to the wait, with room. */
const LEAD = micros(100);
/** Trace code: an edge that came too late to be waited for. */
const LATE = 1;

export function main(shims: Shims): void {
  const partition = openPartition(shims);
  const { time } = partition;
  let level = 0;
  let edges = 0;
  /** TSC ticks from the end of the wait to the port: the least that was seen, so that no edge comes early. */
  let lead = 0n;

  const timer = partition.timers.create('hw', (wake) => {
    const due = time.tscAt(instant(wake + LEAD));
    const aim = due - lead;
    const now = shims.rdtsc();
    if (now > aim) partition.trace(LATE, now - due);
    level ^= 1;
    shims.spinUntil(aim);
    shims.out8(SIGNAL, level);
    // Right before the instruction: behind it lies the hypervisor's work on it. The first edge pays for everything's first time.
    const way = shims.accessTsc() - BigInt(shims.accessTicks()) - aim;
    if (edges > 0 && (lead === 0n || way < lead)) lead = way;
    edges++;
  });
  timer.armEvery(instant(FIRST - LEAD), PERIOD);
  partition.run();
}
