/** What time is used for, in QEMU: intervals of external events, output signals, absolute time. */
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { boot, type BootedRun } from '../tools/harness/boot.ts';
import '../tools/harness/matchers.ts';
import { BUNDLE } from './figures.ts';

describe('the uses of time', () => {
  /** QEMU's real-time clock starts with the machine, before the kernel does: by milliseconds of firmware, on microvm by microseconds. */
  function expectAbsolute(run: BootedRun, clock = 'tsc'): void {
    const [absolute] = run.of('time.absolute');
    const { time, instant, uncertainty } = absolute!.fields;
    expect(time).toMatch(/^2026-01-01T00:00:\d\d\.\d{9}Z$/);
    const [, seconds, nanos] = /:(\d\d)\.(\d{9})Z$/.exec(time)!;
    const firmware = BigInt(seconds!) * 1_000_000_000n + BigInt(nanos!) - instant;
    expect(Number(firmware)).toBeGreaterThan(0);
    expect(Number(firmware)).toBeLessThan(20_000_000);
    expect(Number(uncertainty)).toBeLessThan(clock === 'pit' ? 50_000 : 20_000);
  }

  it.each([
    ['pc', [], 'com1'],
    ['q35', ['-serial', 'null'], 'com2'],
  ] as const)('on %s: intervals of RTC and serial line, an output signal, absolute time', async (machine, extra, line) => {
    const run = await boot({ bundle: BUNDLE, machine, extra, append: 'test=uses', name: `time-uses-${machine}` });
    expect(run).toHold();
    const [rtc, serial] = run.of('interval.recorded');
    // 1024 Hz: 976,562.5 ns.
    expect(rtc!.fields).toMatchObject({ source: 'rtc', count: 100, mean: 976_562n });
    expect(Number(rtc!.fields.min)).toBeGreaterThanOrEqual(976_561);
    expect(Number(rtc!.fields.max)).toBeLessThanOrEqual(976_564);

    // Every byte comes with an interrupt of its own, in order; what the kernel made of them is what they are.
    const bytes = run.of('byte.received');
    expect(bytes.map(({ fields }) => fields.byte)).toEqual(Array.from({ length: 101 }, (_, index) => index));
    expect(bytes.every(({ fields }) => fields.dated && fields.source === line)).toBe(true);
    const taken = run.series('byte.received', ({ taken }) => taken);
    expect(taken).toHavePeriod(700_000n, 20n);
    const intervals = taken.samples.slice(1).map(({ value }, index) => Number(value - taken.samples[index]!.value));
    expect(serial!.fields).toMatchObject({ source: line, count: 100 });
    expect(Math.abs(Number(serial!.fields.min) - Math.min(...intervals))).toBeLessThanOrEqual(1);
    expect(Math.abs(Number(serial!.fields.max) - Math.max(...intervals))).toBeLessThanOrEqual(1);

    const edges = run.series('output.edge', ({ nominal, written }) => written - nominal);
    expect(edges).toHaveCount(200);
    expect(edges).toStayWithin(0n, 50n);
    expect(run.series('output.edge', ({ nominal }) => nominal)).toHavePeriod(250_000n, 1n);
    expect(run.of('output.edge').map(({ fields }) => fields.level)).toEqual(Array.from({ length: 200 }, (_, index) => (index + 1) % 2));
    const late = edges.samples.map(({ value }) => Number(value));
    const [signal] = run.of('output.signal');
    expect(signal!.fields).toMatchObject({ output: 'speaker', edges: 200, period: 250_000n });
    expect(Math.abs(Number(signal!.fields['error-max']) - Math.max(...late))).toBeLessThanOrEqual(1);

    expectAbsolute(run);
    expect(run.of('use.skipped')).toEqual([]);
    expect(run.of('interrupt.unexpected')).toEqual([]);
  });

  it.each(['hpet', 'pm-timer', 'pit'])('with clock=%s too', async (clock) => {
    const run = await boot({ bundle: BUNDLE, append: `test=uses clock=${clock} timer=lapic`, name: `time-uses-clock-${clock}` });
    expect(run).toHold();
    expect(run.of('use.skipped')).toEqual([]);
    expect(run.of('interval.recorded').map(({ fields }) => fields.count)).toEqual([100, 100]);
    expect(run.series('output.edge', ({ nominal, written }) => written - nominal)).toStayWithin(0n, 50n);
    // Sending the trace holds the PIT's tick up for several periods.
    expect(run.of('clock.watch')).toEqual([]);
    if (clock === 'pit') expect(run.of('clock.ticks-lost').length).toBeGreaterThan(0);
    expectAbsolute(run, clock);
  });

  it('on microvm, which has not all of it, say what is missing', async () => {
    const run = await boot({ bundle: BUNDLE, machine: 'microvm', append: 'test=uses', name: 'time-uses-microvm' });
    expect(run).toHold();
    expect(run.of('use.skipped').map(({ fields }) => `${fields.use} ${fields.source}`)).toEqual(['output speaker']);
    expectAbsolute(run);
  });

  it('and a legacy-replacing HPET, which cuts the RTC off: its events do not come, its time does', async () => {
    const run = await boot({ bundle: BUNDLE, append: 'test=uses timer=hpet', name: 'time-uses-legacy' });
    expect(run).toHold();
    expect(run.of('use.skipped').map(({ fields }) => `${fields.use} ${fields.source}: ${fields.reason}`)).toEqual([
      'interval rtc: 0 of 100 intervals came',
    ]);
    expect(run.of('interval.recorded').map(({ fields }) => fields.source)).toEqual(['com1']);
    expectAbsolute(run);
  });

  it('without a serial line go on without it', async () => {
    const run = await boot({ bundle: BUNDLE, com1: 'none', append: 'test=uses', name: 'time-uses-no-serial' });
    expect(run).toHold();
    expect(run.of('use.skipped').map(({ fields }) => fields.source)).toEqual(['serial line']);
    expectAbsolute(run);
  });

  describe('with somebody at the other end of COM1', () => {
    let folder = '';
    let server: Server;
    const sockets: Socket[] = [];
    const SENT = 'chronovisor';

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'chronovisor-test-'));
      server = createServer((socket) => {
        sockets.push(socket);
        // One byte each 10 ms of the host's time, once the kernel listens.
        socket.once('data', () => {
          void (async () => {
            for (const byte of SENT) {
              socket.write(byte);
              await new Promise((done) => setTimeout(done, 10));
            }
          })();
        });
      });
      await new Promise<void>((done) => server.listen(join(folder, 'com1'), done));
    });
    afterEach(() => {
      sockets.forEach((socket) => socket.destroy());
      server.close();
      rmSync(folder, { recursive: true });
    });

    it('record its bytes, without icount in about the time that it took to send them', async () => {
      const run = await boot({
        bundle: BUNDLE,
        com1: { socket: join(folder, 'com1') },
        icount: 'off',
        append: `test=bytes count=${SENT.length}`,
        name: 'time-bytes-host',
      });
      expect(run).toHold();
      const bytes = run.of('byte.received');
      expect(String.fromCharCode(...bytes.map(({ fields }) => fields.byte))).toBe(SENT);
      const [recorded] = run.of('interval.recorded');
      const dated = bytes.filter(({ fields }) => fields.dated);
      expect(recorded!.fields.count).toBe(dated.length - 1);
      // 100 ms were slept between the first byte and the last; a busy host makes it more.
      const whole = Number(dated.at(-1)!.fields.taken - dated[0]!.fields.taken);
      expect(whole).toBeGreaterThan(50_000_000);
      expect(whole).toBeLessThan(20_000_000_000);
    });
  });
});
