/**
 * The boot's calibration against a measurement that is as simple as it is long: the TSC by the HPET between two moments `seconds=` apart,
 * each the quickest of many readings. Made for runs without -icount on a busy host.
 */
import type { Shims } from '../../kernel/hw/shims.ts';
import { EXIT } from '../../kernel/hw/exit.ts';
import { findMachine, openTrace } from '../../kernel/machine.ts';
import { EVENTS } from '../../kernel/trace/events.ts';

const READINGS = 5_000;

export function main(shims: Shims): void {
  const seconds = Number(/seconds=(\d+)/.exec(shims.commandLine())?.[1] ?? 1);
  const { trace, uart } = openTrace(shims, { serial: 'off', frames: 'auto' });
  const machine = findMachine(shims, trace, uart, 'auto');
  const hpet = machine.hpet!;
  const hpetHz = Number(hpet.frequency.numerator) / Number(hpet.frequency.denominator);

  function moment(): { count: bigint; tsc: bigint; ticks: number } {
    let best = { count: 0n, tsc: 0n, ticks: Infinity };
    for (let reading = 0; reading < READINGS; reading++) {
      const count = hpet.counter();
      const ticks = shims.accessTicks();
      if (ticks < best.ticks) best = { count, tsc: shims.accessTsc() - BigInt(Math.round(ticks / 2)), ticks };
    }
    return best;
  }

  const start = moment();
  for (const end = start.count + BigInt(Math.ceil(hpetHz * seconds)); hpet.counter() < end;);
  const stop = moment();
  const elapsed = Number(stop.count - start.count);
  trace.record(EVENTS.benchmark, 'reference.tsc_hz', (Number(stop.tsc - start.tsc) * hpetHz) / elapsed, 'Hz');
  trace.record(
    EVENTS.benchmark,
    'reference.uncertainty_ppm',
    ((start.ticks + stop.ticks) / 2 / Number(stop.tsc - start.tsc) + 1 / elapsed) * 1e6,
    'ppm',
  );
  trace.flush();
  shims.exit(EXIT.OK);
}
