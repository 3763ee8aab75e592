import { expect, it } from 'vitest';
import { boot } from '../tools/harness/boot.ts';
import '../tools/harness/matchers.ts';

it("QEMU's interrupt controllers and UART do as the data sheets say, but where a case says that they differ", async () => {
  const run = await boot({
    bundle: 'test/bundles/interrupt-conformance.ts',
    lineDriver: true,
    name: 'interrupt-conformance',
    seconds: 100,
  });
  expect(run.of('test.case', ({ result }) => result === 'fail').map(({ fields }) => `${fields.name}: ${fields.seen}`)).toEqual([]);
  expect(run.of('test.case').length).toBeGreaterThan(200);
  expect(run).toHold();
});
