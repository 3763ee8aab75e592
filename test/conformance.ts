/** Conformance cases as tests of the host: each on a target of its own. */
import { expect, it } from 'vitest';
import type { ConformanceCase, Expect, Target } from '../kernel/vdev/conformance/target.ts';

export const vitestExpect: Expect = {
  equal: (what, seen, expected) => expect(seen, what).toBe(expected),
  within: (what, seen, least, most) => {
    expect(seen, what).toBeGreaterThanOrEqual(least);
    expect(seen, what).toBeLessThanOrEqual(most);
  },
};

/** What it says of a target that lacks something is the name of a skipped test, so that it is read. */
export function testConformance<On extends Target>(cases: readonly ConformanceCase<On>[], createTarget: () => On): void {
  const { kind } = createTarget();
  for (const { name, run, notOn } of cases) {
    const reason = notOn?.[kind];
    if (reason === undefined) it(name, () => run(createTarget(), vitestExpect));
    else it.skip(`${name} (not on ${kind}: ${reason})`, () => undefined);
  }
}
