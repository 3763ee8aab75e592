/**
 * How a PC wires interrupts: ISA lines to the 8259As and to the I/O APIC at once, IRQ 0 to its input 2 (as the MADT's interrupt source override
 * says), the others to the input of their number; further global system interrupts to the I/O APIC alone. Several sources may share a wire: it
 * is high while one of them has it high.
 *
 * Where a guest lets both controllers deliver a line, and gives its entry another vector while the local APIC holds a request with the old one,
 * the acknowledge of that may count for the next.
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
  /** ISA lines of which one of the two controllers holds a request whose source waits, and both the same one. */
  readonly heldByPic: readonly number[];
  readonly heldByIoApic: readonly number[];
  readonly shared: readonly number[];
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

/** By line: who waits for the acknowledge of what a controller holds. */
type Holds = ((() => void) | undefined)[];
const noHolds = (): Holds => new Array<(() => void) | undefined>(ISA_LINES).fill(undefined);
const linesOf = (values: readonly unknown[]): number[] => [...values.keys()].filter((irq) => values[irq]);

interface Connection {
  /** 8259A line; undefined: the I/O APIC alone. */
  readonly irq: number | undefined;
  readonly gsi: number;
  isHigh: boolean;
}

export function createInterruptLines({ pic, ioApic }: LinesOptions): InterruptLines {
  const heldByPic = noHolds();
  const heldByIoApic = noHolds();
  /** Both hold the same request: the acknowledge of one is that of the other. */
  const isShared: boolean[] = new Array<boolean>(ISA_LINES).fill(false);
  /** Connections that are high, by 8259A line and by I/O APIC input. */
  const picHighs = new Int32Array(ISA_LINES);
  const ioApicHighs = new Int32Array(INPUT_COUNT);
  const connections: Connection[] = [];

  /** What a controller calls, by line. */
  const acknowledgersOf = (own: Holds, other: Holds): readonly (() => void)[] =>
    own.map((_, irq) => () => {
      const acknowledged = own[irq];
      own[irq] = undefined;
      if (isShared[irq]) {
        isShared[irq] = false;
        other[irq] = undefined;
      }
      acknowledged?.();
    });
  const acknowledgedByPic = acknowledgersOf(heldByPic, heldByIoApic);
  const acknowledgedByIoApic = acknowledgersOf(heldByIoApic, heldByPic);

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
    return {
      pulse: (acknowledged) => {
        const byPic = pic.pulse(irq, acknowledgedByPic[irq]);
        const byIoApic = ioApic.pulse(gsi, acknowledgedByIoApic[irq]);
        if (byPic === REQUEST.ACCEPTED) heldByPic[irq] = acknowledged;
        if (byIoApic === REQUEST.ACCEPTED) heldByIoApic[irq] = acknowledged;
        else if (byPic !== REQUEST.ACCEPTED) return byPic === REQUEST.MERGED ? byPic : byIoApic;
        isShared[irq] = byPic === byIoApic;
        return REQUEST.ACCEPTED;
      },
      reclaim: (acknowledged) => {
        const isPics = heldByPic[irq] === UNCLAIMED;
        if (isPics) heldByPic[irq] = acknowledged;
        const isIoApics = heldByIoApic[irq] === UNCLAIMED && (isShared[irq]! || !isPics);
        if (isIoApics) heldByIoApic[irq] = acknowledged;
        return isPics || isIoApics;
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
      heldByPic: linesOf(heldByPic),
      heldByIoApic: linesOf(heldByIoApic),
      shared: linesOf(isShared),
      levels: connections.map(({ isHigh }) => isHigh),
    }),
    restore: (state) => {
      heldByPic.fill(undefined);
      heldByIoApic.fill(undefined);
      for (const irq of state.heldByPic) if (pic.reclaim(irq, acknowledgedByPic[irq]!)) heldByPic[irq] = UNCLAIMED;
      for (const irq of state.heldByIoApic) if (ioApic.reclaim(gsiOfIsa(irq), acknowledgedByIoApic[irq]!)) heldByIoApic[irq] = UNCLAIMED;
      isShared.fill(false);
      for (const irq of state.shared) isShared[irq] = true;
      picHighs.fill(0);
      ioApicHighs.fill(0);
      connections.forEach((connection, at) => {
        connection.isHigh = state.levels[at]!;
        if (connection.isHigh) count(connection, 1);
      });
    },
  };
}
