/** Native programs in each mode and file that a partition is entered with: they run, and say so. */
import { expect, it } from 'vitest';
import { boot } from '../../tools/harness/boot.ts';
import { consoleOf, createSystems, expectSlotsExact, statesOf, traced } from './support.ts';

const systems = createSystems('native-guests');
const TIME_PAGE = 0x1_0000n;
const START_INFO_MAGIC = 0x336e_c578n;
const MODES = ['real', 'protected', 'pvh', 'plain', 'long'] as const;

it('real, protected and long mode, flat and ELF, by PVH and plainly: each runs in its slots, and prints', async () => {
  const guest = (file: string): string => `'../../../${file}'`;
  const system = systems.place(
    'modes.ts',
    `import { defineSystem, kib, mib, ms, native } from '../../../partitions/define.ts';
     export default defineSystem({
       name: 'modes',
       partitions: {
         real: { program: native(${guest('test/guests/real-mode.S')}, { mode: 'real' }), memory: kib(64) },
         protected: { program: native(${guest('test/guests/protected-mode.S')}, { mode: 'protected' }), memory: kib(64) },
         pvh: { program: native(${guest('test/guests/pvh.S')}, { mode: 'protected', elf: 'pvh' }), memory: mib(2) },
         plain: { program: native(${guest('partitions/hello/hello.c')}, { elf: 'plain' }), memory: mib(2) },
         long: { program: native(${guest('partitions/hello/hello.c')}), memory: kib(64) },
       },
       plans: { normal: { majorFrame: ms(10), slots: [
         ${MODES.map((mode, index) => `{ partition: '${mode}', start: ms(${2 * index}), duration: ms(2) },`).join('\n')}
       ] } },
     });\n`,
  );
  const run = await boot({ system, name: 'native-guests' });
  expectSlotsExact(run);
  expect(consoleOf(run, 0)).toEqual(['hello from real mode']);
  expect(traced(run, 0, 1n)).toEqual([0x800n]);

  expect(consoleOf(run, 1)).toEqual(['hello from protected mode']);
  expect([traced(run, 1, 1n), traced(run, 1, 2n)]).toEqual([[TIME_PAGE], [TIME_PAGE]]);
  // Its slot begins 2 ms after the epoch; the low half alone has all of it.
  const [low] = traced(run, 1, 3n);
  expect(low! > 2_000_000n && low! < 2_200_000n, `HW clock ${low}`).toBe(true);
  expect(traced(run, 1, 4n)).toEqual([0n]);

  expect(consoleOf(run, 2)).toEqual(['partition=pvh']);
  expect([traced(run, 2, 1n), traced(run, 2, 2n)]).toEqual([[START_INFO_MAGIC], [2n]]);

  for (const partition of [3, 4]) expect(consoleOf(run, partition)).toEqual(['hello from C', 'hello from C', 'hello from C']);
  for (const partition of MODES.keys()) expect(statesOf(run, partition)).toEqual(['halted: by itself']);
  expect(run.of('health.event')).toEqual([]);
});
