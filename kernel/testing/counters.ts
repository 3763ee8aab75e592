/**
 * A machine of one counter and a TSC, for measuring the one against the other. As unkind as the real one: reading takes
 * time and never the same; the counter shows whole ticks; now and then something holds an access up, before or after
 * the device has answered, and the stamp tells only of the access.
 */
import type { Counter } from '../time/calibration.ts';
import { createFakeClock } from './clock.ts';
import { createRandom } from './random.ts';

export interface CounterMachineOptions {
  readonly tscHz: bigint;
  readonly counterHz: bigint;
  readonly width?: number;
  /** Its count when measuring begins: near the wrap, to meet one soon. */
  readonly firstCount?: bigint;
  /** The quickest access; where the device answers within it differs from one to the next. */
  readonly accessNanos?: number;
  /** What the program does between two accesses. */
  readonly betweenNanos?: number;
  /** Uniform, on top of both, from 0 on: the machine's, and the pauses by which a program keeps out of step. */
  readonly jitterNanos?: number;
  /** One access in so many is held up by `heldUpNanos`; none if 0. */
  readonly heldUpEvery?: number;
  readonly heldUpNanos?: number;
  readonly seed?: number;
}

export interface CounterMachine {
  readonly counter: Counter;
  readonly stamps: { accessTsc(): bigint; accessTicks(): number };
  /** How many accesses were held up. */
  heldUp(): number;
  /** How many accesses there were. */
  reads(): number;
}

export function createCounterMachine({
  tscHz,
  counterHz,
  width = 64,
  firstCount = 0n,
  accessNanos = 800,
  betweenNanos = 400,
  jitterNanos = 200,
  heldUpEvery = 0,
  heldUpNanos = 0,
  seed = 1,
}: CounterMachineOptions): CounterMachine {
  const random = createRandom(seed);
  // Neither counter starts with the clock: their ticks are out of step.
  const clock = createFakeClock(BigInt(random.integer(1_000_000_000)));
  const origin = clock.ticks(counterHz);
  let tsc = 0n;
  let ticks = 0;
  let heldUp = 0;
  let reads = 0;
  const pass = (nanos: number): void => clock.pass(BigInt(Math.round(nanos * 1000)));
  const jitter = (): number => random.integer(jitterNanos * 1000 + 1) / 1000;

  return {
    counter: {
      name: 'counter',
      width,
      read: () => {
        pass(betweenNanos + jitter());
        const before = clock.ticks(tscHz);
        const isHeldUp = heldUpEvery > 0 && random.integer(heldUpEvery) === 0;
        const isHeldUpFirst = isHeldUp && random.integer(2) === 0;
        if (isHeldUp) heldUp++;
        if (isHeldUpFirst) pass(heldUpNanos);
        pass(accessNanos / 2 + jitter() / 2);
        const count = BigInt.asUintN(width, firstCount + clock.ticks(counterHz) - origin);
        pass(accessNanos / 2 + jitter() / 2);
        if (isHeldUp && !isHeldUpFirst) pass(heldUpNanos);
        tsc = clock.ticks(tscHz);
        ticks = Number(tsc - before);
        reads++;
        return count;
      },
    },
    stamps: { accessTsc: () => tsc, accessTicks: () => ticks },
    heldUp: () => heldUp,
    reads: () => reads,
  };
}
