/**
 * ACPI 6.4, "ACPI Hardware Specification": the power management timer and the PM1 registers, where QEMU's machines and ours have them: one block
 * at 600h, SCI on IRQ 9.
 */
import { PM1, PM1_CONTROL, PM_TIMER_HZ } from '../../regs/acpi.ts';
import { instant, NANOS_PER_SECOND } from '../../time/units.ts';
import type { ConformanceCase, Expect, Target } from './target.ts';

export const PM_BASE = 0x600;
export const SCI = 9;
const STATUS = PM_BASE;
const ENABLE = PM_BASE + 2;
const CONTROL = PM_BASE + 4;
const TIMER = PM_BASE + 8;

interface PmTimer {
  count(): number;
  status(): number;
  clear(): void;
  enable(bits: number): void;
  wait(nanos: bigint): void;
  /** To so many counts after the next change of the most significant bit. */
  waitForChange(counts: number): void;
  /** Whether that bit is set. */
  isHigh(): boolean;
  /** Of a few accesses, in counts. */
  readonly slack: number;
}

/**
 * @param width of the counter: FADT, TMR_VAL_EXT. The most significant bit changes each 2.34 s of one of 24 bits, each 600 s of one of 32.
 */
export function pmTimerCases(width: 24 | 32): readonly ConformanceCase[] {
  const half = 2 ** (width - 1);

  function timerOf(target: Target): PmTimer {
    const wait = (nanos: bigint): void => target.waitUntil(instant(target.now() + nanos));
    const count = (): number => target.in(TIMER, 4);
    return {
      count,
      status: () => target.in(STATUS, 2),
      clear: () => target.out(STATUS, 2, PM1.TMR),
      enable: (bits) => target.out(ENABLE, 2, bits),
      wait,
      waitForChange: (counts) => wait((BigInt(half - (count() % half) + counts) * NANOS_PER_SECOND + PM_TIMER_HZ - 1n) / PM_TIMER_HZ),
      isHigh: () => count() >= half,
      slack: target.slack === 0n ? 1 : 4 * Number((target.slack * PM_TIMER_HZ) / NANOS_PER_SECOND + 1n),
    };
  }

  const pmCase = (name: string, run: (timer: PmTimer, expect: Expect, target: Target) => void): ConformanceCase => ({
    name,
    run: (target, expect) => {
      const timer = timerOf(target);
      timer.enable(0);
      timer.clear();
      run(timer, expect, target);
      timer.enable(0);
      timer.clear();
    },
  });

  /** SCIs; the handler clears the status. */
  function watch(timer: PmTimer, target: Target): () => number {
    target.watch(SCI, 'level', () => timer.clear());
    target.takeInterrupts();
    return () => target.takeInterrupts().length;
  }

  return [
    pmCase('Power Management Timer: it counts up at 3.579545 MHz', (timer, expect) => {
      const start = timer.count();
      timer.wait(100_000_000n);
      const counted = (timer.count() - start + 2 ** width) % 2 ** width;
      expect.within('counts in 100 ms', counted, 357_954 - timer.slack, 357_955 + timer.slack);
    }),
    pmCase('Power Management Timer: the remainder of a count is never lost', (timer, expect, target) => {
      const started = target.now();
      const start = timer.count();
      // Looks at odd moments must not cost anything.
      for (let look = 0; look < 1000; look++) {
        timer.wait(1_000_123n);
        timer.count();
      }
      const counted = (timer.count() - start + 2 ** width) % 2 ** width;
      const expected = Number(((target.now() - started) * PM_TIMER_HZ) / NANOS_PER_SECOND);
      expect.within('counts', counted, expected - timer.slack, expected + timer.slack);
    }),
    pmCase('Power Management Timer: TMR_VAL is read only', (timer, expect, target) => {
      const before = timer.count();
      target.out(TIMER, 4, 0);
      expect.within('counts since', timer.count() - before, 0, 2 * timer.slack);
    }),
    pmCase('Power Management Timer: E_TMR_VAL is 0 in a timer of 24 bits, and counts in one of 32', (timer, expect) => {
      timer.waitForChange(10);
      timer.waitForChange(10);
      if (width === 24) expect.equal('upper eight bits', timer.count() >>> 24, 0);
      else expect.within('upper eight bits', timer.count() >>> 24, 0x80 * Number(timer.isHigh()), 0x80 * Number(timer.isHigh()) + 0x7f);
    }),
    pmCase('Power Management Timer: past its end it goes on from 0', (timer, expect) => {
      if (!timer.isHigh()) timer.waitForChange(10);
      const before = timer.count();
      timer.waitForChange(1000);
      expect.equal('it was in the upper half', before >= half, true);
      expect.within('count', timer.count(), 1000 - timer.slack, 1000 + 4 * timer.slack);
    }),
    pmCase('PM1 Status Registers, TMR_STS: set when the most significant bit changes from clear to set', (timer, expect) => {
      if (timer.isHigh()) timer.waitForChange(10);
      timer.clear();
      timer.waitForChange(-100 - timer.slack);
      expect.equal('TMR_STS before', timer.status() & PM1.TMR, 0);
      timer.waitForChange(1);
      expect.equal('TMR_STS after', timer.status() & PM1.TMR, PM1.TMR);
    }),
    pmCase('PM1 Status Registers, TMR_STS: set when the most significant bit changes from set to clear', (timer, expect) => {
      if (!timer.isHigh()) timer.waitForChange(10);
      timer.clear();
      timer.waitForChange(-100 - timer.slack);
      expect.equal('TMR_STS before', timer.status() & PM1.TMR, 0);
      timer.waitForChange(1);
      expect.equal('TMR_STS after', timer.status() & PM1.TMR, PM1.TMR);
    }),
    pmCase('PM1 Status Registers: a 1 clears a bit, a 0 leaves it', (timer, expect, target) => {
      timer.waitForChange(1);
      target.out(STATUS, 2, 0);
      expect.equal('TMR_STS after a 0', timer.status() & PM1.TMR, PM1.TMR);
      target.out(STATUS, 2, 0xffff & ~PM1.TMR);
      expect.equal('TMR_STS after 1s elsewhere', timer.status() & PM1.TMR, PM1.TMR);
      target.out(STATUS, 2, PM1.TMR);
      expect.equal('TMR_STS after a 1', timer.status() & PM1.TMR, 0);
    }),
    pmCase('PM1 Status Registers: once cleared, the next change sets it again', (timer, expect) => {
      for (let change = 0; change < 3; change++) {
        timer.waitForChange(1);
        expect.equal(`TMR_STS after change ${change}`, timer.status() & PM1.TMR, PM1.TMR);
        timer.clear();
        expect.equal('TMR_STS once cleared', timer.status() & PM1.TMR, 0);
      }
    }),
    pmCase('PM1 Status Registers: by bytes as by words', (timer, expect, target) => {
      timer.waitForChange(1);
      target.out(STATUS + 1, 1, 0xff);
      expect.equal('low byte', target.in(STATUS, 1) & PM1.TMR, PM1.TMR);
      expect.equal('high byte, of which nothing is set', target.in(STATUS + 1, 1) & (PM1.PWRBTN >> 8), 0);
      target.out(STATUS, 1, PM1.TMR);
      expect.equal('low byte once cleared', target.in(STATUS, 1) & PM1.TMR, 0);
    }),
    pmCase('PM1 Enable Registers: bits are read as written', (timer, expect, target) => {
      for (const bits of [PM1.TMR, PM1.GBL, PM1.PWRBTN, PM1.RTC, PM1.TMR | PM1.PWRBTN | PM1.RTC, 0]) {
        timer.enable(bits);
        expect.equal('enable', target.in(ENABLE, 2), bits);
      }
    }),
    pmCase('PM1 Enable Registers: TMR_EN 0, no SCI comes with the status', (timer, expect, target) => {
      const interrupts = watch(timer, target);
      timer.waitForChange(100);
      expect.equal('interrupts', interrupts(), 0);
      expect.equal('TMR_STS', timer.status() & PM1.TMR, PM1.TMR);
    }),
    pmCase('PM1 Enable Registers: TMR_EN 1, an SCI comes when TMR_STS is set', (timer, expect, target) => {
      const interrupts = watch(timer, target);
      timer.enable(PM1.TMR);
      timer.waitForChange(-100 - timer.slack);
      expect.equal('interrupts before', interrupts(), 0);
      timer.waitForChange(1 + timer.slack);
      expect.equal('interrupts after', interrupts(), 1);
    }),
    pmCase('PM1 Enable Registers: TMR_EN set after the status raises SCI at once', (timer, expect, target) => {
      const interrupts = watch(timer, target);
      timer.waitForChange(1000);
      timer.enable(PM1.TMR);
      timer.wait(100_000n);
      expect.equal('interrupts', interrupts(), 1);
    }),
    pmCase('PM1 Enable Registers: SCI comes at each change while it is cleared each time', (timer, expect, target) => {
      timer.waitForChange(1000);
      timer.clear();
      const interrupts = watch(timer, target);
      timer.enable(PM1.TMR);
      for (let change = 0; change < 3; change++) timer.waitForChange(1000);
      expect.equal('interrupts', interrupts(), 3);
    }),
    pmCase('PM1 Enable Registers: TMR_EN cleared takes SCI away, and leaves the status', (timer, expect, target) => {
      let interrupts = 0;
      target.watch(SCI, 'level', () => {
        interrupts++;
        timer.enable(0);
      });
      target.takeInterrupts();
      timer.enable(PM1.TMR);
      timer.waitForChange(1000);
      timer.wait(1_000_000n);
      expect.equal('interrupts', interrupts, 1);
      expect.equal('TMR_STS', timer.status() & PM1.TMR, PM1.TMR);
    }),
    pmCase('PM1 Control Registers: SLP_TYP is read as written, and does nothing without SLP_EN', (timer, expect, target) => {
      const before = target.in(CONTROL, 2);
      const field = PM1_CONTROL.SLP_TYP_MASK << PM1_CONTROL.SLP_TYP_SHIFT;
      for (const type of [5, 2, 7]) {
        target.out(CONTROL, 2, (before & ~field) | (type << PM1_CONTROL.SLP_TYP_SHIFT));
        expect.equal('SLP_TYP', target.in(CONTROL, 2) & field, type << PM1_CONTROL.SLP_TYP_SHIFT);
      }
      target.out(CONTROL, 2, before);
      timer.wait(1000n);
    }),
    pmCase('PM1 Control Registers: SLP_EN and GBL_RLS are write only: they read as zero', (_timer, expect, target) => {
      expect.equal('both', target.in(CONTROL, 2) & (PM1_CONTROL.SLP_EN | PM1_CONTROL.GBL_RLS), 0);
    }),
  ];
}
