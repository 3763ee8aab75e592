/**
 * How a PC wires interrupts: ISA lines to the 8259As and to the I/O APIC at once, IRQ 0 to its input 2 (as the MADT's interrupt source override
 * says), the others to the input of their number; further global system interrupts to the I/O APIC alone. Several sources may share a wire: it
 * is high while one of them has it high.
 */
import { CASCADE_LINE } from '../regs/i8259a.ts';
import { INPUT_COUNT } from '../regs/i82093aa.ts';
import { REQUEST, type InterruptLine, type Request, type Savable } from './device.ts';
import { UNCLAIMED } from './unclaimed.ts';

export const ISA_LINES = 16;
/** I/O APIC input of an ISA line. */
export const gsiOfIsa = (irq: number): number => (irq === 0 ? CASCADE_LINE : irq);

/** Restored after the controllers, and before the devices. */
export interface InterruptLines extends Savable<LinesState> {
  /**
   * A connection to an ISA line, 0 to 15 but 2. An interrupt that both controllers deliver is acknowledged when the first of them does.
   * @throws RangeError for any other line
   */
  isaLine(irq: number): InterruptLine;
  /** A connection to an I/O APIC input, 0 to 23, and to nothing else. @throws RangeError for any other input */
  gsiLine(gsi: number): InterruptLine;
  /** The I/O APIC unmasked an input: a source whose request the 8259A holds back is let go, for its next ones are delivered there. */
  inputUnmasked(gsi: number): void;
}

export interface LinesState {
  /** ISA lines whose source waits for the acknowledge. */
  readonly outstanding: readonly number[];
  /** By connection, in the order they were made: what its source has set. */
  readonly levels: readonly boolean[];
}

/** A controller as a wire sees it; lines are inputs of its own count. */
export interface Inputs {
  pulse(line: number, acknowledged?: () => void): Request;
  setLevel(line: number, isHigh: boolean): void;
  reclaim(line: number, acknowledged: () => void): boolean;
}

export interface LinesOptions {
  readonly pic: Inputs & { release(line: number): void };
  readonly ioApic: Inputs;
}

interface Connection {
  /** 8259A line; undefined: the I/O APIC alone. */
  readonly irq: number | undefined;
  readonly gsi: number;
  isHigh: boolean;
}

export function createInterruptLines({ pic, ioApic }: LinesOptions): InterruptLines {
  const outstanding: ((() => void) | undefined)[] = new Array<(() => void) | undefined>(ISA_LINES).fill(undefined);
  /** Connections that are high, by 8259A line and by I/O APIC input. */
  const picHighs = new Int32Array(ISA_LINES);
  const ioApicHighs = new Int32Array(INPUT_COUNT);
  const connections: Connection[] = [];

  const acknowledgers = Array.from({ length: ISA_LINES }, (_, irq) => () => {
    const acknowledged = outstanding[irq];
    outstanding[irq] = undefined;
    acknowledged?.();
  });

  function count({ irq, gsi }: Connection, change: 1 | -1): void {
    if (irq !== undefined) picHighs[irq]! += change;
    ioApicHighs[gsi]! += change;
  }
  /** @returns a setLevel that drives a controller only when the wire as a whole changes */
  function connect(gsi: number, irq?: number): InterruptLine['setLevel'] {
    const connection: Connection = { irq, gsi, isHigh: false };
    connections.push(connection);
    return (isHigh) => {
      if (connection.isHigh === isHigh) return;
      connection.isHigh = isHigh;
      count(connection, isHigh ? 1 : -1);
      const others = isHigh ? 1 : 0;
      if (irq !== undefined && picHighs[irq] === others) pic.setLevel(irq, isHigh);
      if (ioApicHighs[gsi] === others) ioApic.setLevel(gsi, isHigh);
    };
  }

  function isaLine(irq: number): InterruptLine {
    if (!Number.isInteger(irq) || irq < 0 || irq >= ISA_LINES || irq === CASCADE_LINE) throw new RangeError(`ISA has no line ${irq}`);
    const gsi = gsiOfIsa(irq);
    const acknowledge = acknowledgers[irq]!;
    return {
      pulse: (acknowledged) => {
        const waiting = outstanding[irq];
        // Before the requests: a controller may let go of one at once.
        outstanding[irq] = acknowledged;
        const byPic = pic.pulse(irq, acknowledge);
        const byIoApic = ioApic.pulse(gsi, acknowledge);
        if (byPic === REQUEST.ACCEPTED || byIoApic === REQUEST.ACCEPTED) {
          // Of another source of the wire, which one controller holds back while the other takes this: its acknowledge would be lost.
          if (waiting !== acknowledged) waiting?.();
          return REQUEST.ACCEPTED;
        }
        outstanding[irq] = waiting;
        return byPic === REQUEST.MERGED || byIoApic === REQUEST.MERGED ? REQUEST.MERGED : REQUEST.DROPPED;
      },
      reclaim: (acknowledged) => {
        if (outstanding[irq] !== UNCLAIMED) return false;
        outstanding[irq] = acknowledged;
        return true;
      },
      setLevel: connect(gsi, irq),
    };
  }

  function gsiLine(gsi: number): InterruptLine {
    if (!Number.isInteger(gsi) || gsi < 0 || gsi >= INPUT_COUNT) throw new RangeError(`the I/O APIC has no input ${gsi}`);
    return {
      pulse: (acknowledged) => ioApic.pulse(gsi, acknowledged),
      reclaim: (acknowledged) => ioApic.reclaim(gsi, acknowledged),
      setLevel: connect(gsi),
    };
  }

  return {
    isaLine,
    gsiLine,
    inputUnmasked: (gsi) => {
      const irq = gsi === CASCADE_LINE ? 0 : gsi;
      if (gsi !== 0 && irq < ISA_LINES) pic.release(irq);
    },
    save: () => ({
      outstanding: [...outstanding.keys()].filter((irq) => outstanding[irq]),
      levels: connections.map(({ isHigh }) => isHigh),
    }),
    restore: (state) => {
      outstanding.fill(undefined);
      for (const irq of state.outstanding) {
        const byPic = pic.reclaim(irq, acknowledgers[irq]!);
        const byIoApic = ioApic.reclaim(gsiOfIsa(irq), acknowledgers[irq]!);
        if (byPic || byIoApic) outstanding[irq] = UNCLAIMED;
      }
      picHighs.fill(0);
      ioApicHighs.fill(0);
      connections.forEach((connection, at) => {
        connection.isHigh = state.levels[at]!;
        if (connection.isHigh) count(connection, 1);
      });
    },
  };
}
