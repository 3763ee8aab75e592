/** The page's composition: reads what is embedded, makes the viewer, connects keys, pointer and buttons with it. */
import { unpacked } from '../pack.ts';
import { connectInput } from './input.ts';
import { createViewer, type Viewer } from './viewer.ts';

declare global {
  interface Window {
    /** For tests, and for who opens the browser's console. */
    timeline?: Viewer;
  }
}

async function embedded(): Promise<string> {
  const text = document.getElementById('data')!.textContent;
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))).text();
}

async function main(): Promise<void> {
  const timeline = unpacked(await embedded());
  const viewer = createViewer(timeline, document.body.dataset['log'] ?? '');
  connectInput(viewer);
  const at = Number(document.body.dataset['at'] ?? NaN);
  if (!Number.isNaN(at)) viewer.show(at);
  window.timeline = viewer;
}

void main();
