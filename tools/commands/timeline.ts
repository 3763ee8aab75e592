/** chronovisor timeline: a log as a page to look into, or as a picture. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, extname, join } from 'node:path';
import { UsageError } from '../errors.ts';
import { shown } from '../paths.ts';
import { toPng } from '../timeline/chromium.ts';
import { pageOf } from '../timeline/html.ts';
import { loadRecords } from '../timeline/load.ts';
import { timelineOf, type LoggedRecord } from '../timeline/model.ts';
import { pictureOf } from '../timeline/svg.ts';
import { whole } from './options.ts';

/** ns, since boot or since the system's epoch. */
interface Instant {
  readonly nanos: number;
  readonly isSinceBoot: boolean;
}

interface TimelineFlags {
  out?: string;
  at?: Instant;
  from?: Instant;
  to?: Instant;
  width: number;
  theme: 'auto' | 'light' | 'dark';
  values?: boolean;
  boot?: number;
}

const UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };

function instant(text: string): Instant {
  const boot = /^@(\d{1,15})$/.exec(text);
  if (boot) return { nanos: Number(boot[1]), isSinceBoot: true };
  const epoch = /^(-?\d{1,12}(?:\.\d{1,9})?)(ns|us|ms|s)$/.exec(text);
  if (epoch) return { nanos: Math.round(Number(epoch[1]) * UNITS[epoch[2]!]!), isSinceBoot: false };
  throw new InvalidArgumentError('expected an instant such as 153.6ms (since the epoch) or @2158063080 (ns since boot).');
}

export function addTimelineCommand(program: Command): void {
  program
    .command('timeline')
    .description('make a page or a picture of a log: who ran when, beside what was planned')
    .argument('<log>', 'a log, or a capture of COM1')
    .option('--out <file>', 'where it goes: .html a page, .svg or .png a picture (default: the log with .html)')
    .option('--at <instant>', 'the page begins there', instant)
    .option('--from <instant>', 'leave out what is earlier', instant)
    .option('--to <instant>', 'leave out what is later', instant)
    .option('--width <px>', 'of a picture', whole(400, 4000), 1000)
    .addOption(
      new Option('--theme <theme>', 'of a picture; auto: what its reader prefers').choices(['auto', 'light', 'dark']).default('auto'),
    )
    .option('--values', "in a picture, programs' own values too")
    .option('--boot <n>', 'of a capture with several boots, counted from 0 (default: the last one)', whole(0, 1e6))
    .addHelpText(
      'after',
      `
An instant is 153.6ms, 2s or 1500us after the system's epoch (after boot, where there is no system), or @2158063080, as the log has it.

Examples:
  chronovisor timeline build/logs/demonstration.log
  chronovisor timeline build/logs/demonstration.log --at 153.6ms
  chronovisor timeline build/logs/demonstration.log --from 140ms --to 200ms --out reset.svg`,
    )
    .action(makeTimeline);
}

async function makeTimeline(log: string, flags: TimelineFlags): Promise<void> {
  const out = flags.out ?? log.replace(/(\.(log|txt))?$/, '.html');
  const kind = extname(out);
  if (!['.html', '.svg', '.png'].includes(kind)) throw new UsageError(`--out ${out}: expected a name that ends with .html, .svg or .png`);
  const { logged, remarks } = await loadRecords(log, flags.boot);
  for (const remark of remarks) process.stderr.write(`${log}: ${remark}\n`);
  const epoch = epochOf(logged);
  const sinceBoot = (given: Instant | undefined): number | undefined => given && given.nanos + (given.isSinceBoot ? 0 : epoch);
  const from = sinceBoot(flags.from);
  const to = sinceBoot(flags.to);
  if (from !== undefined && to !== undefined && from >= to) throw new UsageError('--from has to be before --to');
  const window = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
  const timeline = timelineOf(logged, basename(log), window);

  if (kind === '.html') {
    const at = sinceBoot(flags.at);
    write(out, await pageOf(timeline, { log, ...(at === undefined ? {} : { at }) }));
  } else {
    const picture = pictureOf(timeline, {
      from: from ?? timeline.from,
      to: to ?? timeline.to,
      width: flags.width,
      theme: kind === '.png' && flags.theme === 'auto' ? 'light' : flags.theme,
      isShown: ({ group }) => flags.values === true || group !== 'Values',
    });
    if (kind === '.svg') write(out, picture);
    else await writePng(out, picture, flags.width);
  }
  process.stdout.write(`${shown(out)}\n`);
}

const epochOf = (logged: readonly LoggedRecord[]): number => {
  const started = logged.find(({ record }) => record.event === 'system.started')?.record;
  return started?.event === 'system.started' ? Number(started.fields.epoch) : 0;
};

function write(out: string, content: string | Buffer): void {
  try {
    mkdirSync(dirname(out), { recursive: true });
    writeFileSync(out, content);
  } catch (error) {
    throw new UsageError(`--out ${out}: ${(error as Error).message}`);
  }
}

async function writePng(out: string, picture: string, width: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'chronovisor-picture-'));
  try {
    // Chromium makes nothing of what it can't write to, and says so to nobody.
    write(out, '');
    const svg = join(folder, 'picture.svg');
    writeFileSync(svg, picture);
    await toPng(svg, out, width, Number(/ height="(\d+)"/.exec(picture)![1]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
