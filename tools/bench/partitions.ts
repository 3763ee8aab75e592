/** Figures of partitions, each from a small system in test/bench/systems. Virtual nanoseconds, so the same on every machine. */
import { boot, type BootedRun } from '../harness/boot.ts';
import type { Figure } from './figure.ts';

const MS = 1_000_000n;
const START_ERROR_LIMIT = 100;

async function run(system: string): Promise<BootedRun> {
  const booted = await boot({
    system: `test/bench/systems/${system}.ts`,
    // Text on COM1 is nobody's here, and making it takes time at the end.
    append: 'serial=off',
    seconds: 180,
    name: `bench-${system}`,
  });
  if (!booted.isHeld) throw new Error(booted.ending);
  if (booted.of('trace.dropped').length > 0) throw new Error(`${system}: records were dropped\n${booted.ending}`);
  return booted;
}

const ns = (name: string, value: number | bigint, limit?: number): Figure => ({
  name,
  value: Number(value),
  unit: 'ns',
  ...(limit === undefined ? {} : { limit, isNeverNegative: true }),
});
const least = (values: readonly number[]): number => values.reduce((a, b) => Math.min(a, b), Infinity);
const most = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), -Infinity);
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** From the nominal instant to the guest's entry, of all slots or one partition's. @throws Error unless there are `count` of them, one per slot */
function startErrors(booted: BootedRun, count: number, partition?: number): number[] {
  const slots = booted.of('slot.run', (fields) => partition === undefined || fields.partition === partition);
  if (slots.length !== count) throw new Error(`${slots.length} slots ran, ${count} were to\n${booted.ending}`);
  return slots.map(({ fields }) => Number(fields.entered - fields.nominal));
}

/** By how much a nominal instant is not the epoch and a whole number of slots. */
function drift(booted: BootedRun, slotLength: bigint): number {
  const { epoch } = booted.of('system.started')[0]!.fields;
  const slots = booted.of('slot.run');
  const offs = slots.map(({ fields }) => {
    const nominal = epoch + slotLength * BigInt(2 * fields.frame + fields.slot);
    return Math.abs(Number(fields.nominal - nominal));
  });
  return most(offs);
}

/** Values of a partition's trace records of one code, signed. */
function traced(booted: BootedRun, code: number, partition = 0): bigint[] {
  return booted
    .of('partition.trace', (fields) => fields.partition === partition && fields.code === BigInt(code))
    .map(({ fields }) => BigInt.asIntN(64, fields.value));
}

function one(booted: BootedRun, code: number): number {
  const values = traced(booted, code);
  if (values.length !== 1) throw new Error(`${values.length} trace records of code ${code}, 1 was to come\n${booted.ending}`);
  return Number(values[0]);
}

const SWITCHES = 2_400;

async function* slots(): AsyncGenerator<Figure> {
  const booted = await run('slots');
  const errors = startErrors(booted, SWITCHES);
  yield ns('slot.start_error_ns', most(errors), START_ERROR_LIMIT);
  if (least(errors) < 0) yield ns('slot.start_early_ns', -least(errors), 0);
  yield ns('slot.start_jitter_ns', most(errors) - least(errors), 100);
  const all = booted.of('slot.run').map(({ fields }) => fields);
  const gaps = all.slice(1).map(({ entered }, index) => Number(entered - all[index]!.left));
  yield ns('slot.switch_gap_ns', median(gaps), 25_000);
  // Longer ones are the kernel's: something else was due in between.
  yield ns('slot.switch_gap_most_ns', most(gaps));
  yield ns('slot.switch_lead_ns', booted.of('system.costs')[0]!.fields['switch-lead']);
}

/** GAPS of slot-stamps.S. */
const STAMPS = 300;
const SLOT_ENDED = 16;
const SLOT_BEGAN = 17;

interface Gap {
  readonly ended: bigint;
  readonly began: bigint;
}

/** The stretches in which a partition did not run, but for those in the middle of a slot, where the kernel sends its trace. */
function gapsBetweenSlots(booted: BootedRun, partition: number): Gap[] {
  const ended = traced(booted, SLOT_ENDED, partition);
  const began = traced(booted, SLOT_BEGAN, partition);
  if (ended.length !== STAMPS || began.length !== STAMPS) throw new Error(`stamps: not all came\n${booted.ending}`);
  const gaps = ended.map((instant, index) => ({ ended: instant, began: began[index]! }));
  return gaps.filter(({ ended, began }) => ended / MS !== began / MS);
}

async function* slotsFromWithin(): AsyncGenerator<Figure> {
  const booted = await run('stamps');
  const [first, second] = [gapsBetweenSlots(booted, 0), gapsBetweenSlots(booted, 1)];
  // Slots of 1 ms, of the two partitions in turn.
  const errors = [...first, ...second].map(({ began }) => Number(began - ((began + MS / 2n) / MS) * MS));
  if (errors.length < STAMPS / 2) throw new Error(`stamps: ${errors.length} slots were seen\n${booted.ending}`);
  yield ns('slot.start_error_within_ns', most(errors), START_ERROR_LIMIT);
  if (least(errors) < 0) yield ns('slot.start_early_within_ns', -least(errors), 0);
  const starts = new Map(second.map(({ began }) => [began / MS, began]));
  const gaps = first.flatMap(({ ended }) => {
    const next = starts.get(ended / MS + 1n);
    return next === undefined ? [] : [Number(next - ended)];
  });
  yield ns('slot.switch_gap_within_ns', median(gaps), 25_000);
}

const LONG_SLOT = 50n * MS;

/** In 100 s. */
const LONG_SLOTS = 2_000;

async function* slotsForLong(): AsyncGenerator<Figure> {
  const booted = await run('long');
  yield ns('slot.start_error_long_ns', most(startErrors(booted, LONG_SLOTS)), START_ERROR_LIMIT);
  yield ns('slot.drift_ns', drift(booted, LONG_SLOT), 0);
}

/** What costs.c measures: code 32 and up, the least and the most of each. */
const COSTS = ['nothing', 'hypercall.null', 'exit.cpuid', 'exit.msr', 'exit.io', 'exit.hlt', 'time_page.read', 'exit.npf'] as const;
const FIRST_COST = 32;
const COST_LIMITS: Readonly<Record<string, number>> = { 'hypercall.null': 8_000, 'time_page.read': 100 };

async function* exits(): AsyncGenerator<Figure> {
  const booted = await run('exits');
  const nothing = one(booted, FIRST_COST);
  for (const [index, name] of COSTS.entries()) {
    if (name === 'nothing') continue;
    // The least is what nearly all take; the most has something else of the kernel's in it.
    yield ns(`${name}_ns`, one(booted, FIRST_COST + 2 * index) - nothing, COST_LIMITS[name]);
    yield ns(`${name}_most_ns`, one(booted, FIRST_COST + 2 * index + 1) - nothing);
  }
}

const TIMER_LEAST = 48;
const TIMER_MOST = 49;

async function* timers(): AsyncGenerator<Figure> {
  const far = await run('timers');
  yield ns('vtimer.lateness_ns', one(far, TIMER_MOST), 300);
  yield { ...ns('vtimer.lateness_least_ns', one(far, TIMER_LEAST)), isNeverNegative: true };
  const near = await run('near-timers');
  yield ns('vtimer.near_lateness_ns', one(near, TIMER_MOST));
  yield { ...ns('vtimer.near_lateness_least_ns', one(near, TIMER_LEAST)), isNeverNegative: true };
}

async function* booting(): AsyncGenerator<Figure> {
  const booted = await run('boot');
  yield ns('partition.boot_ns', one(booted, 1) - one(booted, 2));
}

const FLOODS = { console: 'console', hypercalls: 'hypercall', 'port-io': 'port_io', 'page-faults': 'page_fault' } as const;
/** Slots of the flood's neighbour. */
const FLOOD_SLOTS = { console: 100, hypercalls: 150, 'port-io': 150, 'page-faults': 150 } as const;
/** A flood that does not flood would prove nothing. */
const FLOOD_EXITS = 4_000;

async function* floods(): AsyncGenerator<Figure> {
  for (const kind of Object.keys(FLOODS) as (keyof typeof FLOODS)[]) {
    const booted = await run(`flood-${kind}`);
    const seen = booted.of('exit.counts', ({ partition }) => partition === 1).reduce((sum, { fields }) => sum + fields.count, 0);
    if (seen < FLOOD_EXITS) throw new Error(`flood-${kind}: ${seen} exits are no flood\n${booted.ending}`);
    const errors = startErrors(booted, FLOOD_SLOTS[kind], 0);
    yield ns(`slot.start_error_flood_${FLOODS[kind]}_ns`, most(errors), START_ERROR_LIMIT);
    if (least(errors) < 0) yield ns(`slot.start_early_flood_${FLOODS[kind]}_ns`, -least(errors), 0);
  }
}

async function* demonstration(): AsyncGenerator<Figure> {
  const booted = await boot({ system: 'partitions/demonstration/system.ts', append: 'serial=off', seconds: 180, name: 'bench-partitions' });
  if (!booted.isHeld) throw new Error(booted.ending);
  // From one moment at which interrupts are taken to the next, from the epoch on. Here it is the first piece of the victim's reset after its watchdog,
  // from waking at the slot's start to the CPU's state, timers, lines and time page being as at the beginning.
  yield ns('kernel.longest_stretch_ns', booted.of('system.costs')[0]!.fields['longest-stretch']);
}

export async function* partitionFigures(): AsyncGenerator<Figure> {
  yield* slots();
  yield* slotsFromWithin();
  yield* slotsForLong();
  yield* timers();
  yield* exits();
  yield* booting();
  yield* floods();
  yield* demonstration();
}
