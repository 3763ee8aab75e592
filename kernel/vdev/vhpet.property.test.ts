/** The vHPET against a slow and obvious one, under random accesses. A failing sequence says its seed and what was done. */
import { describe, expect, it } from 'vitest';
import { GEN_CONF, HPET, TIMER } from '../regs/ia-pc-hpet.ts';
import { createManualGuestClock } from '../testing/guest-clock.ts';
import { createHpetReference } from '../testing/hpet-reference.ts';
import { createRandom, type Random } from '../testing/random.ts';
import { REQUEST, type InterruptLine, type Width } from './device.ts';
import { createVhpet } from './vhpet.ts';

const SEQUENCES = 12_000;
const STEPS = 32;
/** Kinds of steps (randomStep): each sequence begins with timers that are likely to run. */
const KINDS = 20;
const PRELUDE = [11, 16, 11, 16, 11, 16, 6];
const ROUTES = 0x00f0_0004;
const COMPARED = [HPET.GEN_CONF, HPET.GINTR_STA, HPET.MAIN_CNT, 0x100, 0x108, 0x120, 0x128, 0x140, 0x148];

interface Step {
  readonly what: string;
  readonly pass?: bigint;
  readonly write?: { readonly offset: number; readonly width: Width; readonly value: bigint };
}

function randomStep(random: Random, counter: bigint, periodFs: number, kind: number): Step {
  const one = (choices: readonly bigint[]): bigint => choices[random.integer(choices.length)]!;
  const word = (): bigint => (BigInt(random.integer(2 ** 31)) << 33n) ^ BigInt(random.integer(2 ** 31));
  // Values that something happens at soon.
  const near = (): bigint => BigInt.asUintN(64, counter + BigInt(random.integer(50) - 5));
  if (kind < 6) {
    // Some ticks, or hardly one.
    const pass = BigInt(random.integer(kind === 0 ? 2 : Math.ceil((60 * periodFs) / 1_000_000)));
    return { what: `pass ${pass}`, pass };
  }
  const timer = HPET.TIMER_0 + random.integer(3) * HPET.TIMER_STRIDE;
  const bits = (): bigint =>
    [2n, 8n, 0x40n, 0x100n].reduce((all, bit) => (random.integer(2) === 0 ? all | bit : all), random.integer(5) === 0 ? 0x81n : 4n);
  const [offset, value] =
    kind < 8
      ? [HPET.GEN_CONF, BigInt(random.integer(4) | (random.integer(4) === 0 ? 0 : GEN_CONF.ENABLE_CNF))]
      : kind < 9
        ? [HPET.GINTR_STA, BigInt(random.integer(8))]
        : kind < 10
          ? [HPET.MAIN_CNT, one([0n, near(), 0xffff_fff0n, 2n ** 64n - 20n, word()])]
          : kind < 14
            ? [timer + TIMER.CONF, bits() | (one([2n, 20n, 21n, 23n, 5n]) << 9n)]
            : [timer + TIMER.COMPARATOR, one([near(), near(), near(), BigInt(random.integer(40)), BigInt(random.integer(40)), 0n, word()])];
  const width = ([8, 4, 8, 4, 8, 4, 8, 4, 2, 1] as const)[random.integer(10)]!;
  // The right half more often than not, and now and then what is misaligned.
  const place = offset + [0, 0, 0, 0, 0, 0, 0, 4, 4, 1][random.integer(10)]!;
  return {
    what: `write${width * 8} ${place.toString(16)} ${value.toString(16)}`,
    write: { offset: place, width, value: BigInt.asUintN(8 * width, place % 8 === 4 && width === 4 ? value >> 32n : value) },
  };
}

function createModel(periodFs: number) {
  const clock = createManualGuestClock();
  let edges: string[] = [];
  const high = new Set<number>();
  const line = (number: number): InterruptLine => ({
    pulse: () => {
      edges.push(`${number}@${clock.now()}`);
      return REQUEST.ACCEPTED;
    },
    setLevel: (isHigh) => {
      if (isHigh === high.has(number)) throw new Error(`line ${number} is set to what it is`);
      if (isHigh) high.add(number);
      else high.delete(number);
    },
  });
  const device = createVhpet({
    clock,
    createTimer: clock.createTimer,
    input: line,
    legacy: { irq0: line(0), irq8: line(8) },
    periodFs,
    routes: ROUTES,
  });
  return {
    clock,
    device,
    takeEdges: () => {
      const seen = edges;
      edges = [];
      return seen;
    },
    levels: () => [...high].sort((a, b) => a - b).join(' '),
  };
}

function runSequence(seed: number, periodFs: number, seen: { edges: number; levels: number }): void {
  const random = createRandom(seed);
  const model = createModel(periodFs);
  const reference = createHpetReference(periodFs, ROUTES);
  const done: string[] = [];
  for (let step = 0; step < STEPS; step++) {
    const { what, pass = 0n, write } = randomStep(random, reference.read(HPET.MAIN_CNT), periodFs, PRELUDE[step] ?? random.integer(KINDS));
    done.push(what);
    if (write) {
      const { offset, width, value } = write;
      model.device.write(offset, width, value);
      if (width >= 4 && offset % width === 0) {
        const shift = BigInt(8 * (offset % 8));
        reference.write(offset - (offset % 8), value << shift, ((1n << BigInt(8 * width)) - 1n) << shift);
      }
    }
    model.clock.pass(pass);
    reference.pass(pass);
    const [edges, expectedEdges] = [model.takeEdges(), reference.takeEdges()];
    const isSame =
      COMPARED.every((offset) => model.device.read(offset, 8) === reference.read(offset)) &&
      model.levels() === reference.levels() &&
      edges.length === expectedEdges.length &&
      edges.every((edge) => expectedEdges.includes(edge));
    seen.edges += edges.length;
    if (model.levels() !== '') seen.levels++;
    if (isSame) continue;
    const tell = (all: string[], levels: string, read: (offset: number) => bigint): string =>
      `edges ${all.join(' ')}, high ${levels}, ${COMPARED.map((at) => `${at.toString(16)}=${read(at).toString(16)}`).join(' ')}`;
    expect.fail(
      `seed ${seed}, after ${done.join('; ')}:\n  ${tell(edges, model.levels(), (at) => model.device.read(at, 8))}\n` +
        `  expected ${tell(expectedEdges, reference.levels(), reference.read)}`,
    );
  }
}

describe('the vHPET does what the obvious one does', () => {
  it.each([16_000_000, 69_841_279, 333_333])(`in ${SEQUENCES / 3} random sequences, with a period of %d fs`, (periodFs) => {
    const seen = { edges: 0, levels: 0 };
    for (let turn = 0; turn < SEQUENCES / 3; turn++) runSequence(turn * 7919 + periodFs, periodFs, seen);
    // That nothing differed says little if nothing happened.
    expect(seen.edges).toBeGreaterThan(SEQUENCES / 10);
    expect(seen.levels).toBeGreaterThan(SEQUENCES / 10);
  });
});
