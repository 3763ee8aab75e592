/** The machine's clocks side by side: each over the same time, by the TSC. */
import type { Machine } from '../machine.ts';
import type { HwClock } from '../time/hw-clock.ts';
import { CLOCK_NAMES } from '../time/selection.ts';
import { instant, millis, nanos, NANOS_PER_SECOND, type Nanos } from '../time/units.ts';
import { createClock, timeFacts, type Timekeeping } from '../timekeeping.ts';
import { EVENTS } from '../trace/events.ts';

const SPAN = millis(10_000);
/** Narrow counters are read at least this often. */
const BEAT = millis(250);
const COST_READS = 100;

interface Reading {
  readonly value: bigint;
  /** By the TSC, of the same moment. */
  readonly tsc: bigint;
}

function readDated({ toInstant }: Machine, clock: HwClock): Reading {
  const value = clock.now();
  return { value, tsc: toInstant(clock.readingTsc()) };
}

function readCost({ shims, toInstant }: Machine, { now }: HwClock): Nanos {
  const start = toInstant(shims.rdtsc());
  for (let read = 0; read < COST_READS; read++) now();
  return nanos((toInstant(shims.rdtsc()) - start) / BigInt(COST_READS));
}

/** The PIT takes part unless its counter 0 is the timer. */
export function compareClocks(machine: Machine, { clock: chosen, timers, timerName, wait }: Timekeeping): void {
  const { trace } = machine;
  const facts = timeFacts(machine);
  const silent = timerName === 'pit' || (timerName === 'hpet' && facts.hpetSilencesPit);
  const names = CLOCK_NAMES.filter((name) => facts.clocks[name] === undefined && !(name === 'pit' && (silent || chosen.name === 'pit')));
  const others = names.map((name) => createClock(machine, name));
  const starts = others.map((clock) => readDated(machine, clock));
  const end = chosen.now() + SPAN;
  const beat = timers.armPeriodic(instant(chosen.now() + BEAT), BEAT, () => others.forEach((clock) => clock.now()));
  let isOver = false;
  timers.armOneShot(instant(end), () => (isOver = true));
  while (!isOver) wait();
  beat.cancel();

  others.forEach((clock, index) => {
    const start = starts[index]!;
    const { value, tsc } = readDated(machine, clock);
    const elapsed = nanos(tsc - start.tsc);
    const offset = nanos(value - start.value - elapsed);
    const driftPpb = Math.round((Number(offset) * Number(NANOS_PER_SECOND)) / Number(elapsed));
    trace.record(EVENTS.clockCompared, clock.name, 'tsc', elapsed, offset, driftPpb, readCost(machine, clock));
    clock.stop();
  });
  trace.flush();
}
