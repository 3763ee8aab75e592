/** A report as one HTML page that needs no network: the tables as text, the histograms as drawings. Readable without colours, light or dark. */
import { binsFor, countsIn, edgeText, logarithmic, show, type Bin, type HistogramOptions } from './histogram.ts';
import { reportLines, type Report } from './report.ts';
import { QUANTITIES, type NamedSeries, type Summary } from './samples.ts';
import { showNanos } from './statistics.ts';

export const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** What the fragments of this module are drawn with; goes into a page once. */
export const HISTOGRAM_STYLE = `
.histogram { margin: 1.5em 0; }
.histogram figcaption { margin-bottom: 0.4em; }
.histogram svg { width: 100%; max-width: 60em; height: auto; font: 11px system-ui, sans-serif; }
.histogram text { fill: currentColor; }
.histogram .own { fill: currentColor; opacity: 0.55; }
.histogram .other { fill: none; stroke: currentColor; stroke-width: 1.5; stroke-dasharray: 4 2; }
.histogram .limit, .histogram .axis { stroke: currentColor; stroke-width: 1; }
.histogram .limit { stroke-width: 2; }
`;

const WIDTH = 720;
const HEIGHT = 180;
const LEFT = 50;
const TOP = 16;
const BOTTOM = HEIGHT - 28;

const summaryText = ({ count, min, mean, p99, p999, max }: Summary): string =>
  `${count} samples: min ${show(min)}, mean ${show(mean)}, p99 ${show(p99)}, p99.9 ${show(p999)}, max ${show(max)}`;

/** A histogram as a fragment of a page that has HISTOGRAM_STYLE. */
export function histogramHtml(series: NamedSeries, { limit, other }: HistogramOptions = {}): string {
  const bins = binsFor(other ? [series.distribution, other.distribution] : [series.distribution]);
  const own = countsIn(bins, series.distribution);
  const others = other ? countsIn(bins, other.distribution) : [];
  const most = Math.max(...own, ...others);
  const step = (WIDTH - LEFT) / bins.length;
  const y = (count: number): number => BOTTOM - logarithmic(count, most) * (BOTTOM - TOP);
  const round = (value: number): string => String(Number(value.toFixed(2)));

  function bar(count: number, index: number, name: string): string {
    if (count === 0) return '';
    const { from, to } = bins[index]!;
    const title = `<title>${escapeHtml(`${count} from ${showNanos(from)} to below ${showNanos(to)}`)}</title>`;
    const [x, top] = [LEFT + index * step + 1, y(count)];
    return `<rect class="${name}" x="${round(x)}" y="${round(top)}" width="${round(step - 2)}" height="${round(BOTTOM - top)}">${title}</rect>`;
  }

  const edge = edgeText(bins);
  // So many labels have room.
  const every = Math.ceil(bins.length / 8);
  const labels = bins.map(({ from }, index) =>
    index % every === 0 ? `<text x="${round(LEFT + index * step)}" y="${BOTTOM + 14}">${escapeHtml(edge(from))}</text>` : '',
  );
  const powers = Array.from({ length: Math.floor(Math.log10(most)) + 1 }, (_, index) => 10 ** index);
  const scale = powers.map((count) => `<text x="${LEFT - 6}" y="${round(y(count) + 4)}" text-anchor="end">${count}</text>`);
  const mark = limit === undefined ? '' : limitMark(limit, bins, (place) => LEFT + place * step);
  return [
    '<figure class="histogram">',
    `<figcaption><b>${escapeHtml(`${series.quantity} of ${series.subject}`)}</b>: ${escapeHtml(QUANTITIES[series.quantity])}.`,
    `${escapeHtml(summaryText(series.summary))}${other ? `; dashed: ${escapeHtml(summaryText(other.summary))}` : ''}</figcaption>`,
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">`,
    ...own.map((count, index) => bar(count, index, 'own')),
    ...others.map((count, index) => bar(count, index, 'other')),
    `<line class="axis" x1="${LEFT}" y1="${BOTTOM}" x2="${WIDTH}" y2="${BOTTOM}"/>`,
    ...labels,
    ...scale,
    mark,
    '</svg>',
    '</figure>',
  ]
    .filter((part) => part !== '')
    .join('\n');
}

/** A line at the limit; an arrow at the edge where it lies beyond all of the bins. */
function limitMark(limit: number, bins: readonly Bin[], xAt: (place: number) => number): string {
  const label = escapeHtml(`limit ${showNanos(limit)}`);
  const text = (x: number, anchor: string, words: string): string =>
    `<text x="${x.toFixed(1)}" y="${TOP - 4}" text-anchor="${anchor}">${words}</text>`;
  if (limit < bins[0]!.from) return text(xAt(0), 'start', `\u2190 ${label}`);
  const index = bins.findIndex(({ to }) => limit < to);
  if (index < 0) return text(xAt(bins.length), 'end', `${label} \u2192`);
  const { from, to } = bins[index]!;
  const x = xAt(index + (limit - from) / (to - from));
  const line = `<line class="limit" x1="${x.toFixed(1)}" y1="${TOP}" x2="${x.toFixed(1)}" y2="${BOTTOM}"/>`;
  return line + text(x, index < bins.length / 2 ? 'start' : 'end', label);
}

/** @param title for people: the log's name */
export function reportHtml(title: string, report: Report, figures: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title>
<style>
:root { color-scheme: light dark; }
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em; }
pre { font: 12px/1.4 ui-monospace, monospace; overflow-x: auto; }
${HISTOGRAM_STYLE}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
<pre>${escapeHtml(reportLines(report).join('\n').trim())}</pre>
${figures.join('\n')}
</body>
</html>
`;
}
