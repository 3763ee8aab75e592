/** chronovisor check: promises about timing held against a stored log. */
import type { Command } from 'commander';
import { STATUS, UsageError } from '../errors.ts';
import { writeOutput } from '../log/output.ts';
import { readingRemarks, readLog, requireLog } from '../log/read.ts';
import { createCheck, failureLines, junitXml, type Kept } from '../promises/check.ts';
import { loadPromises } from '../promises/load.ts';
import { asJson } from '../report/data.ts';
import { createPainter } from '../terminal.ts';
import { whole } from './options.ts';

interface CheckFlags {
  against: string;
  boot?: number;
  junit?: string;
  json?: boolean;
}

const EXAMPLES = `
Examples:
  chronovisor check build/logs/demonstration.log --against partitions/demonstration/promises.ts
  chronovisor check capture.txt --against promises.ts --junit results.xml

Exit codes: 0 all promises are kept, 1 one is broken, 2 usage, 3 the log can't be read.`;

export function addCheckCommand(program: Command, setStatus: (status: number) => void): void {
  program
    .command('check')
    .description('hold promises about timing against a log: periods, jitter, latencies, order, shares, drift')
    .argument('<log>', 'a log, or a capture of COM1 as it came from the line; - is standard input')
    .requiredOption('--against <file>', 'promises: TypeScript that exports definePromises({ ... })')
    .option('--boot <n>', 'the nth boot of a log that has several, counted from 1 (default: the last one)', whole(1, 1_000_000))
    .option('--junit <file>', 'writes the results as JUnit XML')
    .option('--json', 'one JSON object')
    .addHelpText('after', EXAMPLES)
    .action(async (log: string, flags: CheckFlags) => setStatus(await check(log, flags)));
}

async function check(log: string, { against, boot, junit, json }: CheckFlags): Promise<number> {
  const promises = await loadPromises(against);
  let current = 0;
  let judged = createCheck(promises);
  const counts = await readLog(log, ({ parsed, number, boot: own }) => {
    if (boot !== undefined && own !== boot - 1) return;
    if (own !== current) {
      current = own;
      judged = createCheck(promises);
    }
    if (parsed.kind === 'record') judged.push(parsed.record, number);
  });
  requireLog(log, counts);
  if (boot !== undefined && boot > counts.boots) throw new UsageError(`${log}: there is no boot ${boot}; the log has ${counts.boots}`);
  for (const remark of readingRemarks(counts)) process.stderr.write(`${log}: ${remark}\n`);

  const kept = judged.result();
  const isHeld = kept.every(({ holds }) => holds);
  if (junit !== undefined) writeOutput('--junit', junit, junitXml(kept, log, against));
  const say = (text: string): void => void process.stdout.write(`${text}\n`);
  if (json) say(asJson({ log, against, held: isHeld, promises: kept }, 2));
  else promiseLines(kept, log).forEach(say);
  return isHeld ? STATUS.HELD : STATUS.FAILED;
}

/** Kept ones in a line each, broken ones with what is wrong, and a last line that says how it ended. */
export function promiseLines(kept: readonly Kept[], log: string): string[] {
  const paint = createPainter(process.stdout);
  const broken = kept.filter(({ holds }) => !holds).length;
  return [
    ...kept.flatMap((own) => {
      if (own.holds) return [`${paint('green', 'kept')}    ${own.promise}: ${own.expected}; ${own.seen}`];
      const [first, ...others] = failureLines(own, log);
      return [`${paint('red', 'broken')}  ${first!}`, ...others];
    }),
    broken === 0
      ? `${paint('green', 'held')}: all ${kept.length} promises are kept`
      : `${paint('red', 'failed')}: ${broken} of ${kept.length} promises are broken`,
  ];
}
