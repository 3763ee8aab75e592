import { it } from 'vitest';
import { boot } from '../tools/harness/boot.ts';
it('x', async () => {
  const run = await boot({ bundle: 'test/bench/mmio.ts', name: 'bench-mmio' });
  console.log(run.ending, run.diagnostics.join('\n'));
  for (const { fields } of run.of('benchmark')) console.log(JSON.stringify(fields, (_k, v) => typeof v === 'bigint' ? Number(v) : v));
});
