/**
 * An MC146818A (Motorola, "Real-Time Clock plus RAM (RTC)") that goes from event to event of its divider chain: an edge of the tap, the
 * beginning and the end of an update, each update a second. Slow, and written to be compared with the page by eye; what the data sheet leaves
 * open is decided as vdev/vrtc.ts and vdev/vrtc-calendar.ts say.
 */

/** 128 to the nanosecond: half a period of the crystal is a whole number of them. */
const NANO = 128n;
const MICRO = 1000n * NANO;
const SECOND = 1_000_000n * MICRO;
const CRYSTAL_HALF_PERIOD = 1_953_125n;

export interface SteppedRtc {
  /** To an instant in nanoseconds. */
  passUntil(at: bigint): void;
  read(register: number): number;
  write(register: number, value: number): void;
  /** Nanoseconds, rounded up, at which IRQ went low. */
  takeRequests(): readonly bigint[];
}

export function createSteppedRtc(): SteppedRtc {
  const ram = new Array<number>(128).fill(0);
  let a = 0x26;
  let b = 0x02;
  let pf = false;
  let af = false;
  let uf = false;
  let wasRequesting = false;
  let isUpdating = false;
  let fellBack = false;
  let requests: bigint[] = [];

  let now = 0n;
  let nextEdge = 0n;
  let nextBegin = 0n;
  let nextEnd = 0n;

  const isDividing = (): boolean => (a & 0x70) === 0x20;
  const isSet = (): boolean => (b & 0x80) !== 0;
  function halfPeriod(): bigint {
    const rs = a & 0xf;
    return CRYSTAL_HALF_PERIOD << BigInt((rs === 1 ? 8 : rs === 2 ? 9 : rs) - 1);
  }

  let released = 0n;
  function release(at: bigint): void {
    released = at;
    nextBegin = at + SECOND / 2n;
    nextEnd = nextBegin + 1984n * MICRO;
    findEdge();
  }
  function findEdge(): void {
    if ((a & 0xf) === 0) return;
    for (nextEdge = released + halfPeriod(); nextEdge <= now;) {
      // Not one by one through years, but by powers of two of periods, down to one.
      let step = 2n * halfPeriod();
      while (nextEdge + 2n * step <= now) step *= 2n;
      nextEdge += step;
    }
  }

  function look(): void {
    const isRequesting = (pf && (b & 0x40) !== 0) || (af && (b & 0x20) !== 0) || (uf && (b & 0x10) !== 0);
    if (isRequesting && !wasRequesting) requests.push((now + NANO - 1n) / NANO);
    wasRequesting = isRequesting;
  }

  const isBinary = (): boolean => (b & 4) !== 0;
  const toNumber = (byte: number): number => (isBinary() ? byte : (byte >> 4) * 10 + (byte & 0xf));
  const toByte = (value: number): number => (isBinary() ? value : Math.floor(value / 10) * 16 + (value % 10));
  const isNumber = (byte: number): boolean => isBinary() || ((byte & 0xf) < 10 && byte >> 4 < 10);
  const isSixty = (byte: number): boolean => isNumber(byte) && toNumber(byte) < 60;

  // Hours as they are written, one after the other from midnight.
  function hours(): number[] {
    const twelve = [12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map(toByte);
    return (b & 2) !== 0 ? Array.from({ length: 24 }, (_, hour) => toByte(hour)) : [...twelve, ...twelve.map((hour) => hour | 0x80)];
  }

  function nextDay(): void {
    fellBack = false;
    const weekday = toNumber(ram[6]!);
    ram[6] = toByte(weekday < 7 ? weekday + 1 : 1);
    const date = toNumber(ram[7]!);
    const month = toNumber(ram[8]!);
    const year = toNumber(ram[9]!);
    let length = [4, 6, 9, 11].includes(month) ? 30 : 31;
    if (month === 2) length = year % 4 === 0 ? 29 : 28;
    ram[7] = toByte(date < length ? date + 1 : 1);
    if (date < length) return;
    ram[8] = toByte(month < 12 ? month + 1 : 1);
    if (month < 12) return;
    ram[9] = toByte(year < 99 ? year + 1 : 0);
    if (year < 99) return;
    const century = toNumber(ram[0x32]!);
    ram[0x32] = toByte(century < 99 ? century + 1 : 0);
  }

  function nextSecond(): void {
    const is159 = ram[0] === toByte(59) && ram[2] === toByte(59) && ram[4] === hours()[1];
    if ((b & 1) !== 0 && is159 && toNumber(ram[6]!) === 1) {
      const month = toNumber(ram[8]!);
      const date = toNumber(ram[7]!);
      if ((month === 4 && date >= 24) || (month === 10 && date >= 25 && !fellBack)) {
        ram[0] = ram[2] = 0;
        ram[4] = hours()[month === 4 ? 3 : 1]!;
        fellBack = month === 10;
        return;
      }
    }
    const second = toNumber(ram[0]!);
    ram[0] = toByte(second < 59 ? second + 1 : 0);
    if (second < 59) return;
    const minute = toNumber(ram[2]!);
    ram[2] = toByte(minute < 59 ? minute + 1 : 0);
    if (minute < 59) return;
    const hour = hours().indexOf(ram[4]!);
    ram[4] = hours()[hour < 0 ? 0 : (hour + 1) % 24]!;
    if (hour < 0 || hour === 23) nextDay();
  }

  function isAlarm(): boolean {
    if (!isSixty(ram[0]!) || !isSixty(ram[2]!) || !hours().includes(ram[4]!)) return false;
    return [0, 2, 4].every((register) => ram[register + 1]! >= 0xc0 || ram[register + 1] === ram[register]);
  }

  /** What comes next, and when. */
  function nextEvent(): { readonly at: bigint; readonly happen: () => void } {
    const events = [
      {
        at: nextBegin,
        happen: () => {
          isUpdating = !isSet();
          nextBegin += SECOND;
        },
      },
      {
        at: nextEnd,
        happen: () => {
          nextEnd += SECOND;
          if (!isUpdating) return;
          isUpdating = false;
          nextSecond();
          uf = true;
          if (isAlarm()) af = true;
        },
      },
    ];
    if ((a & 0xf) !== 0)
      events.push({
        at: nextEdge,
        happen: () => {
          pf = true;
          nextEdge += 2n * halfPeriod();
        },
      });
    return events.reduce((first, event) => (event.at < first.at ? event : first));
  }

  release(-501_984n * MICRO);
  nextBegin = SECOND - 1984n * MICRO;
  nextEnd = SECOND;

  return {
    passUntil: (at) => {
      while (isDividing()) {
        const event = nextEvent();
        if (event.at > at * NANO) break;
        now = event.at;
        event.happen();
        look();
      }
      now = at * NANO;
    },
    read: (register) => {
      if (register === 0xa) return a | (isUpdating || (isDividing() && !isSet() && now >= nextBegin - 244n * MICRO) ? 0x80 : 0);
      if (register === 0xb) return b;
      if (register === 0xc) {
        const value = (wasRequesting ? 0x80 : 0) | (pf ? 0x40 : 0) | (af ? 0x20 : 0) | (uf ? 0x10 : 0);
        pf = af = uf = false;
        look();
        return value;
      }
      return register === 0xd ? 0x80 : ram[register]!;
    },
    write: (register, value) => {
      if (register === 0xa) {
        const wasDividing = isDividing();
        a = value & 0x7f;
        if (!isDividing()) isUpdating = false;
        else if (!wasDividing) release(now);
        else findEdge();
      } else if (register === 0xb) {
        if (!isSet() && (value & 0x80) !== 0) {
          b = value & ~0x10;
          isUpdating = false;
        } else b = value;
        look();
      } else if (register === 0) ram[0] = value & 0x7f;
      else if (register !== 0xc && register !== 0xd) ram[register] = value;
    },
    takeRequests: () => {
      const taken = requests;
      requests = [];
      return taken;
    },
  };
}
