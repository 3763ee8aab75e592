import { describe, expect, it } from 'vitest';
import { PLATFORM_PORTS } from '../partition/system.ts';
import { createRandom } from '../testing/random.ts';
import type { Width } from './device.ts';
import { createPlatform, type Platform } from './platform.ts';
import { TIMER_MODE_NAMES, type TimerModeName } from './timer-modes.ts';

const MS = 1_000_000n;
const MEMORY = 2 * 1024 * 1024;
const IOAPIC_PAGE = 0xfec00;
const HPET_PAGE = 0xfed00;
const LAPIC_PAGE = 0xfee00;
const ALL_ONES = { 1: 0xff, 2: 0xffff, 4: 0xffff_ffff } as const;

/** What a guest can see of it besides what it reads: interrupts, lines of its console, misuses, resets. */
function create(timerMode: TimerModeName = 'delay_for_missed_ticks', hasHpet = true) {
  const seen: string[] = [];
  const platform = createPlatform({
    tscFrequency: { numerator: 1_000_000_000n, denominator: 1n, provenance: 'architectural', source: 'test', uncertaintyPpb: 0 },
    timerMode,
    setsOnThaw: true,
    setsOnPost: true,
    era: 'today',
    hasLineDriver: false,
    hpet: hasHpet ? { period: 16_000_000, timers: 3 } : undefined,
    date: 1_767_225_600,
    memoryBytes: MEMORY,
    ports: PLATFORM_PORTS,
    onLine: (bytes) => seen.push(`line ${[...bytes].join()}`),
    onMisuse: (device, what) => seen.push(`${device}: ${what}`),
    onTick: (source, deadline) => seen.push(`tick ${source} ${deadline}`),
    isInterruptible: () => true,
    onReset: () => seen.push('reset'),
    onSleep: () => seen.push('sleep'),
  });
  platform.begin(0n);
  platform.beforeRun(0n);
  const take = (): string[] => seen.splice(0);
  return { platform, take };
}

const countsOf = (platform: Platform, device: string) => platform.counts().find((counts) => counts.device === device)!;

describe('a virtual PC', () => {
  it('has each of its devices at its ports, and nothing at others', () => {
    const { platform } = create();
    const claimed = new Set(
      Object.values(PLATFORM_PORTS).flatMap(({ first, count }) => Array.from({ length: count }, (_, at) => first + at)),
    );
    for (let port = 0; port < 0x1_0000; port++)
      if (platform.hasPort(port) !== claimed.has(port)) expect.fail(`port 0x${port.toString(16)}`);
  });

  it('reads all ones where nobody is, and counts it', () => {
    const { platform, take } = create();
    for (const width of [1, 2, 4] as const) {
      platform.out(0x80, width, 0);
      expect(platform.in(0x80, width)).toBe(ALL_ONES[width]);
      expect(platform.deviceAt(0xfee01).read(0, width)).toBe(BigInt(ALL_ONES[width]));
    }
    platform.deviceAt(HPET_PAGE).write(0x800, 8, 1n);
    expect(platform.deviceAt(HPET_PAGE).read(0x800, 8)).toBe(0xffff_ffff_ffff_ffffn);
    expect(countsOf(platform, 'nobody')).toEqual({ device: 'nobody', reads: 7, writes: 4, misuses: 0 });
    expect(take()).toEqual([]);
  });

  it('without an HPET has nothing at its page', () => {
    const { platform } = create('delay_for_missed_ticks', false);
    expect(platform.deviceAt(HPET_PAGE).read(0, 8)).toBe(0xffff_ffff_ffff_ffffn);
    expect(platform.counts().map(({ device }) => device)).not.toContain('hpet');
  });

  it('tells of each misuse with its device, and counts it there', () => {
    const { platform, take } = create();
    platform.deviceAt(LAPIC_PAGE).read(0x20, 1);
    platform.deviceAt(IOAPIC_PAGE).write(0x10, 8, 0n);
    platform.out(0x64, 1, 0x20);
    expect(take().map((text) => text.split(':')[0])).toEqual(['lapic', 'ioapic', 'reset']);
    for (const device of ['lapic', 'ioapic', 'reset']) expect(countsOf(platform, device).misuses).toBe(1);
  });

  it('lets the local APIC be switched off: its page is nobody then', () => {
    const { platform } = create();
    expect(platform.writeMsr(0x1b, 0xfee0_0100n)).toBe(true);
    expect(platform.deviceAt(LAPIC_PAGE).read(0x20, 4)).toBe(0xffff_ffffn);
  });

  it('is reset by pieces to what a reset makes of one that has done nothing', () => {
    const [used, unused] = [create().platform, create().platform];
    used.deviceAt(HPET_PAGE).write(0x10, 8, 3n);
    used.deviceAt(HPET_PAGE).write(0x100, 8, 0x4cn);
    used.deviceAt(IOAPIC_PAGE).write(0, 4, 0x10n);
    used.deviceAt(IOAPIC_PAGE).write(0x10, 4, 0x31n);
    used.deviceAt(LAPIC_PAGE).write(0x80, 4, 0x20n);
    used.writeMsr(0x3b, 5n);
    used.out(0x3fb, 1, 3);
    for (const { resets } of [used, unused]) for (const piece of resets) piece();
    const registers = (platform: Platform): unknown[] => {
      const { ioApic, localApic, uart, time } = platform.save();
      const hpet = [0x10, 0x20, 0xf0, 0x100, 0x108].map((offset) => platform.deviceAt(HPET_PAGE).read(offset, 8));
      return [hpet, ioApic, localApic, uart, time.tscAdjust];
    };
    expect(registers(used)).toEqual(registers(unused));
  });
});

describe('save and restore in the middle of anything', () => {
  const PORTS = Object.values(PLATFORM_PORTS);
  const PAGES = [IOAPIC_PAGE, HPET_PAGE, LAPIC_PAGE];
  const WIDTHS: readonly Width[] = [1, 2, 4, 8];

  /** One thing that happens to both alike; what comes of it is returned. */
  function step(random: ReturnType<typeof createRandom>): (platform: Platform) => unknown {
    const kind = random.integer(10);
    const value = random.integer(0x1_0000_0000);
    const width = WIDTHS[random.integer(4)]!;
    const narrow = width === 8 ? 4 : width;
    const { first, count } = PORTS[random.integer(PORTS.length)]!;
    const port = first + random.integer(count);
    const page = PAGES[random.integer(3)]!;
    const offset = random.integer(0x40) * 16 + (random.integer(4) === 0 ? random.integer(16) : 0);
    const isRead = random.integer(2) === 0;
    return (platform) => {
      if (kind < 4) return isRead ? platform.in(port, narrow) : platform.out(port, narrow, narrow === 4 ? value : value & ALL_ONES[narrow]);
      if (kind < 8) {
        const device = platform.deviceAt(page);
        return isRead ? device.read(offset, width) : device.write(offset, width, BigInt.asUintN(8 * width, BigInt(value) * 0x1_0000_0001n));
      }
      if (kind === 8) return platform.isRequesting() ? platform.acknowledge() : -1;
      return [platform.readTsc(), platform.tscOffset(), platform.readCr8(), platform.dueTsc()];
    };
  }

  it.each(TIMER_MODE_NAMES)('changes nothing that the guest can see: %s', (mode) => {
    for (let seed = 1; seed <= 150; seed++) {
      const random = createRandom(seed);
      const one = create(mode);
      let other = create(mode);
      let now = 0n;
      let isAway = false;
      for (let turn = 0; turn < 60; turn++) {
        now += BigInt(random.integer(4) === 0 ? random.integer(20_000_000) : random.integer(20_000));
        if (random.integer(12) === 0) {
          for (const { platform } of [one, other]) (isAway ? platform.beforeRun : platform.afterRun)(now);
          isAway = !isAway;
        }
        for (const { platform } of [one, other]) platform.setTsc(now);
        if (random.integer(6) === 0) {
          const fresh = create(mode);
          fresh.platform.setTsc(now);
          fresh.take();
          fresh.platform.restore(other.platform.save());
          expect(fresh.platform.save(), `seed ${seed}, turn ${turn}`).toEqual(one.platform.save());
          fresh.take();
          other = fresh;
        }
        // Nobody accesses anything meanwhile.
        if (isAway) continue;
        const act = step(random);
        expect(act(other.platform), `seed ${seed}, turn ${turn}`).toEqual(act(one.platform));
        expect(other.take(), `seed ${seed}, turn ${turn}`).toEqual(one.take());
      }
      for (let at = 0; at < 20; at++) {
        now += MS;
        for (const { platform } of [one, other]) platform.setTsc(now);
        expect(other.take(), `seed ${seed}, afterwards`).toEqual(one.take());
      }
    }
  });
});
