/** The experiment's result as one HTML page that needs no network: claims, tables, plots of each run. Light or dark as its reader prefers. */
import { escapeHtml } from '../report/html.ts';
import { claimText, type Claim } from './claims.ts';
import { modeNumber, PLAN_NAMES } from './matrix.ts';
import { PLOT_STYLE, plotsOf } from './plots.ts';
import { describePlan, EXPLANATION, tableRows } from './table.ts';
import type { Trial } from './trial.ts';

const cells = (tag: 'th' | 'td', row: readonly string[]): string =>
  `<tr>${row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;

function tableHtml(trials: readonly Trial[]): string {
  const [headings, ...rows] = tableRows(trials);
  return `<table>\n<thead>${cells('th', headings!)}</thead>\n<tbody>\n${rows.map((row) => cells('td', row)).join('\n')}\n</tbody>\n</table>`;
}

/** A run's plots; open are those that the claims are about. */
function trialHtml(trial: Trial): string {
  const { tried, differences } = trial;
  const isOpen = tried.plan === 'regular' && tried.tsc === 'native' && (tried.mode === undefined || modeNumber(tried) === '0');
  const rules = tried.era === '2007' ? 'rules of 2007' : `mode ${modeNumber(tried)} (${tried.mode}), ${tried.tsc} TSC`;
  return [
    `<details${isOpen ? ' open' : ''}><summary>${escapeHtml(`${rules}, ${tried.variant}`)}</summary>`,
    ...differences.map((text) => `<p class="wrong">not as predicted: ${escapeHtml(text)}</p>`),
    ...plotsOf(trial),
    '</details>',
  ].join('\n');
}

export function experimentHtml(trials: readonly Trial[], claims: readonly Claim[]): string {
  const plans = PLAN_NAMES.flatMap((plan) => {
    const own = trials.filter(({ tried }) => tried.plan === plan);
    return own.length === 0 ? [] : [`<h2>${escapeHtml(describePlan(plan))}</h2>`, tableHtml(own), ...own.map(trialHtml)];
  });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>tsc-sync: a patch of 2007</title>
<style>
${PLOT_STYLE}
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 94em; padding: 0 1em; background: var(--paper); color: var(--ink); }
h2 { font-size: 1.1em; margin-top: 2em; }
table { border-collapse: collapse; font: 13px/1.5 ui-monospace, monospace; margin-bottom: 1em; }
th, td { padding: 0 0.8em; text-align: right; border-bottom: 1px solid var(--rule); }
summary { cursor: pointer; margin: 0.5em 0; }
p.wrong { color: var(--alarm); }
</style>
</head>
<body>
<h1>tsc-sync: a patch of 2007</h1>
${claims.map((claim) => `<p>${escapeHtml(claimText(claim))}</p>`).join('\n')}
<p>${escapeHtml(EXPLANATION)}</p>
<p>Guest clocks: the HPET in full, ticks x 10 ms dashed, what is right dotted. Gaps: the green line is the tick's period; bins that it is not in are red.</p>
${plans.join('\n')}
</body>
</html>
`;
}
