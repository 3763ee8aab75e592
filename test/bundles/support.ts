/** For bundles that test the kernel from inside: cases that end up in the trace, and an exit code that sums them up. */
import { EXIT } from '../../kernel/hw/exit.ts';
import type { Shims } from '../../kernel/hw/shims.ts';
import { openTrace } from '../../kernel/machine.ts';
import { EVENTS } from '../../kernel/trace/events.ts';
import type { Trace } from '../../kernel/trace/trace.ts';

export interface Cases {
  readonly trace: Trace;
  /** A case that has to hold. */
  check(name: string, holds: boolean, seen: unknown): void;
  /** A case that has to throw an error of this name with a message that contains all of these. */
  throws(name: string, action: () => unknown, error: string, ...parts: string[]): void;
  /** Ends the run. */
  end(): never;
}

/** @param serial what goes to COM1 too: for machines without a trace channel */
export function createCases(shims: Shims, serial: 'off' | 'info' = 'off'): Cases {
  const { trace } = openTrace(shims, { serial, frames: 'auto' });
  let failed = 0;

  function check(name: string, holds: boolean, seen: unknown): void {
    if (!holds) failed++;
    trace.record(EVENTS.testCase, name, holds ? 'pass' : 'fail', String(seen));
  }

  return {
    trace,
    check,
    throws: (name, action, error, ...parts) => {
      try {
        check(name, false, `no error; it returned ${String(action())}`);
      } catch (thrown) {
        const text = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
        check(name, text.startsWith(`${error}: `) && parts.every((part) => text.includes(part)), text);
      }
    },
    end: () => {
      trace.flush();
      return shims.exit(failed === 0 ? EXIT.OK : EXIT.FAILED);
    },
  };
}
