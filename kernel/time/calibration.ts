/**
 * Measures one counter's frequency against another's. Never one shot: several rounds, each between two
 * clusters of readings, so that a reading that was held up, or a tick of the reference, weighs little.
 */
import { frequency, hertz, type Frequency } from './frequency.ts';
import { nanosToTicks } from './frequency.ts';
import { millis, type Nanos } from './units.ts';

/** A counter of known frequency. */
export interface ReferenceCounter {
  readonly name: string;
  readonly frequency: Frequency;
  /** 0 to `wrap` - 1, counting up. */
  read(): bigint;
  readonly wrap: bigint;
  /** Longest span it can measure. */
  readonly reach: Nanos;
  /** Called before each round, if it has to be started. */
  start?(): void;
}

const ROUNDS = 5;
const READINGS = 32;
const SPAN = millis(20);
/** Readings that took more than this many times the quickest one's ticks were held up by something. */
const HELD_UP = 2;
/** Polls of a reference that does not move before it is given up. */
const STUCK_POLLS = 1_000_000;

interface Cluster {
  /** Means, in ticks since the round's origin. */
  readonly target: number;
  readonly reference: number;
}

/** @returns undefined if the reference does not move */
export function measureFrequency(name: string, readTarget: () => bigint, reference: ReferenceCounter): Frequency | undefined {
  const results: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const result = measureOnce(readTarget, reference);
    if (result === undefined) return undefined;
    results.push(result);
  }
  results.sort((a, b) => a - b);
  const median = results[ROUNDS >> 1]!;
  const spread = (results[ROUNDS - 1]! - results[0]!) / 2;
  return frequency(BigInt(Math.round(median)), 1n, 'measured', `${name} against ${reference.name}`, Math.ceil((spread / median) * 1e9));
}

/** In hertz. */
function measureOnce(readTarget: () => bigint, reference: ReferenceCounter): number | undefined {
  reference.start?.();
  const targetOrigin = readTarget();
  const referenceOrigin = reference.read();
  const sinceOrigin = (now: bigint): bigint => (now - referenceOrigin + reference.wrap) % reference.wrap;
  const span = nanosToTicks(reference.frequency, SPAN < reference.reach ? SPAN : reference.reach);

  function readCluster(): Cluster {
    const before: bigint[] = [];
    const between: bigint[] = [];
    const after: bigint[] = [];
    for (let reading = 0; reading < READINGS; reading++) {
      before.push(readTarget());
      between.push(reference.read());
      after.push(readTarget());
    }
    let quickest = after[0]! - before[0]!;
    for (let reading = 1; reading < READINGS; reading++) {
      const width = after[reading]! - before[reading]!;
      if (width < quickest) quickest = width;
    }
    let target = 0;
    let sum = 0;
    let count = 0;
    for (let reading = 0; reading < READINGS; reading++) {
      if (after[reading]! - before[reading]! > quickest * BigInt(HELD_UP)) continue;
      // Twice the middle, to stay with integers.
      target += Number(before[reading]! + after[reading]! - 2n * targetOrigin) / 2;
      sum += Number(sinceOrigin(between[reading]!));
      count++;
    }
    return { target: target / count, reference: sum / count };
  }

  const first = readCluster();
  let polls = 0;
  let last = referenceOrigin;
  for (;;) {
    const now = reference.read();
    if (sinceOrigin(now) >= span) break;
    polls = now === last ? polls + 1 : 0;
    last = now;
    if (polls > STUCK_POLLS) return undefined;
  }
  const second = readCluster();
  const { numerator, denominator } = reference.frequency;
  return (((second.target - first.target) / (second.reference - first.reference)) * Number(numerator)) / Number(denominator);
}

/** How far two frequencies lie apart, in parts per million of the second. */
export function differencePpm(a: Frequency, b: Frequency): number {
  return (Number(hertz(a) - hertz(b)) / Number(hertz(b))) * 1e6;
}
