/**
 * Conformance cases of the interrupt controllers and the UART on those of the machine itself: QEMU's, with its pc-testdev for the lines. A
 * case holds if it passes, or if it fails and says that QEMU differs.
 */
import type { Shims } from '../../kernel/hw/shims.ts';
import { COM1 } from '../../kernel/regs/pc16550d.ts';
import { instant, micros } from '../../kernel/time/units.ts';
import type { InterruptCase, InterruptTarget } from '../../kernel/vdev/conformance/interrupt-target.ts';
import { IOAPIC_CASES } from '../../kernel/vdev/conformance/ioapic.ts';
import { LAPIC_CASES } from '../../kernel/vdev/conformance/lapic.ts';
import { PIC_CASES } from '../../kernel/vdev/conformance/pic.ts';
import { uartCases } from '../../kernel/vdev/conformance/uart.ts';
import { createCases } from './support.ts';

const unused = (): never => {
  throw new Error('cases of interrupt controllers take vectors, not lines');
};

function createTarget(shims: Shims): InterruptTarget {
  /** Taken by one `poll` beyond its first. */
  const taken: number[] = [];
  return {
    kind: 'qemu',
    busHz: 1_000_000_000n,
    // Under -icount an instruction is a nanosecond: what a case does between two accesses is some ten thousand of them.
    slack: micros(100),
    in: (port, width) => (width === 1 ? shims.in8 : width === 2 ? shims.in16 : shims.in32)(port),
    out: (port, width, value) => (width === 1 ? shims.out8 : width === 2 ? shims.out16 : shims.out32)(port, value),
    read: (address, width) => {
      if (width === 8) return shims.mmioRead64(address);
      return BigInt((width === 1 ? shims.mmioRead8 : width === 2 ? shims.mmioRead16 : shims.mmioRead32)(address));
    },
    write: (address, width, value) => {
      if (width === 8) shims.mmioWrite64(address, value);
      else (width === 1 ? shims.mmioWrite8 : width === 2 ? shims.mmioWrite16 : shims.mmioWrite32)(address, Number(value));
    },
    now: () => instant(shims.rdtsc()),
    waitUntil: (at) => void shims.spinUntil(at),
    watch: unused,
    takeInterrupts: unused,
    takeVector: () => {
      if (taken.length === 0) {
        const count = shims.poll();
        for (let index = 0; index < count; index++) taken.push(shims.interruptVector(index));
      }
      return taken.shift() ?? -1;
    },
    takeNmis: () => 0,
    readMsr: shims.rdmsr,
    writeMsr: (index, value) => {
      try {
        shims.wrmsr(index, value);
        return true;
      } catch {
        return false;
      }
    },
    readCr8: () => Number(shims.readCr(8)),
    writeCr8: (value) => shims.writeCr(8, BigInt(value)),
  };
}

export function main(shims: Shims): void {
  const cases = createCases(shims);
  const target = createTarget(shims);

  function run(device: string, { name, run: runCase, qemuDiffers, notOn }: InterruptCase): void {
    if (notOn?.qemu !== undefined) return;
    const failures: string[] = [];
    try {
      runCase(target, {
        equal: (what, seen, expected) => {
          if (seen !== expected) failures.push(`${what}: ${seen}, expected ${expected}`);
        },
        within: (what, seen, least, most) => {
          if (seen < least || seen > most) failures.push(`${what}: ${seen}, expected ${least} to ${most}`);
        },
      });
    } catch (thrown) {
      failures.push(String(thrown));
    }
    cases.check(`${device}: ${name}`, failures.length > 0 === (qemuDiffers !== undefined), failures[0] ?? 'as the document says');
  }

  for (const one of LAPIC_CASES) run('lapic', one);
  for (const one of PIC_CASES) run('pic', one);
  for (const one of IOAPIC_CASES) run('ioapic', one);
  for (const one of uartCases(COM1)) run('uart', one);
  cases.end();
}
