import { describe, expect, it } from 'vitest';
import type { ClockName } from './hw-clock.ts';
import { CLOCK_NAMES, selectTime, TIMER_NAMES, type Selection, type TimeFacts, type Wish } from './selection.ts';

function factsOf(cpus: number, lacks: Partial<Record<ClockName | 'lapic', string>> = {}, hpetSilencesPit = false): TimeFacts {
  return {
    cpus,
    clocks: { tsc: lacks.tsc, hpet: lacks.hpet, 'pm-timer': lacks['pm-timer'], pit: lacks.pit },
    hpetSilencesPit,
    timers: { lapic: lacks.lapic, hpet: lacks.hpet, pit: lacks.pit },
  };
}
const AUTO: Wish = { clock: 'auto', timer: 'auto' };
const namesOf = (selection: Selection): string =>
  selection.ok ? `${selection.clock.name} ${selection.timer.name} ${selection.watch}` : selection.problems.join('\n');

describe('the selection of clock and timer', () => {
  it.each([
    ['everything there', factsOf(1), 'tsc lapic hpet'],
    ['no HPET', factsOf(1, { hpet: 'no ACPI HPET table' }), 'tsc lapic pm-timer'],
    ['a TSC that stops', factsOf(1, { tsc: 'it stops in HLT' }), 'pit lapic hpet'],
    ['no local APIC', factsOf(1, { lapic: 'none' }), 'tsc hpet hpet'],
    ['neither HPET nor local APIC', factsOf(1, { lapic: 'none', hpet: 'none' }), 'tsc pit pm-timer'],
    ['only TSC and PIT', factsOf(1, { lapic: 'none', hpet: 'none', 'pm-timer': 'none' }), 'tsc pit undefined'],
    ['two CPUs', factsOf(2), 'hpet lapic tsc'],
  ])('with %s', (_, facts, names) => {
    expect(namesOf(selectTime(facts, AUTO))).toBe(names);
  });

  it('says why it passed over what comes first', () => {
    const selection = selectTime(factsOf(1, { tsc: 'it stops in HLT' }), AUTO);
    expect(selection.ok && selection.clock.reason).toBe('first of tsc, pit; not tsc: it stops in HLT');
  });

  it('on one CPU takes every pair that is asked for, but the PIT as both', () => {
    for (const clock of CLOCK_NAMES) {
      for (const timer of TIMER_NAMES) {
        const selection = selectTime(factsOf(1), { clock, timer });
        if (clock === 'pit' && timer === 'pit') expect(namesOf(selection)).toContain('counter 0 of the PIT is the clock or the timer');
        else expect(namesOf(selection)).toContain(`${clock} ${timer} `);
      }
    }
  });

  it('does not let an HPET without an interrupt of its own silence the clock', () => {
    expect(namesOf(selectTime(factsOf(1, {}, true), { clock: 'pit', timer: 'hpet' }))).toContain(
      'legacy replacement, which silences the PIT',
    );
    expect(namesOf(selectTime(factsOf(1, { lapic: 'none' }, true), { clock: 'pit', timer: 'auto' }))).toMatch(/^no timer: /);
    expect(selectTime(factsOf(1, {}, true), { clock: 'tsc', timer: 'hpet' }).ok).toBe(true);
  });

  it('on several CPUs refuses everything but HPET and local APIC, and names the rule', () => {
    for (const clock of CLOCK_NAMES) {
      for (const timer of TIMER_NAMES) {
        const selection = selectTime(factsOf(2), { clock, timer });
        expect(selection.ok).toBe(clock === 'hpet' && timer === 'lapic');
        if (!selection.ok) expect(namesOf(selection)).toContain('forbidden by the rule "several CPUs: clock hpet, timer lapic');
      }
    }
    expect(namesOf(selectTime(factsOf(2, { hpet: 'no ACPI HPET table' }), AUTO))).toMatch(
      /^no clock: not hpet: no ACPI HPET table; the rule is "several/,
    );
  });

  it('refuses what the machine lacks, with the reason, and tells of all problems at once', () => {
    const selection = selectTime(factsOf(1, { hpet: 'no ACPI HPET table' }), { clock: 'hpet', timer: 'hpet' });
    expect(selection).toEqual({ ok: false, problems: ['clock=hpet: no ACPI HPET table', 'timer=hpet: no ACPI HPET table'] });
  });

  it('never watches a clock by itself', () => {
    for (const clock of CLOCK_NAMES) {
      const selection = selectTime(factsOf(1), { clock, timer: 'lapic' });
      expect(selection.ok && selection.watch).not.toBe(clock);
    }
  });
});
