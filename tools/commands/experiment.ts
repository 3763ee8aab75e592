/** chronovisor experiment: questions about time that are answered by a matrix of runs. */
import { Argument, InvalidArgumentError, Option, type Command } from 'commander';
import { STATUS, UsageError } from '../errors.ts';
import { shown } from '../paths.ts';
import { claimsOf, claimLines } from '../experiment/claims.ts';
import { experimentHtml } from '../experiment/html.ts';
import {
  ERAS,
  PLAN_NAMES,
  selectCases,
  TSCS,
  VARIANT_NAMES,
  type Era,
  type PlanName,
  type Tsc,
  type Variant,
} from '../experiment/matrix.ts';
import { tableLines } from '../experiment/table.ts';
import { runTrials, TrialError, type Trial } from '../experiment/trial.ts';
import { writeOutput } from '../log/output.ts';
import { asJson } from '../report/data.ts';
import { createPainter } from '../terminal.ts';
import { whole } from './options.ts';
import { interruptible } from './run.ts';

interface Flags {
  mode?: number[];
  tsc?: Tsc;
  variant?: Variant[];
  plan?: PlanName;
  era?: Era;
  seconds: number;
  jobs: number;
  json?: string;
  html?: string;
}

const MODES = 4;
const DESCRIPTION =
  "tsc-sync: what becomes of a guest's clock, in each of Xen's timer modes, if the places at which the hypervisor sets its time are taken out";

const HELP = `
tsc-sync: a guest of 2007 takes a tick every 10 ms from its HPET, and loses the CPU again and again: in every timer mode, with native and
emulated TSC, by today's rules and by those of 2007. Variants are what is taken out: nothing (as-is), where guest time is set in pt_thaw_time
(thaw), in pt_intr_post (post), or both (patch).

Examples:
  chronovisor experiment tsc-sync                        all of it: 72 runs
  chronovisor experiment tsc-sync --plan regular --tsc native --mode 0
                                                         the patch's own case, in four variants
  chronovisor experiment tsc-sync --era 2007 --html build/2007.html --json build/2007.json

Exit codes: 0 every figure is as the rules predict, 1 one is not, 2 usage, 3 can't run, 130 Ctrl-C.`;

/** Some of a list, with commas between them. */
function someOf<Value>(valueOf: (text: string) => Value | undefined, expected: string): (text: string) => Value[] {
  return (text) =>
    text.split(',').map((word) => {
      const value = valueOf(word.trim());
      if (value === undefined) throw new InvalidArgumentError(`expected ${expected}.`);
      return value;
    });
}

export function addExperimentCommand(program: Command, setStatus: (status: number) => void): void {
  program
    .command('experiment')
    .description(DESCRIPTION)
    .addArgument(new Argument('<name>', 'which').choices(['tsc-sync']))
    .option(
      '--mode <numbers>',
      "timer modes, as in 0,2 (Xen's numbers; today's rules only)",
      someOf((text) => (/^[0-3]$/.test(text) ? Number(text) : undefined), `numbers from 0 to ${MODES - 1} with commas between them`),
    )
    .addOption(new Option('--tsc <kind>', "the guest's TSC (emulated: today's rules only)").choices([...TSCS]))
    .option(
      '--variant <names>',
      `variants: ${VARIANT_NAMES.join(', ')}`,
      someOf((text) => VARIANT_NAMES.find((name) => name === text), `some of ${VARIANT_NAMES.join(', ')} with commas between them`),
    )
    .addOption(new Option('--plan <name>', 'when the guest has the CPU').choices([...PLAN_NAMES]))
    .addOption(new Option('--era <rules>', "whose rules: today's, or those of 2007").choices([...ERAS]))
    .option('--seconds <n>', 'virtual seconds of each run, as many frames of 400 ms as fit', whole(2, 100), 4)
    .option('--jobs <n>', 'runs at a time', whole(1, 64), 2)
    .option('--json <file>', 'writes all figures, and every tick')
    .option('--html <file>', 'writes a report with plots: one page that needs no network')
    .addHelpText('after', HELP)
    .action(async (_name: string, flags: Flags) => setStatus(await tscSync(flags)));
}

async function tscSync({ mode, tsc, variant, plan, era, seconds, jobs, json, html }: Flags): Promise<number> {
  if (era === '2007' && mode !== undefined)
    throw new UsageError('--mode with --era 2007: there were no timer modes yet; leave one of them out');
  if (era === '2007' && tsc === 'emulated')
    throw new UsageError("--tsc emulated with --era 2007: guest time was the guest's own TSC; leave one of them out");
  const cases = selectCases({
    ...(era === undefined ? {} : { eras: [era] }),
    ...(mode === undefined ? {} : { modes: mode }),
    ...(tsc === undefined ? {} : { tscs: [tsc] }),
    ...(variant === undefined ? {} : { variants: variant }),
    ...(plan === undefined ? {} : { plans: [plan] }),
  });
  const paint = createPainter(process.stdout);
  const interrupt = interruptible();
  let done = 0;
  let trials: Trial[];
  try {
    trials = await runTrials(cases, seconds, jobs, interrupt.signal, ({ name }) => {
      done++;
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${done < cases.length ? `${done} of ${cases.length}: ${name}` : ''}`);
    });
  } catch (error) {
    if (interrupt.signal.aborted) return STATUS.INTERRUPTED;
    if (!(error instanceof TrialError)) throw error;
    process.stderr.write(`chronovisor: ${error.message}\n`);
    return STATUS.FAILED;
  } finally {
    interrupt.done();
  }
  const claims = claimsOf(trials);
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  tableLines(trials).forEach(say);
  if (claims.length > 0) ['', ...claimLines(claims)].forEach(say);
  if (json !== undefined) writeOutput('--json', json, `${asJson({ seconds, claims, trials }, 1)}\n`);
  if (html !== undefined) writeOutput('--html', html, experimentHtml(trials, claims));
  const wrong = trials.filter(({ differences }) => differences.length > 0);
  say('');
  for (const { name, differences, log } of wrong) say(`${paint('red', name)}: ${differences.join('; ')} (${shown(log)})`);
  say(
    wrong.length === 0
      ? `${paint('green', 'held')}: ${trials.length} runs, each as the rules predict`
      : `${paint('red', 'failed')}: ${wrong.length} of ${trials.length} runs are not as the rules predict`,
  );
  for (const file of [json, html]) if (file !== undefined) say(`written: ${shown(file)}`);
  return wrong.length === 0 ? STATUS.HELD : STATUS.FAILED;
}
