/** Keys, pointer and buttons. */
import type { Viewer } from './viewer.ts';

const ZOOM = 0.7;
const element = (id: string): HTMLElement => document.getElementById(id)!;

export function connectInput(viewer: Viewer): void {
  const canvas = element('canvas');
  const query = element('query') as HTMLInputElement;
  const help = element('help') as HTMLDialogElement;
  const step = (): number => viewer.view().width / 8;

  const KEYS: Readonly<Record<string, () => void>> = {
    '+': () => viewer.zoom(ZOOM),
    '=': () => viewer.zoom(ZOOM),
    '-': () => viewer.zoom(1 / ZOOM),
    '0': viewer.fit,
    ArrowLeft: () => viewer.pan(-step()),
    ArrowRight: () => viewer.pan(step()),
    ArrowUp: () => viewer.chooseLane(-1),
    ArrowDown: () => viewer.chooseLane(1),
    ',': () => viewer.step(-1),
    '.': () => viewer.step(1),
    Enter: viewer.goNear,
    m: () => {
      const { from, to } = viewer.view();
      viewer.mark(viewer.choice()?.item?.start ?? (from + to) / 2);
    },
    '/': () => query.focus(),
    n: () => viewer.goToFound(1),
    N: () => viewer.goToFound(-1),
    v: viewer.toggleValues,
    t: viewer.toggleTheme,
    Escape: viewer.forget,
    '?': () => help.showModal(),
  };

  document.addEventListener('keydown', (event) => {
    if (help.open || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === query) {
      if (event.key === 'Escape') canvas.focus();
      return;
    }
    // A button that has the focus has Enter for itself.
    if (event.key === 'Enter' && event.target instanceof HTMLButtonElement) return;
    const act = KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  query.addEventListener('input', () => viewer.find(query.value));
  element('search').addEventListener('submit', (event) => {
    event.preventDefault();
    viewer.goToFound(1);
  });
  element('zoom-in').addEventListener('click', () => viewer.zoom(ZOOM));
  element('zoom-out').addEventListener('click', () => viewer.zoom(1 / ZOOM));
  element('fit').addEventListener('click', viewer.fit);
  element('theme').addEventListener('click', viewer.toggleTheme);
  element('help-button').addEventListener('click', () => help.showModal());
  connectPointer(viewer, canvas);
}

/** px that a pointer may move within a click. */
const STILL = 3;

function connectPointer(viewer: Viewer, canvas: HTMLElement): void {
  const scroller = element('scroller');
  const hover = element('hover');
  let drag: { readonly x: number; readonly y: number; lastX: number; lastY: number; hasMoved: boolean } | undefined;

  canvas.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault();
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) viewer.pan(event.deltaX || event.deltaY);
      else viewer.zoom(1.0015 ** event.deltaY, event.offsetX);
    },
    { passive: false },
  );
  canvas.addEventListener('pointerdown', (event) => {
    drag = { x: event.clientX, y: event.clientY, lastX: event.clientX, lastY: event.clientY, hasMoved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointermove', (event) => {
    if (!drag) {
      showHover(event);
      return;
    }
    drag.hasMoved ||= Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > STILL;
    if (!drag.hasMoved) return;
    hover.hidden = true;
    viewer.pan(drag.lastX - event.clientX);
    scroller.scrollTop += drag.lastY - event.clientY;
    drag.lastX = event.clientX;
    drag.lastY = event.clientY;
  });
  canvas.addEventListener('pointerup', (event) => {
    const wasClick = drag && !drag.hasMoved;
    drag = undefined;
    if (!wasClick) return;
    const there = viewer.at(event.offsetX, event.offsetY);
    if (event.shiftKey) viewer.mark(nearestEdge(event.offsetX, there?.item));
    else viewer.choose(there);
  });
  canvas.addEventListener('pointerleave', () => (hover.hidden = true));

  /** The beginning or the end of what is there, whichever is nearer. */
  function nearestEdge(x: number, item: { readonly start: number; readonly end: number } | undefined): number {
    const instant = viewer.instantOf(x);
    if (!item) return instant;
    return Math.abs(item.start - instant) <= Math.abs(item.end - instant) ? item.start : item.end;
  }

  function showHover(event: PointerEvent): void {
    const there = viewer.at(event.offsetX, event.offsetY);
    hover.hidden = there?.item === undefined;
    if (!there?.item) return;
    hover.textContent = viewer.describe(there);
    const { width, height } = hover.getBoundingClientRect();
    hover.style.left = `${Math.max(0, Math.min(event.clientX + 14, innerWidth - width - 8))}px`;
    hover.style.top = `${Math.max(0, Math.min(event.clientY + 14, innerHeight - height - 8))}px`;
  }
}
