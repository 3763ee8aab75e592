/** What cases of interrupt controllers need besides registers: the CPU's side of them. */
import { LINE_DRIVER_PORT } from '../line-driver.ts';
import type { ConformanceCase, Target } from './target.ts';

/** The CPU's interrupts are off while a case runs, but in `takeVector`. */
export interface InterruptTarget extends Target {
  /** Ticks of the local APIC's timer per second, before its divisor. */
  readonly busHz: bigint;
  /** Lets the CPU take one interrupt, if one is deliverable. Nothing ends it. @returns its vector, or -1 */
  takeVector(): number;
  /** NMIs since this was last asked. */
  takeNmis(): number;
  readMsr(index: number): bigint;
  /** @returns false if it ended in #GP */
  writeMsr(index: number, value: bigint): boolean;
  readCr8(): number;
  writeCr8(value: number): void;
}

export type InterruptCase = ConformanceCase<InterruptTarget>;

/** @param gsi 0 to 23; ISA lines as their number, 0 included */
export const drive = (target: Target, gsi: number, isHigh: boolean): void => target.out(LINE_DRIVER_PORT + gsi, 1, isHigh ? 1 : 0);

/** Takes what is deliverable, one after the other without an end of interrupt, at most `most`. */
export function takeAll(target: InterruptTarget, most = 300): number[] {
  const taken: number[] = [];
  while (taken.length < most) {
    const vector = target.takeVector();
    if (vector < 0) break;
    taken.push(vector);
  }
  return taken;
}

/** For `Expect.equal`: several values at once. */
export const list = (values: readonly (number | bigint)[]): string => values.map((value) => value.toString(16)).join(' ');
