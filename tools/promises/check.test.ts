import { describe, expect, it } from 'vitest';
import { EVENTS, type TraceRecord } from '../../kernel/trace/events.ts';
import type { EventDefinition } from '../../kernel/trace/event.ts';
import { formatLine, parseLine } from '../../kernel/trace/text.ts';
import { createCheck, failureLines, junitXml, type Kept } from './check.ts';
import { clock, definePromises, inOrder, ms, ns, partition, records, type TimingPromise } from './define.ts';

function record(event: EventDefinition, at: bigint, ...values: readonly unknown[]): TraceRecord {
  const parsed = parseLine(formatLine(event, at, 0, values));
  if (parsed.kind !== 'record') throw new Error(`not a record: ${event.name}`);
  return parsed.record;
}

const MS = 1_000_000n;
/** Two partitions in frames of 10 ms from 100 ms on: `a` runs 4 ms of it, `b` 1 ms, ever 2 ns later. */
const RUN = [
  record(EVENTS.partitionCreated, 1n, 0, 'a', 'a.bin', 4_096),
  record(EVENTS.partitionCreated, 2n, 1, 'b', 'b.bin', 4_096),
  record(EVENTS.clockCompared, 3n, 'pit', 'tsc', 10n, 5n, -270, 9_000n),
  record(EVENTS.systemStarted, 4n, 'demo', 100n * MS, 2, 1),
  ...Array.from({ length: 10 }, (_, frame) => {
    const nominal = (100n + 10n * BigInt(frame)) * MS;
    const late = 2n * BigInt(frame);
    return [
      record(EVENTS.slotRun, nominal + 4n * MS, 0, 0, frame, nominal, nominal, nominal + 4n * MS),
      record(EVENTS.slotRun, nominal + 10n * MS, 1, 1, frame, nominal + 9n * MS, nominal + 9n * MS + late, nominal + 10n * MS + late),
    ];
  }).flat(),
];

function verdictOf(promise: TimingPromise, log = RUN): Kept {
  const check = createCheck(definePromises({ it: promise }));
  log.forEach((own, index) => check.push(own, index + 1));
  return check.result()[0]!;
}

const late = records('slot.run', ({ partition: own }, { nameOf }) => nameOf(own) === 'b').spans(
  ({ entered, nominal }) => entered - nominal,
);

describe('a promise about records', () => {
  it('sees those of its event for which its condition holds, with the names of partitions', () => {
    expect(verdictOf(late.stayWithin(0n, ns(18)))).toMatchObject({ holds: true, seen: 'all 10 are' });
    const broken = verdictOf(late.stayWithin(0n, ns(15)));
    expect(broken).toMatchObject({ holds: false, seen: '2 of 10 are not' });
    expect(broken.worst.map(({ line, at, text }) => [line, at, text])).toEqual([
      [24, 200n * MS, '18 ns'],
      [22, 190n * MS, '16 ns'],
      [6, 110n * MS, '0 ns'],
    ]);
  });

  it('finds drift where all are within their bounds', () => {
    // 18 ns in 90 ms.
    expect(verdictOf(late.haveDriftAtMost(0.2)).holds).toBe(true);
    expect(verdictOf(late.haveDriftAtMost(0.19))).toMatchObject({ holds: false, seen: '0.200 ppm over 90 ms' });
  });

  it('is about periods and jitter of instants', () => {
    const starts = records('slot.run', ({ slot }) => slot === 1).instants(({ entered }) => entered);
    expect(verdictOf(starts.havePeriod(ms(10), ns(2))).holds).toBe(true);
    expect(verdictOf(starts.havePeriod(ms(10), ns(1))).holds).toBe(false);
    expect(verdictOf(starts.haveJitterAtMost(0n)).holds).toBe(true);
  });
});

describe('a promise about', () => {
  it("a partition's share", () => {
    // 10 runs of 4 ms in 100 ms.
    expect(verdictOf(partition('a').hasShareWithin(39, 41))).toMatchObject({ holds: true, seen: '40.00 % in 10 slots' });
    expect(verdictOf(partition('a').hasShareWithin(50, 60))).toMatchObject({
      holds: false,
      worst: [{ text: 'ran 4000000 ns in frame 0' }, {}, {}],
    });
    expect(verdictOf(partition('c').hasShareWithin(0, 100))).toMatchObject({
      holds: false,
      seen: 'there is nothing to judge: 0 slots of c',
    });
  });

  it("a clock's drift", () => {
    expect(verdictOf(clock('pit').hasDriftAtMost(0.27))).toMatchObject({ holds: true, seen: '-0.270 ppm against tsc' });
    expect(verdictOf(clock('pit').hasDriftAtMost(0.26))).toMatchObject({ holds: false, worst: [{ line: 3 }] });
    expect(verdictOf(clock('hpet').hasDriftAtMost(1)).holds).toBe(false);
  });

  it('the order of events', () => {
    expect(verdictOf(inOrder('partition.created', 'system.started', 'slot.run')).holds).toBe(true);
    expect(verdictOf(inOrder('system.started', 'partition.created'))).toMatchObject({
      holds: false,
      seen: 'after system.started there is no partition.created',
      worst: [{ line: 4 }],
    });
  });
});

describe('a failure', () => {
  const broken: Kept = { ...verdictOf(late.stayWithin(0n, ns(15))), promise: 'b is on time' };

  it('says expected, seen, the worst with their lines, and how to look there', () => {
    expect(failureLines(broken, 'run.log')).toEqual([
      'b is on time: expected every value to be within 0..15 ns; 2 of 10 are not:',
      '  run.log:24: 18 ns',
      '  run.log:22: 16 ns',
      '  run.log:6: 0 ns',
      '  look: chronovisor timeline run.log --at @200000000',
    ]);
  });

  it('is a failure in JUnit XML, beside what is kept, with nothing that XML does not allow', () => {
    const xml = junitXml([broken, { ...broken, holds: true, promise: 'a < b & "c" \u0007' }], 'run.log', 'promises.ts');
    expect(xml).toContain('<testsuite name="run.log" tests="2" failures="1" errors="0" skipped="0">');
    expect(xml).toContain('<testcase name="b is on time" classname="promises.ts">\n      <failure message="expected every value');
    expect(xml).toContain('<testcase name="a &lt; b &amp; &quot;c&quot; ?" classname="promises.ts"/>');
    expect(xml.match(/<testcase/g)).toHaveLength(2);
  });
});

describe("what a promise's author does wrong", () => {
  it('is told with the place in the log', () => {
    const failing = records('slot.run').spans(() => BigInt(0.5));
    expect(() => verdictOf(failing.stayWithin(0n, 1n))).toThrow(/^it: it can not be judged at line 5 of the log: /);
  });

  it('is told for a duration that can not be', () => {
    expect(() => verdictOf(late.stayWithin(0n, ns(0.5)))).toThrow('ns(0.5) is not a whole number of nanoseconds');
  });
});
