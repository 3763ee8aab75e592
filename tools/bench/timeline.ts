/** Figures of the timeline's page, in wall time: how long 100,000 records take to open in headless Chromium, and a frame while they are zoomed. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseLine } from '../../kernel/trace/text.ts';
import { CHROMIUM_OPTIONS, findChromium } from '../timeline/chromium.ts';
import { pageOf } from '../timeline/html.ts';
import { timelineOf, type LoggedRecord } from '../timeline/model.ts';
import type { Figure } from './figure.ts';
import { longLog } from './long-log.ts';

const RECORDS = 100_000;
/** From all of it down to what a screen shows of some slots, and back. */
const STEPS = 120;
/** Zooms on each frame of the screen, and gives how long each took to draw, and how far they were apart. */
const ZOOM = `new Promise((done) => {
  const drawn = [];
  const apart = [];
  let before = 0;
  const step = (now) => {
    if (before > 0) apart.push(now - before);
    before = now;
    drawn.push(timeline.drawMs());
    if (drawn.length > ${STEPS}) return done({ drawn: drawn.slice(1), apart });
    timeline.zoom(drawn.length <= ${STEPS / 2} ? 0.85 : 1 / 0.85, 300);
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})`;

export async function timelineFigures(): Promise<Figure[]> {
  const { chromium } = await import('playwright-core');
  const folder = mkdtempSync(join(tmpdir(), 'chronovisor-bench-'));
  const browser = await chromium.launch({
    executablePath: execFileSync('which', [findChromium()], { encoding: 'utf8' }).trim(),
    args: CHROMIUM_OPTIONS,
  });
  try {
    const logged = longLog(RECORDS).flatMap((text, index): LoggedRecord[] => {
      const parsed = parseLine(text);
      return parsed.kind === 'record' ? [{ record: parsed.record, line: index + 1, text }] : [];
    });
    const html = await pageOf(timelineOf(logged, 'long'), { log: 'long.log' });
    const file = join(folder, 'long.html');
    writeFileSync(file, html);
    const page = await browser.newPage({ viewport: { width: 1920, height: 1080 } });
    const began = performance.now();
    await page.goto(pathToFileURL(file).href);
    await page.waitForFunction('window.timeline?.drawMs() > 0');
    const open = performance.now() - began;
    const { drawn, apart } = await page.evaluate<{ drawn: number[]; apart: number[] }>(ZOOM);
    const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
    return [
      { name: 'timeline.open_ms', value: open, unit: 'ms', limit: 3000 },
      { name: 'timeline.zoom_frame_ms', value: median(apart), unit: 'ms' },
      // The drawing alone, where a frame of the screen is at least 16.7 ms.
      { name: 'timeline.zoom_draw_ms', value: median(drawn), unit: 'ms' },
      { name: 'timeline.page_bytes', value: html.length, unit: 'bytes' },
    ];
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
