/**
 * Two cascaded 8259As as in a PC (Intel 8259A; Edge/Level Control Registers: Intel 82371SB PIIX3). Not modelled: MCS-80/85 mode (counted),
 * buffered mode (no pin sees it), the duration of an acknowledge cycle.
 */
import { getField } from '../regs/bits.ts';
import { CASCADE_LINE, ELCR, ICW3, PIC, SPURIOUS_LEVEL } from '../regs/i8259a.ts';
import { bytePorts } from './byte-ports.ts';
import { REQUEST, type OnMisuse, type PortDevice, type Request, type Savable } from './device.ts';
import { createChip, type ChipState } from './pic-8259a-chip.ts';
import { UNCLAIMED } from './unclaimed.ts';

export interface VirtualPic extends Savable<PicState> {
  /** Ports 20h, A0h, two each, and the ELCR's two at 4D0h. */
  readonly master: PortDevice;
  readonly slave: PortDevice;
  readonly elcr: PortDevice;
  /**
   * An edge; the wire then stays high until the acknowledge, as sources of edges keep theirs. It is latched whether masked or not, but a source
   * is promised nothing while its level is masked or the pair is not connected: DROPPED.
   * @param line 0 to 15 but 2
   * @param acknowledged called once, when the CPU takes it or polls it; also when it is discarded, or can't be taken any more because the pair
   *   is not connected to the CPU now: nobody waits for ever. Not if it was not ACCEPTED
   */
  pulse(line: number, acknowledged?: () => void): Request;
  setLevel(line: number, isHigh: boolean): void;
  /** After a restore: of a pulse that was accepted before. @returns false if none of this line waits for the CPU */
  reclaim(line: number, acknowledged: () => void): boolean;
  /** The master's INT pin. */
  isRequesting(): boolean;
  /** Whether an interrupt that the CPU took has not ended. */
  isServing(): boolean;
  /** The CPU's interrupt acknowledge cycles. @returns the vector; level 7's if the request is gone */
  acknowledge(): number;
  /** Whether INT reaches the CPU. */
  setConnected(isConnected: boolean): void;
  /** Tells a source that waits for a line's acknowledge that it has come: somebody else will deliver its next ones. */
  release(line: number): void;
  reset(): void;
}

export interface PicState {
  readonly master: ChipState;
  readonly slave: ChipState;
  readonly isConnected: boolean;
  /** Lines whose source waits for the acknowledge. */
  readonly outstanding: readonly number[];
}

export interface PicOptions {
  /** The INT pin's new level. */
  readonly onRequest: (isRequesting: boolean) => void;
  readonly onMisuse: OnMisuse;
}

const LINES = 16;
/** What floats on the bus when no 8259A drives its vector. */
const NO_VECTOR = 0xff;

export function createVirtualPic({ onRequest, onMisuse }: PicOptions): VirtualPic {
  const outstanding: ((() => void) | undefined)[] = new Array<(() => void) | undefined>(LINES).fill(undefined);
  let isConnected = false;

  function release(line: number): void {
    const acknowledged = outstanding[line];
    if (acknowledged === undefined) return;
    outstanding[line] = undefined;
    acknowledged();
  }
  const releaseFrom = (line: number): void => {
    for (let level = 0; level < 8; level++) release(line + level);
  };
  const misuse = (what: string, offset: number): void => onMisuse(what, offset, 1);

  const master = createChip({ onInt: onRequest, onDiscarded: () => releaseFrom(0), onPolled: release, onMisuse: misuse });
  const slave = createChip({
    onInt: (isHigh) => master.setWire(CASCADE_LINE, isHigh),
    onDiscarded: () => releaseFrom(8),
    onPolled: slaveServed,
    onMisuse: misuse,
  });

  function slaveServed(level: number): void {
    // INT falls with the acknowledge, and rises again for what is wanted next: the master has latched the edge before.
    master.setWire(CASCADE_LINE, false);
    master.setWire(CASCADE_LINE, slave.wanted >= 0);
    release(8 + level);
  }
  function acknowledgeSlave(): number {
    if (getField(slave.icw3(), ICW3.SLAVE_ID) !== CASCADE_LINE) {
      onMisuse('8259A: the slave is another one by its ICW3', PIC.DATA, 1);
      return NO_VECTOR;
    }
    const level = slave.wanted;
    if (level < 0) return slave.vector() | SPURIOUS_LEVEL;
    slave.serve(level);
    slaveServed(level);
    return slave.vector() | level;
  }
  function acknowledge(): number {
    const level = master.wanted;
    // "If the IR input goes low before this time, a DEFAULT IR7 will occur", and its in-service bit is not set.
    if (level < 0) return master.vector() | SPURIOUS_LEVEL;
    master.serve(level);
    if ((master.icw3() & (1 << level)) !== 0) return level === CASCADE_LINE ? acknowledgeSlave() : NO_VECTOR;
    release(level);
    return master.vector() | level;
  }

  /** Nobody is promised what the CPU can't see. */
  function setConnected(isNow: boolean): void {
    isConnected = isNow;
    if (!isNow) for (let line = 0; line < LINES; line++) release(line);
  }

  return {
    master: bytePorts('8259A master', PIC.COUNT, master.read, master.write, onMisuse),
    slave: bytePorts('8259A slave', PIC.COUNT, slave.read, slave.write, onMisuse),
    elcr: bytePorts(
      'ELCR',
      ELCR.COUNT,
      (offset) => (offset === ELCR.MASTER ? master : slave).elcr(),
      (offset, value) => {
        const accepted = value & ELCR.WRITABLE[offset]!;
        if (accepted !== value) onMisuse('ELCR: IRQ 0, 1, 2, 8 or 13 by level', offset, 1);
        (offset === ELCR.MASTER ? master : slave).setElcr(accepted);
      },
      onMisuse,
    ),
    isServing: () => (master.inService() | slave.inService()) !== 0,
    pulse: (line, acknowledged) => {
      const request = line < 8 ? master.pulse(line) : slave.pulse(line & 7);
      if (!isConnected) return REQUEST.DROPPED;
      if (request === REQUEST.ACCEPTED) outstanding[line] = acknowledged;
      return request;
    },
    reclaim: (line, acknowledged) => {
      if (outstanding[line] !== UNCLAIMED) return false;
      outstanding[line] = acknowledged;
      return true;
    },
    setLevel: (line, isHigh) => {
      (line < 8 ? master : slave).setWire(line & 7, isHigh);
      // With the wire goes what was latched of it.
      if (!isHigh) release(line);
    },
    isRequesting: () => master.wanted >= 0,
    acknowledge,
    setConnected,
    release,
    reset: () => {
      slave.reset();
      master.reset();
      releaseFrom(0);
      releaseFrom(8);
    },
    save: () => ({
      master: master.save(),
      slave: slave.save(),
      isConnected,
      outstanding: [...outstanding.keys()].filter((line) => outstanding[line]),
    }),
    restore: (state) => {
      isConnected = state.isConnected;
      slave.restore(state.slave);
      master.restore(state.master);
      outstanding.fill(undefined);
      for (const line of state.outstanding) outstanding[line] = UNCLAIMED;
    },
  };
}
