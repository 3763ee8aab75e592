/** chronovisor export: a log as a file of other programs. */
import { Option, type Command } from 'commander';
import { chromeTrace } from '../export/chrome-trace.ts';
import { csv } from '../export/csv.ts';
import { vcd } from '../export/vcd.ts';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { UsageError } from '../errors.ts';
import { gathered, writePieces } from '../log/output.ts';
import { shown } from '../paths.ts';
import { addWindowOptions, INSTANTS, partOf, type Part, type WindowFlags } from './window.ts';

interface Format {
  readonly ending: string;
  /** In pieces: a long log's file may be longer than a string can be. */
  make(part: Part): Iterable<string>;
}

const FORMATS = {
  perfetto: { ending: '.trace.json', make: ({ timeline }) => chromeTrace(timeline) },
  vcd: { ending: '.vcd', make: ({ timeline }) => vcd(timeline) },
  csv: { ending: '.csv', make: ({ logged }) => csv(logged) },
} as const satisfies Readonly<Record<string, Format>>;

interface ExportFlags extends WindowFlags {
  /** Asked for in the action: commander would tell of it before it tells of a mistyped option. */
  format?: keyof typeof FORMATS;
  out?: string;
}

export function addExportCommand(program: Command): void {
  const command = program
    .command('export')
    .description('a log for other programs: Perfetto and Chrome, GTKWave and PulseView, spreadsheets')
    .argument('<log>', 'a log, or a capture of COM1')
    .addOption(
      new Option('--format <format>', 'perfetto: trace events in JSON; vcd: signals; csv: a row per record').choices(Object.keys(FORMATS)),
    )
    .option('--out <file>', 'where it goes, - for standard output (default: the log with .trace.json, .vcd or .csv)')
    .addHelpText(
      'after',
      `
${INSTANTS}

Examples:
  chronovisor export build/logs/demonstration.log --format perfetto      then open it at ui.perfetto.dev
  chronovisor export build/logs/demonstration.log --format vcd --from 100ms --to 200ms
  chronovisor export build/logs/kernel.log --format csv --out - | head`,
    );
  addWindowOptions(command).action(exportLog);
}

async function exportLog(log: string, flags: ExportFlags): Promise<void> {
  if (flags.format === undefined) throw new UsageError(`export wants --format, one of ${Object.keys(FORMATS).join(', ')}`);
  const format: Format = FORMATS[flags.format];
  const pieces = format.make(await partOf(log, flags));
  if (flags.out === '-') {
    await pipeline(Readable.from(gathered(pieces)), process.stdout, { end: false });
    return;
  }
  const out = flags.out ?? log.replace(/(\.(log|txt))?$/, format.ending);
  writePieces('--out', out, pieces);
  process.stdout.write(`${shown(out)}\n`);
}
