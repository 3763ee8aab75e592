/** What is wrong with a system file: where, why, and what to do about it. */
export type PathPart = string | number;

export interface Problem {
  /** As a person would write it: `plans.normal.slots[1].start`. Empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
}

/** Takes problems in; a check gets one and knows of nothing else. */
export type Report = (path: readonly PathPart[], message: string) => void;

export function showPath(path: readonly PathPart[]): string {
  return path
    .map((part) => {
      if (typeof part === 'number') return `[${part}]`;
      return /^[A-Za-z_$][\w$]*$/.test(part) ? `.${part}` : /^\d+$/.test(part) ? `[${part}]` : `[${JSON.stringify(part)}]`;
    })
    .join('')
    .replace(/^\./, '');
}

export const problemLine = ({ path, message }: Problem): string => (path === '' ? message : `${path}: ${message}`);

/** "; did you mean x?", or what there is to choose from. */
export function suggestion(given: string, known: readonly string[]): string {
  const near = known.filter((word) => distance(given.toLowerCase(), word.toLowerCase()) <= Math.max(1, Math.floor(given.length / 3)));
  if (near.length > 0) return `; did you mean ${near.join(' or ')}?`;
  return known.length > 0 ? `; there are ${known.join(', ')}` : '';
}

/** Letters to insert, delete or replace (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}
