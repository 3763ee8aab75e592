/** Hardware timers on the machine's timers: lateness of random one-shots, long waits, deadlines in the past. */
import { EXIT } from '../../kernel/hw/exit.ts';
import type { Shims } from '../../kernel/hw/shims.ts';
import type { InterruptLine } from '../../kernel/interrupts/router.ts';
import { VECTOR } from '../../kernel/interrupts/vectors.ts';
import { findMachine, openTrace, type Machine } from '../../kernel/machine.ts';
import { createCounterClock } from '../../kernel/time/counter-clock.ts';
import type { HwClock } from '../../kernel/time/hw-clock.ts';
import { createHwTimer } from '../../kernel/time/hw-timer.ts';
import { hpetOneShot, localApicOneShot, pitOneShot, type OneShot } from '../../kernel/time/one-shot.ts';
import { instant, millis } from '../../kernel/time/units.ts';
import { EVENTS } from '../../kernel/trace/events.ts';
import { createRandom } from '../../kernel/testing/random.ts';

interface Hardware {
  readonly oneShot: OneShot;
  connect(handler: (taken: bigint) => void): InterruptLine | undefined;
}

function hardwareOf(machine: Machine): Hardware[] {
  const { shims, pit, hpet, localApic, localApicFrequency, router, dispatcher } = machine;
  const list: Hardware[] = [];
  if (pit) list.push({ oneShot: pitOneShot(pit, shims), connect: (handler) => router.connectIsa(0, handler) });
  if (hpet) {
    const own = router.pickGsi(hpet.routes & ~0xffff);
    list.push({
      oneShot: hpetOneShot(hpet, own ?? 'legacy', shims),
      connect: (handler) => (own === undefined ? router.connectIsa(0, handler) : router.connectGsi(own, handler)),
    });
  }
  if (localApic && localApicFrequency) {
    list.push({
      oneShot: localApicOneShot(localApic, localApicFrequency, VECTOR.LOCAL_TIMER, shims),
      connect: (handler) => {
        dispatcher.setHandler(VECTOR.LOCAL_TIMER, handler, localApic.endOfInterrupt);
        return {
          vector: VECTOR.LOCAL_TIMER,
          route: 'local',
          enable: () => undefined,
          isRequested: () => false,
          disconnect: () => dispatcher.removeHandler(VECTOR.LOCAL_TIMER),
        };
      },
    });
  }
  return list;
}

export function main(shims: Shims): void {
  const count = Number(shims.commandLine());
  const { trace, uart } = openTrace(shims, { serial: 'off', frames: 'auto' });
  const machine = findMachine(shims, trace, uart, 'auto');
  const { rdtsc } = shims;
  const tsc = {
    name: 'tsc',
    frequency: machine.tscFrequency,
    width: 64,
    read: rdtsc,
  };
  const clock: HwClock = createCounterClock('tsc', tsc, machine.now());
  // The clock's own instants, of a TSC value.
  const offset = clock.now() - machine.toInstant(clock.readingTsc());
  const lateness = (taken: bigint, deadline: bigint): number => Number(machine.toInstant(taken) + offset - deadline);

  for (const { oneShot, connect } of hardwareOf(machine)) {
    const { name } = oneShot;
    let expired = 0;
    let taken = 0n;
    let interrupts = 0;
    const timer = createHwTimer({
      clock,
      oneShot,
      tscFrequency: machine.tscFrequency,
      poll: machine.dispatcher.pollAndDispatch,
      onExpire: (stamp) => {
        expired++;
        taken = stamp;
      },
    });
    const line = connect((stamp) => {
      interrupts++;
      timer.onInterrupt(stamp);
    })!;
    line.enable();
    // What was pending from before.
    machine.dispatcher.pollAndDispatch();

    const { now } = clock;
    const { arm } = timer;
    function expire(interval: bigint): number {
      const before = expired;
      // Nothing between the two: the shortest interval is that of a caller who has just read the clock.
      const deadline = instant(now() + interval);
      arm(deadline);
      while (expired === before) machine.dispatcher.waitAndDispatch();
      return lateness(taken, deadline);
    }
    const report = (what: string, value: number, unit = 'ns'): void => {
      trace.record(EVENTS.benchmark, `timer.${name}.${what}`, value, unit);
    };

    report('lead_ns', Number(timer.lead));
    trace.flush();
    report('min_interval_ns', Number(timer.minInterval));
    report('tick_ns', Math.ceil((1e9 * Number(oneShot.frequency.denominator)) / Number(oneShot.frequency.numerator)));
    const random = createRandom(count);
    let min = Infinity;
    let max = -Infinity;
    interrupts = 0;
    let runs = 0;
    for (let index = 0; index < count; index++) {
      // From the shortest interval that is kept to 200 ms, evenly on a logarithmic scale.
      const interval = Number(timer.minInterval) * Math.pow(200e6 / Number(timer.minInterval), random.integer(1 << 20) / (1 << 20));
      runs += Math.ceil(interval / Number(timer.maxInterval));
      const late = expire(BigInt(Math.ceil(interval)));
      if (late < min) min = late;
      if (late > max) max = late;
    }
    report('lateness_min_ns', min);
    report('lateness_max_ns', max);
    report('needless_interrupts', interrupts - runs, 'interrupts');
    report('wait_1s_lateness_ns', expire(1_000_000_000n));
    report('wait_10s_lateness_ns', expire(10_000_000_000n));
    report('past_lateness_ns', expire(-1_000_000n) - 1_000_000);
    report('near_lateness_ns', expire(1000n));

    // A disarmed timer does not expire; arming an armed timer replaces its deadline.
    const before = expired;
    timer.arm(instant(clock.now() + millis(2)));
    timer.disarm();
    const end = clock.now() + millis(4);
    while (clock.now() < end) machine.dispatcher.pollAndDispatch();
    report('expired_after_disarm', expired - before, 'expiries');
    timer.arm(instant(clock.now() + millis(1)));
    report('replaced_lateness_ns', expire(BigInt(millis(3))));
    timer.disarm();
    line.disconnect();
    trace.flush();
  }
  shims.exit(EXIT.OK);
}
