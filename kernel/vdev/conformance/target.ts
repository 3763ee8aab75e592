/**
 * Conformance cases: sentences of data sheets, each a plain function over a device wherever it is. The same cases run on the host's model
 * with a manual clock (`model`), inside a guest on our virtual platform (`guest`), and on QEMU's devices on the bare machine (`qemu`).
 */
import type { Instant, Nanos } from '../../time/units.ts';
import type { Width } from '../device.ts';

export interface Target {
  readonly kind: 'model' | 'guest' | 'qemu';
  in(port: number, width: 1 | 2 | 4): number;
  out(port: number, width: 1 | 2 | 4, value: number): void;
  /** Physical addresses. */
  read(address: number, width: Width): bigint;
  write(address: number, width: Width, value: bigint): void;
  /** Nanoseconds that pass while the device is left alone. */
  now(): Instant;
  /** Lets time pass; at once if the instant is past. Interrupts are taken meanwhile. */
  waitUntil(at: Instant): void;
  /**
   * Has interrupts of a line counted from now on. Edge- or level-triggered as the case wants it: a level is taken away by `acknowledge`.
   * @param line an ISA IRQ, 0 to 15, or an I/O APIC input from 16 on
   */
  watch(line: number, trigger: 'edge' | 'level', acknowledge?: () => void): void;
  /** Instants at which interrupts of the watched lines came since this was last asked. */
  takeInterrupts(): readonly { readonly line: number; readonly at: Instant }[];
  /** By how much a stamp or the moment of an access may be wrong, at most: 0 on the model, an access and some instructions elsewhere. */
  readonly slack: Nanos;
}

/** What a case says of what it saw. A case that throws has failed too. */
export interface Expect {
  equal(what: string, seen: number | bigint | boolean | string, expected: number | bigint | boolean | string): void;
  /** Both bounds included. */
  within(what: string, seen: number | bigint, least: number | bigint, most: number | bigint): void;
}

/** @typeParam On what the case needs: more than a plain target for interrupt controllers */
export interface ConformanceCase<On extends Target = Target> {
  /** Section title of the document, a colon, and what it says, in few words. */
  readonly name: string;
  readonly run: (target: On, expect: Expect) => void;
  /** QEMU 7.2 does otherwise: the document's sentence and what QEMU does. The case runs there too, and has to fail. */
  readonly qemuDiffers?: string;
  /** Why it can't run on a target: what the target lacks. */
  readonly notOn?: Readonly<Partial<Record<Target['kind'], string>>>;
}
