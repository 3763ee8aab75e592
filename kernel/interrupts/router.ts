/**
 * From a device's interrupt line to a vector: through an I/O APIC where ACPI tells of one (with its source
 * overrides), else through the 8259As.
 */
import type { Madt } from '../acpi/tables.ts';
import type { IoApic } from '../drivers/ioapic-82093aa.ts';
import type { LocalApic } from '../drivers/local-apic.ts';
import type { Pic } from '../drivers/pic-8259a.ts';
import { CASCADE_LINE } from '../regs/i8259a.ts';
import type { Dispatcher, InterruptHandler } from './dispatcher.ts';
import { VECTOR } from './vectors.ts';

export interface InterruptLine {
  readonly vector: number;
  /** Which way it goes, for people. */
  readonly route: string;
  enable(): void;
  /** Whether an interrupt of the line is on its way: requested, or taken but its handler not called yet. */
  isRequested(): boolean;
  /** Masks the line and takes its handler away. */
  disconnect(): void;
}

export interface Router {
  /**
   * Connects an ISA interrupt, 0 to 15, masked.
   * @param attempt 0 for the way that ACPI tells; higher ones for the ways that are usual where ACPI tells wrong or nothing
   * @returns undefined if there is no such way
   */
  connectIsa(irq: number, handler: InterruptHandler, attempt?: number): InterruptLine | undefined;
  /** Connects a global system interrupt as edge-triggered, active high, masked. @returns undefined if no I/O APIC has it */
  connectGsi(gsi: number, handler: InterruptHandler): InterruptLine | undefined;
  /** Highest GSI of those whose bit is set in `mask` that an I/O APIC has; undefined if none. */
  pickGsi(mask: number): number | undefined;
}

export interface RouterParts {
  readonly dispatcher: Dispatcher;
  readonly localApic: LocalApic | undefined;
  readonly ioApics: readonly IoApic[];
  readonly pic: Pic | undefined;
  readonly madt: Madt | undefined;
}

export function createRouter({ dispatcher, localApic, ioApics, pic, madt }: RouterParts): Router {
  function ioApicOf(gsi: number): IoApic | undefined {
    return ioApics.find((ioApic) => gsi >= ioApic.gsiBase && gsi < ioApic.gsiBase + ioApic.inputCount);
  }

  function throughIoApic(gsi: number, isLevel: boolean, isActiveLow: boolean, handler: InterruptHandler): InterruptLine | undefined {
    const ioApic = ioApicOf(gsi);
    if (!ioApic || !localApic || VECTOR.GSI + gsi >= VECTOR.LOCAL_TIMER) return undefined;
    const vector = VECTOR.GSI + gsi;
    const input = gsi - ioApic.gsiBase;
    ioApic.setRoute(input, { vector, destination: localApic.id, isLevel, isActiveLow });
    dispatcher.setHandler(vector, handler, localApic.endOfInterrupt);
    const isInRequest = localApic.requestOf(vector);
    return {
      vector,
      route: `I/O APIC input ${gsi}`,
      enable: () => ioApic.unmask(input),
      isRequested: () => dispatcher.isTaken(vector) || isInRequest(),
      disconnect: () => {
        ioApic.mask(input);
        dispatcher.removeHandler(vector);
      },
    };
  }

  function throughPic(irq: number, handler: InterruptHandler): InterruptLine | undefined {
    if (!pic) return undefined;
    // Delivered as ExtINT, an 8259A's interrupt is in service in the 8259A only: the local APIC wants no EOI.
    localApic?.acceptPic();
    const vector = VECTOR.PIC + irq;
    dispatcher.setHandler(
      vector,
      (taken) => {
        if (irq % 8 !== 7 || pic.isInService(irq)) handler(taken);
      },
      () => {
        if (irq % 8 !== 7 || pic.isInService(irq)) pic.endOfInterrupt(irq);
        // A spurious 15 is the slave's invention: to the master its cascade line is as real as ever, and in service.
        else if (irq === 15) pic.endOfInterrupt(CASCADE_LINE);
      },
    );
    return {
      vector,
      route: `8259A line ${irq}`,
      enable: () => pic.unmask(irq),
      isRequested: () => dispatcher.isTaken(vector) || pic.isRequested(irq),
      disconnect: () => {
        pic.mask(irq);
        dispatcher.removeHandler(vector);
      },
    };
  }

  return {
    connectIsa: (irq, handler, attempt = 0) => {
      const ways: (() => InterruptLine | undefined)[] = [];
      if (ioApics.length > 0) {
        // Without an override, ISA interrupt n is GSI n, edge-triggered and active high.
        const override = madt?.sourceOverrides.find((entry) => entry.irq === irq);
        ways.push(() => throughIoApic(override?.gsi ?? irq, override?.trigger === 'level', override?.polarity === 'low', handler));
        // QEMU's microvm lacks the override, but its I/O APIC has IRQ 0 at input 2 like a PC's.
        if (irq === 0 && !override) ways.push(() => throughIoApic(2, false, false, handler));
      }
      ways.push(() => throughPic(irq, handler));
      // Ways that lack a part (no local APIC, no 8259A) are none.
      let usable = 0;
      for (const way of ways) {
        const line = way();
        if (line && usable++ === attempt) return line;
        line?.disconnect();
      }
      return undefined;
    },
    connectGsi: (gsi, handler) => throughIoApic(gsi, false, false, handler),
    pickGsi: (mask) => {
      for (let gsi = 31; gsi >= 0; gsi--) if (((mask >>> gsi) & 1) !== 0 && ioApicOf(gsi)) return gsi;
      return undefined;
    },
  };
}
