/**
 * An 8254 (Intel, 231164-005) that takes each CLK pulse as it comes: three counters of flip-flops and registers, the paragraphs of "Mode
 * Definitions" one after the other. Slow, and written to be compared with the page by eye; what the data sheet leaves open is decided as
 * vdev/vpit-counter.ts says.
 */

interface SteppedCounter {
  clk(): void;
  program(word: number): void;
  write(byte: number): void;
  read(): number;
  latchCount(): void;
  latchStatus(): void;
  setGate(isHigh: boolean): void;
  out(): boolean;
}

function createSteppedCounter(isGateHigh: boolean): SteppedCounter {
  let word = 0x36;
  let mode = 3;
  let limit = 0x1_0000;
  let gate = isGateHigh;
  let trigger = false;
  let out = true;
  /** CR, and whether it waits for the next CLK (or, in modes 1 and 5, for a trigger). */
  let cr = 0;
  let hasCount = false;
  let waitsForClk = false;
  let nullCount = true;
  let firstByte: number | undefined;
  /** CE, what it was loaded with, and whether it has still to reach 0 for the first time. */
  let ce = 0;
  let loaded = 0;
  let isLoaded = false;
  let isArmed = false;
  let latchedCount: number | undefined;
  let latchedStatus: number | undefined;
  let readsMsb = false;

  function load(): void {
    loaded = cr;
    ce = (mode === 3 && cr % 2 === 1 ? cr - 1 : cr) % limit;
    isLoaded = true;
    isArmed = true;
    waitsForClk = false;
    nullCount = false;
  }
  const decrement = (by: number): void => {
    ce = (ce - by + limit) % limit;
  };
  function expires(): boolean {
    if (!isArmed || ce !== 0) return false;
    isArmed = false;
    return true;
  }

  function clk(): void {
    const isTriggered = trigger;
    trigger = false;
    if (!isLoaded && !waitsForClk && !isTriggered) return;
    switch (mode) {
      case 0:
        if (waitsForClk) load();
        else if (gate && firstByte === undefined) {
          decrement(1);
          if (expires()) out = true;
        }
        return;
      case 1:
        if (isTriggered) {
          load();
          out = false;
        } else {
          decrement(1);
          if (expires()) out = true;
        }
        return;
      case 2:
        if (isTriggered || waitsForClk) {
          load();
          out = !gate || ce !== 1;
        } else if (gate) {
          if (ce === 1) load();
          else decrement(1);
          out = ce !== 1;
        }
        return;
      case 3:
        if (isTriggered || waitsForClk) {
          load();
          out = true;
        } else if (gate) {
          const isOver = loaded % 2 === 1 && out ? ce === 0 : ce === 2;
          if (isOver) {
            const wasOne = loaded === 1;
            load();
            out = wasOne || loaded === 1 || !out;
          } else decrement(2);
        }
        return;
      case 4:
        out = true;
        if (waitsForClk) load();
        else if (gate) {
          decrement(1);
          if (expires()) out = false;
        }
        return;
      default:
        out = true;
        if (isTriggered) load();
        else {
          decrement(1);
          if (expires()) out = false;
        }
    }
  }

  function writeCount(count: number): void {
    const digits = [count >> 12, (count >> 8) & 0xf, (count >> 4) & 0xf, count & 0xf];
    const value = limit === 10_000 ? digits.reduce((sum, digit) => sum * 10 + digit, 0) % limit : count;
    cr = value === 0 ? limit : value;
    hasCount = true;
    nullCount = true;
    if (mode === 0) {
      out = false;
      isArmed = false;
    }
    if (mode === 0 || mode === 4 || ((mode === 2 || mode === 3) && !isLoaded)) waitsForClk = true;
  }

  const shown = (): number => (limit === 10_000 ? parseInt(String(ce % limit), 16) : ce);

  return {
    clk,
    program: (written) => {
      word = written & 0x3f;
      mode = (word >> 1) & 7;
      if (mode > 5) mode -= 4;
      limit = (word & 1) === 1 ? 10_000 : 0x1_0000;
      out = mode !== 0;
      hasCount = waitsForClk = trigger = isLoaded = isArmed = readsMsb = false;
      nullCount = true;
      firstByte = latchedCount = latchedStatus = undefined;
    },
    write: (byte) => {
      const rw = word >> 4;
      if (rw === 1) writeCount(byte);
      else if (rw === 2) writeCount(byte << 8);
      else if (firstByte === undefined) {
        firstByte = byte;
        if (mode === 0) {
          out = false;
          isArmed = false;
        }
      } else {
        const low = firstByte;
        firstByte = undefined;
        writeCount(low | (byte << 8));
      }
    },
    read: () => {
      if (latchedStatus !== undefined) {
        const status = latchedStatus;
        latchedStatus = undefined;
        return status;
      }
      const value = latchedCount ?? shown();
      const rw = word >> 4;
      const isMsb = rw === 2 || (rw === 3 && readsMsb);
      if (rw === 3) readsMsb = !readsMsb;
      if (rw !== 3 || isMsb) latchedCount = undefined;
      return isMsb ? value >> 8 : value & 0xff;
    },
    latchCount: () => {
      latchedCount ??= shown();
    },
    latchStatus: () => {
      latchedStatus ??= (out ? 0x80 : 0) | (nullCount ? 0x40 : 0) | word;
    },
    setGate: (isHigh) => {
      if (isHigh && !gate && hasCount && [1, 2, 3, 5].includes(mode)) trigger = true;
      if (!isHigh && (mode === 2 || mode === 3)) out = true;
      gate = isHigh;
    },
    out: () => out,
  };
}

export interface SteppedPit {
  /** One CLK pulse of all three counters. */
  clk(): void;
  /** Ports 40h to 43h by offset, and 61h. */
  read(port: number): number;
  write(port: number, value: number): void;
  setGate(counter: number, isHigh: boolean): void;
  /** CLK pulses so far at each of which, or after which, OUT of counter 0 rose. */
  takeRises(): readonly number[];
}

export function createSteppedPit(): SteppedPit {
  const counters = [createSteppedCounter(true), createSteppedCounter(true), createSteppedCounter(false)];
  let pulses = 0;
  let portB = 0b1100;
  let wasHigh = true;
  let rises: number[] = [];

  function look(): void {
    const isHigh = counters[0]!.out();
    if (isHigh && !wasHigh) rises.push(pulses);
    wasHigh = isHigh;
  }

  return {
    clk: () => {
      pulses++;
      for (const counter of counters) counter.clk();
      look();
    },
    read: (port) => {
      if (port === 0x61) return portB | (counters[2]!.out() ? 0x20 : 0) | (Math.floor(pulses / 18) % 2 === 1 ? 0x10 : 0);
      return port === 0x43 ? 0xff : counters[port - 0x40]!.read();
    },
    write: (port, value) => {
      if (port === 0x61) {
        portB = value & 0xf;
        counters[2]!.setGate((value & 1) === 1);
      } else if (port !== 0x43) counters[port - 0x40]!.write(value);
      else if (value >> 6 !== 3) {
        const counter = counters[value >> 6]!;
        if ((value & 0x30) === 0) counter.latchCount();
        else counter.program(value);
      } else
        for (const [n, counter] of counters.entries()) {
          if ((value & (2 << n)) === 0) continue;
          if ((value & 0x20) === 0) counter.latchCount();
          if ((value & 0x10) === 0) counter.latchStatus();
        }
      look();
    },
    setGate: (counter, isHigh) => {
      counters[counter]!.setGate(isHigh);
      look();
    },
    takeRises: () => {
      const taken = rises;
      rises = [];
      return taken;
    },
  };
}
