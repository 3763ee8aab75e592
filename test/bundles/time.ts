/**
 * The machine's time as `clock=` and `timer=` choose it, put to the test: `test=` names what is done, `count=` how often. What a
 * lying device would do is done by `lie=`, which bends what the shims read of it.
 */
import { EXIT } from '../../kernel/hw/exit.ts';
import type { Shims } from '../../kernel/hw/shims.ts';
import { RTC_BASE, RTC_IRQ, probeRtc } from '../../kernel/drivers/rtc-mc146818.ts';
import { createPorts } from '../../kernel/hw/ports.ts';
import { findMachine, openTrace, type Machine } from '../../kernel/machine.ts';
import { createIntervalRecorder } from '../../kernel/time/interval-recorder.ts';
import { createTimedOutput } from '../../kernel/time/timed-output.ts';
import { createWallClock } from '../../kernel/time/wall-clock.ts';
import { instant, millis, nanos } from '../../kernel/time/units.ts';
import { createClock, createTimekeeping, createTimer, timeFacts, type Timekeeping } from '../../kernel/timekeeping.ts';
import type { ClockName } from '../../kernel/time/hw-clock.ts';
import type { TimerName } from '../../kernel/time/hw-timer.ts';
import { selectTime, TIMER_NAMES } from '../../kernel/time/selection.ts';
import { parseCommandLine } from '../../kernel/command-line.ts';
import { EVENTS } from '../../kernel/trace/events.ts';
import { HPET } from '../../kernel/regs/ia-pc-hpet.ts';
import { DIVISORS, LAPIC, TSC_DEADLINE_MSR, type Divisor } from '../../kernel/regs/local-apic.ts';
import { createRandom } from '../../kernel/testing/random.ts';

const CLOCKS: readonly ClockName[] = ['tsc', 'hpet', 'pm-timer', 'pit'];
const OWN_WORDS = ['test', 'lie', 'seed', 'longest', 'counter', 'divisor'];
const HPET_BASE = 0xfed0_0000;
const HPET_COUNTER = HPET_BASE + HPET.MAIN_CNT;

/** "Main Counter Value Register": to be written while the counter is halted. Whoever switches it on later finds it there. */
function startHpetAt(shims: Shims, count: number): void {
  shims.mmioWrite32(HPET_BASE + HPET.GEN_CONF, 0);
  shims.mmioWrite32(HPET_COUNTER, count);
}

/** A hypervisor that tells frequencies, rightly and wrongly, and a processor whose crystal is not what its local APIC counts. */
const CPUID_LIES: Readonly<Record<string, Readonly<Record<number, [number, number, number, number]>>>> = {
  'cpuid-right': { 0x4000_0000: [0x4000_0010, 0, 0, 0], 0x4000_0010: [1_000_000, 1_000_000, 0, 0] },
  'cpuid-wrong': { 0x4000_0000: [0x4000_0010, 0, 0, 0], 0x4000_0010: [2_000_000, 1_000_000, 0, 0] },
  'cpuid-intel': { 0: [0x15, 0x756e_6547, 0x6c65_746e, 0x4965_6e69], 0x15: [1, 40, 25_000_000, 0] },
};

/**
 * TSC-deadline mode, which TCG lacks, by the count that it has: its bit in the vector table's entry is none to TCG. TSC and bus both
 * run at 1 GHz under icount.
 */
function offerTscDeadline(bent: Shims, shims: Shims): void {
  let deadline = 0n;
  bent.cpuid = (leaf, subleaf) => {
    const [a, b, c, d] = shims.cpuid(leaf, subleaf);
    return [a, b, leaf === 1 ? c | (1 << 24) : c, d];
  };
  bent.rdmsr = (index) => (index === TSC_DEADLINE_MSR ? (deadline > shims.rdtsc() ? deadline : 0n) : shims.rdmsr(index));
  bent.wrmsr = (index, value) => {
    if (index !== TSC_DEADLINE_MSR) return shims.wrmsr(index, value);
    deadline = value;
    const left = value - shims.rdtsc();
    const count = value === 0n ? 0n : left < 1n ? 1n : left > 0xffff_ffffn ? 0xffff_ffffn : left;
    shims.mmioWrite32(0xfee0_0000 + LAPIC.TIMER_ICR, Number(count));
  };
}

/** Shims that lie from `from` (TSC) on. */
function lying(shims: Shims, lie: string | undefined, from: bigint): Shims {
  const bent = { ...shims };
  const since = (tsc: bigint): bigint => (tsc > from ? tsc - from : 0n);
  if (lie === 'tsc-fast') bent.rdtsc = () => ((tsc) => tsc + since(tsc) / 1000n)(shims.rdtsc());
  if (lie === 'tsc-step') bent.rdtsc = () => ((tsc) => (tsc > from ? tsc + 5_000_000n : tsc))(shims.rdtsc());
  if (lie === 'tsc-stops') bent.rdtsc = () => ((tsc) => (tsc > from ? from : tsc))(shims.rdtsc());
  if (lie?.startsWith('cpuid-')) {
    const leaves = CPUID_LIES[lie]!;
    bent.cpuid = (leaf, subleaf) => leaves[leaf] ?? shims.cpuid(leaf, subleaf);
  }
  if (lie === 'tsc-deadline') offerTscDeadline(bent, shims);
  if (lie === 'hpet-slow') {
    // From the start: what is measured against it is wrong.
    bent.mmioReader64 = (address) => {
      const read = shims.mmioReader64(address);
      return address === HPET_COUNTER ? () => (read() * 9n) / 10n : read;
    };
  }
  if (lie === 'hpet-stops') {
    bent.mmioReader64 = (address) => {
      const read = shims.mmioReader64(address);
      let stood = 0n;
      return () => {
        if (address !== HPET_COUNTER || shims.rdtsc() < from || stood === 0n) stood = read();
        return stood;
      };
    };
  }
  return bent;
}

export function main(real: Shims): void {
  const words = real.commandLine().split(' ');
  const word = (name: string): string | undefined => words.find((text) => text.startsWith(`${name}=`))?.slice(name.length + 1);
  const parsed = parseCommandLine(words.filter((text) => !OWN_WORDS.some((name) => text.startsWith(`${name}=`))).join(' '));
  if (!parsed.ok) throw new Error(parsed.problems.join('; '));
  const { clock, timer, count, idle } = parsed.value;
  // Lies begin two virtual seconds after the start: the machine has been measured by then.
  const shims = lying(real, word('lie'), real.entryTsc() + 2_000_000_000n);
  const counter = word('counter');
  if (counter !== undefined) startHpetAt(shims, Number(counter));
  const { trace, uart } = openTrace(shims, { serial: 'off', frames: 'auto' });
  const machine = findMachine(shims, trace, uart, idle);
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
    if (test === 'events') testEvents(machine, created.timekeeping, report);
    if (test === 'arming') testArming(machine, created.timekeeping, report);
  }
  trace.flush();
  shims.exit(EXIT.OK);
}

/** Each pair of clock and timer that the rules allow on this machine: some one-shots, one of them in the past, one chained on 16 bits. */
function testPairs(machine: Machine, random: ReturnType<typeof createRandom>, report: Report): void {
  const facts = timeFacts(machine);
  for (const clockName of CLOCKS) {
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
  for (const clock of CLOCKS) {
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
  const clocks = CLOCKS.filter((name) => facts.clocks[name] === undefined).map((name) => createClock(machine, name));
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

/** PRTOS's uses of time that need no partitions: intervals of external events, a timed output signal, absolute time. */
function testEvents(machine: Machine, { clock, timers, wait }: Timekeeping, report: Report): void {
  const { shims, router, trace } = machine;
  const probe = probeRtc(createPorts(shims, RTC_BASE, 2), machine.acpi.found ? (machine.acpi.fadt?.centuryIndex ?? 0) : 0);
  if (!probe.found) throw new Error(`rtc: ${probe.reason}`);
  const { rtc } = probe;

  const created = createWallClock({ clock, rtc });
  if (!created.ok) throw new Error(`wall clock: ${created.reason}`);
  const { wallClock } = created;
  // QEMU's clock started on 2026-01-01 when the machine did.
  report('wall.since_2026_ns', Number(wallClock.now() - 1_767_225_600_000_000_000n));
  report('wall.since_boot_ns', Number(clock.now()));
  report('wall.uncertainty_ns', Number(wallClock.uncertainty));

  const recorder = createIntervalRecorder((tsc) => nanos(machine.toInstant(tsc) - machine.toInstant(0n)), 64);
  const line = router.connectIsa(RTC_IRQ, (taken) => {
    rtc.acknowledge();
    recorder.edge(taken);
  });
  line!.enable();
  rtc.enablePeriodic(6);
  for (let edges = 0; edges < 200; edges = recorder.statistics()?.count ?? 0) wait();
  rtc.disableInterrupts();
  line!.disconnect();
  const { count, min, max, mean } = recorder.statistics()!;
  trace.record(EVENTS.intervalsRecorded, 'rtc', count, min, max, mean);

  // Speaker data, bit 1 of System Control Port B: what a probe on a PC can be connected to.
  const before = shims.in8(0x61) & 0x0d;
  let wrong = 0;
  const origin = clock.now() - machine.toInstant(clock.readingTsc());
  const bootTsc = shims.entryTsc();
  const { numerator, denominator } = machine.tscFrequency;
  const toTsc = (when: bigint): bigint => bootTsc + ((when - origin) * numerator) / (denominator * 1_000_000_000n);
  const output = createTimedOutput({
    timers,
    set: (level) => shims.out8(0x61, before | (level << 1)),
    accessTsc: shims.accessTsc,
    toTsc,
    spinUntil: shims.spinUntil,
    lead: nanos(30_000n),
    onEdge: ({ index, level, nominal, written }) => {
      trace.record(EVENTS.outputEdge, 'speaker', index, level, toTsc(nominal), written);
      if (((shims.in8(0x61) >> 1) & 1) !== level) wrong++;
    },
  });
  output.start(instant(clock.now() + millis(1)), nanos(250_000n), 400);
  while (output.isRunning()) wait();
  report('output.wrong_levels', wrong, 'edges');
  trace.flush();
}
