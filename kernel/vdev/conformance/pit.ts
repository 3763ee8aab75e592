/**
 * Intel 8254 (231164-005), in the order of its data sheet, on counter 2 of a PC (its GATE and OUT are at port 61h) and counter 0 where an interrupt
 * is what is seen. `wait` counts CLK pulses: on the model CLK has run since 0 and accesses take no time, so that everything is exact there.
 */
import { CONTROL, MODE, PIT_HZ, READ_BACK, STATUS } from '../../regs/i8254.ts';
import { PORT_B, REFRESH_COUNT } from '../../regs/system-control-port-b.ts';
import { instant, NANOS_PER_SECOND } from '../../time/units.ts';
import type { ConformanceCase, Expect, Target } from './target.ts';

const COUNTER_0 = 0x40;
const CONTROL_PORT = 0x43;
const PORT_B_PORT = 0x61;
const IRQ = 0;

const { RW_LSB, RW_MSB, RW_LSB_MSB, BCD } = CONTROL;
const ONE_CLK = { guest: 'an access takes longer than a CLK', qemu: 'an access takes about a CLK' } as const;

interface Pit {
  /** A control word; then OUT is what the mode says, and nothing counts. */
  program(counter: number, mode: number, other?: number): void;
  /** One byte, as RW wants it. */
  write(counter: number, byte: number): void;
  /** Two bytes. */
  load(counter: number, count: number): void;
  readByte(counter: number): number;
  /** Two bytes, without a latch. */
  readCount(counter: number): number;
  latch(counter: number): void;
  /** Latched, two bytes. */
  count(counter: number): number;
  /** @param what READ_BACK.COUNT, STATUS or both: those to latch @param counters bits 1 to 3 */
  readBack(what: number, counters: number): void;
  status(counter: number): number;
  out(counter: number): boolean;
  nullCount(counter: number): boolean;
  /** Counter 2's. */
  gate(isHigh: boolean): void;
  trigger(): void;
  wait(pulses: number): void;
  /** By how many counts what is seen may be off. */
  readonly slack: number;
}

const clkAt = (now: bigint): bigint => (now * PIT_HZ) / NANOS_PER_SECOND;

function pitOf(target: Target): Pit {
  const out = (port: number, value: number): void => target.out(port, 1, value);
  const pit: Pit = {
    program: (counter, mode, other = RW_LSB_MSB) => out(CONTROL_PORT, (counter << CONTROL.SC.shift) | (mode << CONTROL.M.shift) | other),
    write: (counter, byte) => out(COUNTER_0 + counter, byte),
    load: (counter, count) => {
      pit.write(counter, count & 0xff);
      pit.write(counter, (count >> 8) & 0xff);
    },
    readByte: (counter) => target.in(COUNTER_0 + counter, 1),
    readCount: (counter) => {
      const low = pit.readByte(counter);
      return low | (pit.readByte(counter) << 8);
    },
    latch: (counter) => out(CONTROL_PORT, counter << CONTROL.SC.shift),
    count: (counter) => {
      pit.latch(counter);
      return pit.readCount(counter);
    },
    readBack: (what, counters) => out(CONTROL_PORT, CONTROL.SC_READ_BACK | ((READ_BACK.COUNT | READ_BACK.STATUS) & ~what) | counters),
    status: (counter) => {
      pit.readBack(READ_BACK.STATUS, READ_BACK.COUNTER_0 << counter);
      return pit.readByte(counter);
    },
    out: (counter) => (pit.status(counter) & STATUS.OUTPUT) !== 0,
    nullCount: (counter) => (pit.status(counter) & STATUS.NULL_COUNT) !== 0,
    gate: (isHigh) => out(PORT_B_PORT, isHigh ? PORT_B.TIMER_2_GATE : 0),
    trigger: () => {
      pit.gate(false);
      pit.gate(true);
    },
    wait: (pulses) => {
      const pulse = clkAt(target.now()) + BigInt(pulses);
      target.waitUntil(instant((pulse * NANOS_PER_SECOND + PIT_HZ - 1n) / PIT_HZ));
    },
    // A few accesses, each with a phase of CLK that nobody knows.
    slack: target.slack === 0n ? 0 : 4 * Number(clkAt(target.slack) + 1n),
  };
  return pit;
}

/** What a case does with a counter 2 that has its GATE high. */
function pitCase(
  name: string,
  run: (pit: Pit, expect: Expect, target: Target) => void,
  more: Pick<ConformanceCase, 'qemuDiffers' | 'notOn'> = {},
): ConformanceCase {
  return {
    name,
    run: (target, expect) => {
      const pit = pitOf(target);
      pit.gate(true);
      run(pit, expect, target);
    },
    ...more,
  };
}

const near = (pit: Pit, expect: Expect, what: string, seen: number, expected: number): void =>
  expect.within(what, seen, expected - pit.slack, expected + pit.slack);

const QEMU_TWO_EDGES =
  'a rising OUT is one edge: QEMU reports a high OUT again when it is to fall, as it rounds the time of that down, and its I/O APIC takes each report for an edge';

/** Counts after `pulses` of them: the first one loads. */
const countsIn = (pulses: number): number => pulses - 1;

const N = 40_000;
const LONG = 10_000;

const programming: readonly ConformanceCase[] = [
  pitCase('Control Word Format: SC addresses one counter, and the others go on as they were', (pit, expect) => {
    pit.program(1, MODE.RATE_GENERATOR);
    pit.load(1, N);
    pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT, RW_LSB);
    pit.wait(LONG);
    expect.equal('what counter 1 was programmed with', pit.status(1) & STATUS.PROGRAMMED.mask, RW_LSB_MSB | (MODE.RATE_GENERATOR << 1));
    near(pit, expect, 'counter 1', pit.count(1), N - countsIn(LONG));
  }),
  pitCase('Control Word Format: RW 01b, the least significant byte only, the other one is 0', (pit, expect) => {
    pit.gate(false);
    pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT, RW_LSB_MSB);
    pit.load(2, 0x1234);
    pit.program(2, MODE.RATE_GENERATOR, RW_LSB);
    pit.write(2, 0x80);
    pit.gate(true);
    for (let read = 0; read < 5; read++) {
      pit.wait(50);
      expect.within('the byte, in a period of 80h', pit.readByte(2), 1, 0x80);
    }
    // Had it kept 12h, the period would be 36 times as long.
    pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT, RW_LSB);
    pit.write(2, 0xff);
    pit.wait(600);
    expect.equal('OUT after 600 pulses', pit.out(2), true);
  }),
  pitCase('Control Word Format: RW 10b, the most significant byte only, the other one is 0', (pit, expect) => {
    pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT, RW_MSB);
    pit.write(2, 0x40);
    pit.wait(2);
    expect.equal('the byte', pit.readByte(2), 0x3f);
    pit.wait(0x3e00);
    expect.equal('OUT at three quarters of the last 256', pit.out(2), false);
    pit.wait(0x200);
    expect.equal('OUT at the end', pit.out(2), true);
  }),
  pitCase('Control Word Format: RW 11b, the least significant byte first, then the most significant byte', (pit, expect) => {
    pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
    pit.write(2, 0x80);
    pit.write(2, 0x40);
    pit.wait(1);
    near(pit, expect, 'count', pit.count(2), 0x4080);
  }),
  pitCase(
    'Control Word Format: M X10b is mode 2',
    (pit, expect) => {
      pit.program(2, 0b110);
      pit.load(2, N);
      pit.wait(LONG);
      expect.equal('OUT', pit.out(2), true);
      near(pit, expect, 'count', pit.count(2), N - countsIn(LONG));
      pit.wait(N);
      near(pit, expect, 'count a period later', pit.count(2), N - countsIn(LONG));
    },
    { qemuDiffers: '"M2 M1 M0: X 1 0, Mode 2": it counts so, but OUT is that of mode 0' },
  ),
  pitCase(
    'Control Word Format: M X11b is mode 3',
    (pit, expect) => {
      pit.program(2, 0b111);
      pit.load(2, N);
      pit.wait(LONG);
      near(pit, expect, 'count, by twos', pit.count(2), N - 2 * countsIn(LONG));
    },
    { qemuDiffers: '"M2 M1 M0: X 1 1, Mode 3": it counts by ones, as in mode 2' },
  ),
  pitCase(
    'Control Word Format: BCD counts four decades',
    (pit, expect) => {
      pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT, RW_LSB_MSB | BCD);
      pit.load(2, 0x9000);
      pit.wait(5001);
      const count = pit.count(2);
      near(pit, expect, 'count', parseInt(count.toString(16), 10), 4000);
    },
    { qemuDiffers: '"Binary Coded Decimal (BCD) Counter (4 Decades)": the bit is kept, and the count is binary' },
  ),
  pitCase('Write Operations: each counter may be programmed at any time, in any order', (pit, expect) => {
    pit.program(2, MODE.RATE_GENERATOR);
    pit.program(1, MODE.INTERRUPT_ON_TERMINAL_COUNT);
    pit.load(1, N);
    pit.load(2, 0x8000);
    pit.wait(LONG);
    near(pit, expect, 'counter 1', pit.count(1), N - countsIn(LONG));
    near(pit, expect, 'counter 2', pit.count(2), 0x8000 - countsIn(LONG));
  }),
  pitCase('Write Operations: the bytes of a count need not follow each other, those of other counters may be between', (pit, expect) => {
    pit.program(1, MODE.RATE_GENERATOR);
    pit.program(2, MODE.RATE_GENERATOR);
    pit.write(1, 0x34);
    pit.write(2, 0x78);
    pit.write(1, 0x92);
    pit.write(2, 0x96);
    pit.wait(1);
    near(pit, expect, 'counter 1', pit.count(1), 0x9234);
    near(pit, expect, 'counter 2', pit.count(2), 0x9678);
  }),
  pitCase('Write Operations: a new count needs no new control word, and has the programmed format', (pit, expect) => {
    pit.program(2, MODE.SOFTWARE_TRIGGERED_STROBE, RW_MSB);
    pit.write(2, 0x20);
    pit.wait(100);
    pit.write(2, 0x70);
    pit.wait(2);
    expect.equal('the byte', pit.readByte(2), 0x6f);
  }),
  pitCase(
    'Write Operations: between the control word and the count nothing counts',
    (pit, expect) => {
      pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
      pit.load(2, 1000);
      pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
      pit.wait(3000);
      expect.equal('OUT', pit.out(2), false);
    },
    {
      qemuDiffers:
        '"OUT is initially low, and will remain low until the Counter reaches zero", a count that is not written: the old one goes on',
    },
  ),
];

const reading: readonly ConformanceCase[] = [
  pitCase('Read Operations: a read of the counter gives its bytes in the programmed order, without a latch', (pit, expect) => {
    pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
    pit.load(2, 0x80ff);
    pit.wait(1);
    // Far from a borrow, as long as the reads take.
    expect.equal('MSB', pit.readCount(2) >> 8, 0x80);
  }),
  pitCase(
    'Read Operations: with GATE low both bytes of an unlatched count belong together',
    (pit, expect) => {
      pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
      pit.load(2, N);
      pit.wait(LONG);
      pit.gate(false);
      pit.wait(1000);
      const first = pit.readCount(2);
      pit.wait(1000);
      expect.equal('count', pit.readCount(2), first);
      near(pit, expect, 'count', first, N - countsIn(LONG));
    },
    { qemuDiffers: '"GATE = 0 disables counting": in mode 0 it goes on' },
  ),
  pitCase('Read Operations: a read of the control word register does nothing', (pit, expect, target) => {
    pit.program(2, MODE.RATE_GENERATOR);
    // The first counts leave its MSB as it is.
    pit.load(2, N | 0xff);
    pit.wait(1);
    pit.latch(2);
    pit.readByte(2);
    target.in(CONTROL_PORT, 1);
    expect.equal('MSB of the latched count', pit.readByte(2), N >> 8);
  }),
  pitCase('Counter Latch Command: the count is held until it is read, and the counter goes on', (pit, expect) => {
    pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
    pit.load(2, N);
    pit.wait(LONG);
    pit.latch(2);
    pit.wait(LONG);
    near(pit, expect, 'what was latched', pit.readCount(2), N - countsIn(LONG));
    near(pit, expect, 'what it holds now', pit.count(2), N - countsIn(2 * LONG));
  }),
  pitCase('Counter Latch Command: a second one before the count is read is ignored', (pit, expect) => {
    pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
    pit.load(2, N);
    pit.wait(LONG);
    pit.latch(2);
    pit.wait(LONG);
    pit.latch(2);
    near(pit, expect, 'count', pit.readCount(2), N - countsIn(LONG));
  }),
  pitCase('Counter Latch Command: after the first of two bytes the second is still held, whatever is latched then', (pit, expect) => {
    pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
    pit.load(2, 0x80ff);
    pit.wait(2);
    pit.latch(2);
    pit.readByte(2);
    pit.wait(0x1000);
    pit.latch(2);
    expect.equal('MSB', pit.readByte(2), 0x80);
  }),
  pitCase('Counter Latch Command: counters are latched each for itself', (pit, expect) => {
    for (const counter of [1, 2]) {
      pit.program(counter, MODE.INTERRUPT_ON_TERMINAL_COUNT);
      pit.load(counter, N);
    }
    pit.wait(LONG);
    pit.latch(1);
    pit.wait(LONG);
    pit.latch(2);
    pit.wait(LONG);
    near(pit, expect, 'counter 2', pit.readCount(2), N - countsIn(2 * LONG));
    near(pit, expect, 'counter 1', pit.readCount(1), N - countsIn(LONG));
  }),
  pitCase('Counter Latch Command: once read, the latch follows the counter again', (pit, expect) => {
    pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT, RW_MSB);
    pit.write(2, 0x80);
    pit.wait(2);
    pit.latch(2);
    expect.equal('latched', pit.readByte(2), 0x7f);
    pit.wait(0x1000);
    expect.equal('followed', pit.readByte(2), 0x6f);
  }),
  pitCase('Counter Latch Command: a counter of one-byte counts is unlatched by one read', (pit, expect) => {
    pit.program(2, MODE.RATE_GENERATOR, RW_LSB);
    pit.write(2, 200);
    pit.wait(1);
    pit.latch(2);
    const latched = pit.readByte(2);
    near(pit, expect, 'latched', latched, 200);
    pit.wait(100);
    expect.equal('what is read then is another', pit.readByte(2) !== latched, true);
  }),
  pitCase('Counter Latch Command: accesses of other counters may be between the two reads', (pit, expect) => {
    pit.program(2, MODE.RATE_GENERATOR);
    pit.load(2, 0x9234);
    pit.wait(1);
    pit.latch(2);
    const low = pit.readByte(2);
    pit.program(1, MODE.RATE_GENERATOR);
    pit.load(1, 0x5678);
    pit.count(1);
    near(pit, expect, 'count', low | (pit.readByte(2) << 8), 0x9234);
  }),
  pitCase('Counter Latch Command: reads and writes of one counter may alternate, byte by byte', (pit, expect) => {
    pit.program(2, MODE.RATE_GENERATOR);
    pit.load(2, 0x9234);
    pit.wait(1);
    pit.latch(2);
    const low = pit.readByte(2);
    pit.write(2, 0x78);
    near(pit, expect, 'the count read', low | (pit.readByte(2) << 8), 0x9234);
    pit.write(2, 0x56);
    pit.trigger();
    pit.wait(1);
    near(pit, expect, 'the count written', pit.count(2), 0x5678);
  }),
  pitCase(
    'Counter Latch Command: the latch is given up when the counter is reprogrammed',
    (pit, expect) => {
      pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
      pit.load(2, N);
      pit.wait(1);
      pit.latch(2);
      pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
      pit.load(2, 0x2000);
      pit.wait(1);
      near(pit, expect, 'count', pit.readCount(2), 0x2000);
    },
    { qemuDiffers: '"held in the latch until it is read by the CPU (or until the Counter is reprogrammed)": a control word leaves it' },
  ),
  pitCase('Counter Latch Command: it does not affect the programmed mode', (pit, expect) => {
    pit.program(2, MODE.SQUARE_WAVE);
    pit.load(2, N);
    pit.latch(2);
    pit.readCount(2);
    expect.equal('programmed', pit.status(2) & STATUS.PROGRAMMED.mask, RW_LSB_MSB | (MODE.SQUARE_WAVE << 1));
  }),
];

const readBack: readonly ConformanceCase[] = [
  pitCase('Read-Back Command: COUNT latches the counts of several counters at one instant', (pit, expect) => {
    for (const counter of [1, 2]) {
      pit.program(counter, MODE.INTERRUPT_ON_TERMINAL_COUNT);
      pit.load(counter, N);
    }
    pit.wait(LONG);
    pit.readBack(READ_BACK.COUNT, (READ_BACK.COUNTER_0 << 1) | (READ_BACK.COUNTER_0 << 2));
    pit.wait(LONG);
    near(pit, expect, 'counter 1', pit.readCount(1), N - countsIn(LONG));
    near(pit, expect, 'counter 2', pit.readCount(2), N - countsIn(LONG));
  }),
  pitCase('Read-Back Command: of several count latches without a read between, all but the first are ignored', (pit, expect) => {
    pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
    pit.load(2, N);
    pit.wait(LONG);
    pit.latch(2);
    pit.wait(LONG);
    pit.readBack(READ_BACK.COUNT, READ_BACK.COUNTER_0 << 2);
    near(pit, expect, 'count', pit.readCount(2), N - countsIn(LONG));
  }),
  pitCase('Read-Back Command: a counter that is not selected is not latched', (pit, expect) => {
    pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
    pit.load(2, N);
    pit.wait(LONG);
    pit.readBack(READ_BACK.COUNT | READ_BACK.STATUS, READ_BACK.COUNTER_0 << 1);
    pit.wait(0x1000);
    near(pit, expect, 'count', pit.readCount(2), N - countsIn(LONG + 0x1000));
    pit.readByte(1); // what was latched of counter 1
    pit.readCount(1);
  }),
  pitCase('Read-Back Command: with neither COUNT nor STATUS it latches nothing', (pit, expect) => {
    pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT, RW_MSB);
    pit.write(2, 0x80);
    pit.wait(2);
    pit.readBack(0, READ_BACK.COUNTER_0 << 2);
    pit.wait(0x1000);
    expect.equal('the byte', pit.readByte(2), 0x6f);
  }),
  pitCase('Status Byte: bits 0 to 5 are RW, M and BCD exactly as written', (pit, expect) => {
    for (const rw of [RW_LSB, RW_MSB, RW_LSB_MSB])
      for (let low = 0; low < 16; low++) {
        pit.program(2, low >> 1, rw | (low & BCD));
        expect.equal('programmed', pit.status(2) & STATUS.PROGRAMMED.mask, rw | low);
      }
  }),
  pitCase('Status Byte: OUTPUT is the OUT pin', (pit, expect, target) => {
    const pin = (): boolean => (target.in(PORT_B_PORT, 1) & PORT_B.TIMER_2_OUT) !== 0;
    pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
    pit.load(2, LONG);
    pit.wait(LONG - 1000);
    expect.equal('OUTPUT before 0', pit.out(2), false);
    expect.equal('OUT before 0', pin(), false);
    pit.wait(2000);
    expect.equal('OUTPUT after 0', pit.out(2), true);
    expect.equal('OUT after 0', pin(), true);
  }),
  pitCase('Status Byte: of several latches without a read between, all but the first are ignored', (pit, expect) => {
    pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
    pit.load(2, LONG);
    pit.readBack(READ_BACK.STATUS, READ_BACK.COUNTER_0 << 2);
    pit.wait(2 * LONG);
    pit.readBack(READ_BACK.STATUS, READ_BACK.COUNTER_0 << 2);
    expect.equal('OUTPUT of the first', pit.readByte(2) & STATUS.OUTPUT, 0);
    expect.equal('OUTPUT of the next', pit.status(2) & STATUS.OUTPUT, STATUS.OUTPUT);
  }),
  pitCase(
    'Status Byte: NULL COUNT is set by a control word',
    (pit, expect) => {
      pit.program(2, MODE.RATE_GENERATOR);
      expect.equal('NULL COUNT', pit.nullCount(2), true);
    },
    { qemuDiffers: '"Write to the control word register: Null count = 1": the bit is always 0' },
  ),
  pitCase('Status Byte: NULL COUNT is cleared when the count is loaded into the counting element', (pit, expect) => {
    pit.program(2, MODE.RATE_GENERATOR);
    pit.load(2, N);
    pit.wait(1);
    expect.equal('NULL COUNT', pit.nullCount(2), false);
  }),
  pitCase(
    'Status Byte: NULL COUNT is set by a count until the next CLK loads it',
    (pit, expect) => {
      pit.program(2, MODE.SOFTWARE_TRIGGERED_STROBE);
      pit.load(2, N);
      expect.equal('NULL COUNT at once', pit.nullCount(2), true);
      pit.wait(1);
      expect.equal('NULL COUNT a CLK later', pit.nullCount(2), false);
    },
    { notOn: ONE_CLK },
  ),
  pitCase(
    'Status Byte: NULL COUNT is set by the second byte of a two-byte count, not by the first',
    (pit, expect) => {
      pit.program(2, MODE.HARDWARE_RETRIGGERABLE_ONE_SHOT);
      pit.load(2, N);
      pit.trigger();
      pit.wait(1);
      pit.write(2, 0);
      expect.equal('NULL COUNT after the first', pit.nullCount(2), false);
      pit.write(2, 0x80);
      expect.equal('NULL COUNT after the second', pit.nullCount(2), true);
    },
    { qemuDiffers: '"Null count goes to 1 when the second byte is written": the bit is always 0' },
  ),
  pitCase(
    'Status Byte: NULL COUNT of a counter that waits for a trigger stays set until it comes',
    (pit, expect) => {
      pit.program(2, MODE.HARDWARE_TRIGGERED_STROBE);
      pit.load(2, N);
      pit.wait(1000);
      expect.equal('NULL COUNT before', pit.nullCount(2), true);
      pit.trigger();
      pit.wait(1);
      expect.equal('NULL COUNT after', pit.nullCount(2), false);
    },
    { qemuDiffers: '"New count is loaded into CE (CR to CE): Null count = 0", and 1 until then: the bit is always 0' },
  ),
  pitCase(
    'Status Byte: NULL COUNT in mode 2 stays set until the end of the period takes the new count',
    (pit, expect) => {
      pit.program(2, MODE.RATE_GENERATOR);
      pit.load(2, N);
      pit.wait(LONG);
      pit.load(2, 2 * LONG);
      expect.equal('NULL COUNT within the period', pit.nullCount(2), true);
      pit.wait(N);
      expect.equal('NULL COUNT in the next', pit.nullCount(2), false);
    },
    {
      qemuDiffers:
        '"the new count will be loaded at the end of the current counting cycle", and NULL COUNT is 1 until then: it is always 0',
    },
  ),
  pitCase(
    'Status Byte: NULL COUNT of other counters is unaffected',
    (pit, expect) => {
      pit.program(1, MODE.RATE_GENERATOR);
      pit.load(1, N);
      pit.wait(1);
      pit.program(2, MODE.RATE_GENERATOR);
      expect.equal('NULL COUNT of counter 1', pit.nullCount(1), false);
      expect.equal('NULL COUNT of counter 2', pit.nullCount(2), true);
    },
    { qemuDiffers: '"Only the counter specified by the control word will have its Null Count set to 1": the bit is always 0' },
  ),
  pitCase('Read-Back Command: of status and count latched together, the status is read first', (pit, expect) => {
    pit.program(2, MODE.RATE_GENERATOR);
    pit.load(2, 0x9234);
    pit.wait(1);
    pit.readBack(READ_BACK.COUNT | READ_BACK.STATUS, READ_BACK.COUNTER_0 << 2);
    pit.wait(1000);
    expect.equal('first', pit.readByte(2) & STATUS.PROGRAMMED.mask, RW_LSB_MSB | (MODE.RATE_GENERATOR << 1));
    near(pit, expect, 'then', pit.readCount(2), 0x9234);
  }),
  pitCase('Read-Back Command: a status latched after a count is read before it', (pit, expect) => {
    pit.program(2, MODE.RATE_GENERATOR);
    pit.load(2, 0x9234);
    pit.wait(1);
    pit.latch(2);
    expect.equal('first', pit.status(2) & STATUS.PROGRAMMED.mask, RW_LSB_MSB | (MODE.RATE_GENERATOR << 1));
    near(pit, expect, 'then', pit.readCount(2), 0x9234);
  }),
  pitCase('Read-Back Command: after latched status and count, reads give the unlatched count', (pit, expect) => {
    pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
    pit.load(2, 0xc000);
    pit.wait(2);
    pit.readBack(READ_BACK.COUNT | READ_BACK.STATUS, READ_BACK.COUNTER_0 << 2);
    pit.readByte(2);
    pit.readCount(2);
    pit.wait(0x2000);
    expect.equal('MSB', pit.readCount(2) >> 8, 0x9f);
  }),
  pitCase('Read-Back Command: a latched status between two bytes does not disturb their order', (pit, expect) => {
    pit.program(2, MODE.RATE_GENERATOR);
    pit.load(2, 0x9234);
    pit.wait(1);
    pit.latch(2);
    const low = pit.readByte(2);
    pit.status(2);
    near(pit, expect, 'count', low | (pit.readByte(2) << 8), 0x9234);
  }),
];

const mode0: readonly ConformanceCase[] = [
  pitCase(
    'Mode 0: after the control word OUT is low',
    (pit, expect) => {
      pit.program(2, MODE.RATE_GENERATOR);
      expect.equal('OUT before', pit.out(2), true);
      pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
      expect.equal('OUT', pit.out(2), false);
    },
    { qemuDiffers: '"OUT goes to a known initial state": OUT is still computed from the count before' },
  ),
  pitCase('Mode 0: OUT goes high N + 1 CLK pulses after the count is written', (pit, expect) => {
    pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
    pit.load(2, LONG);
    pit.wait(LONG - pit.slack);
    expect.equal('OUT at N', pit.out(2), false);
    pit.wait(1 + 2 * pit.slack);
    expect.equal('OUT at N + 1', pit.out(2), true);
  }),
  pitCase('Mode 0: counter 0 interrupts then, once', (pit, expect, target) => {
    target.watch(IRQ, 'edge');
    pit.program(0, MODE.INTERRUPT_ON_TERMINAL_COUNT);
    target.takeInterrupts();
    pit.load(0, LONG);
    const start = clkAt(target.now());
    pit.wait(0x1_0000 + 2 * LONG);
    const taken = target.takeInterrupts();
    expect.equal('interrupts', taken.length, 1);
    near(pit, expect, 'after pulses', Number(clkAt(taken[0]!.at) - start), LONG + 1);
  }),
  pitCase('Mode 0: OUT remains high, and the counter wraps around and goes on', (pit, expect) => {
    pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
    pit.load(2, LONG);
    pit.wait(LONG + 1 + LONG);
    near(pit, expect, 'count', pit.count(2), 0x1_0000 - LONG);
    expect.equal('OUT', pit.out(2), true);
    pit.wait(0x1_0000);
    expect.equal('OUT a whole turn later', pit.out(2), true);
  }),
  pitCase('Mode 0: a new count takes OUT low', (pit, expect) => {
    pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
    pit.load(2, 1000);
    pit.wait(3000);
    expect.equal('OUT before', pit.out(2), true);
    pit.load(2, N);
    expect.equal('OUT', pit.out(2), false);
  }),
  pitCase('Mode 0: a new count while it counts is loaded on the next CLK, and counting continues from it', (pit, expect) => {
    pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
    pit.load(2, N);
    pit.wait(LONG);
    pit.load(2, 2 * LONG);
    pit.wait(LONG);
    near(pit, expect, 'count', pit.count(2), 2 * LONG - countsIn(LONG));
  }),
  pitCase(
    'Mode 0: writing the first byte disables counting',
    (pit, expect) => {
      pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
      pit.load(2, N);
      pit.wait(LONG);
      pit.write(2, 0x34);
      pit.wait(LONG);
      near(pit, expect, 'count', pit.count(2), N - countsIn(LONG));
      pit.write(2, 0x92);
      pit.wait(LONG);
      near(pit, expect, 'count after the second', pit.count(2), 0x9234 - countsIn(LONG));
    },
    { qemuDiffers: '"Writing the first byte disables counting": it goes on until the second' },
  ),
  pitCase(
    'Mode 0: writing the first byte sets OUT low immediately',
    (pit, expect) => {
      pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
      pit.load(2, 1000);
      pit.wait(3000);
      pit.write(2, 0x34);
      expect.equal('OUT', pit.out(2), false);
    },
    { qemuDiffers: '"OUT is set low immediately (no clock pulse required)": not before the second byte' },
  ),
  pitCase(
    'Mode 0: GATE = 0 disables counting, GATE = 1 enables it',
    (pit, expect) => {
      pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
      pit.load(2, N);
      pit.wait(LONG);
      pit.gate(false);
      pit.wait(N);
      expect.equal('OUT', pit.out(2), false);
      pit.gate(true);
      pit.wait(LONG);
      near(pit, expect, 'count', pit.count(2), N - countsIn(2 * LONG));
    },
    { qemuDiffers: '"GATE = 0 disables counting": in modes 0 and 4 it goes on' },
  ),
  pitCase(
    'Mode 0: a count written while GATE = 0 is loaded on the next CLK; OUT goes high N pulses after GATE',
    (pit, expect) => {
      pit.gate(false);
      pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
      pit.load(2, LONG);
      pit.wait(LONG);
      expect.equal('count while GATE is low', pit.count(2), LONG);
      pit.gate(true);
      pit.wait(LONG - 1 - pit.slack);
      expect.equal('OUT at N - 1', pit.out(2), false);
      pit.wait(1 + 2 * pit.slack);
      expect.equal('OUT at N', pit.out(2), true);
    },
    { qemuDiffers: '"When GATE goes high, OUT will go high N CLK pulses later": it counts while GATE is low' },
  ),
  pitCase('Mode 0: GATE has no effect on OUT', (pit, expect) => {
    pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
    pit.load(2, 1000);
    pit.wait(3000);
    pit.gate(false);
    expect.equal('OUT with GATE low', pit.out(2), true);
    pit.gate(true);
    pit.wait(10);
    expect.equal('OUT with GATE high again', pit.out(2), true);
  }),
  pitCase('Mode 0: the smallest count is 1', (pit, expect) => {
    pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
    pit.load(2, 1);
    pit.wait(2 + pit.slack);
    expect.equal('OUT', pit.out(2), true);
  }),
];

const MODE_1_INVERTED = '"OUT will be initially high": OUT is high from the count\'s writing on for N pulses, and low afterwards';

const mode1: readonly ConformanceCase[] = [
  pitCase(
    'Mode 1: after control word and count OUT is high, and the counter waits for a trigger',
    (pit, expect) => {
      pit.program(2, MODE.HARDWARE_RETRIGGERABLE_ONE_SHOT);
      pit.load(2, 1000);
      pit.wait(3000);
      expect.equal('OUT', pit.out(2), true);
    },
    { qemuDiffers: MODE_1_INVERTED },
  ),
  pitCase(
    'Mode 1: a trigger makes OUT low for N CLK pulses',
    (pit, expect) => {
      pit.program(2, MODE.HARDWARE_RETRIGGERABLE_ONE_SHOT);
      pit.load(2, LONG);
      pit.trigger();
      pit.wait(1);
      expect.equal('OUT at the first CLK', pit.out(2), false);
      pit.wait(LONG - 1 - pit.slack);
      expect.equal('OUT at the last', pit.out(2), false);
      pit.wait(1 + 2 * pit.slack);
      expect.equal('OUT after N', pit.out(2), true);
    },
    { qemuDiffers: MODE_1_INVERTED },
  ),
  pitCase(
    'Mode 1: until the CLK pulse after the trigger OUT is still high',
    (pit, expect) => {
      pit.program(2, MODE.HARDWARE_RETRIGGERABLE_ONE_SHOT);
      pit.load(2, 10);
      pit.wait(5);
      pit.trigger();
      expect.equal('OUT', pit.out(2), true);
    },
    { notOn: ONE_CLK },
  ),
  pitCase(
    'Mode 1: it is retriggerable: OUT stays low for N pulses after any trigger',
    (pit, expect) => {
      pit.program(2, MODE.HARDWARE_RETRIGGERABLE_ONE_SHOT);
      pit.load(2, LONG);
      pit.trigger();
      pit.wait(LONG - 1000);
      pit.trigger();
      pit.wait(LONG - 1000);
      expect.equal('OUT', pit.out(2), false);
      pit.wait(2000);
      expect.equal('OUT at the end', pit.out(2), true);
    },
    { qemuDiffers: MODE_1_INVERTED },
  ),
  pitCase(
    'Mode 1: the pulse can be repeated without the count being written again',
    (pit, expect) => {
      pit.program(2, MODE.HARDWARE_RETRIGGERABLE_ONE_SHOT);
      pit.load(2, LONG);
      for (let pulse = 0; pulse < 3; pulse++) {
        pit.trigger();
        pit.wait(LONG / 2);
        expect.equal('OUT within the pulse', pit.out(2), false);
        pit.wait(LONG);
        expect.equal('OUT after it', pit.out(2), true);
      }
    },
    { qemuDiffers: MODE_1_INVERTED },
  ),
  pitCase(
    'Mode 1: GATE going low has no effect on OUT, nor on counting',
    (pit, expect) => {
      pit.program(2, MODE.HARDWARE_RETRIGGERABLE_ONE_SHOT);
      pit.load(2, N);
      pit.trigger();
      pit.wait(LONG);
      pit.gate(false);
      pit.wait(LONG);
      near(pit, expect, 'count', pit.count(2), N - countsIn(2 * LONG));
      expect.equal('OUT', pit.out(2), false);
    },
    { qemuDiffers: MODE_1_INVERTED },
  ),
  pitCase(
    'Mode 1: a new count does not affect the pulse that is on, but the next',
    (pit, expect) => {
      pit.program(2, MODE.HARDWARE_RETRIGGERABLE_ONE_SHOT);
      pit.load(2, N);
      pit.trigger();
      pit.wait(LONG);
      pit.load(2, LONG);
      pit.wait(LONG);
      near(pit, expect, 'count of the first', pit.count(2), N - countsIn(2 * LONG));
      pit.trigger();
      pit.wait(LONG / 2);
      near(pit, expect, 'count of the second', pit.count(2), LONG - countsIn(LONG / 2));
    },
    { qemuDiffers: '"the current one-shot is not affected unless the Counter is retriggered": the count is loaded at once' },
  ),
  pitCase('Mode 1: after the pulse the counter wraps around', (pit, expect) => {
    pit.program(2, MODE.HARDWARE_RETRIGGERABLE_ONE_SHOT);
    pit.load(2, 1000);
    pit.trigger();
    pit.wait(1 + 1000 + LONG);
    near(pit, expect, 'count', pit.count(2), 0x1_0000 - LONG);
  }),
];

const MODE_2_INVERTED = '"OUT will initially be high ... OUT goes low for one CLK pulse": OUT is low but for one pulse';

const mode2: readonly ConformanceCase[] = [
  pitCase(
    'Mode 2: OUT is high after the control word and most of the period',
    (pit, expect) => {
      pit.program(2, MODE.RATE_GENERATOR);
      expect.equal('OUT after the control word', pit.out(2), true);
      pit.load(2, N);
      pit.wait(N / 2);
      expect.equal('OUT within the period', pit.out(2), true);
    },
    { qemuDiffers: MODE_2_INVERTED },
  ),
  pitCase(
    'Mode 2: OUT goes low N pulses after the count is written, for one CLK pulse, and so on',
    (pit, expect) => {
      pit.program(2, MODE.RATE_GENERATOR);
      pit.load(2, 5);
      let seen = '';
      for (let pulse = 1; pulse <= 17; pulse++) {
        pit.wait(1);
        seen += pit.out(2) ? 'H' : 'L';
      }
      expect.equal('OUT at pulses 1 to 17', seen, 'HHHHLHHHHLHHHHLHH');
    },
    { notOn: ONE_CLK },
  ),
  pitCase('Mode 2: the counter goes from N to 1 and is reloaded', (pit, expect) => {
    pit.program(2, MODE.RATE_GENERATOR);
    pit.load(2, LONG);
    pit.wait(1 + 3 * LONG);
    const count = pit.count(2);
    near(pit, expect, 'counts from the reload', Math.min(count, LONG - count), 0);
    pit.wait(LONG / 4);
    expect.within('count', pit.count(2), (3 * LONG) / 4 - 2 * pit.slack, (3 * LONG) / 4 + 2 * pit.slack);
  }),
  pitCase('Mode 2: counter 0 interrupts each N pulses', (pit, expect, target) => {
    target.watch(IRQ, 'edge');
    pit.program(0, MODE.RATE_GENERATOR);
    target.takeInterrupts();
    pit.load(0, LONG);
    const start = clkAt(target.now());
    pit.wait(10 * LONG + LONG / 2);
    const taken = target.takeInterrupts();
    pit.program(0, MODE.INTERRUPT_ON_TERMINAL_COUNT);
    expect.equal('interrupts', taken.length, 10);
    for (const [n, { at }] of taken.entries()) near(pit, expect, `pulses to interrupt ${n}`, Number(clkAt(at) - start), 1 + (n + 1) * LONG);
  }),
  pitCase(
    'Mode 2: GATE = 0 disables counting',
    (pit, expect) => {
      pit.program(2, MODE.RATE_GENERATOR);
      pit.load(2, N);
      pit.wait(LONG);
      pit.gate(false);
      const stopped = pit.count(2);
      pit.wait(LONG);
      expect.equal('count', pit.count(2), stopped);
    },
    { qemuDiffers: '"GATE = 1 enables counting; GATE = 0 disables counting": in modes 2 and 3 it goes on' },
  ),
  pitCase(
    'Mode 2: GATE going low during an output pulse sets OUT high immediately',
    (pit, expect) => {
      pit.program(2, MODE.RATE_GENERATOR);
      pit.load(2, 5);
      pit.wait(5);
      expect.equal('OUT', pit.out(2), false);
      pit.gate(false);
      expect.equal('OUT with GATE low', pit.out(2), true);
      pit.gate(true);
      expect.equal('OUT with GATE high again, before the reload', pit.out(2), true);
    },
    { notOn: ONE_CLK },
  ),
  pitCase('Mode 2: a trigger reloads the counter on the next CLK', (pit, expect) => {
    pit.program(2, MODE.RATE_GENERATOR);
    pit.load(2, N);
    pit.wait(LONG);
    pit.trigger();
    pit.wait(1);
    near(pit, expect, 'count', pit.count(2), N);
  }),
  pitCase(
    'Mode 2: a new count does not affect the current counting sequence; it is loaded at its end',
    (pit, expect) => {
      pit.program(2, MODE.RATE_GENERATOR);
      pit.load(2, N);
      pit.wait(LONG);
      pit.load(2, LONG);
      pit.wait(LONG);
      near(pit, expect, 'count of the current sequence', pit.count(2), N - countsIn(2 * LONG));
      pit.wait(1 + N - 2 * LONG + LONG / 4);
      near(pit, expect, 'count of the next', pit.count(2), (3 * LONG) / 4);
      pit.wait(LONG);
      near(pit, expect, 'count of the one after', pit.count(2), (3 * LONG) / 4);
    },
    { qemuDiffers: '"Writing a new count while counting does not affect the current counting sequence": it is loaded at once' },
  ),
  pitCase('Mode 2: a trigger before the end of the period loads a new count on the next CLK', (pit, expect) => {
    pit.program(2, MODE.RATE_GENERATOR);
    pit.load(2, N);
    pit.wait(LONG);
    pit.load(2, 2 * LONG);
    pit.trigger();
    pit.wait(LONG);
    near(pit, expect, 'count', pit.count(2), 2 * LONG - countsIn(LONG));
  }),
  pitCase(
    'Mode 2: interrupts of counter 0 go on with the old period once after a new count, then with the new one',
    (pit, expect, target) => {
      target.watch(IRQ, 'edge');
      pit.program(0, MODE.RATE_GENERATOR);
      target.takeInterrupts();
      pit.load(0, 2 * LONG);
      const start = clkAt(target.now());
      pit.wait(LONG);
      pit.load(0, 3 * LONG);
      pit.wait(6 * LONG);
      const taken = target.takeInterrupts();
      pit.program(0, MODE.INTERRUPT_ON_TERMINAL_COUNT);
      expect.equal('interrupts', taken.length, 2);
      near(pit, expect, 'pulses to the first', Number(clkAt(taken[0]!.at) - start), 1 + 2 * LONG);
      near(pit, expect, 'pulses to the second', Number(clkAt(taken[1]!.at) - start), 1 + 5 * LONG);
    },
    { qemuDiffers: '"the new count will be loaded at the end of the current counting cycle": the cycle starts anew' },
  ),
  pitCase('Mode 2: the smallest count is 2', (pit, expect) => {
    pit.program(2, MODE.RATE_GENERATOR);
    pit.load(2, 2);
    for (let read = 0; read < 8; read++) {
      pit.wait(1);
      expect.within('count', pit.count(2), 1, 2);
    }
  }),
];

const mode3: readonly ConformanceCase[] = [
  pitCase('Mode 3: OUT is high for the first half of the count and low for the rest', (pit, expect) => {
    pit.program(2, MODE.SQUARE_WAVE);
    pit.load(2, N);
    pit.wait(N / 4);
    for (let half = 0; half < 6; half++) {
      expect.equal(`OUT in half-cycle ${half}`, pit.out(2), half % 2 === 0);
      pit.wait(N / 2);
    }
  }),
  pitCase(
    'Mode 3: OUT is high after the control word',
    (pit, expect) => {
      pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
      pit.load(2, N);
      pit.wait(0x6000);
      pit.program(2, MODE.SQUARE_WAVE);
      expect.equal('OUT', pit.out(2), true);
    },
    { qemuDiffers: '"OUT will initially be high": it is computed from the count before' },
  ),
  pitCase(
    'Mode 3: even counts: it counts by two from N to 2, and OUT changes when it is reloaded',
    (pit, expect) => {
      pit.program(2, MODE.SQUARE_WAVE);
      pit.load(2, 4);
      let seen = '';
      for (let pulse = 1; pulse <= 9; pulse++) {
        pit.wait(1);
        seen += `${pit.count(2)}${pit.out(2) ? 'H' : 'L'} `;
      }
      expect.equal('count and OUT at pulses 1 to 9', seen, '4H 2H 4L 2L 4H 2H 4L 2L 4H ');
    },
    { notOn: ONE_CLK },
  ),
  pitCase(
    'Mode 3: odd counts: OUT is high for (N + 1) / 2 and low for (N - 1) / 2, and the counter counts from N - 1 by two',
    (pit, expect) => {
      pit.program(2, MODE.SQUARE_WAVE);
      pit.load(2, 5);
      let seen = '';
      for (let pulse = 1; pulse <= 11; pulse++) {
        pit.wait(1);
        seen += `${pit.count(2)}${pit.out(2) ? 'H' : 'L'} `;
      }
      expect.equal('count and OUT at pulses 1 to 11', seen, '4H 2H 0H 4L 2L 4H 2H 0H 4L 2L 4H ');
    },
    { notOn: ONE_CLK },
  ),
  pitCase(
    'Mode 3: odd counts: what the counter holds is even',
    (pit, expect) => {
      pit.program(2, MODE.SQUARE_WAVE);
      pit.load(2, N + 1);
      for (let read = 0; read < 6; read++) {
        pit.wait(3333);
        expect.equal('bit 0', pit.count(2) & 1, 0);
      }
    },
    { qemuDiffers: '"The initial count minus one (an even number) is loaded on one CLK pulse": the odd count is' },
  ),
  pitCase(
    'Mode 3: counter 0 interrupts once a period of N, also of an odd one',
    (pit, expect, target) => {
      target.watch(IRQ, 'edge');
      pit.program(0, MODE.SQUARE_WAVE);
      target.takeInterrupts();
      pit.load(0, LONG + 1);
      const start = clkAt(target.now());
      pit.wait(10 * (LONG + 1) + LONG / 2);
      // What comes with the loading, where OUT rises then, is not of a period.
      const taken = target.takeInterrupts().filter(({ at }) => clkAt(at) - start > BigInt(LONG / 2));
      pit.program(0, MODE.INTERRUPT_ON_TERMINAL_COUNT);
      expect.equal('interrupts', taken.length, 10);
      near(pit, expect, 'pulses to the last', Number(clkAt(taken[9]!.at) - start), 1 + 10 * (LONG + 1));
    },
    { qemuDiffers: QEMU_TWO_EDGES },
  ),
  pitCase(
    'Mode 3: GATE going low while OUT is low sets OUT high immediately',
    (pit, expect) => {
      pit.program(2, MODE.SQUARE_WAVE);
      pit.load(2, N);
      pit.wait((3 * N) / 4);
      expect.equal('OUT', pit.out(2), false);
      pit.gate(false);
      expect.equal('OUT with GATE low', pit.out(2), true);
    },
    { qemuDiffers: '"If GATE goes low while OUT is low, OUT is set high immediately; no CLK pulse is required": it stays low' },
  ),
  pitCase(
    'Mode 3: GATE = 0 disables counting',
    (pit, expect) => {
      pit.program(2, MODE.SQUARE_WAVE);
      pit.load(2, N);
      pit.wait(LONG / 2);
      pit.gate(false);
      const stopped = pit.count(2);
      pit.wait(LONG / 2);
      expect.equal('count', pit.count(2), stopped);
    },
    { qemuDiffers: '"GATE = 0 disables counting": in modes 2 and 3 it goes on' },
  ),
  pitCase('Mode 3: a trigger reloads the counter on the next CLK, and OUT is high for the first half then', (pit, expect) => {
    pit.program(2, MODE.SQUARE_WAVE);
    pit.load(2, N);
    pit.wait((3 * N) / 4);
    pit.trigger();
    pit.wait(1);
    near(pit, expect, 'count', pit.count(2), N);
    pit.wait(N / 4);
    expect.equal('OUT', pit.out(2), true);
    pit.wait(N / 2);
    expect.equal('OUT half a period later', pit.out(2), false);
  }),
  pitCase(
    'Mode 3: a new count is loaded at the end of the current half-cycle',
    (pit, expect) => {
      pit.program(2, MODE.SQUARE_WAVE);
      pit.load(2, N);
      pit.wait(N / 4);
      pit.load(2, 3 * LONG);
      pit.wait(N / 8);
      near(pit, expect, 'count of the current half', pit.count(2), N - 2 * countsIn((3 * N) / 8));
      pit.wait(1 + N / 8 + LONG / 4);
      near(pit, expect, 'count of the next half', pit.count(2), 3 * LONG - LONG / 2);
      expect.equal('OUT of the next half', pit.out(2), false);
      pit.wait((3 * LONG) / 2);
      expect.equal('OUT of the half after that', pit.out(2), true);
    },
    { qemuDiffers: '"Otherwise, the new count will be loaded at the end of the current half-cycle": it is loaded at once' },
  ),
  pitCase('Mode 3: a trigger before the end of the half-cycle loads a new count on the next CLK', (pit, expect) => {
    pit.program(2, MODE.SQUARE_WAVE);
    pit.load(2, N);
    pit.wait(LONG);
    pit.load(2, 2 * LONG);
    pit.trigger();
    pit.wait(LONG / 4);
    near(pit, expect, 'count', pit.count(2), 2 * LONG - 2 * countsIn(LONG / 4));
  }),
];

const STROBE_INVERTED = '"OUT will be initially high ... OUT will go low for one CLK pulse": OUT is low but for one pulse';

const mode4: readonly ConformanceCase[] = [
  pitCase(
    'Mode 4: OUT is high after the control word and while it counts',
    (pit, expect) => {
      pit.program(2, MODE.SOFTWARE_TRIGGERED_STROBE);
      expect.equal('OUT after the control word', pit.out(2), true);
      pit.load(2, N);
      pit.wait(LONG);
      expect.equal('OUT while it counts', pit.out(2), true);
    },
    { qemuDiffers: STROBE_INVERTED },
  ),
  pitCase(
    'Mode 4: OUT strobes low N + 1 pulses after the count is written, for one CLK pulse',
    (pit, expect) => {
      pit.program(2, MODE.SOFTWARE_TRIGGERED_STROBE);
      pit.load(2, 3);
      let seen = '';
      for (let pulse = 1; pulse <= 7; pulse++) {
        pit.wait(1);
        seen += pit.out(2) ? 'H' : 'L';
      }
      expect.equal('OUT at pulses 1 to 7', seen, 'HHHLHHH');
    },
    { notOn: ONE_CLK },
  ),
  pitCase(
    'Mode 4: counter 0 interrupts at the end of the strobe, once',
    (pit, expect, target) => {
      target.watch(IRQ, 'edge');
      pit.program(0, MODE.SOFTWARE_TRIGGERED_STROBE);
      target.takeInterrupts();
      pit.load(0, LONG);
      const start = clkAt(target.now());
      pit.wait(2 * 0x1_0000);
      const taken = target.takeInterrupts();
      expect.equal('interrupts', taken.length, 1);
      near(pit, expect, 'after pulses', Number(clkAt(taken[0]!.at) - start), LONG + 2);
    },
    { qemuDiffers: QEMU_TWO_EDGES },
  ),
  pitCase(
    'Mode 4: GATE = 0 disables counting, GATE = 1 enables it',
    (pit, expect) => {
      pit.program(2, MODE.SOFTWARE_TRIGGERED_STROBE);
      pit.load(2, N);
      pit.wait(LONG);
      pit.gate(false);
      pit.wait(LONG);
      pit.gate(true);
      pit.wait(LONG);
      near(pit, expect, 'count', pit.count(2), N - countsIn(2 * LONG));
    },
    { qemuDiffers: '"GATE = 0 disables counting": in modes 0 and 4 it goes on' },
  ),
  pitCase(
    'Mode 4: GATE has no effect on OUT: a strobe lasts one CLK pulse also if GATE goes low in it',
    (pit, expect) => {
      pit.program(2, MODE.SOFTWARE_TRIGGERED_STROBE);
      pit.load(2, 3);
      pit.wait(4);
      pit.gate(false);
      expect.equal('OUT', pit.out(2), false);
      pit.wait(1);
      expect.equal('OUT a CLK later', pit.out(2), true);
      pit.gate(true);
      expect.equal('OUT with GATE high again', pit.out(2), true);
    },
    { notOn: ONE_CLK },
  ),
  pitCase('Mode 4: a new count while it counts is loaded on the next CLK', (pit, expect) => {
    pit.program(2, MODE.SOFTWARE_TRIGGERED_STROBE);
    pit.load(2, N);
    pit.wait(LONG);
    pit.load(2, 0x8000);
    pit.wait(LONG);
    near(pit, expect, 'count', pit.count(2), 0x8000 - countsIn(LONG));
  }),
  pitCase('Mode 4: the first byte of a new count has no effect on counting', (pit, expect) => {
    pit.program(2, MODE.SOFTWARE_TRIGGERED_STROBE);
    pit.load(2, N);
    pit.wait(LONG);
    pit.write(2, 0x34);
    pit.wait(LONG);
    near(pit, expect, 'count', pit.count(2), N - countsIn(2 * LONG));
  }),
  pitCase(
    'Mode 4: software can retrigger it: interrupts come N + 2 pulses after the last of several counts',
    (pit, expect, target) => {
      target.watch(IRQ, 'edge');
      pit.program(0, MODE.SOFTWARE_TRIGGERED_STROBE);
      target.takeInterrupts();
      for (let count = 0; count < 3; count++) {
        pit.load(0, LONG);
        pit.wait(LONG - 1000);
      }
      pit.load(0, LONG);
      const start = clkAt(target.now());
      pit.wait(3 * LONG);
      const taken = target.takeInterrupts();
      expect.equal('interrupts', taken.length, 1);
      near(pit, expect, 'after pulses', Number(clkAt(taken[0]!.at) - start), LONG + 2);
    },
    { qemuDiffers: QEMU_TWO_EDGES },
  ),
];

const mode5: readonly ConformanceCase[] = [
  pitCase(
    'Mode 5: after control word and count OUT is high, and nothing is loaded until a trigger',
    (pit, expect) => {
      pit.program(2, MODE.HARDWARE_TRIGGERED_STROBE);
      pit.load(2, N);
      pit.wait(100);
      expect.equal('OUT', pit.out(2), true);
      const stands = pit.count(2);
      pit.wait(LONG);
      expect.equal('count', pit.count(2), stands);
    },
    { qemuDiffers: '"the counter will not be loaded until the CLK pulse after a trigger": it counts from the writing on' },
  ),
  pitCase('Mode 5: a rising edge of GATE starts it: it is loaded on the next CLK', (pit, expect) => {
    pit.program(2, MODE.HARDWARE_TRIGGERED_STROBE);
    pit.load(2, N);
    pit.wait(1000);
    pit.trigger();
    pit.wait(LONG);
    near(pit, expect, 'count', pit.count(2), N - countsIn(LONG));
  }),
  pitCase(
    'Mode 5: OUT strobes low N + 1 pulses after the trigger, for one CLK pulse, once',
    (pit, expect) => {
      pit.program(2, MODE.HARDWARE_TRIGGERED_STROBE);
      pit.load(2, 3);
      pit.trigger();
      let seen = '';
      for (let pulse = 1; pulse <= 7; pulse++) {
        pit.wait(1);
        seen += pit.out(2) ? 'H' : 'L';
      }
      expect.equal('OUT at pulses 1 to 7', seen, 'HHHLHHH');
      pit.wait(0x1_0000 - 3);
      expect.equal('OUT at the next 0', pit.out(2), true);
    },
    { notOn: ONE_CLK },
  ),
  pitCase('Mode 5: it is retriggerable: a trigger while it counts loads it again', (pit, expect) => {
    pit.program(2, MODE.HARDWARE_TRIGGERED_STROBE);
    pit.load(2, N);
    pit.trigger();
    pit.wait(LONG);
    pit.trigger();
    pit.wait(LONG);
    near(pit, expect, 'count', pit.count(2), N - countsIn(LONG));
  }),
  pitCase('Mode 5: the level of GATE has no effect on counting', (pit, expect) => {
    pit.program(2, MODE.HARDWARE_TRIGGERED_STROBE);
    pit.load(2, N);
    pit.trigger();
    pit.gate(false);
    pit.wait(LONG);
    near(pit, expect, 'count', pit.count(2), N - countsIn(LONG));
  }),
  pitCase(
    'Mode 5: a new count does not affect the current counting sequence, until a trigger loads it',
    (pit, expect) => {
      pit.program(2, MODE.HARDWARE_TRIGGERED_STROBE);
      pit.load(2, N);
      pit.trigger();
      pit.wait(LONG);
      pit.load(2, 0x8000);
      pit.wait(LONG);
      near(pit, expect, 'count of the current sequence', pit.count(2), N - countsIn(2 * LONG));
      pit.trigger();
      pit.wait(LONG);
      near(pit, expect, 'count after the trigger', pit.count(2), 0x8000 - countsIn(LONG));
    },
    {
      qemuDiffers: '"If a new count is written during counting, the current counting sequence will not be affected": it is loaded at once',
    },
  ),
  pitCase(
    'Mode 5: counter 0 of a PC, whose GATE is always high, has no trigger and never interrupts',
    (pit, expect, target) => {
      target.watch(IRQ, 'edge');
      for (const mode of [MODE.HARDWARE_RETRIGGERABLE_ONE_SHOT, MODE.HARDWARE_TRIGGERED_STROBE]) {
        pit.program(0, mode);
        target.takeInterrupts();
        pit.load(0, 1000);
        pit.wait(3000);
        expect.equal(`interrupts in mode ${mode}`, target.takeInterrupts().length, 0);
      }
    },
    { qemuDiffers: '"Counting is triggered by a rising edge of GATE": the count\'s writing starts it' },
  ),
];

const common: readonly ConformanceCase[] = [
  pitCase('Operation Common to All Modes: the largest count is 0, for 2^16 in binary', (pit, expect) => {
    pit.program(2, MODE.RATE_GENERATOR);
    pit.load(2, 0);
    pit.wait(1 + LONG);
    near(pit, expect, 'count', pit.count(2), 0x1_0000 - LONG);
    pit.wait(0x1_0000);
    near(pit, expect, 'count 65,536 pulses later', pit.count(2), 0x1_0000 - LONG);
  }),
  pitCase(
    'Operation Common to All Modes: the largest count is 0, for 10^4 in BCD',
    (pit, expect) => {
      pit.program(2, MODE.RATE_GENERATOR, RW_LSB_MSB | BCD);
      pit.load(2, 0);
      pit.wait(1 + 2500);
      near(pit, expect, 'count', parseInt(pit.count(2).toString(16), 10), 7500);
      pit.wait(10_000);
      near(pit, expect, 'count 10,000 pulses later', parseInt(pit.count(2).toString(16), 10), 7500);
    },
    { qemuDiffers: '"0 ... is equivalent to 2^16 for binary counting and 10^4 for BCD counting": it is 2^16' },
  ),
  pitCase(
    'Operation Common to All Modes: past zero a BCD counter goes on with 9999',
    (pit, expect) => {
      pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT, RW_LSB_MSB | BCD);
      pit.load(2, 0x1000);
      pit.wait(1 + 1000 + 2500);
      near(pit, expect, 'count', parseInt(pit.count(2).toString(16), 10), 7500);
    },
    { qemuDiffers: '"wraps around to the highest count, either FFFF hex for binary counting or 9999 for BCD counting": FFFFh' },
  ),
  pitCase('Operation Common to All Modes: in mode 4 the counter goes on with FFFFh past zero', (pit, expect) => {
    pit.program(2, MODE.SOFTWARE_TRIGGERED_STROBE);
    pit.load(2, 1000);
    pit.wait(1 + 1000 + LONG);
    near(pit, expect, 'count', pit.count(2), 0x1_0000 - LONG);
  }),
  pitCase(
    'Operation Common to All Modes: a control word takes OUT to the initial state of its mode at once',
    (pit, expect) => {
      for (const before of [MODE.INTERRUPT_ON_TERMINAL_COUNT, MODE.RATE_GENERATOR])
        for (let mode = 0; mode <= 5; mode++) {
          pit.program(2, before);
          pit.program(2, mode);
          expect.equal(`OUT of mode ${mode} after mode ${before}`, pit.out(2), mode !== MODE.INTERRUPT_ON_TERMINAL_COUNT);
        }
    },
    { qemuDiffers: '"OUT goes to a known initial state. No CLK pulses are required for this": OUT is computed from the count before' },
  ),
  pitCase(
    'Operation Common to All Modes: an interrupt follows where a control word makes OUT of counter 0 rise',
    (pit, expect, target) => {
      target.watch(IRQ, 'edge');
      pit.program(0, MODE.INTERRUPT_ON_TERMINAL_COUNT);
      target.takeInterrupts();
      pit.program(0, MODE.RATE_GENERATOR);
      pit.wait(10);
      expect.equal('interrupts', target.takeInterrupts().length, 1);
    },
    { qemuDiffers: '"OUT goes to a known initial state": a control word does not move the pin' },
  ),
  pitCase(
    'Operation Common to All Modes: a trigger is detected no matter when it occurs, also between two CLK pulses',
    (pit, expect) => {
      for (const mode of [MODE.HARDWARE_RETRIGGERABLE_ONE_SHOT, MODE.RATE_GENERATOR, MODE.SQUARE_WAVE, MODE.HARDWARE_TRIGGERED_STROBE]) {
        pit.program(2, mode);
        pit.load(2, 100);
        pit.wait(11);
        pit.trigger();
        pit.gate(false);
        pit.wait(1);
        expect.equal(`count of mode ${mode}`, pit.count(2), 100);
        pit.gate(true);
      }
    },
    { notOn: ONE_CLK },
  ),
  pitCase(
    'Operation Common to All Modes: in modes 0 and 4 the level of GATE is sampled at CLK, and no edge between is seen',
    (pit, expect) => {
      for (const mode of [MODE.INTERRUPT_ON_TERMINAL_COUNT, MODE.SOFTWARE_TRIGGERED_STROBE]) {
        pit.program(2, mode);
        pit.load(2, 100);
        pit.wait(11);
        pit.trigger();
        pit.wait(1);
        expect.equal(`count of mode ${mode}`, pit.count(2), 89);
      }
    },
    { notOn: ONE_CLK },
  ),
  pitCase(
    'Operation Common to All Modes: new counts are loaded at a CLK pulse; until then the counter holds the old one',
    (pit, expect) => {
      pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
      pit.load(2, 100);
      pit.wait(11);
      pit.load(2, 50);
      expect.equal('count at once', pit.count(2), 90);
      pit.wait(1);
      expect.equal('count a CLK later', pit.count(2), 50);
    },
    { notOn: ONE_CLK },
  ),
];

const portB: readonly ConformanceCase[] = [
  pitCase(
    'System Control Port B: bits 0 to 3 read as written, bits 6 and 7 are no error',
    (pit, expect, target) => {
      for (let value = 0; value < 16; value++) {
        target.out(PORT_B_PORT, 1, value | 0xc0);
        expect.equal(`port 61h after ${value.toString(16)}h`, target.in(PORT_B_PORT, 1) & 0xcf, value);
      }
      pit.gate(false);
    },
    { qemuDiffers: '"Read: parity check enabled, channel check enabled": bits 2 and 3 read 0' },
  ),
  pitCase('System Control Port B: bits 0 and 1 read as written', (pit, expect, target) => {
    for (let value = 0; value < 4; value++) {
      target.out(PORT_B_PORT, 1, value);
      expect.equal(`port 61h after ${value.toString(16)}h`, target.in(PORT_B_PORT, 1) & 3, value);
    }
    pit.gate(false);
  }),
  pitCase('System Control Port B: bit 5 is OUT of counter 2, whether or not the speaker hears it', (pit, expect, target) => {
    pit.program(2, MODE.SQUARE_WAVE);
    pit.load(2, N);
    pit.wait(N / 4);
    for (const speaker of [0, PORT_B.SPEAKER_DATA]) {
      target.out(PORT_B_PORT, 1, PORT_B.TIMER_2_GATE | speaker);
      expect.equal('OUT in the first half', target.in(PORT_B_PORT, 1) & PORT_B.TIMER_2_OUT, PORT_B.TIMER_2_OUT);
      pit.wait(N / 2);
      expect.equal('OUT in the second half', target.in(PORT_B_PORT, 1) & PORT_B.TIMER_2_OUT, 0);
      pit.wait(N / 2);
    }
    pit.gate(false);
  }),
  pitCase('System Control Port B: writing GATE as it is makes no trigger', (pit, expect) => {
    pit.program(2, MODE.RATE_GENERATOR);
    pit.load(2, N);
    pit.wait(LONG);
    pit.gate(true);
    pit.wait(LONG);
    near(pit, expect, 'count', pit.count(2), N - countsIn(2 * LONG));
  }),
  pitCase('System Control Port B: its read-only bits do not change when they are written', (pit, expect, target) => {
    pit.program(2, MODE.INTERRUPT_ON_TERMINAL_COUNT);
    pit.load(2, N);
    target.out(PORT_B_PORT, 1, PORT_B.TIMER_2_GATE | PORT_B.TIMER_2_OUT);
    pit.wait(100);
    expect.equal('OUT', target.in(PORT_B_PORT, 1) & PORT_B.TIMER_2_OUT, 0);
  }),
  pitCase(
    'System Control Port B: bit 4 toggles with each refresh, every 18 pulses',
    (pit, expect, target) => {
      pit.wait(REFRESH_COUNT - Number(clkAt(target.now()) % BigInt(REFRESH_COUNT)));
      let toggles = 0;
      let before = target.in(PORT_B_PORT, 1) & PORT_B.REFRESH;
      for (let pulse = 0; pulse < 50 * REFRESH_COUNT; pulse++) {
        pit.wait(1);
        const now = target.in(PORT_B_PORT, 1) & PORT_B.REFRESH;
        if (now !== before) toggles++;
        before = now;
      }
      expect.equal('toggles in 900 pulses', toggles, 50);
    },
    {
      qemuDiffers: '"Refresh detect" toggles each 15 us: it toggles at each read',
      notOn: { guest: 'an access takes as long as a refresh' },
    },
  ),
  pitCase(
    'PC/AT bus: an access of 16 bits is one to each of its two bytes, the lower first',
    (pit, expect, target) => {
      for (const counter of [1, 2]) pit.program(counter, MODE.RATE_GENERATOR, counter === 1 ? RW_LSB : RW_MSB);
      pit.readBack(READ_BACK.STATUS, (READ_BACK.COUNTER_0 << 1) | (READ_BACK.COUNTER_0 << 2));
      const both = target.in(COUNTER_0 + 1, 2);
      expect.equal('status of counter 1', both & STATUS.PROGRAMMED.mask, RW_LSB | (MODE.RATE_GENERATOR << 1));
      expect.equal('status of counter 2', (both >> 8) & STATUS.PROGRAMMED.mask, RW_MSB | (MODE.RATE_GENERATOR << 1));
    },
    { qemuDiffers: 'IN of 16 bits is two of 8 on a bus of 8 bits: QEMU refuses it at an odd port, and gives 0' },
  ),
];

export const PIT_CASES: readonly ConformanceCase[] = [
  ...programming,
  ...reading,
  ...readBack,
  ...mode0,
  ...mode1,
  ...mode2,
  ...mode3,
  ...mode4,
  ...mode5,
  ...common,
  ...portB,
];
