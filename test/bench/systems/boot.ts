/** A TypeScript program that tells when it began. */
import { defineSystem, mib, ms, typescript } from '../../../partitions/define.ts';

export default defineSystem({
  name: 'boot',
  partitions: { first: { program: typescript('../first-statement.ts'), memory: mib(16) } },
  plans: { normal: { majorFrame: ms(50), slots: [{ partition: 'first', start: ms(0), duration: ms(50) }] } },
});
