/** Intel 8254, "Programming the 8254" and "Read Operations", as wired in a PC: ports 40h-43h. */
import { bit, field } from './bits.ts';

export const PIT = {
  COUNTER_0: 0,
  COUNTER_1: 1,
  COUNTER_2: 2,
  CONTROL: 3,
  COUNT: 4,
} as const;

/** "Control Word Format". */
export const CONTROL = {
  BCD: bit(0), // count in four decades instead of sixteen bits
  M: field(1, 3), // mode; the high bit does not matter in modes 2 and 3
  RW: field(4, 2), // read/write
  RW_LATCH: 0 << 4, // counter latch command
  RW_LSB: 1 << 4, // least significant byte only
  RW_MSB: 2 << 4, // most significant byte only
  RW_LSB_MSB: 3 << 4, // least significant byte first, then most
  SC: field(6, 2), // select counter
  SC_READ_BACK: 3 << 6, // no counter: the read-back command
} as const;

/** "Mode Definitions". */
export const MODE = {
  INTERRUPT_ON_TERMINAL_COUNT: 0,
  HARDWARE_RETRIGGERABLE_ONE_SHOT: 1,
  RATE_GENERATOR: 2,
  SQUARE_WAVE: 3,
  SOFTWARE_TRIGGERED_STROBE: 4,
  HARDWARE_TRIGGERED_STROBE: 5,
} as const;

/** "Read-Back Command Format". What is to be latched has a 0. */
export const READ_BACK = {
  RESERVED: bit(0), // "must be 0"
  COUNTER_0: bit(1), // and counters 1 and 2 in the bits above it
  STATUS: bit(4),
  COUNT: bit(5),
} as const;

/** "Status Byte". Bits 0 to 5 are those of the control word, "exactly as written". */
export const STATUS = {
  PROGRAMMED: field(0, 6),
  NULL_COUNT: bit(6), // the last count written has not reached the counting element yet
  OUTPUT: bit(7), // the OUT pin
} as const;

/** IBM PC/AT Technical Reference, "System Timers": 14.31818 MHz / 12, rounded to the hertz as QEMU and most clones have it. */
export const PIT_HZ = 1_193_182n;
