/**
 * The machine's time as `clock=` and `timer=` choose it, put to the test: `test=` names what is done, `count=` how often. What a
 * lying device would do is done by `lie=`, which bends what the shims read of it; several with commas.
 */
import { EXIT } from '../../kernel/hw/exit.ts';
import type { Shims } from '../../kernel/hw/shims.ts';
import { RTC_BASE } from '../../kernel/drivers/rtc-mc146818.ts';
import { GCAP_ID, HPET, PERIOD_MAX_FS } from '../../kernel/regs/ia-pc-hpet.ts';
import { FEATURES_ECX, LEAF } from '../../kernel/regs/cpuid.ts';
import { DIVISORS, LAPIC, LVT, TSC_DEADLINE_MSR, type Divisor } from '../../kernel/regs/local-apic.ts';
import { A, REGISTER } from '../../kernel/regs/mc146818.ts';
import { showUsesOfTime } from '../../kernel/demonstration/uses-of-time.ts';
import { findMachine, openTrace, type Machine } from '../../kernel/machine.ts';
import { findSerialLine } from '../../kernel/peripherals.ts';
import { createByteRecorder } from '../../kernel/time/byte-recorder.ts';
import { ticksToNanos } from '../../kernel/time/frequency.ts';
import { createIntervalRecorder } from '../../kernel/time/interval-recorder.ts';
import { instant, millis, nanos, ticks, type Instant } from '../../kernel/time/units.ts';
import { createClock, createTimekeeping, createTimer, timeFacts, type Timekeeping } from '../../kernel/timekeeping.ts';
import type { ClockName } from '../../kernel/time/hw-clock.ts';
import type { TimerName } from '../../kernel/time/hw-timer.ts';
import { CLOCK_NAMES, selectTime, TIMER_NAMES } from '../../kernel/time/selection.ts';
import { parseCommandLine } from '../../kernel/command-line.ts';
import { EVENTS } from '../../kernel/trace/events.ts';
import { createRandom } from '../../kernel/testing/random.ts';
import { encodeUtf8 } from '../../kernel/trace/utf8.ts';

const OWN_WORDS = ['test', 'lie', 'seed', 'longest', 'counter', 'divisor'];
const HPET_BASE = 0xfed0_0000;
const HPET_LENGTH = 0x400;
const HPET_PERIOD = HPET_BASE + HPET.COUNTER_CLK_PERIOD;
const HPET_CONF = HPET_BASE + HPET.GEN_CONF;
const HPET_COUNTER = HPET_BASE + HPET.MAIN_CNT;
const LAPIC_BASE = 0xfee0_0000;
const LVT_TIMER = LAPIC_BASE + LAPIC.LVT_TIMER;
const PIT_COUNTER_0 = 0x40;
const PIT_CONTROL = 0x43;
/** Counter 0, both bytes, mode 0, no count: it stands. */
const PIT_STOP = 0x30;

type Lie = (bent: Shims, real: Shims, from: bigint) => void;

/** "Main Counter Value Register": to be written while the counter is halted. Whoever switches it on later finds it there. */
function startHpetAt(shims: Shims, count: number): void {
  shims.mmioWrite32(HPET_CONF, 0);
  shims.mmioWrite32(HPET_COUNTER, count);
}

/** Leaves of CPUID read as something else. */
const cpuidTells =
  (leaves: Readonly<Record<number, [number, number, number, number]>>): Lie =>
  (bent, real) =>
    (bent.cpuid = (leaf, subleaf) => leaves[leaf] ?? real.cpuid(leaf, subleaf));

/**
 * TSC-deadline mode, which TCG lacks, by the count that it has: its bit in the vector table's entry is none to TCG. TSC and bus both
 * run at 1 GHz under icount.
 */
const offerTscDeadline: Lie = (bent, real) => {
  let deadline = 0n;
  bent.cpuid = (leaf, subleaf) => {
    const [a, b, c, d] = real.cpuid(leaf, subleaf);
    return [a, b, leaf === LEAF.FEATURES ? c | FEATURES_ECX.TSC_DEADLINE : c, d];
  };
  bent.rdmsr = (index) => (index === TSC_DEADLINE_MSR ? (deadline > real.rdtsc() ? deadline : 0n) : real.rdmsr(index));
  bent.wrmsr = (index, value) => {
    if (index !== TSC_DEADLINE_MSR) return real.wrmsr(index, value);
    deadline = value;
    const left = value - real.rdtsc();
    const count = value === 0n ? 0n : left < 1n ? 1n : left > 0xffff_ffffn ? 0xffff_ffffn : left;
    real.mmioWrite32(LAPIC_BASE + LAPIC.TIMER_ICR, Number(count));
  };
};

/** An index of the RTC reads as something else. */
const rtcReads =
  (register: number, change: (value: number) => number): Lie =>
  (bent, real) => {
    let index = 0;
    bent.out8 = (port, value) => {
      if (port === RTC_BASE) index = value & 0x7f;
      real.out8(port, value);
    };
    bent.in8 = (port) => {
      const value = real.in8(port);
      return port === RTC_BASE + 1 && index === register ? change(value) : value;
    };
  };

const hpetReads =
  (where: (address: number) => boolean, what: number): Lie =>
  (bent, real) => {
    bent.mmioRead32 = (address) => (where(address) ? what : real.mmioRead32(address));
    bent.mmioReaderInt32 = (address) => (where(address) ? () => what | 0 : real.mmioReaderInt32(address));
    bent.mmioRead64 = (address) => (where(address) ? 0xffff_ffff_ffff_ffffn : real.mmioRead64(address));
    bent.mmioReader64 = (address) => (where(address) ? () => 0xffff_ffff_ffff_ffffn : real.mmioReader64(address));
  };
const isHpet = (address: number): boolean => address >= HPET_BASE && address < HPET_BASE + HPET_LENGTH;

/** The main counter reads as something else. */
const hpetCounts =
  (change: (read: () => bigint) => () => bigint): Lie =>
  (bent, real) => {
    bent.mmioReader64 = (address) => {
      const read = real.mmioReader64(address);
      return address === HPET_COUNTER ? change(read) : read;
    };
  };

/** What a broken device would do, done by bending what the shims read of it. Those that name no instant do it from the start. */
const LIES: Readonly<Record<string, Lie>> = {
  'tsc-fast': (bent, real, from) => (bent.rdtsc = () => ((tsc) => (tsc > from ? tsc + (tsc - from) / 1000n : tsc))(real.rdtsc())),
  'tsc-step': (bent, real, from) => (bent.rdtsc = () => ((tsc) => (tsc > from ? tsc + 5_000_000n : tsc))(real.rdtsc())),
  'tsc-stops': (bent, real, from) => (bent.rdtsc = () => ((tsc) => (tsc > from ? from : tsc))(real.rdtsc())),
  'tsc-stands': (bent, real) => {
    const at = real.entryTsc();
    bent.rdtsc = bent.rdtscOrdered = bent.accessTsc = bent.interruptTsc = bent.spinUntil = () => at;
    bent.accessTicks = () => 0;
  },
  'hpet-ones': hpetReads(isHpet, 0xffff_ffff),
  'hpet-period-0': hpetReads((address) => address === HPET_PERIOD, 0),
  'hpet-period-huge': hpetReads((address) => address === HPET_PERIOD, PERIOD_MAX_FS + 1),
  /** What is measured against it is wrong. */
  'hpet-slow': hpetCounts((read) => () => (read() * 9n) / 10n),
  'hpet-stops': (bent, real, from) => {
    hpetCounts((read) => {
      let stood = 0n;
      return () => {
        if (real.rdtsc() < from || stood === 0n) stood = read();
        return stood;
      };
    })(bent, real, from);
  },
  /** No lie but a capability less: the counter itself is set to three seconds before its low half wraps. */
  'hpet-32': (bent, real) => {
    startHpetAt(real, 2 ** 32 - 300_000_000);
    bent.mmioRead32 = (address) => (address === HPET_BASE ? real.mmioRead32(address) & ~GCAP_ID.COUNT_SIZE_CAP : real.mmioRead32(address));
  },
  'pit-dead': (bent, real) => (bent.in8 = (port) => (port === PIT_COUNTER_0 ? 2 : real.in8(port))),
  /** In truth: no more interrupts either. */
  'pit-stops': (bent, real, from) => {
    let hasStopped = false;
    bent.in8 = (port) => {
      if (!hasStopped && real.rdtsc() > from) {
        hasStopped = true;
        real.out8(PIT_CONTROL, PIT_STOP);
      }
      return hasStopped && port === PIT_COUNTER_0 ? 2 : real.in8(port);
    };
  },
  /** Its timer's entry stays masked. */
  'lapic-silent': (bent, real) =>
    (bent.mmioWrite32 = (address, value) => real.mmioWrite32(address, address === LVT_TIMER ? value | LVT.MASKED : value)),
  'rtc-uip': rtcReads(REGISTER.A, (value) => value | A.UIP),
  'rtc-bcd': rtcReads(REGISTER.DATE_OF_MONTH, () => 0x1f),
  'rtc-month-13': rtcReads(REGISTER.MONTH, () => 0x13),
  /** A hypervisor that tells frequencies, rightly and wrongly, and a processor whose crystal is not what its local APIC counts. */
  'cpuid-right': cpuidTells({ 0x4000_0000: [0x4000_0010, 0, 0, 0], 0x4000_0010: [1_000_000, 1_000_000, 0, 0] }),
  'cpuid-wrong': cpuidTells({ 0x4000_0000: [0x4000_0010, 0, 0, 0], 0x4000_0010: [2_000_000, 1_000_000, 0, 0] }),
  'cpuid-intel': cpuidTells({ 0: [0x15, 0x756e_6547, 0x6c65_746e, 0x4965_6e69], 0x15: [1, 40, 25_000_000, 0] }),
  /** No lie to its user. */
  'tsc-deadline': offerTscDeadline,
};

/** Shims of which the devices named in `lies` lie from `from` (TSC) on. */
function lying(shims: Shims, lies: readonly string[], from: bigint): Shims {
  let lied = shims;
  for (const name of lies) {
    const lie = LIES[name];
    if (!lie) throw new Error(`there is no lie ${name}; there are ${Object.keys(LIES).join(', ')}`);
    const bent = { ...lied };
    lie(bent, lied, from);
    lied = bent;
  }
  return lied;
}

export function main(real: Shims): void {
  const words = real.commandLine().split(' ');
  const word = (name: string): string | undefined => words.find((text) => text.startsWith(`${name}=`))?.slice(name.length + 1);
  const parsed = parseCommandLine(words.filter((text) => !OWN_WORDS.some((name) => text.startsWith(`${name}=`))).join(' '));
  if (!parsed.ok) throw new Error(parsed.problems.join('; '));
  const { clock, timer, count, idle } = parsed.value;
  // Lies begin two virtual seconds after the start: the machine has been measured by then.
  const shims = lying(real, word('lie')?.split(',') ?? [], real.entryTsc() + 2_000_000_000n);
  const counter = word('counter');
  if (counter !== undefined) startHpetAt(real, Number(counter));
  // In a partition there is no other way out.
  const { trace, uart } = openTrace(shims, { serial: word('serial') === 'info' ? 'info' : 'off', frames: 'auto' });
  const machine = findMachine(shims, trace, uart, idle);
  // What led to an error is worth having.
  trace.flush();
  const report = (name: string, value: number, unit = 'ns'): void => trace.record(EVENTS.benchmark, name, value, unit);
  const test = word('test');
  const random = createRandom(Number(word('seed') ?? 1));

  if (test === 'pairs') {
    testPairs(machine, random, report);
  } else if (test === 'stop') {
    testStop(machine, report);
  } else if (test === 'clocks') {
    testClocks(machine, count, report);
  } else if (test === 'timer') {
    const name = timer as TimerName;
    const hwClock = createClock(machine, clock as ClockName);
    const origin = hwClock.now() - machine.toInstant(hwClock.readingTsc());
    const divisor = Number(word('divisor'));
    let expired = 0;
    let late = 0;
    let deadline = instant(0n);
    const hwTimer = createTimer(
      machine,
      name,
      hwClock,
      (taken) => {
        expired++;
        late = Number(machine.toInstant(taken) + origin - deadline);
      },
      (DIVISORS as readonly number[]).includes(divisor) ? (divisor as Divisor) : undefined,
    );
    const least = Number(hwTimer.minInterval);
    let min = Infinity;
    let max = -Infinity;
    const { now } = hwClock;
    const { arm } = hwTimer;
    function expire(interval: bigint): number {
      const before = expired;
      arm((deadline = instant(now() + interval)));
      while (expired === before) machine.dispatcher.waitAndDispatch();
      return late;
    }
    for (let index = 0; index < count; index++) {
      // Evenly on a logarithmic scale, up to 200 ms.
      const lateness = expire(BigInt(Math.ceil(least * Math.pow(200e6 / least, random.integer(1 << 20) / (1 << 20)))));
      if (lateness < min) min = lateness;
      if (lateness > max) max = lateness;
    }
    report(`timer.${name}.lateness_min_ns`, min);
    report(`timer.${name}.lateness_max_ns`, max);
    report(`timer.${name}.min_interval_ns`, least);
    let latest = 0;
    for (let index = 0; index < count / 10; index++) {
      const lateness = expire(BigInt(least));
      if (lateness > latest) latest = lateness;
    }
    report(`timer.${name}.min_interval_lateness_max_ns`, latest);
    for (const seconds of [1, 10, 100])
      if (seconds <= Number(word('longest') ?? 1))
        report(`timer.${name}.wait_${seconds}s_lateness_ns`, expire(BigInt(seconds) * 1_000_000_000n));
    report(`timer.${name}.past_ns`, expire(-1_000_000n) - 1_000_000);
    hwTimer.stop();
  } else {
    const created = createTimekeeping(machine, { clock, timer });
    if (!created.ok) {
      trace.record(EVENTS.kernelExit, EXIT.FAILED, created.problems.join('; '));
      trace.flush();
      return shims.exit(EXIT.FAILED);
    }
    if (test === 'beat') testBeat(created.timekeeping, count, report);
    if (test === 'watch') waitFor(created.timekeeping, millis(4_000), real);
    if (test === 'uses') showUsesOfTime(machine, created.timekeeping);
    if (test === 'bytes') testBytes(machine, created.timekeeping, count);
    if (test === 'deadlines') testDeadlines(machine, created.timekeeping);
    if (test === 'many') testMany(machine, created.timekeeping, count, report);
    if (test === 'arming') testArming(machine, created.timekeeping, report);
  }
  trace.flush();
  shims.exit(EXIT.OK);
}

/** Each pair of clock and timer that the rules allow on this machine: some one-shots, one of them in the past, one chained on 16 bits. */
function testPairs(machine: Machine, random: ReturnType<typeof createRandom>, report: Report): void {
  const facts = timeFacts(machine);
  for (const clockName of CLOCK_NAMES) {
    for (const timerName of TIMER_NAMES) {
      if (!selectTime(facts, { clock: clockName, timer: timerName }).ok) continue;
      const clock = createClock(machine, clockName);
      const origin = clock.now() - machine.toInstant(clock.readingTsc());
      let lateness = NaN;
      let deadline = instant(0n);
      const timer = createTimer(machine, timerName, clock, (taken) => {
        lateness = Number(machine.toInstant(taken) + origin - deadline);
      });
      let min = Infinity;
      let max = -Infinity;
      const least = Number(timer.minInterval);
      for (const interval of [...Array.from({ length: 20 }, () => least + random.integer(3_000_000)), 120_000_000]) {
        timer.arm((deadline = instant(clock.now() + BigInt(interval))));
        while (timer.isArmed()) machine.dispatcher.waitAndDispatch();
        if (lateness < min) min = lateness;
        if (lateness > max) max = lateness;
      }
      timer.arm(instant(0n));
      while (timer.isArmed()) machine.dispatcher.waitAndDispatch();
      timer.stop();
      clock.stop();
      const { trace } = machine;
      trace.record(EVENTS.timerLateness, timerName, 21, nanos(BigInt(min)), nanos(BigInt(max)), 0);
      report(`pair.${clockName}.${timerName}.min`, min);
      report(`pair.${clockName}.${timerName}.max`, max);
      trace.flush();
    }
  }
}

/** Time after time in one boot, of each pair: what is armed when it is stopped must not come, and the hardware must be free for the next. */
function testStop(machine: Machine, report: Report): void {
  const facts = timeFacts(machine);
  const { dispatcher, now, trace } = machine;
  for (const clock of CLOCK_NAMES) {
    for (const timer of TIMER_NAMES) {
      const created = selectTime(facts, { clock, timer }).ok ? createTimekeeping(machine, { clock, timer }) : undefined;
      if (!created?.ok) continue;
      const { timers, wait, stop, clock: used } = created.timekeeping;
      let runs = 0;
      timers.armPeriodic(instant(used.now() + millis(2)), millis(2), () => runs++);
      timers.armOneShot(instant(used.now() + millis(11)), () => runs++);
      while (runs < 3) wait();
      // One that has come but is not handled yet, by the time that it is stopped.
      timers.armOneShot(instant(used.now()), () => runs++);
      const atStop = runs;
      stop();
      stop();
      for (const end = now() + millis(30); now() < end;) dispatcher.pollAndDispatch();
      let refused = 0;
      try {
        timers.armOneShot(instant(now() + millis(1)), () => runs++);
      } catch {
        refused = 1;
      }
      report(`stop.${clock}.${timer}.runs_after`, runs - atStop, 'runs');
      report(`stop.${clock}.${timer}.refused`, refused, '');
      trace.flush();
    }
  }
}

/** Waits by the real TSC: the clock may lie. */
function waitFor({ wait }: Timekeeping, duration: bigint, { rdtsc }: Shims): void {
  for (const end = rdtsc() + duration; rdtsc() < end;) wait();
}

type Report = (name: string, value: number, unit?: string) => void;

/** `count` times 10,000 readings of each clock, for 900 us at a time with interrupts off; then its drift over `count` seconds. */
function testClocks(machine: Machine, count: number, report: Report): void {
  const facts = timeFacts(machine);
  const { dispatcher, toInstant, shims } = machine;
  const clocks = CLOCK_NAMES.filter((name) => facts.clocks[name] === undefined).map((name) => createClock(machine, name));
  for (const { name, now } of clocks) {
    let backward = 0;
    let last = now();
    const start = shims.rdtsc();
    for (let done = 0; done < count * 10_000;) {
      for (const end = shims.rdtsc() + 900_000n; shims.rdtsc() < end; done++) {
        const value = now();
        if (value < last) backward++;
        last = value;
      }
      dispatcher.pollAndDispatch();
    }
    report(`clock.${name}.backward_steps`, backward, 'steps');
    report(`clock.${name}.read_loop_ns`, Number(toInstant(shims.rdtsc()) - toInstant(start)) / (count * 10_000));
    // So few that no tick of the PIT falls into them.
    const READS = 50;
    dispatcher.pollAndDispatch();
    const before = shims.rdtsc();
    for (let read = 0; read < READS; read++);
    const between = shims.rdtsc();
    for (let read = 0; read < READS; read++) now();
    const after = shims.rdtsc();
    report(`clock.${name}.read_ns`, Number(toInstant(after) - toInstant(between) - (toInstant(between) - toInstant(before))) / READS);
    dispatcher.pollAndDispatch();
  }
  const read = () =>
    clocks.map(({ now, readingTsc }) => {
      const value = now();
      return { value, tsc: toInstant(readingTsc()) };
    });
  const starts = read();
  const beats = createTimer(machine, 'lapic', clocks[0]!, () => undefined);
  for (let second = 0; second < count; second++) {
    beats.arm(instant(clocks[0]!.now() + millis(1000)));
    while (beats.isArmed()) dispatcher.waitAndDispatch();
    clocks.forEach(({ now }) => now());
  }
  const ends = read();
  clocks.forEach(({ name }, index) => {
    const elapsed = ends[index]!.tsc - starts[index]!.tsc;
    const offset = ends[index]!.value - starts[index]!.value - elapsed;
    report(`clock.${name}.drift_ppm`, (Number(offset) * 1e6) / Number(elapsed), 'ppm');
  });
}

/** A periodic kernel timer: by how much the last of `count` x 10 periods of 1 ms is late against the first. */
function testBeat({ clock, timers, timerName, wait, toInstant }: Timekeeping, count: number, report: Report): void {
  const total = count * 10;
  let index = 0;
  let missed = 0;
  let worst = -Infinity;
  let least = Infinity;
  let last = 0;
  const first = instant(clock.now() + millis(2));
  const beat = timers.armPeriodic(first, millis(1), (deadline, skipped, taken) => {
    const nominal = first + BigInt(index) * millis(1);
    if (deadline !== nominal) missed++;
    index += 1 + skipped;
    last = Number(toInstant(taken) - nominal);
    if (last > worst) worst = last;
    if (last < least) least = last;
  });
  while (index < total) wait();
  beat.cancel();
  report(`timer.${timerName}.beats_missed`, missed + timers.missed(), 'periods');
  report(`timer.${timerName}.beat_lateness_min_ns`, least);
  report(`timer.${timerName}.beat_lateness_max_ns`, worst);
  report(`timer.${timerName}.drift_ns`, last);
}

function testArming({ shims, toInstant }: Machine, { clock, timers }: Timekeeping, report: Report): void {
  const random = createRandom(11);
  const own = timers.createTimer(() => undefined);
  let queued = 0;
  for (const wanted of [10, 1_000]) {
    for (; queued < wanted; queued++)
      timers.armOneShot(instant(clock.now() + 3_600_000_000_000n + BigInt(random.integer(1 << 30))), () => undefined);
    const deadlines = Array.from({ length: 100 }, () => instant(clock.now() + 3_600_000_000_000n + BigInt(random.integer(1 << 30))));
    const start = shims.rdtsc();
    for (const deadline of deadlines) own.arm(deadline);
    report(`ktimer.arm_ns.${wanted}`, Number(toInstant(shims.rdtsc()) - toInstant(start)) / deadlines.length);
  }
  report('ktimer.pending', timers.pending(), 'timers');
}

/** Bytes that somebody sends from outside: tells that it is ready, and records `count` of them. */
function testBytes(machine: Machine, { wait }: Timekeeping, count: number): void {
  const { trace, uart } = machine;
  const found = findSerialLine(machine);
  if (!found.ok) throw new Error(found.reason);
  const { name, device: receiver, connect } = found.found;
  const recorder = createIntervalRecorder((tsc) => ticksToNanos(machine.tscFrequency, ticks(tsc)), count);
  const bytes = createByteRecorder(receiver.read, recorder, ({ index, byte, taken, isDated }) =>
    trace.record(EVENTS.byteReceived, name, index, byte, taken, isDated),
  );
  const line = connect(bytes.onInterrupt)!;
  line.enable();
  receiver.enableInterrupt();
  uart!.write(encodeUtf8('ready'));
  while (bytes.received() < count) wait();
  const { count: intervals, min, max, mean } = recorder.statistics()!;
  trace.record(EVENTS.intervalsRecorded, name, intervals, min, max, mean);
}

/** What no clock will show is refused, and what is armed stays as it was; callbacks may arm. */
function testDeadlines({ trace }: Machine, { clock, timers, wait }: Timekeeping): void {
  const check = (name: string, holds: boolean, seen: unknown): void =>
    trace.record(EVENTS.testCase, name, holds ? 'pass' : 'fail', String(seen));
  const YEAR = 31_557_600_000_000_000n;
  let expired = 0;
  const timer = timers.createTimer(() => expired++);
  const armed = instant(clock.now() + millis(5));
  timer.arm(armed);
  const refusals: [string, unknown, string][] = [
    ['NaN', NaN, 'TypeError'],
    ['a number', 5, 'TypeError'],
    ['nothing', undefined, 'TypeError'],
    ['negative', -1n, 'RangeError'],
    ['in 400 years', clock.now() + 400n * YEAR, 'RangeError'],
  ];
  for (const [name, deadline, error] of refusals) {
    let seen = 'it was taken';
    try {
      timer.arm(deadline as Instant);
    } catch (thrown) {
      seen = String(thrown);
    }
    check(`a deadline ${name} is refused`, seen.startsWith(`${error}: deadline `) && timer.deadline() === armed, seen);
  }
  while (timer.isPending()) wait();
  check('what was armed before expires all the same, once', expired === 1 && clock.now() >= armed, expired);

  // The last two fit into 2^63 ns: the hardware waits in many runs.
  const far = [1n, 200n, 292n].map((years) => timers.armOneShot(instant(years * YEAR), () => expired++));
  const end = instant(clock.now() + millis(5_000));
  const own = timers.armOneShot(end, () => undefined);
  while (own.isPending()) wait();
  check('a deadline in 1, 200 and 292 years waits', expired === 1 && far.every((one) => one.isPending()), expired);
  check(
    'and can be cancelled',
    far.every((one) => one.cancel()),
    timers.pending(),
  );

  // A callback that arms itself, another one, and one in the past.
  const order: string[] = [];
  const other = timers.createTimer(() => order.push('other'));
  const first = instant(clock.now() + millis(1));
  const self = timers.createTimer((deadline) => {
    order.push('self');
    if (order.length > 3) return;
    self.arm(instant(deadline + millis(1)));
    other.arm(instant(deadline - millis(1)));
  });
  self.arm(first);
  while (self.isPending() || other.isPending()) wait();
  check('a callback arms itself, and others for the past', order.join(' ') === 'self other self other self', order.join(' '));
}

/** `count` x 100 timers at once, half of them cancelled: the others expire in order, none early. */
function testMany({ shims }: Machine, { clock, timers, wait }: Timekeeping, count: number, report: Report): void {
  const random = createRandom(7);
  const total = count * 100;
  const before = timers.pending();
  let expired = 0;
  let disorder = 0;
  let early = 0;
  let last = 0n;
  const onExpire = (deadline: Instant): void => {
    expired++;
    if (deadline < last) disorder++;
    // By the clock: one that is due by the reading of the expiry of another may be so after the interrupt's stamp.
    if (clock.now() < deadline) early++;
    last = deadline;
  };
  const heap = shims.heapUsed();
  const start = clock.now();
  // All are armed before the first is due.
  const all = Array.from({ length: total }, () =>
    timers.armOneShot(instant(start + 30_000_000_000n + BigInt(random.integer(1 << 30)) * 10n), onExpire),
  );
  report('many.armed_by_ns', Number(clock.now() - start));
  report('many.heap_bytes', shims.heapUsed() - heap, 'bytes');
  let cancelled = 0;
  for (let index = 0; index < total; index += 2) if (all[index]!.cancel()) cancelled++;
  report('many.pending', timers.pending() - before, 'timers');
  report('many.cancelled', cancelled, 'timers');
  while (expired < total - cancelled) wait();
  report('many.expired', expired, 'timers');
  report('many.disorder', disorder, 'timers');
  report('many.early', early, 'timers');
  report('many.left', timers.pending() - before, 'timers');
}
