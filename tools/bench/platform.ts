/** Figures of virtual PCs, from systems in test/bench/systems and test/bench/platform.c. Virtual time, so the same on every machine. */
import { boot } from '../harness/boot.ts';
import type { Figure } from './figure.ts';

/** The clocks of platform.c: their counts in a second, and how many of them there are before they begin anew. */
const CLOCKS = [
  { name: 'vhpet', hertz: 62_500_000, modulus: 2 ** 52 },
  { name: 'vpit', hertz: 1_193_182, modulus: 2 ** 16 },
  { name: 'vlapic', hertz: 1_000_000_000 / 128, modulus: 2 ** 32 },
  { name: 'vrtc', hertz: 1, modulus: 3_600 },
  { name: 'vpmtimer', hertz: 3_579_545, modulus: 2 ** 32 },
] as const;
const FIRST_CODE = 16;
const LATENESS = 32;
const COSTS = 33;
const ACCESSES = ['exit.hpet_read_ns', 'exit.pit_read_ns', 'exit.lapic_write_ns'] as const;
const MODES = { 'no-delay': 'mode1', 'no-missed': 'mode2', 'one-missed': 'mode3' } as const;
/** From an instruction to what it reads, and of the RTC's update to the reading that finds it: ns. */
const READING = 10;
const POLLING = 100_000;

async function valuesOf(system: string): Promise<(code: number) => number> {
  const booted = await boot({ system: `test/bench/systems/${system}.ts`, append: 'serial=off', seconds: 180, name: `bench-${system}` });
  if (!booted.isHeld) throw new Error(booted.ending);
  return (code) => {
    const [record] = booted.of('partition.trace', (fields) => fields.code === BigInt(code));
    if (record === undefined) throw new Error(`no trace record of code ${code}\n${booted.ending}`);
    return Number(BigInt.asIntN(64, record.fields.value));
  };
}

/** By how much a clock is off against the TSC, of 1 GHz, beyond a count: ns in so many. */
function beyondCount({ name, hertz, modulus }: (typeof CLOCKS)[number], counts: number, nanos: number): number {
  const off = (counts - (nanos * hertz) / 1e9) % modulus;
  const nearest = off > modulus / 2 ? off - modulus : off < -modulus / 2 ? off + modulus : off;
  return Math.max(0, (Math.abs(nearest) * 1e9) / hertz - (name === 'vrtc' ? POLLING : 1e9 / hertz + READING));
}

export async function* platformFigures(): AsyncGenerator<Figure> {
  for (const [system, mode] of Object.entries(MODES)) {
    const value = await valuesOf(`virtual-clocks-${system}`);
    for (const [index, clock] of CLOCKS.entries()) {
      const nanos = value(FIRST_CODE + 2 * index + 1);
      const off = beyondCount(clock, value(FIRST_CODE + 2 * index), nanos);
      yield { name: `${clock.name}.drift_ppm.${mode}`, value: (off / nanos) * 1e6, unit: 'ppm', limit: 0 };
    }
  }
  const value = await valuesOf('virtual-exits');
  yield { name: 'vtick.lateness_ns', value: value(LATENESS), unit: 'ns', limit: 500, isNeverNegative: true };
  for (const [index, name] of ACCESSES.entries()) yield { name, value: value(COSTS + 1 + index) - value(COSTS), unit: 'ns' };
}
