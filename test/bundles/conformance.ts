/**
 * Conformance cases on hardware: `device=` names whose. On the bare machine each case becomes a record of the trace, in a partition a line of its
 * console: PASS or FAIL, the case's name, and what was seen.
 */
import { EXIT } from '../../kernel/hw/exit.ts';
import type { Shims } from '../../kernel/hw/shims.ts';
import { CONSOLE_MAX, CPUID_LEAF, SIGNATURE } from '../../kernel/partition/abi.ts';
import { nanos } from '../../kernel/time/units.ts';
import type { Expect } from '../../kernel/vdev/conformance/target.ts';
import { createConsole } from '../../partitions/sdk/console.ts';
import { createHypervisor, createSharedMemory } from '../../partitions/sdk/hypervisor.ts';
import { DEVICES, DEVICE_NAMES, type DeviceName, type HardwareKind } from './conformance-devices.ts';
import { createQuietTarget, createWatchingTarget } from './hardware-target.ts';
import { createCases } from './support.ts';

/** 50 ms. */
const RETRY_TICKS = 50_000_000n;

type Report = (name: string, problems: readonly string[]) => void;

/** Four characters a register. */
function isPartition(shims: Shims): boolean {
  const words = shims.cpuid(CPUID_LEAF.BASE, 0).slice(1);
  return words.every((word, index) =>
    [0, 1, 2, 3].every((byte) => ((word >>> (8 * byte)) & 0xff) === SIGNATURE.charCodeAt(4 * index + byte)),
  );
}

function createExpect(problems: string[]): Expect {
  return {
    equal: (what, seen, expected) => {
      if (seen !== expected) problems.push(`${what}: ${String(seen)}, expected ${String(expected)}`);
    },
    within: (what, seen, least, most) => {
      if (!(seen >= least && seen <= most)) problems.push(`${what}: ${seen}, expected ${least} to ${most}`);
    },
  };
}

function runAll(shims: Shims, kind: HardwareKind, name: DeviceName, report: Report): void {
  const { isQuiet, cases } = DEVICES[name];
  for (const one of cases(kind)) {
    if (one.notOn?.[kind] !== undefined) continue;
    const problems: string[] = [];
    try {
      one.run((isQuiet ? createQuietTarget : createWatchingTarget)(shims, kind), createExpect(problems));
    } catch (error) {
      problems.push(error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : String(error));
    }
    report(one.name, problems);
  }
}

/** The console takes so much in a slot: what it has no room for is said again in the next one. */
function createReport(shims: Shims): Report {
  const console = createConsole(createHypervisor(shims), createSharedMemory(shims));
  return (name, problems) => {
    const text =
      problems.length === 0 ? `PASS ${name}` : `FAIL ${name} => ${problems.join('; ').replaceAll('\n', ' | ')}`.slice(0, CONSOLE_MAX - 1);
    for (let lost = -1; lost !== console.lost();) {
      if (lost >= 0) shims.spinUntil(shims.rdtsc() + RETRY_TICKS);
      lost = console.lost();
      console.line(text);
    }
  };
}

export function main(shims: Shims): void {
  const device = /(?:^| )device=(\S+)/.exec(shims.commandLine())?.[1];
  const name = DEVICE_NAMES.find((one) => one === device);
  if (name === undefined) throw new Error(`device=${device}: expected one of ${DEVICE_NAMES.join(', ')}`);
  if (isPartition(shims)) {
    runAll(shims, 'guest', name, createReport(shims));
    shims.exit(EXIT.OK);
  }
  const { check, end, trace } = createCases(shims, /(?:^| )serial=info/.test(shims.commandLine()) ? 'info' : 'off');
  trace.setScale({ toNanos: (tsc) => nanos(tsc - shims.entryTsc()) });
  runAll(shims, 'qemu', name, (what, problems) => check(what, problems.length === 0, problems.join('; ')));
  end();
}
