/** A timeline as a picture for documents: SVG that says its colours for light and for dark, and draws in one of both where that is asked for. */
import { drawAxis, drawRow, layoutOf } from './draw.ts';
import { MARK_LOOKS } from './marks.ts';
import { MARK_KINDS, type Lane, type Timeline } from './model.ts';
import { axisOf, exactSeconds, type View } from './scale.ts';
import { DARK, inkOfLook, LIGHT, LOOKS, PATTERNS, SHAPES, TILE, type Fill, type Ink, type Surface } from './surface.ts';

const LABEL_WIDTH = 150;
const MARGIN = 10;
const TITLE_HEIGHT = 26;
const LEGEND_HEIGHT = 22;
const LEGEND_STEP = 130;

export interface PictureOptions {
  /** ns since boot. */
  readonly from: number;
  readonly to: number;
  /** px, of all of it. */
  readonly width: number;
  /** `auto`: what the document's reader prefers. */
  readonly theme: 'auto' | 'light' | 'dark';
  readonly isShown?: (lane: Lane) => boolean;
}

export function pictureOf(timeline: Timeline, { from, to, width, theme, isShown }: PictureOptions): string {
  const layout = layoutOf(timeline, isShown);
  const view: View = { from, to, width: width - LABEL_WIDTH - MARGIN };
  const body = createSvgSurface();
  layout.rows.forEach(({ y, height }, index) => {
    if (index % 2 === 0) body.fill(0, y, view.width, height, { ink: 'band' });
  });
  drawAxis(body, view, timeline.epoch, layout.height);
  for (const row of layout.rows) drawRow(body, row, view);

  const labels = createSvgSurface();
  labels.text(timeline.title, MARGIN, 17, 'ink', { isBold: true, size: 14 });
  const { base } = axisOf(view, timeline.epoch);
  const zero = timeline.epoch === 0 ? 'boot' : 'the epoch';
  const start = `${exactSeconds(from - timeline.epoch)} s after ${zero}${base === '' ? '' : `; labels from ${base} on`}`;
  labels.text(start, width - MARGIN, 17, 'faint', { anchor: 'end', size: 11 });
  for (const { text, y } of layout.headings) labels.text(text, MARGIN, TITLE_HEIGHT + y + 15, 'faint', { size: 11 });
  for (const { lane, bodyY, bodyHeight, y } of layout.rows) {
    const middle = TITLE_HEIGHT + (bodyHeight > 0 ? bodyY + bodyHeight / 2 : y + 11) + 4;
    labels.text(lane.label, MARGIN + 8, middle, 'ink');
  }
  const legend = drawLegend(
    labels,
    layout.rows.map(({ lane }) => lane),
    TITLE_HEIGHT + layout.height,
    width,
  );
  const height = TITLE_HEIGHT + layout.height + legend;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="t d">`,
    `<title id="t">${escaped(`Timeline of ${timeline.title}`)}</title>`,
    `<desc id="d">${escaped(description(timeline, from, to))}</desc>`,
    styleOf(theme),
    patterns(),
    `<rect width="${width}" height="${height}" fill="var(--paper)"/>`,
    `<clipPath id="c"><rect width="${view.width}" height="${layout.height}"/></clipPath>`,
    labels.content(),
    `<g transform="translate(${LABEL_WIDTH} ${TITLE_HEIGHT})"><g clip-path="url(#c)">`,
    body.content(),
    '</g></g>',
    '</svg>',
    '',
  ].join('\n');
}

function description(timeline: Timeline, from: number, to: number): string {
  const names = timeline.lanes.filter(({ group }) => group === 'Partitions').map(({ label }) => label);
  const of = names.length > 0 ? ` Partitions: ${names.join(', ')}.` : '';
  return `${exactSeconds(from - timeline.epoch)} s to ${exactSeconds(to - timeline.epoch)} s.${of} Outlined: planned. Filled: run; half as high where it was woken later.`;
}

/** @returns its height */
function drawLegend(surface: Surface, lanes: readonly Lane[], y: number, width: number): number {
  const kinds = MARK_KINDS.filter((kind) => lanes.some(({ marks }) => marks.some((layer) => layer.kind === kind)));
  const hasPlan = lanes.some(({ planned }) => planned.length > 0);
  const perLine = Math.max(1, Math.floor((width - 2 * MARGIN) / LEGEND_STEP));
  const entries = [...(hasPlan ? (['plan', 'run'] as const) : []), ...kinds];
  entries.forEach((entry, index) => {
    const x = MARGIN + 8 + (index % perLine) * LEGEND_STEP;
    const middle = y + 8 + Math.floor(index / perLine) * LEGEND_HEIGHT;
    if (entry === 'plan' && index === 0) surface.outline(x - 6, middle - 5, 12, 10, 'plan');
    else if (entry === 'run') surface.fill(x - 6, middle - 5, 12, 10, { ink: 'p1', opacity: 0.55, pattern: 1 });
    else surface.shape(MARK_LOOKS[entry].shape, x, middle, 5, MARK_LOOKS[entry].ink);
    const name = index === 0 && hasPlan ? 'planned' : entry === 'run' ? 'run' : MARK_LOOKS[entry].name;
    surface.text(name, x + 12, middle + 4, 'faint', { size: 11 });
  });
  return Math.ceil(entries.length / perLine) * LEGEND_HEIGHT + MARGIN;
}

const declarations = (palette: Readonly<Record<Ink, string>>): string =>
  Object.entries(palette)
    .map(([name, value]) => `--${name}:${value}`)
    .join(';');

function styleOf(theme: PictureOptions['theme']): string {
  const text = 'text{font-family:system-ui,"DejaVu Sans",sans-serif}';
  const base = `svg{${declarations(theme === 'dark' ? DARK : LIGHT)}}`;
  const dark = theme === 'auto' ? `@media(prefers-color-scheme:dark){svg{${declarations(DARK)}}}` : '';
  return `<style>${base}${dark}${text}</style>`;
}

function patterns(): string {
  return PATTERNS.slice(0, LOOKS)
    .map((lines, look) => {
      const drawn = lines.map(([x1, y1, x2, y2]) => `M${x1} ${y1}L${x2} ${y2}`).join('');
      const ink = `var(--${inkOfLook(look)})`;
      return `<pattern id="p${look}" width="${TILE}" height="${TILE}" patternUnits="userSpaceOnUse"><path d="${drawn}" stroke="${ink}" stroke-width="1.5" fill="none"/></pattern>`;
    })
    .join('');
}

/** Two digits behind the point are less than a screen shows. */
const number = (value: number): string => String(Number(value.toFixed(2)));
const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

export function createSvgSurface(): Surface & { content(): string } {
  const parts: string[] = [];
  /** Columns of one pixel come by the thousand: those of one colour in a row are one path. */
  let columns = { attributes: '', path: '' };
  function add(part: string): void {
    flush();
    parts.push(part);
  }
  function flush(): void {
    if (columns.path !== '') parts.push(`<path ${columns.attributes} d="${columns.path}"/>`);
    columns = { attributes: '', path: '' };
  }
  const box = (x: number, y: number, width: number, height: number): string =>
    `x="${number(x)}" y="${number(y)}" width="${number(width)}" height="${number(height)}"`;
  return {
    fill: (x, y, width, height, { ink, opacity = 1, pattern = 0 }: Fill) => {
      const see = opacity === 1 ? '' : ` fill-opacity="${number(opacity)}"`;
      if (width === 1 && pattern === 0) {
        const attributes = `fill="var(--${ink})"${see}`;
        if (attributes !== columns.attributes) flush();
        columns = { attributes, path: `${columns.path}M${number(x)} ${number(y)}h1v${number(height)}h-1z` };
        return;
      }
      add(`<rect ${box(x, y, width, height)} fill="var(--${ink})"${see}/>`);
      if (pattern > 0) add(`<rect ${box(x, y, width, height)} fill="url(#p${pattern})"/>`);
    },
    outline: (x, y, width, height, ink) => {
      add(`<rect ${box(x + 0.5, y + 0.5, Math.max(width - 1, 0), height - 1)} fill="none" stroke="var(--${ink})"/>`);
    },
    line: (points, ink) => {
      const pairs = points.map((value, index) => `${index % 2 === 0 ? (index === 0 ? 'M' : 'L') : ' '}${number(value)}`);
      add(`<path d="${pairs.join('')}" stroke="var(--${ink})" fill="none"/>`);
    },
    shape: (shape, x, y, size, ink) => {
      const corners = SHAPES[shape].map((value, index) => number(value * size + (index % 2 === 0 ? x : y)));
      add(`<polygon points="${corners.join(' ')}" fill="var(--${ink})"/>`);
    },
    text: (text, x, y, ink, { anchor = 'start', isBold = false, size = 12 } = {}) => {
      const weight = isBold ? ' font-weight="600"' : '';
      const placed = anchor === 'start' ? '' : ` text-anchor="${anchor}"`;
      add(`<text x="${number(x)}" y="${number(y)}" font-size="${size}" fill="var(--${ink})"${placed}${weight}>${escaped(text)}</text>`);
    },
    content: () => {
      flush();
      return parts.join('\n');
    },
  };
}
