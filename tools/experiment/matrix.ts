/** What the experiment tries: rules, timer modes, TSCs, variants of the code that the patch of 2007 changed, and plans. */
import { TIMER_MODES, type PlatformRules, type TimerMode } from '../../kernel/partition/system.ts';
import { defineSystem, mib, native, ns, pc, type DefinedSystem } from '../system/define.ts';

/** Of the guest's tick, ns: TICK_FS of partitions/tsc-sync/guest.c. */
export const PERIOD = 10_000_000;

export type Era = PlatformRules['era'];
export const ERAS = ['today', '2007'] as const satisfies readonly Era[];

export const TSCS = ['native', 'emulated'] as const;
export type Tsc = (typeof TSCS)[number];

/** By what is taken out: nothing, the setting of guest time in pt_thaw_time, that in pt_intr_post, or both, which is the patch. */
export const VARIANTS = {
  'as-is': { setOnThaw: true, setOnPost: true },
  thaw: { setOnThaw: false, setOnPost: true },
  post: { setOnThaw: true, setOnPost: false },
  patch: { setOnThaw: false, setOnPost: false },
} as const satisfies Record<string, Omit<PlatformRules, 'era'>>;
export type Variant = keyof typeof VARIANTS;
export const VARIANT_NAMES = Object.keys(VARIANTS) as readonly Variant[];

/** Instants in ns from the frame's start. */
export interface Plan {
  /** A whole number of ticks, so that the same phases come back in each frame. */
  readonly frame: number;
  readonly slots: readonly (readonly [from: number, to: number])[];
}

const MS = 1_000_000;
const plan = (frame: number, slots: readonly (readonly [number, number])[]): Plan => ({
  frame: frame * MS,
  slots: slots.map(([from, to]) => [from * MS, to * MS] as const),
});

/**
 * Absences of 200 ms; and irregular ones of 8 to 38 ms in which none to four ticks fall due, one slice among the slots in which none does.
 * No slot begins or ends where a tick is due, nor half a period beside one: so near to it, what a gap counts as would be chance.
 */
export const PLANS = {
  regular: plan(400, [[0, 200]]),
  irregular: plan(400, [
    [0, 23],
    [34, 48],
    [83, 145],
    [153, 174],
    [193, 200],
    [238, 249],
    [278, 363],
  ]),
} as const satisfies Record<string, Plan>;
export type PlanName = keyof typeof PLANS;
export const PLAN_NAMES = Object.keys(PLANS) as readonly PlanName[];

export interface Case {
  readonly era: Era;
  /** By the rules of 2007 there are none: undefined. */
  readonly mode: TimerMode | undefined;
  readonly tsc: Tsc;
  readonly variant: Variant;
  readonly plan: PlanName;
}

/** What is not named is not restricted. */
export interface Selection {
  readonly eras?: readonly Era[];
  /** Xen's numbers of them. */
  readonly modes?: readonly number[];
  readonly tscs?: readonly Tsc[];
  readonly variants?: readonly Variant[];
  readonly plans?: readonly PlanName[];
}

const isIn = <Value>(list: readonly Value[] | undefined, value: Value): boolean => list === undefined || list.includes(value);

/** In the order of the tables. A selection of modes is one of today's rules, and an emulated TSC as well: 2007 had neither. */
export function selectCases(selection: Selection = {}): Case[] {
  const cases = PLAN_NAMES.flatMap((planName) => [
    ...TIMER_MODES.flatMap((mode) =>
      TSCS.flatMap((tsc) => VARIANT_NAMES.map((variant): Case => ({ era: 'today', mode, tsc, variant, plan: planName }))),
    ),
    ...VARIANT_NAMES.map((variant): Case => ({ era: '2007', mode: undefined, tsc: 'native', variant, plan: planName })),
  ]);
  return cases.filter(
    ({ era, mode, tsc, variant, plan: planName }) =>
      isIn(selection.eras, era) &&
      (selection.modes === undefined || (mode !== undefined && selection.modes.includes(TIMER_MODES.indexOf(mode)))) &&
      isIn(selection.tscs, tsc) &&
      isIn(selection.variants, variant) &&
      isIn(selection.plans, planName),
  );
}

/** Xen's number of a case's mode; a dash by the rules of 2007. */
export const modeNumber = ({ mode }: Case): string => (mode === undefined ? '-' : String(TIMER_MODES.indexOf(mode)));

/** For files and messages: `today-mode0-native-as-is-regular`. */
export const nameOf = (own: Case): string =>
  [own.era, ...(own.mode === undefined ? [] : [`mode${modeNumber(own)}`, own.tsc]), own.variant, own.plan].join('-');

/** COUNTER_CLK_PERIOD, fs: Xen's of today; and of 2007, 32 ticks of a TSC of 1 GHz. */
export const HPET_PERIOD = { today: 16_000_000, '2007': 32_000_000 } as const satisfies Record<Era, number>;

/** @param frames major frames of the plan */
export function systemOf(own: Case, frames: number): DefinedSystem {
  const { frame, slots } = PLANS[own.plan];
  return defineSystem({
    name: 'tsc-sync',
    partitions: {
      guest: {
        program: native('guest.c'),
        memory: mib(2),
        platform: pc({
          ...(own.mode === undefined ? {} : { timerMode: own.mode }),
          tsc: own.tsc,
          hpet: { period: HPET_PERIOD[own.era] },
          rules: { ...VARIANTS[own.variant], era: own.era },
        }),
      },
    },
    plans: {
      normal: {
        majorFrame: ns(frame),
        slots: slots.map(([from, to]) => ({ partition: 'guest' as const, start: ns(from), duration: ns(to - from) })),
        idle: 'allowed',
      },
    },
    duration: ns(frames * frame),
  });
}
