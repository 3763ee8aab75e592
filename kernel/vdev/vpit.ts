/**
 * Intel 8254 (231164-005) as wired in a PC: counter 0's OUT is IRQ 0 and its GATE is high, counter 1's are not wired, counter 2's GATE and OUT
 * are at port 61h (IBM PC/AT Technical Reference). The counters are in vpit-counter.ts, which says what the data sheet leaves open. All three
 * have one CLK, of 1,193,182 Hz since guest time 0.
 *
 * A rise of counter 0's OUT is an edge of IRQ 0 in every mode, also where a control word makes it, at the first whole nanosecond of the rise.
 * An access of more than a byte is one to each of its bytes, the lowest first, as a PC's bus does with a device of 8 bits; it is a misuse.
 * Not modelled: that an interrupt controller sees OUT fall again; the speaker itself; channel and parity checks, which never find an error.
 * The refresh of port 61h toggles every 18 ticks, as firmware sets counter 1 up for, whatever counter 1 does.
 */
import type { Instant } from '../time/units.ts';
import { CONTROL, PIT, PIT_HZ, READ_BACK } from '../regs/i8254.ts';
import { PORT_B, PORT_B_WRITABLE, REFRESH_COUNT } from '../regs/system-control-port-b.ts';
import { bytePorts } from './byte-ports.ts';
import { createCrystal } from './crystal.ts';
import {
  type CreatePlatformTimer,
  type GuestClock,
  type InterruptLine,
  type OnMisuse,
  type PortDevice,
  type Request,
  type Savable,
} from './device.ts';
import { createCounter, NEVER, type CounterState } from './vpit-counter.ts';

export const PIT_PORTS = 0x40;
export const PORT_B_PORT = 0x61;
export const PIT_LINE = 0;

export interface PitOptions {
  readonly clock: GuestClock;
  readonly createTimer: CreatePlatformTimer;
  /** IRQ 0. */
  readonly line: InterruptLine;
  /** Offsets are from port 40h, so that System Control Port B is at 21h. */
  readonly onMisuse: OnMisuse;
}

export interface PitState {
  readonly counters: readonly CounterState[];
  readonly portB: number;
  /** Of IRQ 0: the tick that the next edge is due at, and the period that follows. */
  readonly rise: number;
  readonly period: number;
}

export interface Pit extends Savable<PitState> {
  /** Ports 40h to 43h. */
  readonly ports: PortDevice;
  /** Port 61h. */
  readonly portB: PortDevice;
  /** A GATE pin: a PC has a wire to counter 2's only, from port 61h. */
  setGate(counter: number, isHigh: boolean): void;
  /** An OUT pin. */
  out(counter: number): boolean;
}

export function createPit({ clock, createTimer, line, onMisuse }: PitOptions): Pit {
  const clk = createCrystal(clock, Number(PIT_HZ));
  const counters = [0, 1, 2].map((n) => createCounter(clk.now, (what) => onMisuse(`PIT: counter ${n}: ${what}`, n, 1)));
  const [counter0, , counter2] = counters as [(typeof counters)[0], (typeof counters)[0], (typeof counters)[0]];
  let portB = PORT_B.PARITY_CHECK | PORT_B.CHANNEL_CHECK;
  counter2.setGate(false);

  // IRQ 0: the timer runs for a rise of OUT at tick `rise`, and with a period for those that follow.
  let rise = NEVER;
  let period = 0;
  /** Of the last edge of the beat that was delivered. */
  let delivered: Instant | undefined;

  const timer = createTimer({
    name: 'pit',
    tick: (deadline, acknowledged): Request => {
      const request = line.pulse(acknowledged);
      delivered = deadline;
      if (period === 0) plan(rise);
      return request;
    },
    reclaim: (acknowledged) => line.reclaim?.(acknowledged) ?? false,
  });

  function start(): void {
    delivered = undefined;
    if (rise === NEVER) timer.stop();
    else timer.start(clk.beat(rise, period));
  }

  /** @param tick after which the next rise is looked for */
  function plan(tick: number): void {
    const next = counter0.nextRise(tick);
    const nextPeriod = counter0.risePeriod();
    // A beat that goes on is left alone: a timer that starts anew forgets what it owes.
    if (nextPeriod === period && (next === rise || (period !== 0 && next !== NEVER && next > rise && (next - rise) % period === 0))) return;
    rise = next;
    period = nextPeriod;
    start();
  }

  /** After an access that may have moved counter 0's OUT, or moves it later. */
  function follow(tick: number, wasHigh: boolean): void {
    if (!wasHigh && counter0.out(tick)) line.pulse();
    plan(tick);
  }
  function programCounter0(word: number): void {
    const tick = clk.now();
    const wasHigh = counter0.out(tick);
    counter0.program(word);
    follow(tick, wasHigh);
  }
  function writeCounter0(byte: number): void {
    const tick = clk.now();
    const wasHigh = counter0.out(tick);
    if (counter0.write(byte)) follow(tick, wasHigh);
  }
  function setGate0(isHigh: boolean): void {
    const tick = clk.now();
    const wasHigh = counter0.out(tick);
    counter0.setGate(isHigh);
    follow(tick, wasHigh);
  }

  function readBack(word: number): void {
    if ((word & READ_BACK.RESERVED) !== 0) onMisuse('PIT: read-back command with its reserved bit set', PIT.CONTROL, 1);
    for (let n = 0; n < 3; n++) {
      if ((word & (READ_BACK.COUNTER_0 << n)) === 0) continue;
      if ((word & READ_BACK.COUNT) === 0) counters[n]!.latchCount();
      if ((word & READ_BACK.STATUS) === 0) counters[n]!.latchStatus();
    }
  }

  function control(word: number): void {
    const select = word >> CONTROL.SC.shift;
    if (select === 3) readBack(word);
    else if ((word & 0x30) === CONTROL.RW_LATCH) counters[select]!.latchCount();
    else if (select === PIT.COUNTER_0) programCounter0(word);
    else counters[select]!.program(word);
  }

  function readByte(offset: number): number {
    if (offset < PIT.CONTROL) return counters[offset]!.read();
    // "Read Operations": there is none of the control word register; the bus floats.
    onMisuse('PIT: read of the control word register', offset, 1);
    return 0xff;
  }
  function writeByte(offset: number, value: number): void {
    if (offset === PIT.CONTROL) control(value);
    else if (offset === PIT.COUNTER_0) writeCounter0(value);
    else counters[offset]!.write(value);
  }

  function readPortB(): number {
    const tick = clk.now();
    const refresh = Math.floor(tick / REFRESH_COUNT) % 2;
    return portB | (refresh !== 0 ? PORT_B.REFRESH : 0) | (counter2.out(tick) ? PORT_B.TIMER_2_OUT : 0);
  }
  const portBMisuse: OnMisuse = (what, offset, width) => onMisuse(what, offset + PORT_B_PORT - PIT_PORTS, width);

  return {
    ports: bytePorts('PIT', PIT.COUNT, readByte, writeByte, onMisuse),
    portB: bytePorts(
      'System Control Port B',
      1,
      readPortB,
      (_offset, value) => {
        portB = value & PORT_B_WRITABLE;
        counter2.setGate((value & PORT_B.TIMER_2_GATE) !== 0);
      },
      portBMisuse,
    ),
    setGate: (n, isHigh) => {
      if (n === PIT.COUNTER_0) setGate0(isHigh);
      else counters[n]!.setGate(isHigh);
    },
    out: (n) => counters[n]!.out(clk.now()),
    save: () => ({ counters: counters.map((counter) => counter.save()), portB, rise: nextUndelivered(), period }),
    restore: (state) => {
      state.counters.forEach((counter, n) => counters[n]!.restore(counter));
      ({ portB, rise, period } = state);
      start();
    },
  };

  function nextUndelivered(): number {
    if (delivered === undefined || period === 0) return rise;
    return rise + (Math.floor((clk.at(delivered) - rise) / period) + 1) * period;
  }
}
