/** What the page shows at the moment, and how that changes: view, choice, measurement, search. Draws at most once per frame of the screen. */
import { showNanos } from '../../report/statistics.ts';
import { AXIS_HEIGHT, drawAxis, drawRow, layoutOf, type Layout, type Row } from '../draw.ts';
import { MARK_LOOKS } from '../marks.ts';
import { MARK_KINDS, type Lane, type Timeline } from '../model.ts';
import { itemAt, linesWith, neighbour, placesOf, type Item } from '../pick.ts';
import { exactSeconds, instantAt, nanosPerPixel, panned, within, xOf, zoomed, type View } from '../scale.ts';
import { DARK, LIGHT, SHAPES, type Surface } from '../surface.ts';
import { createCanvasSurface } from './canvas-surface.ts';

export interface Choice {
  readonly lane: Lane;
  readonly item: Item | undefined;
}

export interface Viewer {
  readonly timeline: Timeline;
  view(): View;
  layout(): Layout;
  choice(): Choice | undefined;
  measured(): readonly number[];
  found(): readonly number[];
  /** ms that the last drawing took. */
  drawMs(): number;
  zoom(factor: number, x?: number): void;
  pan(pixels: number): void;
  fit(): void;
  /** Brings an instant to the middle, near enough to tell a slot from its neighbour. */
  show(instant: number): void;
  choose(choice: Choice | undefined): void;
  chooseLane(direction: 1 | -1): void;
  step(direction: 1 | -1): void;
  goNear(): void;
  /** What is at a place of the canvas. */
  at(x: number, y: number): Choice | undefined;
  instantOf(x: number): number;
  /** A mark at an instant; the third one begins anew. */
  mark(instant: number): void;
  find(text: string): void;
  goToFound(direction: 1 | -1): void;
  forget(): void;
  toggleTheme(): void;
  toggleValues(): void;
  describe(choice: Choice): string;
}

/** px within which a pointer means a thing. */
const REACH = 6;
/** ns to each side that `show` shows. */
const NEARBY = 10_000_000;
const GROUP_OF_VALUES = 'Values';

const element = (id: string): HTMLElement => document.getElementById(id)!;

export function createViewer(timeline: Timeline, log: string): Viewer {
  const canvas = element('canvas') as HTMLCanvasElement;
  const labels = element('labels');
  const scroller = element('scroller');
  const context = canvas.getContext('2d')!;
  const bounds = { from: timeline.from, to: timeline.to };
  const places = placesOf(timeline);
  let view: View = { ...bounds, width: 1 };
  // Values of programs mean something to who wrote them: shown at once only where nothing else is.
  let hasValues = timeline.lanes.every(({ group }) => group === GROUP_OF_VALUES);
  let layout = layoutOf(timeline);
  let choice: Choice | undefined;
  let measured: number[] = [];
  let found: readonly number[] = [];
  let foundAt = -1;
  let surface: Surface;
  let drawMs = 0;
  let isWaiting = false;

  const shown = (instant: number): string => `${exactSeconds(instant - timeline.epoch)} s`;

  function invalidate(): void {
    if (isWaiting) return;
    isWaiting = true;
    requestAnimationFrame(() => {
      isWaiting = false;
      draw();
    });
  }

  function useTheme(theme: string): void {
    document.documentElement.dataset['theme'] = theme;
    surface = createCanvasSurface(context, theme === 'dark' ? DARK : LIGHT);
    drawLegend(timeline, theme === 'dark' ? DARK : LIGHT);
    invalidate();
  }

  function arrange(): void {
    layout = layoutOf(timeline, ({ group }) => hasValues || group !== GROUP_OF_VALUES);
    element('content').style.height = `${layout.height}px`;
    labels.replaceChildren(
      ...layout.headings.map(({ text, y }) => label('group', text, y, 20)),
      ...layout.rows.map(({ lane, y, height }) => label('lane', lane.label, y, height)),
    );
    showChosenLane();
    resize();
  }

  function label(className: string, text: string, y: number, height: number): HTMLElement {
    const own = document.createElement('div');
    own.className = className;
    if (className === 'lane') own.setAttribute('role', 'listitem');
    own.textContent = text;
    own.title = text;
    own.style.top = `${y}px`;
    own.style.height = `${height}px`;
    return own;
  }

  function showChosenLane(): void {
    const lanes = labels.querySelectorAll('.lane');
    layout.rows.forEach(({ lane }, index) => lanes[index]!.classList.toggle('chosen', lane === choice?.lane));
  }

  function resize(): void {
    const ratio = window.devicePixelRatio;
    const width = canvas.clientWidth;
    canvas.style.height = `${layout.height}px`;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(layout.height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    view = within({ ...view, width }, bounds);
    invalidate();
  }

  function draw(): void {
    const began = performance.now();
    const top = scroller.scrollTop;
    const bottom = top + scroller.clientHeight;
    surface.fill(0, 0, view.width, layout.height, { ink: 'paper' });
    const visible = layout.rows.filter(({ y, height }) => y < bottom && y + height > top);
    for (const row of visible) if (layout.rows.indexOf(row) % 2 === 0) surface.fill(0, row.y, view.width, row.height, { ink: 'band' });
    drawAxis(surface, view, timeline.epoch, layout.height, top);
    for (const row of visible) drawRow(surface, row, view);
    drawFound(top);
    drawChoice();
    drawMeasured(top);
    element('range').textContent =
      `${shown(view.from)} to ${shown(view.to)} after ${timeline.epoch === 0 ? 'boot' : 'the epoch'}: ${showNanos(view.to - view.from, 6)}`;
    drawMs = performance.now() - began;
  }

  function drawFound(top: number): void {
    let column = -1;
    for (const line of found) {
      const start = places[line]?.item.start;
      if (start === undefined || start < view.from || start > view.to) continue;
      const x = Math.floor(xOf(view, start));
      if (x === column) continue;
      column = x;
      surface.shape('down', x, top + AXIS_HEIGHT - 3, 4, line === found[foundAt] ? 'alarm' : 'focus');
    }
  }

  function drawChoice(): void {
    const row = layout.rows.find(({ lane }) => lane === choice?.lane);
    if (!row || !choice?.item) return;
    const left = xOf(view, choice.item.start);
    const right = xOf(view, choice.item.end);
    if (right < -10 || left > view.width + 10) return;
    const x = Math.max(left - 3, -10);
    surface.outline(x, row.y + 1, Math.min(right + 3, view.width + 10) - x, row.height - 2, 'focus');
  }

  function drawMeasured(top: number): void {
    measured.forEach((instant, index) => {
      const x = Math.round(xOf(view, instant)) + 0.5;
      if (x < 0 || x > view.width) return;
      surface.line([x, top, x, layout.height], 'focus');
      surface.text(index === 0 ? 'A' : 'B', x + 3, top + 11, 'focus', { isBold: true });
    });
  }

  function changeView(next: View): void {
    view = next;
    invalidate();
  }

  function choose(next: Choice | undefined): void {
    choice = next;
    element('details').textContent = next ? describe(next) : '';
    showChosenLane();
    if (next) bringIntoSight(layout.rows.find(({ lane }) => lane === next.lane));
    const item = next?.item;
    if (item && (item.start > view.to || item.end < view.from)) centre((item.start + item.end) / 2, view.to - view.from);
    invalidate();
  }

  function bringIntoSight(row: Row | undefined): void {
    if (!row) return;
    const top = scroller.scrollTop;
    if (row.y - AXIS_HEIGHT < top) scroller.scrollTop = row.y - AXIS_HEIGHT;
    else if (row.y + row.height > top + scroller.clientHeight) scroller.scrollTop = row.y + row.height - scroller.clientHeight;
  }

  function centre(instant: number, span: number): void {
    changeView(within({ from: instant - span / 2, to: instant + span / 2, width: view.width }, bounds));
  }

  function describe({ lane, item }: Choice): string {
    if (!item) return `${lane.group}: ${lane.label}`;
    const length = item.end > item.start ? `, ${showNanos(item.end - item.start)}` : '';
    const value = item.value === undefined ? '' : ` ${item.value}${lane.curve?.unit ? ` ${lane.curve.unit}` : ''}`;
    const head = `${lane.label}: ${item.what}${value}, ${shown(item.start)}${length}`;
    if (item.line === undefined) return head;
    return `${head}\n${log}:${timeline.lineNumbers[item.line]!}: ${timeline.lines[item.line]!.trim()}`;
  }

  function showMeasured(): void {
    const [a, b] = measured;
    element('measured').textContent =
      a === undefined
        ? ''
        : b === undefined
          ? `A ${shown(a)}; a second mark measures from here`
          : `A ${shown(a)}, B ${shown(b)}: ${showNanos(Math.round(b - a))} (${Math.round(b - a)} ns)`;
    invalidate();
  }

  function showFound(): void {
    element('found').textContent =
      found.length === 0 ? (foundAt === -1 ? '' : 'nothing') : `${Math.max(foundAt, 0) + 1} of ${found.length}`;
  }

  const viewer: Viewer = {
    timeline,
    view: () => view,
    layout: () => layout,
    choice: () => choice,
    measured: () => measured,
    found: () => found,
    drawMs: () => drawMs,
    zoom: (factor, x = view.width / 2) => changeView(zoomed(view, factor, x, bounds)),
    pan: (pixels) => changeView(panned(view, pixels, bounds)),
    fit: () => changeView(within({ ...view, ...bounds }, bounds)),
    show: (instant) => centre(instant, 2 * NEARBY),
    choose,
    chooseLane: (direction) => {
      const { rows } = layout;
      const now = rows.findIndex(({ lane }) => lane === choice?.lane);
      const next = rows[now < 0 ? 0 : Math.min(Math.max(now + direction, 0), rows.length - 1)];
      if (next) choose({ lane: next.lane, item: undefined });
    },
    step: (direction) => {
      const lane = choice?.lane ?? layout.rows[0]?.lane;
      if (!lane) return;
      const from = choice?.item ? choice.item.start : direction > 0 ? view.from - 1 : view.to + 1;
      const item = neighbour(lane, from, direction);
      if (item) choose({ lane, item });
    },
    goNear: () => {
      if (!choice?.item) return;
      const { start, end } = choice.item;
      centre((start + end) / 2, end > start ? (end - start) * 3 : (view.to - view.from) / 10);
    },
    at: (x, y) => {
      const row = layout.rows.find((each) => y >= each.y && y < each.y + each.height);
      if (!row) return undefined;
      const part = y < row.bodyY && row.lane.marks.length > 0 ? 'marks' : 'body';
      return { lane: row.lane, item: itemAt(row.lane, instantAt(view, x), REACH * nanosPerPixel(view), part) };
    },
    instantOf: (x) => instantAt(view, x),
    mark: (instant) => {
      measured = measured.length === 1 ? [...measured, Math.round(instant)] : [Math.round(instant)];
      showMeasured();
    },
    find: (text) => {
      found = linesWith(timeline.lines, text);
      foundAt = text.trim() === '' ? -1 : 0;
      // From what is in sight on.
      const next = found.findIndex((line) => (places[line]?.item.start ?? -Infinity) >= view.from);
      if (next >= 0) foundAt = next;
      showFound();
      const place = places[found[foundAt] ?? -1];
      if (place) choose(place);
      invalidate();
    },
    goToFound: (direction) => {
      if (found.length === 0) return;
      foundAt = (foundAt + direction + found.length) % found.length;
      showFound();
      const place = places[found[foundAt]!];
      if (place) choose(place);
    },
    forget: () => {
      choose(undefined);
      measured = [];
      found = [];
      foundAt = -1;
      (element('query') as HTMLInputElement).value = '';
      showMeasured();
      showFound();
    },
    toggleTheme: () => useTheme(document.documentElement.dataset['theme'] === 'dark' ? 'light' : 'dark'),
    toggleValues: () => {
      hasValues = !hasValues;
      arrange();
    },
    describe,
  };

  const prefersDark = matchMedia('(prefers-color-scheme: dark)');
  useTheme(prefersDark.matches ? 'dark' : 'light');
  prefersDark.addEventListener('change', ({ matches }) => useTheme(matches ? 'dark' : 'light'));
  element('title').textContent = timeline.title;
  arrange();
  new ResizeObserver(resize).observe(canvas);
  scroller.addEventListener('scroll', invalidate);
  return viewer;
}

/** The marks that this log has, with their shapes. */
function drawLegend({ lanes }: Timeline, palette: typeof DARK): void {
  const kinds = MARK_KINDS.filter((kind) => lanes.some(({ marks }) => marks.some((layer) => layer.kind === kind)));
  element('legend').replaceChildren(
    ...kinds.map((kind) => {
      const { shape, ink, name } = MARK_LOOKS[kind];
      const picture = document.createElement('canvas');
      picture.width = picture.height = 12;
      const context = picture.getContext('2d')!;
      context.fillStyle = palette[ink];
      context.beginPath();
      const corners = SHAPES[shape];
      for (let index = 0; index < corners.length; index += 2) context.lineTo(6 + corners[index]! * 5, 6 + corners[index + 1]! * 5);
      context.fill();
      const entry = document.createElement('span');
      entry.append(picture, name);
      return entry;
    }),
  );
}
