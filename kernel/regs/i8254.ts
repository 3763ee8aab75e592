/** Intel 8254, "Programming the 8254" and "Read Operations", as wired in a PC: ports 40h-43h. */
import { bit, field } from './bits.ts';

export const PIT = {
  COUNTER_0: 0,
  COUNTER_1: 1,
  COUNTER_2: 2,
  CONTROL: 3,
  COUNT: 4,
} as const;

export const CONTROL = {
  BCD: bit(0),
  M: field(1, 3), // mode
  RW_LATCH: 0 << 4, // counter latch command
  RW_LSB_MSB: 3 << 4, // least significant byte first, then most
  SC: field(6, 2), // select counter
} as const;

export const MODE = {
  INTERRUPT_ON_TERMINAL_COUNT: 0,
  RATE_GENERATOR: 2,
} as const;

/** IBM PC/AT Technical Reference, "System Timers": 14.31818 MHz / 12, rounded to the hertz as QEMU and most clones have it. */
export const PIT_HZ = 1_193_182n;
