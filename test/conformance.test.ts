/**
 * The conformance cases on hardware. On QEMU's devices (the bare machine) every case passes but those that say how QEMU differs, which have to
 * fail: a difference that has gone is news too. On a partition's virtual devices every case passes.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { boot, type BootedRun, type BootOptions } from '../tools/harness/boot.ts';
import '../tools/harness/matchers.ts';
import { DEVICE_NAMES, DEVICES, type DeviceName, type HardwareKind } from './bundles/conformance-devices.ts';

/** Of wall clock, for a busy host: alone the longest takes ten. */
const SECONDS = 120;

/** By a case's name: what it saw that is wrong, empty if nothing. */
type Results = ReadonlyMap<string, string>;

/** A q35 machine's HPET has interrupts of its own. Lines are driven by a device that takes the trace channel's port: there the log goes over COM1. */
function machineOf(device: DeviceName): Pick<BootOptions, 'append' | 'machine' | 'extra' | 'traceChannel'> {
  const append = `device=${device}`;
  if (device === 'hpet') return { append, machine: 'q35' };
  return DEVICES[device].drivesLines
    ? { append: `${append} serial=info`, traceChannel: false, extra: ['-device', 'pc-testdev'] }
    : { append };
}

const RUNS: Readonly<Record<HardwareKind, (device: DeviceName) => Promise<{ readonly run: BootedRun; readonly results: Results }>>> = {
  qemu: async (device) => {
    const run = await boot({
      bundle: 'test/bundles/conformance.ts',
      ...machineOf(device),
      name: `conformance-qemu-${device}`,
      seconds: SECONDS,
    });
    return { run, results: new Map(run.of('test.case').map(({ fields }) => [fields.name, fields.result === 'pass' ? '' : fields.seen])) };
  },
  guest: async (device) => {
    // Halted: awake, the kernel would spend the host's time on every second that a case waits.
    const run = await boot({
      system: `test/systems/conformance/${device}.ts`,
      append: 'idle=halt',
      name: `conformance-guest-${device}`,
      seconds: SECONDS,
    });
    const lines = run.of('partition.console').map(({ fields }) => /^(PASS|FAIL) (.*)$/.exec(fields.text.trimEnd()));
    const pairs = lines.flatMap((match): [string, string][] => {
      if (!match) return [];
      const [, verdict, text] = match as unknown as readonly [string, string, string];
      const [name, seen] = verdict === 'PASS' ? [text, ''] : text.split(' => ', 2);
      return [[name!, seen ?? '']];
    });
    return { run, results: new Map(pairs) };
  },
};

describe.each(['guest', 'qemu'] as const)('on %s', (kind) => {
  describe.each(DEVICE_NAMES)('%s', (device) => {
    let run: BootedRun;
    let results: Results;
    beforeAll(async () => {
      ({ run, results } = await RUNS[kind](device));
    }, SECONDS * 1000);

    for (const { name, notOn, qemuDiffers } of DEVICES[device].cases(kind)) {
      const reason = notOn?.[kind];
      if (reason !== undefined) it.skip(`${name} (not on ${kind}: ${reason})`, () => undefined);
      else if (kind === 'qemu' && qemuDiffers !== undefined)
        it(`${name} [differs: ${qemuDiffers}]`, () => {
          expect(results.get(name), run.ending).toBeDefined();
          expect(results.get(name), 'a difference that has gone').not.toBe('');
        });
      else
        it(name, () => {
          expect(results.get(name), results.has(name) ? run.log : run.ending).toBe('');
        });
    }
    it('comes to its end', () => {
      expect(['OK', 'FAILED']).toContain(run.outcome.kind === 'exit' ? run.outcome.name : run.ending);
    });
  });
});
