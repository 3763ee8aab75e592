/**
 * A fake machine's bus: devices at ports and in memory, seen through the shims. As unkind as the real one: every
 * access takes time, nobody at an address reads as all ones and takes writes silently, and a value that does not fit
 * is refused as the shims refuse it.
 */
import type { Shims } from '../hw/shims.ts';
import { createFakeClock, PICOSECONDS_PER_NANO, type FakeClock } from './clock.ts';

/** Registers by offset. A width that a device does not name is one that it does not have. */
export interface FakeDevice {
  read8?(offset: number): number;
  read32?(offset: number): number;
  read64?(offset: number): bigint;
  write8?(offset: number, value: number): void;
  write32?(offset: number, value: number): void;
  write64?(offset: number, value: bigint): void;
}

export interface Placed {
  readonly base: number;
  readonly length: number;
  readonly device: FakeDevice;
}

export interface BusOptions {
  readonly clock?: FakeClock;
  readonly ports?: readonly Placed[];
  readonly memory?: readonly Placed[];
  /** What an access takes, half of it before the device sees it. */
  readonly accessNanos?: bigint;
  readonly tscHz?: bigint;
}

export interface FakeBus {
  readonly shims: Shims;
  /** Accesses since the last call, in order: `out 43 34`, `in 40 ff`, `write fee00080 0`, `read fee00030 50014`; all hexadecimal. */
  takeAccesses(): string[];
}

const WIDTH_MAX: Readonly<Record<number, number>> = { 8: 0xff, 16: 0xffff, 32: 0xffff_ffff };

export function createFakeBus({
  clock = createFakeClock(),
  ports = [],
  memory = [],
  accessNanos = 1000n,
  tscHz = 1_000_000_000n,
}: BusOptions): FakeBus {
  let accesses: string[] = [];
  let accessTsc = 0n;
  let accessTicks = 0;

  function access<Value extends number | bigint>(
    verb: string,
    places: readonly Placed[],
    address: number,
    work: (place: Placed | undefined) => Value,
  ): Value {
    if (!Number.isInteger(address) || address < 0) throw new RangeError(`${verb}: address ${address} is none`);
    const place = places.find(({ base, length }) => address >= base && address < base + length);
    const before = clock.ticks(tscHz);
    const half = (accessNanos * PICOSECONDS_PER_NANO) / 2n;
    clock.pass(half);
    const value = work(place);
    clock.pass(half);
    accessTsc = clock.ticks(tscHz);
    accessTicks = Number(accessTsc - before);
    accesses.push(`${verb} ${address.toString(16)} ${value.toString(16)}`);
    return value;
  }

  function read(places: readonly Placed[], verb: string, width: 8 | 32, address: number): number {
    return access(verb, places, address, (place) => {
      if (!place) return WIDTH_MAX[width]!;
      const own = width === 8 ? place.device.read8 : place.device.read32;
      if (!own) throw new Error(`the device at ${place.base.toString(16)} has no registers of ${width} bits to read`);
      return own(address - place.base);
    });
  }

  function write(places: readonly Placed[], verb: string, width: 8 | 32, address: number, value: number): void {
    if (!Number.isInteger(value) || value < 0 || value > WIDTH_MAX[width]!)
      throw new RangeError(`${verb}: value ${value} does not fit ${width} bits`);
    access(verb, places, address, (place) => {
      const own = width === 8 ? place?.device.write8 : place?.device.write32;
      if (place && !own) throw new Error(`the device at ${place.base.toString(16)} has no registers of ${width} bits to write`);
      own?.(address - place!.base, value);
      return value;
    });
  }

  const own: Partial<Shims> = {
    in8: (port) => read(ports, 'in', 8, port),
    in32: (port) => read(ports, 'in', 32, port),
    out8: (port, value) => write(ports, 'out', 8, port, value),
    outBlock8: (port, buffer, offset, length) => {
      for (const byte of new Uint8Array(buffer, offset, length)) write(ports, 'out', 8, port, byte);
    },
    mmioRead32: (address) => read(memory, 'read', 32, address),
    mmioWrite32: (address, value) => write(memory, 'write', 32, address, value),
    mmioRead64: (address) =>
      access('read', memory, address, (place) => {
        if (!place) return 0xffff_ffff_ffff_ffffn;
        if (!place.device.read64) throw new Error(`the device at ${place.base.toString(16)} has no registers of 64 bits to read`);
        return place.device.read64(address - place.base);
      }),
    mmioWrite64: (address, value) => {
      access('write', memory, address, (place) => {
        if (place && !place.device.write64)
          throw new Error(`the device at ${place.base.toString(16)} has no registers of 64 bits to write`);
        place?.device.write64?.(address - place.base, value);
        return value;
      });
    },
    mmioReaderInt32: (address) => () => read(memory, 'read', 32, address) | 0,
    mmioReader64: (address) => () => own.mmioRead64!(address),
    mmioWriter32: (address) => (value) => write(memory, 'write', 32, address, value < 0 ? value + 2 ** 32 : value),
    accessTsc: () => accessTsc,
    accessTicks: () => accessTicks,
    rdtsc: () => clock.ticks(tscHz),
  };

  return {
    shims: fakeShims(own),
    takeAccesses: () => {
      const taken = accesses;
      accesses = [];
      return taken;
    },
  };
}

/** Shims of which only some are there; the others say so when they are called. */
export function fakeShims(own: Partial<Shims>): Shims {
  return new Proxy(own, {
    get: (target, name) =>
      (Reflect.get(target, name) as unknown) ??
      (() => {
        throw new Error(`this fake machine has no ${String(name)}`);
      }),
  }) as Shims;
}
