/** What a conformance case says of what it saw, as a test's failures. */
import type { Expect } from '../vdev/conformance/target.ts';

/** @param failures gets a line for each */
export const collectInto = (failures: string[]): Expect => ({
  equal: (what, seen, expected) => {
    if (seen !== expected) failures.push(`${what}: ${seen}, expected ${expected}`);
  },
  within: (what, seen, least, most) => {
    if (seen < least || seen > most) failures.push(`${what}: ${seen}, expected ${least} to ${most}`);
  },
});
