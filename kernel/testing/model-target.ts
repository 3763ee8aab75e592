/**
 * A target of conformance cases on the host: device models at ports and in memory, interrupt lines, and a CPU that takes an interrupt right
 * after the access or the tick that raised it. Its clock is the manual one, so that nothing has slack.
 */
import { instant, nanos, type Instant } from '../time/units.ts';
import { REQUEST, type InterruptLine, type MemoryDevice, type PortDevice } from '../vdev/device.ts';
import type { Target } from '../vdev/conformance/target.ts';
import { createManualGuestClock, type ManualGuestClock } from './guest-clock.ts';

export interface ModelTarget extends Target {
  readonly kind: 'model';
  readonly clock: ManualGuestClock;
  /** A further source on a line: the line is high while one of them is. Unless the line is watched, it is masked. */
  line(number: number): InterruptLine;
  placePorts(base: number, length: number, device: PortDevice): void;
  placeMemory(base: number, length: number, device: MemoryDevice): void;
}

interface Placed<Device> {
  readonly base: number;
  readonly length: number;
  readonly device: Device;
}

interface Line {
  readonly number: number;
  /** Sources that drive it high. */
  high: number;
  watched: { readonly trigger: 'edge' | 'level'; readonly acknowledge: () => void } | undefined;
  /** An edge, or a level that was a pulse, that the CPU has not taken yet. */
  isPending: boolean;
  acknowledged: (() => void) | undefined;
}

/** A level that a handler never takes away would interrupt for ever. */
const STORM_MAX = 1000;

export function createModelTarget(clock: ManualGuestClock = createManualGuestClock()): ModelTarget {
  const ports: Placed<PortDevice>[] = [];
  const memory: Placed<MemoryDevice>[] = [];
  const lines: Line[] = [];
  let taken: { readonly line: number; readonly at: Instant }[] = [];
  let isTaking = false;

  function lineOf(number: number): Line {
    return (lines[number] ??= { number, high: 0, watched: undefined, isPending: false, acknowledged: undefined });
  }

  const wants = (line: Line): boolean =>
    line.watched !== undefined && (line.isPending || (line.watched.trigger === 'level' && line.high > 0));

  /** As a CPU with interrupts enabled does between two instructions; not within a handler. */
  function takeInterrupts(): void {
    if (isTaking) return;
    isTaking = true;
    try {
      for (let count = 0; ; count++) {
        const line = Object.values(lines).find(wants);
        if (!line) return;
        if (count === STORM_MAX) throw new Error(`line ${line.number} interrupts without end: its handler does not take the level away`);
        const acknowledged = line.acknowledged;
        line.isPending = false;
        line.acknowledged = undefined;
        taken.push({ line: line.number, at: clock.now() });
        acknowledged?.();
        line.watched!.acknowledge();
      }
    } finally {
      isTaking = false;
    }
  }
  clock.afterTick = takeInterrupts;

  function find<Device>(places: readonly Placed<Device>[], address: number): Placed<Device> | undefined {
    return places.find(({ base, length }) => address >= base && address < base + length);
  }

  function place<Device>(places: Placed<Device>[], base: number, length: number, device: Device): void {
    const other = places.find((one) => base < one.base + one.length && one.base < base + length);
    if (other) throw new Error(`a device at ${base.toString(16)} overlaps the one at ${other.base.toString(16)}`);
    places.push({ base, length, device });
  }

  function access<Value>(work: () => Value): Value {
    const value = work();
    takeInterrupts();
    return value;
  }

  return {
    kind: 'model',
    slack: nanos(0n),
    clock,
    line: (number) => {
      const line = lineOf(number);
      let isHigh = false;
      return {
        pulse: (acknowledged) => {
          if (!line.watched) return REQUEST.DROPPED;
          if (line.isPending) return REQUEST.MERGED;
          line.isPending = true;
          line.acknowledged = acknowledged;
          return REQUEST.ACCEPTED;
        },
        setLevel: (toHigh) => {
          if (toHigh === isHigh) return;
          isHigh = toHigh;
          line.high += toHigh ? 1 : -1;
          if (line.high === 1 && toHigh && line.watched?.trigger === 'edge') line.isPending = true;
        },
      };
    },
    placePorts: (base, length, device) => place(ports, base, length, device),
    placeMemory: (base, length, device) => place(memory, base, length, device),
    in: (port, width) =>
      access(() => {
        const found = find(ports, port);
        return found ? found.device.read(port - found.base, width) : 2 ** (8 * width) - 1;
      }),
    out: (port, width, value) =>
      access(() => {
        const found = find(ports, port);
        found?.device.write(port - found.base, width, value);
      }),
    read: (address, width) =>
      access(() => {
        const found = find(memory, address);
        return found ? found.device.read(address - found.base, width) : (1n << BigInt(8 * width)) - 1n;
      }),
    write: (address, width, value) =>
      access(() => {
        const found = find(memory, address);
        found?.device.write(address - found.base, width, value);
      }),
    now: () => clock.now(),
    waitUntil: (at) => {
      if (at > clock.now()) clock.passUntil(instant(at));
    },
    watch: (number, trigger, acknowledge) => {
      lineOf(number).watched = { trigger, acknowledge: acknowledge ?? (() => undefined) };
      takeInterrupts();
    },
    takeInterrupts: () => {
      const seen = taken;
      taken = [];
      return seen;
    },
  };
}
