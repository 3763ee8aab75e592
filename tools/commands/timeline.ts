/** chronovisor timeline: a log as a page to look into, or as a picture. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { UsageError } from '../errors.ts';
import { writeOutput } from '../log/output.ts';
import { shown } from '../paths.ts';
import { toPng } from '../timeline/chromium.ts';
import { pageOf } from '../timeline/html.ts';
import { GROUPS, type Group } from '../timeline/model.ts';
import { pictureOf } from '../timeline/svg.ts';
import { whole } from './options.ts';
import { addWindowOptions, instant, INSTANTS, partOf, type Instant, type WindowFlags } from './window.ts';

interface TimelineFlags extends WindowFlags {
  out?: string;
  at?: Instant;
  width: number;
  theme: 'auto' | 'light' | 'dark';
  lanes?: readonly Group[];
}

/** Groups as they are typed. */
const LANES = Object.fromEntries(GROUPS.map((group) => [group.toLowerCase().replaceAll(' ', '-'), group]));

function lanes(text: string): readonly Group[] {
  return text.split(',').map((word) => {
    const group = LANES[word.trim()];
    if (!group) throw new InvalidArgumentError(`expected some of ${Object.keys(LANES).join(', ')}, with commas between them.`);
    return group;
  });
}

export function addTimelineCommand(program: Command): void {
  const command = program
    .command('timeline')
    .description('make a page or a picture of a log: who ran when, beside what was planned')
    .argument('<log>', 'a log, or a capture of COM1')
    .option('--out <file>', 'where it goes: .html a page, .svg or .png a picture (default: the log with .html)')
    .option('--at <instant>', 'the page begins there', instant)
    .option('--width <px>', 'of a picture', whole(400, 4000), 1000)
    .addOption(
      new Option('--theme <theme>', 'of a picture; auto: what its reader prefers').choices(['auto', 'light', 'dark']).default('auto'),
    )
    .option('--lanes <groups>', `which ones a picture has: ${Object.keys(LANES).join(', ')} (default: all but values)`, lanes)
    .addHelpText(
      'after',
      `
${INSTANTS}

Examples:
  chronovisor timeline build/logs/demonstration.log
  chronovisor timeline build/logs/demonstration.log --at 153.6ms
  chronovisor timeline build/logs/demonstration.log --from 140ms --to 200ms --lanes cpus,partitions --out reset.svg`,
    );
  addWindowOptions(command).action(makeTimeline);
}

async function makeTimeline(log: string, flags: TimelineFlags): Promise<void> {
  const out = flags.out ?? log.replace(/(\.(log|txt))?$/, '.html');
  const kind = extname(out);
  if (!['.html', '.svg', '.png'].includes(kind)) throw new UsageError(`--out ${out}: expected a name that ends with .html, .svg or .png`);
  const { timeline, from, to, sinceBoot } = await partOf(log, flags);
  if (kind === '.html') {
    const at = flags.at && sinceBoot(flags.at);
    writeOutput('--out', out, await pageOf(timeline, { log, ...(at === undefined ? {} : { at }) }));
  } else {
    const picture = pictureOf(timeline, {
      from: from ?? timeline.from,
      to: to ?? timeline.to,
      width: flags.width,
      theme: kind === '.png' && flags.theme === 'auto' ? 'light' : flags.theme,
      isShown: ({ group }) => (flags.lanes ? flags.lanes.includes(group) : group !== 'Values'),
    });
    if (kind === '.svg') writeOutput('--out', out, picture);
    else await writePng(out, picture, flags.width);
  }
  process.stdout.write(`${shown(out)}\n`);
}

async function writePng(out: string, picture: string, width: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'chronovisor-picture-'));
  try {
    // Chromium makes nothing of what it can't write to, and says so to nobody.
    writeOutput('--out', out, '');
    const svg = join(folder, 'picture.svg');
    writeFileSync(svg, picture);
    await toPng(svg, out, width, Number(/ height="(\d+)"/.exec(picture)![1]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
