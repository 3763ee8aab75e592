/** The page and the pictures of a log, as a person meets them: made by the command, opened in a real browser without network. */
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { HEADER_LINE } from '../kernel/trace/text.ts';
import { longLog } from '../tools/bench/long-log.ts';
import { projectRoot } from '../tools/paths.ts';
import { CHROMIUM_OPTIONS, findChromium } from '../tools/timeline/chromium.ts';

const folder = mkdtempSync(join(tmpdir(), 'timeline test '));
const inFolder = (name: string): string => join(folder, name);
const LOG = inFolder('long.log');
const LINES = longLog(7000);

function timeline(...words: string[]): SpawnSyncReturns<string> {
  const program = join(projectRoot(), 'build', 'tools', 'chronovisor.mjs');
  return spawnSync('node', [program, 'timeline', ...words], { cwd: folder, encoding: 'utf8', timeout: 60_000 });
}

let browser: Browser;
beforeAll(async () => {
  writeFileSync(LOG, LINES.join('\n'));
  browser = await chromium.launch({ executablePath: findChromiumPath(), args: CHROMIUM_OPTIONS });
});
afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Playwright wants a path. */
function findChromiumPath(): string {
  return spawnSync('which', [findChromium()], { encoding: 'utf8' }).stdout.trim();
}

/** What a test sees of the viewer (tools/timeline/page/viewer.ts); expressions are evaluated in the page. */
interface RowSeen {
  readonly label: string;
  readonly group: string;
  readonly bodyY: number;
  readonly bodyHeight: number;
  readonly slotStart: number;
  readonly slotDuration: number;
}
const ROWS = `timeline.layout().rows.map(({ lane, bodyY, bodyHeight }) => ({
  label: lane.label, group: lane.group, bodyY, bodyHeight, slotStart: lane.planned[0]?.start, slotDuration: lane.planned[0]?.duration }))`;

type Colour = readonly [red: number, green: number, blue: number];
const isColoured = ([red, green, blue]: Colour): boolean => Math.max(red, green, blue) - Math.min(red, green, blue) > 40;
const brightness = ([red, green, blue]: Colour): number => (red + green + blue) / 3;

describe('the page', () => {
  let page: Page;
  const complaints: string[] = [];

  async function open(name: string, theme: 'light' | 'dark' = 'light'): Promise<void> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 700 }, colorScheme: theme, offline: true });
    page = await context.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => {
      if (!request.url().startsWith('file:')) complaints.push(`asks for ${request.url()}`);
    });
    await page.goto(pathToFileURL(inFolder(name)).href);
    await page.waitForFunction('window.timeline !== undefined');
    await drawn();
  }
  /** What was changed is drawn with the next frame. */
  const drawn = (): Promise<void> =>
    page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))');
  const evaluate = <Value>(expression: string): Promise<Value> => page.evaluate<Value>(expression);
  const text = async (id: string): Promise<string> => (await page.textContent(`#${id}`)) ?? '';
  const view = (): Promise<{ from: number; to: number; width: number }> => evaluate('timeline.view()');
  const span = async (): Promise<number> => (await view()).to - (await view()).from;
  const epoch = (): Promise<number> => evaluate('timeline.timeline.epoch');
  async function press(...keys: string[]): Promise<void> {
    for (const key of keys) await page.keyboard.press(key);
    await drawn();
  }
  /** Colours of the canvas along a horizontal line; CSS pixels. */
  async function colours(x: number, y: number, width: number): Promise<Colour[]> {
    const box = [x, y, width, 1].map(Math.round).join(', ');
    const data = await evaluate<number[]>(`Array.from(document.getElementById('canvas').getContext('2d').getImageData(${box}).data)`);
    return Array.from({ length: data.length / 4 }, (_, index): Colour => [data[index * 4]!, data[index * 4 + 1]!, data[index * 4 + 2]!]);
  }
  async function rowOf(group: string, label: string): Promise<RowSeen> {
    const rows = await evaluate<RowSeen[]>(ROWS);
    return rows.find((row) => row.group === group && row.label === label)!;
  }
  /** Where a lane's body is on the screen at an instant. */
  async function pointOf(row: RowSeen, instant: number): Promise<{ x: number; y: number }> {
    const { from, to, width } = await view();
    const box = (await page.locator('#canvas').boundingBox())!;
    return { x: box.x + ((instant - from) / (to - from)) * width, y: box.y + row.bodyY + row.bodyHeight / 2 };
  }

  beforeAll(() => {
    const made = timeline('long.log');
    expect(made, made.stderr).toMatchObject({ status: 0, stdout: 'long.html\n', stderr: '' });
  });
  afterEach(async () => {
    await page.context().close();
    expect(complaints.splice(0)).toEqual([]);
  });

  describe('of a system', () => {
    beforeEach(() => open('long.html'));

    it('names the lanes that the log has', async () => {
      expect(await page.locator('#labels .lane').allTextContents()).toEqual([
        ...['cpu0', 'controller', 'sensor', 'display', 'controller: port 80h'],
        ...['controller', 'sensor', 'display'],
      ]);
      expect(await page.title()).toBe('long: timeline');
      expect(await text('range')).toMatch(/^-\d\.\d{3} \d{3} \d{3} s to 1\d\.\d{3} \d{3} \d{3} s after the epoch: 1\d\.\d+ s$/);
    });

    it.each(['light', 'dark'])('shows in its pixels which share of a slot ran, also without colours (%s)', async (theme) => {
      if (theme === 'dark') await press('t');
      const PERIOD = 10_000_000;
      // The shares of the slots in frame 11, which is one without a remainder in the log's formula.
      const SHARES = { controller: 0.3, sensor: 0.3 + (0.6 * 3) / 11, display: 0.3 + (0.6 * 6) / 11 };
      await evaluate(`timeline.show(${await epoch()} + 11.5 * ${PERIOD})`);
      await press('+');
      const { from, to, width } = await view();
      const perPixel = (to - from) / width;
      for (const [label, share] of Object.entries(SHARES)) {
        const row = await rowOf('Partitions', label);
        const left = (row.slotStart + 11 * PERIOD - from) / perPixel;
        // Above the text in it.
        const own = await colours(left + 2, row.bodyY + 3, row.slotDuration / perPixel - 4);
        expect(own.filter(isColoured).length / own.length, label).toBeCloseTo(share, 1);
        // The plan's outline stands where nothing ran, too.
        const outline = await colours(left + (row.slotDuration / perPixel) * 0.95, row.bodyY, 3);
        const inside = await colours(left + (row.slotDuration / perPixel) * 0.95, row.bodyY + 3, 3);
        expect(Math.abs(brightness(outline[1]!) - brightness(inside[1]!)), label).toBeGreaterThan(60);
      }
      // Partitions have patterns: the first is plain, the others are not.
      const spread = async (label: string): Promise<number> => {
        const row = await rowOf('Partitions', label);
        const light = (await colours((row.slotStart + 11 * PERIOD - from) / perPixel + 4, row.bodyY + 4, 40)).map(brightness);
        return Math.max(...light) - Math.min(...light);
      };
      expect(await spread('controller')).toBeLessThan(5);
      expect(await spread('sensor')).toBeGreaterThan(20);
    });

    it('comes nearer at the pointer, down to nanoseconds, and goes back to all of it', async () => {
      const whole = await span();
      const row = await rowOf('Partitions', 'sensor');
      const instant = row.slotStart + 500 * 10_000_000;
      for (let step = 0; step < 12; step++) {
        const { x, y } = await pointOf(row, instant);
        await page.mouse.move(x, y);
        await page.mouse.wheel(0, -1000);
        await drawn();
      }
      expect(await span()).toBeLessThan(300_000);
      const { from, to } = await view();
      expect(instant).toBeGreaterThan(from);
      expect(instant).toBeLessThan(to);
      await press(...Array.from({ length: 40 }, () => '+'));
      expect(await span()).toBeCloseTo(20, 3);
      await press('0');
      expect(await span()).toBe(whole);
    });

    it('is dragged and walked along', async () => {
      await evaluate(`timeline.show(${await epoch()} + 5e9)`);
      await drawn();
      const before = await view();
      await page.mouse.move(900, 300);
      await page.mouse.down();
      await page.mouse.move(800, 300, { steps: 4 });
      await page.mouse.up();
      const after = await view();
      expect(after.from - before.from).toBeCloseTo((100 * (before.to - before.from)) / before.width, -3);
      await press('ArrowLeft');
      expect((await view()).from).toBeLessThan(after.from);
    });

    it('tells what is under the pointer, with its line of the log', async () => {
      await evaluate(`timeline.show(${await epoch()} + 5.005e9)`);
      await drawn();
      const row = await rowOf('Partitions', 'display');
      const { x, y } = await pointOf(row, row.slotStart + 500 * 10_000_000 + 500_000);
      await page.mouse.move(x, y);
      const number = LINES.findIndex((line) => line.includes('slot.run partition=2 slot=2 frame=500 ')) + 1;
      expect(await text('hover')).toBe(
        `display: run, 5.005 000 000 s, ${await shownLength(500, 2)}\nlong.log:${number}: ${LINES[number - 1]!.trim()}`,
      );
      await page.mouse.click(x, y);
      expect(await text('details')).toBe(await text('hover'));
      await page.mouse.move(5, 5);
      expect(await page.locator('#hover').isVisible()).toBe(false);
    });
    const shownLength = async (frame: number, partition: number): Promise<string> => {
      const row = await rowOf('Partitions', 'display');
      const length = Math.round(row.slotDuration * (0.3 + 0.6 * (((frame * 7 + partition * 3) % 11) / 11))) - (frame % 4);
      return `${length / 1e6} ms`;
    };

    it('finds lines of the log one after the other, around and around', async () => {
      const expected = LINES.filter((line) => line.includes('health.event')).length;
      await press('/');
      await page.keyboard.type('WATCHDOG warm-reset');
      await drawn();
      expect(await text('found')).toBe(`1 of ${expected}`);
      expect(await text('details')).toContain('detail="frame 50"');
      await press('Escape', 'n');
      expect(await text('found')).toBe(`2 of ${expected}`);
      expect(await text('details')).toContain('detail="frame 150"');
      await press('N', 'N');
      expect(await text('found')).toBe(`${expected} of ${expected}`);
      await press('/');
      await page.keyboard.type(' nonsense');
      expect(await text('found')).toBe('nothing');
    });

    it('measures from one mark to another, to the nanosecond', async () => {
      await evaluate(`timeline.show(${await epoch()} + 5.01e9)`);
      await drawn();
      const row = await rowOf('Partitions', 'display');
      const start = row.slotStart + 500 * 10_000_000;
      await page.keyboard.down('Shift');
      for (const instant of [start + 100_000, start + 10_000_000 + 100_000]) {
        const { x, y } = await pointOf(row, instant);
        await page.mouse.click(x, y);
      }
      await page.keyboard.up('Shift');
      // Frame 500 was entered on time, frame 501 a nanosecond late.
      expect(await text('measured')).toMatch(/^A 5\.005 000 000 s, B 5\.015 000 001 s: .* \(10000001 ns\)$/);
      await press('Escape');
      expect(await text('measured')).toBe('');
    });

    it('is used by keys alone: a lane, what is in it, near it, measured', async () => {
      await press('ArrowDown', 'ArrowDown', 'ArrowDown');
      expect(await page.locator('#labels .chosen').allTextContents()).toEqual(['sensor']);
      await press('.', '.', '.');
      const first = await text('details');
      expect(first).toMatch(/^sensor: value of a program, 0\.003 200 000 s/);
      await press('m', '.', 'm');
      expect(await text('measured')).toMatch(/B 0\.013 000 001 s: 9\.800001 ms/);
      await press('Enter');
      expect(await span()).toBeLessThan(10_000_000);
      await press(',');
      expect(await text('details')).toBe(first);
    });

    it('tells its keys, and they are the ones that it has', async () => {
      await press('?');
      expect(await page.locator('#help').isVisible()).toBe(true);
      const told = (await page.locator('#help dt').allTextContents()).join(' ');
      for (const key of ['+', '←', '0', '↑', ', .', 'Enter', 'm', '/', 'n N', 'v', 't', 'Esc', '?']) expect(told).toContain(key);
      await page.keyboard.press('Escape');
      expect(await page.locator('#help').isVisible()).toBe(false);
    });

    it('shows values of programs when asked', async () => {
      await press('v');
      const lanes = await page.locator('#labels .lane').allTextContents();
      expect(lanes.slice(-2)).toEqual(['sensor: value 1', 'display: value 1']);
      await press('v');
      expect(await page.locator('#labels .lane').count()).toBe(lanes.length - 2);
    });

    it('has a name for everything that one can act on', async () => {
      const unnamed = await evaluate<string[]>(
        `[...document.querySelectorAll('button, input, canvas[tabindex]')].filter((each) => !(each.getAttribute('aria-label') || each.textContent.trim())).map((each) => each.id)`,
      );
      expect(unnamed).toEqual([]);
    });

    it('draws a frame of all of it well within that of a screen', async () => {
      const times: number[] = [];
      for (let step = 0; step < 20; step++) {
        await press('+');
        times.push(await evaluate<number>('timeline.drawMs()'));
      }
      // Three times what a frame has: this is a machine without a graphics card that does other things too.
      expect(times.toSorted((a, b) => a - b)[10]).toBeLessThan(50);
    });
  });

  it('is dark where that is preferred, from the first frame on, and light on demand', async () => {
    await open('long.html', 'dark');
    expect(brightness((await colours(2, 2, 1))[0]!)).toBeLessThan(60);
    await page.click('#theme');
    await drawn();
    expect(brightness((await colours(2, 2, 1))[0]!)).toBeGreaterThan(200);
    expect(await evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(255, 255, 255)');
  });

  it('begins where the command was told to', async () => {
    expect(timeline('long.log', '--at', '5s', '--out', 'at.html').status).toBe(0);
    await open('at.html');
    const { from, to } = await view();
    expect((from + to) / 2 - (await epoch())).toBeCloseTo(5e9, 0);
  });

  it('of a log without partitions shows timers', async () => {
    const interrupts = [1, 2, 3].map(
      (index) => `${index}003000 cpu0 debug timer.interrupt timer=hpet index=${index} nominal=@${index}000000 taken=@${index}000012`,
    );
    writeFileSync(inFolder('timers.log'), [HEADER_LINE, ...interrupts].join('\r\n'));
    expect(timeline('timers.log').status).toBe(0);
    await open('timers.html');
    expect(await page.locator('#labels .lane').allTextContents()).toEqual(['cpu0', 'hpet']);
  });

  it('takes text of a log as text', async () => {
    const evil = '</script><script>document.title = "taken"</script><img src=x onerror=alert(1)>';
    writeFileSync(inFolder('evil.log'), `5 cpu0 info  log message=${JSON.stringify(evil)}\n`);
    expect(timeline('evil.log').status).toBe(0);
    await open('evil.html');
    await press('ArrowDown', '.');
    expect(await text('details')).toContain('onerror=alert(1)');
    expect(await page.title()).toBe('evil.log: timeline');
    expect(await page.locator('img').count()).toBe(0);
  });

  it('a picture as PNG has the size that was asked for, and is not empty', async () => {
    const made = timeline('long.log', '--from', '0s', '--to', '50ms', '--width', '800', '--out', 'picture.png');
    expect(made, made.stderr).toMatchObject({ status: 0, stderr: '' });
    await open('long.html');
    const url = `data:image/png;base64,${readFileSync(inFolder('picture.png')).toString('base64')}`;
    // The page itself loads nothing, not even this: it is put beside it.
    await page.goto('about:blank');
    await page.setContent(`<img src="${url}">`);
    const seen = await evaluate<{ width: number; colours: number }>(`(() => {
      const image = document.querySelector('img');
      const canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height });
      const context = canvas.getContext('2d');
      context.drawImage(image, 0, 0);
      const { data } = context.getImageData(0, 0, image.width, image.height);
      return { width: image.width, colours: new Set(new Uint32Array(data.buffer)).size };
    })()`);
    expect(seen.width).toBe(800);
    expect(seen.colours).toBeGreaterThan(50);
  });
});

describe('what can not be shown is said in one line:', () => {
  const cases: readonly (readonly [what: string, words: readonly string[], status: number, said: RegExp])[] = [
    ['no such log', ['no.log'], 3, /no\.log: there is no such file/],
    ['an empty log', ['empty.log'], 3, /empty\.log: .*empty/],
    ['a log of another program', ['other.log'], 3, /other\.log: .*no log of Chronovisor/],
    ['a folder in place of a log', ['.'], 3, /\.: .*EISDIR/],
    ['a file that can not be written', ['long.log', '--out', 'long.log/x.html'], 2, /--out long\.log\/x\.html: /],
    ['a picture that can not be written', ['long.log', '--to', '9ms', '--out', 'long.log/x.png'], 2, /--out long\.log\/x\.png: /],
    ['a kind that there is not', ['long.log', '--out', 'x.gif'], 2, /expected a name that ends with \.html, \.svg or \.png/],
    ['an instant without a unit', ['long.log', '--at', '5'], 2, /expected an instant such as 153\.6ms/],
    ['an end before the beginning', ['long.log', '--from', '2s', '--to', '1s'], 2, /--from has to be before --to/],
    ['a boot that the log has not', ['long.log', '--boot', '3'], 2, /there is no boot 3; the log has 1/],
  ];
  beforeAll(() => {
    writeFileSync(inFolder('empty.log'), '');
    writeFileSync(inFolder('other.log'), '[    0.000000] Linux version 6.1.0\n[    0.000001] Command line: quiet\n');
  });
  it.each(cases)('%s', (_, words, status, said) => {
    const { status: seen, stdout, stderr } = timeline(...words);
    expect({ status: seen, stdout }, stderr).toEqual({ status, stdout: '' });
    expect(stderr).toMatch(said);
    expect(stderr).not.toMatch(/\n {4}at /);
  });

  it('PNG without Chromium, with what else to do', () => {
    const program = join(projectRoot(), 'build', 'tools', 'chronovisor.mjs');
    const words = [program, 'timeline', 'long.log', '--to', '9ms', '--out', 'none.png'];
    const { status, stderr } = spawnSync(process.execPath, words, {
      cwd: folder,
      encoding: 'utf8',
      env: { PATH: folder },
      timeout: 60_000,
    });
    expect(status, stderr).toBe(3);
    expect(stderr).toBe(
      'chronovisor: chromium is missing, which makes PNG: install the Debian package chromium, set CHROMIUM to such a program, or make .svg\n',
    );
  });
});
