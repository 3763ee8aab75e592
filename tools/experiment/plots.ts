/** The experiment's plots as SVG: fragments of a page that has PLOT_STYLE. */
import { escapeHtml } from '../report/html.ts';
import { logarithmic } from '../report/histogram.ts';
import { DARK, LIGHT } from '../timeline/surface.ts';
import { BINS, type Figures } from './analysis.ts';
import { PERIOD } from './matrix.ts';
import type { Trial } from './trial.ts';

const inks = (colours: typeof LIGHT | typeof DARK): string =>
  (['paper', 'ink', 'faint', 'rule', 'alarm', 'p0', 'p1', 'p2'] as const).map((name) => `--${name}: ${colours[name]};`).join(' ');

export const PLOT_STYLE = `
:root { color-scheme: light dark; ${inks(LIGHT)} }
@media (prefers-color-scheme: dark) { :root { ${inks(DARK)} } }
.plot { display: inline-block; margin: 0 0.5em 0.5em 0; font: 11px system-ui, sans-serif; }
.plot text { fill: var(--faint); }
.plot .rule { stroke: var(--rule); }
.plot .dots { stroke: var(--p0); stroke-width: 3; stroke-linecap: round; }
.plot .nominal { stroke: var(--p2); }
.plot .line { fill: none; stroke-width: 2; }
.plot .wall { stroke: var(--faint); stroke-dasharray: 2 3; stroke-width: 1; }
.plot .hpet { stroke: var(--p0); }
.plot .ticks { stroke: var(--p1); stroke-dasharray: 7 3; }
.plot .bar { fill: var(--p0); }
.plot .wrong { fill: var(--alarm); }
`;

const WIDTH = 330;
const HEIGHT = 170;
const LEFT = 42;
const RIGHT = WIDTH - 8;
const TOP = 20;
const BOTTOM = HEIGHT - 30;

const NS_PER_MS = 1e6;
const NS_PER_S = 1e9;
/** A tenth of a pixel is enough. */
const short = (value: number): string => String(Math.round(value * 10) / 10);

function frame(title: string, what: string, content: readonly string[]): string {
  return [
    `<svg class="plot" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(`${title}: ${what}`)}">`,
    `<text x="${LEFT}" y="12">${escapeHtml(what)}</text>`,
    ...content,
    '</svg>',
  ].join('\n');
}

const label = (x: number, y: number, text: string, anchor: 'start' | 'middle' | 'end'): string =>
  `<text x="${short(x)}" y="${short(y)}" text-anchor="${anchor}">${escapeHtml(text)}</text>`;
const rule = (y: number, name: string): string => `<path class="${name}" d="M${LEFT} ${short(y)}H${RIGHT}"/>`;

/** Places of whole seconds. */
function secondLabels(most: number, x: (wall: number) => number): string[] {
  const every = Math.max(1, Math.ceil(most / NS_PER_S / 8));
  return Array.from({ length: Math.floor(most / NS_PER_S / every) + 1 }, (_, index) =>
    label(x(index * every * NS_PER_S), BOTTOM + 14, String(index * every), 'middle'),
  );
}

/** A gap that is no more than this is drawn as this. */
const GAP_LEAST_MS = 0.05;
const GAP_MOST_MS = 500;

function gapsPlot({ name, observation: { ticks } }: Trial): string {
  const most = ticks.at(-1)!.wall;
  const x = (wall: number): number => LEFT + (wall / most) * (RIGHT - LEFT);
  const y = (ms: number): number =>
    BOTTOM - (Math.log(Math.max(ms, GAP_LEAST_MS) / GAP_LEAST_MS) / Math.log(GAP_MOST_MS / GAP_LEAST_MS)) * (BOTTOM - TOP);
  const dots = ticks
    .slice(1)
    .map(({ hpet, wall }, index) => `M${short(x(wall))} ${short(y((hpet - ticks[index]!.hpet) / NS_PER_MS))}h0`)
    .join('');
  return frame(name, 'gaps on the HPET, ms, over wall time, s', [
    ...[0.1, 1, 100].flatMap((ms) => [rule(y(ms), 'rule'), label(LEFT - 4, y(ms) + 4, String(ms), 'end')]),
    rule(y(PERIOD / NS_PER_MS), 'nominal'),
    label(LEFT - 4, y(PERIOD / NS_PER_MS) + 4, String(PERIOD / NS_PER_MS), 'end'),
    `<path class="dots" d="${dots}"/>`,
    ...secondLabels(most, x),
  ]);
}

function clocksPlot({ name, observation: { ticks } }: Trial): string {
  const [first, last] = [ticks[0]!, ticks.at(-1)!];
  const passed = last.wall - first.wall;
  const shown = [passed, last.hpet - first.hpet, (ticks.length - 1) * PERIOD];
  const most = Math.max(...shown);
  const x = (wall: number): number => LEFT + ((wall - first.wall) / passed) * (RIGHT - LEFT);
  const y = (value: number): number => BOTTOM - (value / most) * (BOTTOM - TOP);
  const line = (of: (index: number) => number): string =>
    ticks.map(({ wall }, index) => `${index === 0 ? 'M' : 'L'}${short(x(wall))} ${short(y(of(index)))}`).join('');
  return frame(name, 'guest clocks over wall time, s', [
    rule(y(0), 'rule'),
    ...secondLabels(most, (value) => value)
      .map((_, index) => label(LEFT - 4, y(index * NS_PER_S) + 4, String(index), 'end'))
      .slice(0, 9),
    `<path class="wall" d="M${LEFT} ${short(y(0))}L${RIGHT} ${short(y(passed))}"/>`,
    `<path class="line hpet" d="${line((index) => ticks[index]!.hpet - first.hpet)}"/>`,
    `<path class="line ticks" d="${line((index) => index * PERIOD)}"/>`,
    ...secondLabels(passed, (value) => x(first.wall + value)),
  ]);
}

function histogramPlot(name: string, clock: string, gaps: Figures['hpetGaps']): string {
  const most = Math.max(...gaps.histogram);
  const step = (RIGHT - LEFT) / BINS.length;
  const y = (count: number): number => BOTTOM - logarithmic(count, most) * (BOTTOM - TOP);
  const powers = Array.from({ length: Math.floor(Math.log10(most)) + 1 }, (_, index) => 10 ** index);
  return frame(name, `gaps on the ${clock}, count by ms (from)`, [
    ...powers.flatMap((count) => [rule(y(count), 'rule'), label(LEFT - 4, y(count) + 4, String(count), 'end')]),
    ...gaps.histogram.flatMap((count, index) => {
      const from = BINS[index]!;
      const to = BINS[index + 1];
      const isRight = from * NS_PER_MS < PERIOD && to !== undefined && to * NS_PER_MS > PERIOD;
      const title = `${count} from ${from}${to === undefined ? ' ms on' : ` to below ${to} ms`}`;
      const left = LEFT + index * step;
      const bar = `<rect class="bar${isRight ? '' : ' wrong'}" x="${short(left + 1)}" y="${short(y(count))}" width="${short(step - 2)}" height="${short(BOTTOM - y(count))}"><title>${title}</title></rect>`;
      return [...(count > 0 ? [bar] : []), label(left, BOTTOM + (index % 2 === 0 ? 14 : 25), String(from), 'start')];
    }),
  ]);
}

export const plotsOf = (trial: Trial): string[] => [
  gapsPlot(trial),
  clocksPlot(trial),
  histogramPlot(trial.name, 'HPET', trial.figures.hpetGaps),
  histogramPlot(trial.name, 'TSC', trial.figures.tscGaps),
];
