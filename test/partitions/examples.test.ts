/** The example systems in QEMU: what each shows is in its trace, and every slot begins at its instant. */
import { describe, expect, it } from 'vitest';
import { exitName } from '../../kernel/trace/exit-names.ts';
import { boot, type BootedRun } from '../../tools/harness/boot.ts';
import { reportLines, reportOf } from '../../tools/report/report.ts';
import { consoleOf, epochOf, exitsOf, expectEverySlot, expectSlotsExact, healthOf, statesOf, traced } from './support.ts';

const MS = 1_000_000n;
const SECOND = 1_000n * MS;
/** From a slot's start, or a timer's deadline, to what a TypeScript program does about it. */
const REACTION = 150_000n;
/** By which the kernel prepares what is due (LEADS.TIMER of the scheduler). */
const TIMER_LEAD = 27_000n;

const runExample = (name: string): Promise<BootedRun> => boot({ system: `partitions/${name}/system.ts`, name: `example-${name}` });

/** Records of a partition's trace code: when, from the epoch, and the value. */
function tracedAt(run: BootedRun, partition: number, code: bigint): { readonly at: bigint; readonly value: bigint }[] {
  const epoch = epochOf(run);
  return run
    .of('partition.trace', (fields) => fields.partition === partition && fields.code === code)
    .map(({ at, fields }) => ({ at: at - epoch, value: fields.value }));
}

describe('the example', () => {
  it('hello: both say hello three times, a second apart, and the run ends when both are done', async () => {
    const run = await runExample('hello');
    expectSlotsExact(run);
    expect(consoleOf(run, 0)).toEqual(['hello from C', 'hello from C', 'hello from C']);
    const hello = /^hello from typescript: due at (\d+) ns, 0 missed$/;
    const lines = consoleOf(run, 1);
    const due = lines.slice(0, 3).map((line) => BigInt(hello.exec(line)?.[1] ?? -1));
    expect(due[0]).toBeGreaterThan(0n);
    expect(due.map((instant) => instant - due[0]!)).toEqual([0n, SECOND, 2n * SECOND]);
    expect(lines.slice(3)).toEqual(['! ended: exit code 0x10']);
    const said = run.series(
      'partition.console',
      (_, at) => at,
      ({ partition }) => partition === 0,
    );
    // The first time as soon as it can, then in the slot in which its timer expires.
    expect(said).toHavePeriod(SECOND, 200_000n);
    for (const partition of [0, 1]) expect(statesOf(run, partition)).toEqual(['halted: by itself']);
    expect(run.of('log').at(-1)?.fields.message).toBe('the system ended: every partition has halted');
    expect(run.of('health.event')).toEqual([]);
  });

  it('memory: with exits=trace every exit is an event with what it took, and no slot is moved by that', async () => {
    const run = await boot({ system: 'partitions/memory/system.ts', append: 'exits=trace', name: 'example-memory-exits' });
    expectSlotsExact(run);
    for (const partition of [0, 1]) {
      const seen = new Map<string, number>();
      const exits = run.of('exit', (fields) => fields.partition === partition).map(({ fields }) => fields);
      for (const { code } of exits) seen.set(exitName(code), (seen.get(exitName(code)) ?? 0) + 1);
      const { interrupt: _, ...counted } = exitsOf(run, partition);
      expect(Object.fromEntries(seen)).toEqual(counted);
      for (const { took } of exits) expect(took > 0n && took < 100_000n, `${took} ns`).toBe(true);
    }
    const report = reportLines(reportOf(run.lines)).join('\n');
    expect(report).toMatch(/^exit\.took owner\/hypercall +\d+ /m);
  });

  it('timers: on HW at their instants or at the next slot with a count, on EXEC after what it ran, none missed', async () => {
    const run = await runExample('timers');
    expectSlotsExact(run);
    expectEverySlot(run, 1, 50n * MS, [25n * MS], 7);

    const line = /^(hw|exec) timer: due at (\d+), (\d+) missed; hw (\d+), exec (\d+) ns$/;
    const told = consoleOf(run, 0).flatMap((text) => {
      const match = line.exec(text);
      return match
        ? [{ clock: match[1]!, due: BigInt(match[2]!), missed: BigInt(match[3]!), hw: BigInt(match[4]!), exec: BigInt(match[5]!) }]
        : [];
    });
    const hw = told.filter(({ clock }) => clock === 'hw');
    const exec = told.filter(({ clock }) => clock === 'exec');

    expect(exec).toHaveLength(4);
    exec.forEach(({ due, missed, exec: now }, index) => {
      expect(missed).toBe(0n);
      if (index > 0) expect(due - exec[index - 1]!.due).toBe(10n * MS);
      expect(now).toBeGreaterThanOrEqual(due);
      // Taken when the program idles: after a stretch of its work, and another one if HW expires too.
      expect(now - due).toBeLessThan(6n * MS + REACTION);
    });

    expect(hw.length).toBeGreaterThan(10);
    hw.forEach(({ due, missed, hw: now }, index) => {
      // What is due is due at the beat, told or missed.
      if (index > 0) expect(due - hw[index - 1]!.due).toBe((missed + 1n) * 10n * MS);
      const phase = due % (50n * MS);
      const isOutside = phase >= 25n * MS;
      // Not before it is due; at once within the slot, else at the start of the next one.
      const expected = isOutside ? due - phase + 50n * MS : due;
      expect(now).toBeGreaterThanOrEqual(expected);
      // Taken when the program idles: it may just have begun to work, and to work again for one that came meanwhile.
      expect(now - expected).toBeLessThan(6n * MS + REACTION);
    });
    // In the half of each frame in which the other one runs two or three fall due: all but the last of them are counted.
    const missed = hw.map((each) => each.missed);
    expect(missed.filter((count) => count > 0n).length).toBeGreaterThanOrEqual(3);
    expect(missed.every((count) => count <= 2n)).toBe(true);
    expect(traced(run, 0, 1n)).toEqual(hw.map(({ due }) => due));
    expect(traced(run, 0, 2n)).toEqual(exec.map(({ due }) => due));
  });

  it('health: each event has the action that its rule says, and the monitor reads the same in the log', async () => {
    const run = await runExample('health');
    expectSlotsExact(run);
    // Five rounds of 20 ms, then the loop; found 60 ms after the last sign of life, in the first slot in which it runs then.
    const events = healthOf(run, 0);
    expect(events.length).toBeGreaterThanOrEqual(2);
    expect(new Set(events)).toEqual(new Set(['watchdog -> cold-reset: no sign of life for 60000000 ns']));
    const resets = statesOf(run, 0);
    expect(new Set(resets)).toEqual(new Set(['ready: cold reset: watchdog: no sign of life for 60000000 ns']));
    expect(resets).toHaveLength(events.length);
    const starts = consoleOf(run, 0).filter((line) => line.startsWith('victim: starts'));
    expect(starts).toEqual(starts.map((_, index) => `victim: starts, ${index} resets so far`));
    expect(starts.length).toBeGreaterThanOrEqual(events.length);
    const signs = tracedAt(run, 0, 1n);
    const found = run.of('health.event', ({ partition }) => partition === 0).map(({ at }) => at - epochOf(run));
    for (const at of found) {
      const last = signs.filter((sign) => sign.at < at).at(-1)!;
      expect(last.value).toBe(5n);
      // The sign of life is given right after the record; the kernel looks by its lead before it is due, and waits for the instant.
      expect(at - last.at).toBeGreaterThanOrEqual(60n * MS - TIMER_LEAD);
      expect(at - last.at).toBeLessThan(80n * MS);
    }

    expect(healthOf(run, 1)).toEqual(['partition-error -> halt: code 18']);
    expect(statesOf(run, 1)).toEqual(['halted: partition-error: code 18']);
    expect(consoleOf(run, 1)).toEqual([
      'thrower: about to throw',
      '! uncaught Error: thrower: on purpose',
      expect.stringMatching(/^! {5}at main \(thrower\.\w+:\d+:\d+\)$/),
      '! ended: exit code 0x12',
    ]);
    expect(healthOf(run, 2)).toEqual(['partition-error -> suspend: code 19']);
    expect(statesOf(run, 2)).toEqual(['suspended: partition-error: code 19']);
    expect(consoleOf(run, 2)[1]).toMatch(/^! uncaught InternalError: out of memory: \d+ of \d+ bytes of the heap are in use$/);

    // Of each event one entry, at its instant; the last ones may not have been read yet.
    const entry = /^health: partition (\d), (\S+) -> (\S+) at (\d+) ns, detail 0x([0-9a-f]+)$/;
    const read = consoleOf(run, 3).map((text) => entry.exec(text)!.slice(1));
    const raised = run.of('health.event');
    expect(read.length).toBeGreaterThanOrEqual(4);
    read.forEach(([partition, event, action, at], index) => {
      const { fields, at: recorded } = raised[index]!;
      expect([Number(partition), event, action]).toEqual([fields.partition, fields.event, fields.action]);
      const difference = recorded - epochOf(run) - BigInt(at!);
      expect(difference >= 0n && difference < 20_000n, `${difference} ns from the log's instant to the trace's`).toBe(true);
    });
    expect(read.filter(([, event]) => event === 'partition-error').map(([, , , , detail]) => detail)).toEqual(['12', '13']);
  });

  it('ports: a sample is valid for as long as the channel says, messages come in order, and what does not fit is told', async () => {
    const run = await runExample('ports');
    expectSlotsExact(run);
    // Bursts of 1, 2, 4 and 6 messages, five times; the queue holds 4.
    expect(traced(run, 0, 1n)).toEqual([2n, 2n, 2n, 2n, 2n]);
    expect(traced(run, 1, 1n)).toEqual(Array.from({ length: 5 * (1 + 2 + 4 + 4) }, (_, index) => BigInt(index)));
    expect(consoleOf(run, 1)).toEqual([]);
    // Slots of the reader 5 and 20 ms after the writer's; in the end there is nothing fresh any more.
    const fresh = tracedAt(run, 1, 2n);
    const old = tracedAt(run, 1, 3n);
    expect(fresh).toHaveLength(20);
    for (const { value } of fresh) expect(value >= 5n * MS - REACTION && value <= 5n * MS + REACTION, `age ${value}`).toBe(true);
    expect(old.length).toBeGreaterThan(20);
    for (const { value } of old) expect(value).toBeGreaterThan(15n * MS);
    expect(old[0]!.value).toBeLessThan(20n * MS + REACTION);
    const ages = old.slice(-4).map(({ value }) => value);
    // Nobody writes any more: by the time between the reader's slots.
    const grown = ages.slice(1).map((age, index) => Number(age - ages[index]!) / 1e6);
    for (const [index, step] of [15, 10, 15].entries()) expect(grown[index]).toBeCloseTo(step, 1);
  });

  it('plans: a plan begins at the end of the frame, a maintenance plan at once', async () => {
    const run = await runExample('plans');
    expectSlotsExact(run);
    const epoch = epochOf(run);
    const switched = run.of('plan.switched').map(({ fields }) => fields);
    expect(switched.map(({ name }) => name)).toEqual(['uneven', 'maintenance', 'even', 'uneven', 'maintenance', 'even']);
    expect(traced(run, 0, 2n)).toEqual([0n, 1n, 2n, 0n, 1n, 2n, 0n]);
    const requests = tracedAt(run, 0, 1n);
    expect(requests.map(({ value }) => value)).toEqual([1n, 2n, 0n, 1n, 2n, 0n]);

    const frameOf: Readonly<Record<string, bigint>> = { even: 4n * MS, uneven: 10n * MS, maintenance: 5n * MS };
    let begin = 0n;
    let frame = 0;
    let current = 'even';
    switched.forEach(({ name, frame: at }, index) => {
      const slots = run.of('slot.run', (fields) => fields.frame === at).map(({ fields }) => fields);
      expect(slots.length, `slots of frame ${at}`).toBeGreaterThan(0);
      const start = slots[0]!.nominal - epoch;
      if (name === 'maintenance') {
        // After what it takes to switch, whatever is left of the frame.
        const wait = start - requests[index]!.at;
        expect(wait, 'from the request to the first slot').toBeGreaterThan(0n);
        expect(wait).toBeLessThan(REACTION);
        begin = start;
      } else {
        begin += BigInt(at - frame) * frameOf[current]!;
        const off = start - begin;
        expect(off >= -1n && off <= 1n, `${name} begins ${off} ns from its frame`).toBe(true);
        const wait = start - requests[index]!.at;
        expect(wait > 0n && wait < frameOf[current]!, `${wait} ns from the request to the frame's end`).toBe(true);
      }
      frame = at;
      current = name;
    });
    // In the maintenance plan nobody else runs.
    const maintained = switched.filter(({ name }) => name === 'maintenance').map(({ frame: first }) => first);
    for (const first of maintained)
      expect(run.of('slot.run', (fields) => fields.partition === 1 && fields.frame >= first && fields.frame < first + 5)).toEqual([]);
  });

  it('management: suspended it does not run, resumed it does, reset it begins anew, halted it stays', async () => {
    const run = await runExample('management');
    expectSlotsExact(run);
    expect(traced(run, 0, 1n)).toEqual([0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n]);
    expect(consoleOf(run, 0)).toEqual(['! ended: exit code 0x10']);
    expect(run.of('health.event')).toEqual([]);
    expect(statesOf(run, 1)).toEqual([
      'suspended: by partition 0',
      'ready: by partition 0',
      'ready: warm reset: by partition 0',
      'ready: cold reset: by partition 0',
      'halted: by partition 0',
    ]);
    expect(consoleOf(run, 1)).toEqual([0, 1, 2].map((resets) => `worker: starts, ${resets} resets so far`));
    const [suspended, resumed, , , halted] = run.of('partition.state', ({ partition }) => partition === 1).map(({ at }) => at);
    const ran = run.of('slot.run', ({ partition }) => partition === 1).map(({ fields }) => fields.entered);
    expect(ran.filter((at) => at < suspended!).length).toBeGreaterThan(3);
    expect(ran.filter((at) => at > suspended! && at < resumed!)).toEqual([]);
    expect(ran.filter((at) => at > resumed! && at < halted!).length).toBeGreaterThan(20);
    expect(ran.filter((at) => at > halted!)).toEqual([]);
  });

  it('memory: what is read behind a partition is not told to it, and nobody changes what the owner has', async () => {
    const run = await runExample('memory');
    expectSlotsExact(run);
    expect(traced(run, 0, 1n)).toEqual([0n, 1n, 2n, 3n, 4n]);
    expect(traced(run, 0, 2n)).toEqual([]);
    expect([1n, 2n, 3n].map((code) => traced(run, 1, code))).toEqual([[0x1_1000n], [], []]);
    const what = 'memory-violation: read at 0x11000, which is not its memory, rip 0x';
    expect(statesOf(run, 1)).toEqual([expect.stringContaining(`halted: ${what}`)]);
    expect(healthOf(run, 1)).toEqual([expect.stringContaining('memory-violation -> halt: read at 0x11000')]);
    expect(exitsOf(run, 1)).toEqual({ 'nested-page-fault': 1, hypercall: 1 });
  });

  it('floods: four of them, and the slots behind each begin at their instants', async () => {
    const run = await runExample('floods');
    expectSlotsExact(run);
    const frames = 30;
    expectEverySlot(run, 0, 8n * MS, [MS, 3n * MS, 5n * MS, 7n * MS], frames);
    for (const partition of [1, 2, 3, 4]) expectEverySlot(run, partition, 8n * MS, [BigInt(2 * partition - 2) * MS], frames);
    // Each did flood: so many exits in a slot of 1 ms.
    const perSlot = (partition: number, reason: string): number => (exitsOf(run, partition)[reason] ?? 0) / frames;
    expect(perSlot(1, 'hypercall')).toBeGreaterThan(50);
    expect(perSlot(2, 'hypercall')).toBeGreaterThan(100);
    expect(perSlot(3, 'io')).toBeGreaterThan(30);
    expect(perSlot(4, 'nested-page-fault')).toBeGreaterThan(40);
    // Told as often as it helps, counted always; and its console is bounded.
    expect(healthOf(run, 3)).toEqual([]);
    expect(healthOf(run, 4)).toHaveLength(16);
    expect(run.of('log').some(({ fields }) => /^\d+ more health events were counted, not traced$/.test(fields.message))).toBe(true);
    const lines = consoleOf(run, 1);
    expect(lines.length).toBeGreaterThan(frames);
    expect(lines.length).toBeLessThanOrEqual(16 * frames);
    for (const line of lines) expect(line).toBe('x'.repeat(255));
  });

  it('spin: two that never give the CPU back, and every slot of both', async () => {
    const run = await runExample('spin');
    expectSlotsExact(run);
    expectEverySlot(run, 0, 2n * MS, [0n], 200);
    expectEverySlot(run, 1, 2n * MS, [MS], 200);
    const starts = run.series(
      'slot.run',
      ({ entered }) => entered,
      ({ partition }) => partition === 0,
    );
    expect(starts).toHavePeriod(2n * MS, 100n);
    // Nothing drifts: the last slot is where the first one was.
    const { samples } = starts;
    const drift = samples.at(-1)!.value - samples[0]!.value - 199n * 2n * MS;
    expect(drift >= -10n && drift <= 10n, `${drift} ns of drift`).toBe(true);
    expect(Object.keys(exitsOf(run, 0))).toEqual(['interrupt']);
  });
});

describe('the demonstration, twice with one seed', () => {
  let twice: Promise<BootedRun[]> | undefined;
  const runTwice = (): Promise<BootedRun[]> =>
    (twice ??= Promise.all(
      ['a', 'b'].map((name) => boot({ system: 'partitions/demonstration/system.ts', seed: 11, name: `demonstration-seed-11-${name}` })),
    ));

  it('gives the same log, byte for byte', async () => {
    const [first, second] = (await runTwice()) as [BootedRun, BootedRun];
    expect(first).toHold();
    expect(first.lines.length).toBeGreaterThan(1_000);
    // Named by its number: a comparison of the whole would be unreadable.
    const different = first.lines.findIndex((line, index) => line !== second.lines[index]);
    expect(different < 0 ? [] : [first.lines[different], second.lines[different]], `line ${different + 1} of ${first.log}`).toEqual([]);
    expect(second.lines.length).toBe(first.lines.length);
  });

  it('begins every slot at its instant', async () => {
    expectSlotsExact((await runTwice())[0]!);
  });
});
