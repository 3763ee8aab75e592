/**
 * What virtual devices and the platform around them know of each other. A device computes its state from a start instant on a clock that it
 * is given; it never sees a real device, and never asks a real clock. All its times are guest time.
 */
import type { Instant } from '../time/units.ts';

/** Guest time: nanoseconds since the guest was created, as far as they have passed for the guest (guest-time.ts). */
export interface GuestClock {
  now(): Instant;
}

/** Later than any instant. */
export const NEVER_DUE = (1n << 62n) as Instant;

/**
 * Deadlines on a beat: `origin` + (`phase` + n * `numerator`) / `denominator` nanoseconds for n = 0, 1, 2, ..., each rounded up to a whole
 * nanosecond, so that a period that is no whole number of them (the 8254's) has no drift, and no deadline is early. A numerator of 0: a
 * single deadline.
 */
export interface Beat {
  readonly origin: Instant;
  /** For a first deadline that is no whole number of nanoseconds after a counter's start; 0 unless given. */
  readonly phase?: bigint;
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** What became of a request for an interrupt. */
export const REQUEST = {
  /** It will be delivered, and acknowledged when the CPU takes it. */
  ACCEPTED: 0,
  /** One of this line's was still waiting for the CPU: hardware makes one of the two. */
  MERGED: 1,
  /** Masked, or not routed anywhere: as hardware does with an edge, nobody will ever hear of it. */
  DROPPED: 2,
} as const;
export type Request = (typeof REQUEST)[keyof typeof REQUEST];

/** A wire from a device to the interrupt controllers. */
export interface InterruptLine {
  /**
   * A rising edge, and back.
   * @param acknowledged called once, when the CPU takes this very interrupt, or its controller forgets it (a reset, an initialisation); not
   *   if it was not ACCEPTED
   */
  pulse(acknowledged?: () => void): Request;
  /** After a restore: of a pulse that was accepted before. @returns false if nothing of this line's waits for the CPU any more */
  reclaim?(acknowledged: () => void): boolean;
  /** Of a level-triggered source: what the wire carries from now on. */
  setLevel(isHigh: boolean): void;
}

/** A source of timed interrupts: the part of a device that a platform timer calls back. */
export interface TimerSource {
  /** For the trace and the accounts: `hpet0`, `pit`, `rtc`, `lapic`. */
  readonly name: string;
  /**
   * A tick is delivered: the device sets its status bits and drives its line. With a backlog the next one waits until `acknowledged` was called.
   * @param deadline the instant it was due at: now, or earlier if ticks were missed
   * @returns what the line said; DROPPED if no interrupt was wanted at all
   */
  tick(deadline: Instant, acknowledged: () => void): Request;
  /** After a restore: of a tick that was accepted before. @returns false if it counts as acknowledged, which it does without this function */
  reclaim?(acknowledged: () => void): boolean;
}

/** A virtual platform timer (platform-timers.ts): what happens to its ticks while the guest does not run is its mode's affair. */
export interface PlatformTimer {
  /** Replaces whatever it was started for; what was owed is forgotten. Deadlines that are past already are due at once. */
  start(beat: Beat): void;
  stop(): void;
}

export type CreatePlatformTimer = (source: TimerSource) => PlatformTimer;

/** Widths of accesses, in bytes. */
export type Width = 1 | 2 | 4 | 8;

/** Registers in memory, by byte offset. Values are unsigned. What a device lacks reads as its document says, or all ones; writes of it go nowhere. */
export interface MemoryDevice {
  read(offset: number, width: Width): bigint;
  write(offset: number, width: Width, value: bigint): void;
}

/** Registers at I/O ports, by offset from the first. Values are unsigned, of up to 32 bits. */
export interface PortDevice {
  read(offset: number, width: 1 | 2 | 4): number;
  write(offset: number, width: 1 | 2 | 4, value: number): void;
}

/** A guest's mistake with a device: harmless, but counted and traced. */
export type OnMisuse = (what: string, offset: number, width: Width) => void;

/** A device whose state can be put away and taken up again: plain data (numbers, bigints, booleans, strings, arrays, records of them). */
export interface Savable<State> {
  save(): State;
  /** Instants in it are of the guest's time, which is restored before. */
  restore(state: State): void;
}
