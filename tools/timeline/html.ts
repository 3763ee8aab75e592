/** The page: one file that needs nothing else. What it shows is embedded, compressed; what draws it is bundled from tools/timeline/page. */
import { build } from 'esbuild';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { projectRoot } from '../paths.ts';
import type { Timeline } from './model.ts';
import { packed } from './pack.ts';
import { DARK, LIGHT, type Ink } from './surface.ts';

export interface PageOptions {
  /** The log, as a person would write it. */
  readonly log: string;
  /** ns since boot that the page begins with in its middle. */
  readonly at?: number;
}

export async function pageOf(timeline: Timeline, { log, at }: PageOptions): Promise<string> {
  const folder = join(projectRoot(), 'tools', 'timeline', 'page');
  const built = await build({
    entryPoints: [join(folder, 'main.ts')],
    bundle: true,
    write: false,
    minify: true,
    format: 'iife',
    target: 'es2022',
    charset: 'utf8',
    logLevel: 'silent',
  });
  const script = built.outputFiles[0]!.text.replaceAll('</script', '<\\/script');
  const style = readFileSync(join(folder, 'style.css'), 'utf8');
  const body = readFileSync(join(folder, 'page.html'), 'utf8');
  const data = gzipSync(packed(timeline), { level: 6 }).toString('base64');
  // Whatever a log has in it, the page reaches nothing outside of itself.
  const policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'";
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${escaped(timeline.title)}: timeline</title>
<style>
${paletteRules()}
${style}</style>
<body data-log="${escaped(log)}"${at === undefined ? '' : ` data-at="${at}"`}>
${body}<script type="application/gzip;base64" id="data">${data}</script>
<script>${script}</script>
</body>
</html>
`;
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

/** The reader's preference, unless the page was told otherwise. */
function paletteRules(): string {
  const declarations = (palette: Readonly<Record<Ink, string>>): string =>
    Object.entries(palette)
      .map(([name, value]) => `--${name}: ${value};`)
      .join(' ');
  return `:root { color-scheme: light; ${declarations(LIGHT)} }
:root[data-theme="dark"] { color-scheme: dark; ${declarations(DARK)} }`;
}
