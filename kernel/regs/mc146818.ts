/** Motorola MC146818A, "Real-Time Clock plus RAM (RTC)", as wired in a PC: index at port 70h, data at 71h, a crystal of 32.768 kHz, IRQ 8. */
import { bit, field } from './bits.ts';

/** IBM PC/AT Technical Reference, "Real-Time Clock/CMOS RAM Information". */
export const RTC = {
  INDEX: 0, // write only on most chipsets: what it holds can't be asked for
  DATA: 1,
  COUNT: 2,
} as const;

/** Port 70h. */
export const INDEX = {
  REGISTER: field(0, 7),
  NMI_MASK: bit(7), // of the machine, not of the clock: 1 = NMI does not reach the CPU
} as const;

/** "Address Map". */
export const REGISTER = {
  SECONDS: 0x00,
  SECONDS_ALARM: 0x01,
  MINUTES: 0x02,
  MINUTES_ALARM: 0x03,
  HOURS: 0x04,
  HOURS_ALARM: 0x05,
  DAY_OF_WEEK: 0x06, // 1 = Sunday
  DATE_OF_MONTH: 0x07,
  MONTH: 0x08,
  YEAR: 0x09, // of the century
  A: 0x0a,
  B: 0x0b,
  C: 0x0c,
  D: 0x0d,
  RAM: 0x0e, // the first byte of it
  LAST: 0x7f, // the MC146818A itself ends at 3Fh, the PC's later ones at 7Fh
} as const;

/** "Time, Calendar and Alarm Data Modes": in 12-hour mode the high bit of the hours is set for PM. */
export const HOURS_PM = bit(7);

/** "Alarm": a byte with both high bits set ("don't care", 11XXXXXXb) matches whatever the time is. */
export const ALARM_DONT_CARE = 0xc0;

/** "Register A ($0A)". */
export const A = {
  RS: field(0, 4), // rate selection
  DV: field(4, 3), // divider: time base and reset
  UIP: bit(7), // update in progress, read only
} as const;

/** "Divider Configurations". */
export const DV = {
  HZ_32768: 0b010,
  RESET: 0b110, // and 111b: the divider is held in reset, the time stands
} as const;

/** "Register B ($0B)". */
export const B = {
  DSE: bit(0), // daylight savings enable
  HOURS_24: bit(1), // (24/12)
  DM: bit(2), // data mode: 1 = binary, 0 = BCD
  SQWE: bit(3), // square-wave enable
  UIE: bit(4), // update-ended interrupt enable
  AIE: bit(5), // alarm interrupt enable
  PIE: bit(6), // periodic interrupt enable
  SET: bit(7), // updates are inhibited: the time stands
} as const;

/** "Register C ($0C)", read only: reading clears it. The flags are set whether or not their interrupts are enabled. */
export const C = {
  ZERO: field(0, 4), // "cannot be written, read as zeros"
  UF: bit(4), // update ended
  AF: bit(5), // alarm
  PF: bit(6), // period over
  IRQF: bit(7), // PF and PIE, or AF and AIE, or UF and UIE
} as const;

/** "Register D ($0D)", read only. */
export const D = {
  VRT: bit(7), // valid RAM and time: 0 after a loss of power, until this register has been read
} as const;

/** "Periodic Interrupt Rate and Square-Wave Output Frequency", time base 32.768 kHz: 32768 / 2^(RS - 1) hertz. RS 1 and 2 repeat 8 and 9. */
export const CRYSTAL_HZ = 32_768;
export const RS_FASTEST = 3; // 8192 Hz
export const RS_SLOWEST = 15; // 2 Hz

/** "Update Cycle": the first one begins half a second after the reset of the divider is removed. */
export const FIRST_UPDATE_NS = 500_000_000;
/** "Update Cycle", in nanoseconds. UIP rises `T_BUC` before an update, and falls when it ends, `T_UC` after it began. */
export const T_BUC_NS = 244_000;
export const T_UC_NS = 1_984_000; // with a crystal of 32.768 kHz

/** IBM PC/AT Technical Reference, "CMOS RAM Configuration Information": what firmware keeps in the RAM. 16-bit values have their low byte first. */
export const CMOS = {
  EQUIPMENT: 0x14, // bit 1: a coprocessor is there
  BASE_MEMORY: 0x15, // KiB below 1 MiB, 16 bits
  EXTENDED_MEMORY: 0x17, // KiB above 1 MiB, 16 bits
  CHECKSUM: 0x2e, // of 10h to 2Dh, 16 bits, high byte first
  CHECKSUM_FIRST: 0x10,
  CHECKSUM_LAST: 0x2d,
  EXTENDED_MEMORY_FOUND: 0x30, // as 17h, by the self-test
  CENTURY: 0x32, // BCD or binary, as the time is
  MEMORY_ABOVE_16M: 0x34, // later PCs: 64 KiB above 16 MiB, 16 bits
} as const;
