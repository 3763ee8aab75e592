import { describe, expect, it } from 'vitest';
import type { PlanDescription, SystemDescription } from '../../kernel/partition/system.ts';
import { pictureOfPlan, summaryOfSystem } from './picture.ts';

const slot = (partition: number, start: number, duration: number): PlanDescription['slots'][number] => ({ partition, start, duration });
const PLAN: PlanDescription = {
  name: 'p',
  majorFrame: 10_000_000,
  isMaintenance: false,
  slots: [slot(1, 0, 2_500_000), slot(0, 5_000_000, 5_000_000), slot(2, 2_500_000, 50_000)],
};

describe('the picture of a plan', () => {
  const lines = pictureOfPlan(PLAN, ['a', 'second', 'c']);
  const cellsOf = (line: string): string => /[█·]+/.exec(line)![0];

  it('has a row per partition and a scale', () => {
    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatch(/^ {8}0 +10 ms$/);
    expect(lines.slice(1).map((line) => line.replace(/[█·]+/, '#'))).toEqual(['a       #   50 %', 'second  #   25 %', 'c       #  0.5 %']);
  });

  it('shows each slot where it is', () => {
    const width = cellsOf(lines[1]!).length;
    expect(cellsOf(lines[1]!)).toMatch(new RegExp(`^·{${Math.floor(width / 2)}}█{${Math.ceil(width / 2)}}$`));
    expect(cellsOf(lines[2]!)).toMatch(new RegExp(`^█{${Math.floor(width / 4)}}·+$`));
  });

  it('shows also the shortest slot', () => {
    expect(cellsOf(lines[3]!)).toMatch(/^·+█·+$/);
  });

  it('is at most 100 columns wide, whatever the names', () => {
    for (const line of pictureOfPlan(PLAN, ['a', 'x'.repeat(32), 'c'])) expect(line.length).toBeLessThanOrEqual(100);
  });
});

it('a system is summed up', () => {
  const system: SystemDescription = {
    format: 1,
    name: 'demo',
    partitions: ['a', 'b', 'c'].map((name) => ({
      name,
      program: { kind: 'typescript', file: 'x' },
      memory: 1,
      isSystem: false,
      ioPorts: [],
      watchdog: 0,
      health: [],
    })),
    plans: [PLAN, { ...PLAN, name: 'q', isMaintenance: true }],
    channels: [],
    inputs: [],
    absoluteTime: false,
    duration: 2_000_000_000,
  };
  const lines = summaryOfSystem(system);
  expect(lines[0]).toBe('demo: 3 partitions, 2 plans, runs for 2 s');
  expect(lines).toContain('plan p (at the start)');
  expect(lines).toContain('plan q (maintenance)');
  expect(summaryOfSystem({ ...system, duration: 0 })[0]).toMatch(/runs until every partition has halted$/);
});
