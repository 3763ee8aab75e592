/** Figures of reading logs, in wall time: what a report of a million records takes. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { EVENTS } from '../../kernel/trace/events.ts';
import { formatLine, HEADER_LINE } from '../../kernel/trace/text.ts';
import { readLog } from '../log/read.ts';
import { buildFolder } from '../paths.ts';
import { createReport } from '../report/report.ts';
import type { Figure } from './figure.ts';

const MIB = 1 << 20;
const POLL_MS = 20;

/** As a system of partitions writes it: five slots a frame of 10 ms, with values of programs and writes to ports between them. */
export function writeLongLog(file: string, records: number): void {
  const descriptor = openSync(file, 'w');
  let text = `${HEADER_LINE}\n`;
  const add = (line: string): void => void (text += `${line}\n`);
  for (let partition = 0; partition < 5; partition++)
    add(formatLine(EVENTS.partitionCreated, 1_000n, 0, [partition, `partition-${partition}`, 'programs/any.tar', 16 * MIB]));
  add(formatLine(EVENTS.systemStarted, 2_000n, 0, ['long', 1_000_000n, 5, 1]));
  for (let index = 6; index < records; index++) {
    const slot = Math.floor(index / 2) % 5;
    const frame = Math.floor(index / 10);
    const nominal = 1_000_000n + 10_000_000n * BigInt(frame) + 2_000_000n * BigInt(slot);
    const late = BigInt((index * 7_919) % 5);
    const ran = 500_000n + BigInt((index * 104_729) % 1_000_000);
    if (index % 2 === 0) add(formatLine(EVENTS.slotRun, nominal + ran, 0, [slot, slot, frame, nominal, nominal + late, nominal + ran]));
    else if (index % 10 === 1) add(formatLine(EVENTS.portOutput, nominal + 20_000n, 0, [slot, 0x80, frame % 2, nominal + 9_000n + late]));
    else add(formatLine(EVENTS.partitionTrace, nominal + 30_000n, 0, [slot, 1n, ran]));
    if (text.length > MIB) {
      writeSync(descriptor, text);
      text = '';
    }
  }
  writeSync(descriptor, text);
  closeSync(descriptor);
}

/** The most memory that the program had while it ran, in MiB, as Linux counts it. */
function peakOf(words: readonly string[]): Promise<{ readonly seconds: number; readonly mebibytes: number }> {
  const began = performance.now();
  const child = spawn(process.execPath, [join(buildFolder(), 'tools', 'chronovisor.mjs'), ...words], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  let kibibytes = 0;
  const poll = setInterval(() => {
    try {
      kibibytes = Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? kibibytes);
    } catch {
      // It has just ended.
    }
  }, POLL_MS);
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (status) => {
      clearInterval(poll);
      if (status === 0) done({ seconds: (performance.now() - began) / 1000, mebibytes: kibibytes / 1024 });
      else fail(new Error(`chronovisor ${words.join(' ')} ended with ${status}`));
    });
  });
}

/** @param records of the log. The bar for a million is 10 s and 1 GB on an idle machine; only memory does not depend on it. */
export async function* logFigures(records = 1_000_000): AsyncGenerator<Figure> {
  const file = join(buildFolder(), 'bench', 'long.log');
  mkdirSync(join(buildFolder(), 'bench'), { recursive: true });
  try {
    writeLongLog(file, records);
    const began = performance.now();
    await readLog(file, createReport().push);
    yield { name: 'log.parse_records_per_s', value: records / ((performance.now() - began) / 1000), unit: 'records/s' };
    const { seconds, mebibytes } = await peakOf(['report', file]);
    yield { name: 'log.report_s', value: seconds, unit: 's' };
    yield { name: 'log.report_mib', value: mebibytes, unit: 'MiB', limit: 1_000 };
  } finally {
    rmSync(file, { force: true });
  }
}
