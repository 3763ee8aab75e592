/** Promises held against a log. */
import type { TraceRecord } from '../../kernel/trace/events.ts';
import { createSystem } from '../report/system.ts';
import { BuildError } from '../errors.ts';
import type { Promises, RecordJudge } from './define.ts';
import type { Verdict } from './judge.ts';

export interface Kept extends Verdict {
  /** The promise, as its file says it. */
  readonly promise: string;
}

export interface Check {
  push(record: TraceRecord, line: number): void;
  /** In the order of the file. */
  result(): Kept[];
}

export function createCheck({ promises }: Promises): Check {
  const system = createSystem();
  const judges = Object.entries(promises).map(([promise, { begin }]) => ({ promise, judge: begin() }));
  /** What the file's author wrote may fail at any record. */
  function judgeRecord(promise: string, judge: RecordJudge, record: TraceRecord, line: number): void {
    try {
      judge.push(record, line, system);
    } catch (error) {
      throw new BuildError(
        `${promise}: it can not be judged at line ${line} of the log: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
  return {
    push: (record, line) => {
      system.push(record);
      for (const { promise, judge } of judges) judgeRecord(promise, judge, record, line);
    },
    result: () => judges.map(({ promise, judge }) => ({ promise, ...judge.verdict() })),
  };
}

/** What a failure says: expected, seen, the worst samples with their lines, and how to look there. */
export function failureLines({ promise, expected, seen, worst }: Kept, log: string): string[] {
  const [first] = worst;
  return [
    `${promise}: expected ${expected}; ${seen}${first ? ':' : `, in ${log}`}`,
    ...worst.map(({ line, text }) => `  ${log}:${line}: ${text}`),
    ...(first ? [`  look: chronovisor timeline ${log} --at @${first.at}`] : []),
  ];
}

const escapeXml = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    // XML 1.0, "Characters": these may not even be escaped.
    .replaceAll(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd]/g, '?');

/** A suite of one case per promise, in the form that Jenkins, GitLab and others read. */
export function junitXml(kept: readonly Kept[], log: string, file: string): string {
  const failed = kept.filter(({ holds }) => !holds).length;
  const cases = kept.map((own) => {
    const head = `    <testcase name="${escapeXml(own.promise)}" classname="${escapeXml(file)}"`;
    if (own.holds) return `${head}/>`;
    const lines = failureLines(own, log);
    return `${head}>\n      <failure message="${escapeXml(`expected ${own.expected}; ${own.seen}`)}">${escapeXml(lines.join('\n'))}</failure>\n    </testcase>`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="${escapeXml(log)}" tests="${kept.length}" failures="${failed}" errors="0" skipped="0">
${cases.join('\n')}
  </testsuite>
</testsuites>
`;
}
