import { describe, expect, it } from 'vitest';
import { parseLine } from '../../kernel/trace/text.ts';
import { longLog } from '../bench/long-log.ts';
import { timelineOf, type Timeline } from './model.ts';
import { pictureOf } from './svg.ts';

function timelineOfLong(records: number): Timeline {
  const logged = longLog(records).flatMap((text, index) => {
    const parsed = parseLine(text);
    return parsed.kind === 'record' ? [{ record: parsed.record, line: index + 1, text }] : [];
  });
  return timelineOf(logged, 'x.log');
}
const timeline = timelineOfLong(7000);
const picture = (from: number, to: number, theme: 'auto' | 'dark' = 'auto'): string =>
  pictureOf(timeline, { from: timeline.epoch + from, to: timeline.epoch + to, width: 1000, theme });

/** x and width, to the pixel, of the filled boxes in one partition's colour that are no background. */
function boxes(svg: string, ink: string): [number, number][] {
  const found = svg.matchAll(
    new RegExp(`<rect x="([-\\d.]+)" y="[-\\d.]+" width="([-\\d.]+)" height="[-\\d.]+" fill="var\\(--${ink}\\)" fill-opacity`, 'g'),
  );
  return [...found].map(([, x, width]) => [Math.round(Number(x)), Math.round(Number(width))]);
}

describe('a picture', () => {
  it('has what ran at its place: in its own lane and on its CPU', () => {
    // 840 px for 10 ms: the sensor runs from 3 ms on, for 0.3 + 0.6 * 3/11 of 2 ms.
    const sensor: [number, number] = [252, Math.round(((0.3 + (0.6 * 3) / 11) * 2 * 840) / 10)];
    const [legend, ...ran] = boxes(picture(0, 10_000_000), 'p1');
    expect(legend).toEqual([142, 12]);
    expect(ran).toEqual([sensor, sensor]);
  });

  it('has a plan of one outline per slot and lane', () => {
    const outlines = picture(0, 30_000_000 - 1).match(/fill="none" stroke="var\(--plan\)"/g)!;
    // Three frames, three slots, on the CPU and in the partition's lane, and the legend's.
    expect(outlines).toHaveLength(3 * 3 * 2 + 1);
  });

  it('does not grow with the log', () => {
    const longer = timelineOfLong(28_000);
    const all = (of: Timeline): string => pictureOf(of, { from: of.epoch, to: of.to, width: 1000, theme: 'light' });
    expect(all(longer).length / all(timeline).length).toBeLessThan(1.2);
  });

  it('of all of it shows how much of each pixel is filled', () => {
    const whole = picture(0, timeline.to - timeline.epoch);
    // The display has 5 of 10 ms, of which it runs for 0.3 + 0.6 * 0/11 to 10/11: 29 percent of what would be 16 px.
    const columns = [...whole.matchAll(/fill="var\(--p2\)" fill-opacity="0.9" d="([^"]+)"/g)].at(-1)![1]!;
    const heights = [...columns.matchAll(/h1v([\d.]+)h-1z/g)].map(([, height]) => Number(height));
    expect(heights.length).toBeGreaterThan(800);
    expect(heights.reduce((sum, height) => sum + height, 0) / heights.length).toBeCloseTo(16 * 0.286, 1);
  });

  it('is told in words, names the lanes, and has the text of the log as text', () => {
    const svg = pictureOf({ ...timeline, title: '<b>&"' }, { from: timeline.from, to: timeline.to, width: 800, theme: 'auto' });
    expect(svg).toContain('<title id="t">Timeline of &lt;b>&amp;&quot;</title>');
    for (const name of ['controller', 'sensor', 'display']) expect(svg).toMatch(new RegExp(`<text [^>]*>${name}</text>`));
  });

  it('is light or dark as its reader prefers, unless told', () => {
    expect(picture(0, 1000)).toContain('@media(prefers-color-scheme:dark)');
    expect(picture(0, 1000, 'dark')).not.toContain('@media');
    expect(picture(0, 1000, 'dark')).toContain('--paper:#14181d');
  });
});
