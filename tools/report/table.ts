/** Tables as lines of text, at most 100 columns wide: figures lose digits, and names letters, where they would not fit otherwise. */
export const COLUMNS = 100;

/** Rows of equal length as lines: the first column to the left, the others to the right. */
export function alignColumns(rows: readonly (readonly string[])[], gap = '  '): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join(gap)
      .trimEnd(),
  );
}

/** Significant digits and the longest name: what is tried until a table is narrow enough. */
const LAYOUTS = [
  { digits: 10, name: 32 },
  { digits: 7, name: 20 },
  { digits: 5, name: 16 },
  { digits: 4, name: 10 },
] as const;
export interface Layout {
  readonly digits: number;
  readonly name: number;
}

/** The first layout whose table is narrow enough. */
export function fitted(rowsIn: (layout: Layout) => readonly (readonly string[])[], layouts: readonly Layout[] = LAYOUTS): string[] {
  const tables = layouts.map((layout) => alignColumns(rowsIn(layout)));
  return tables.find((lines) => lines.every((line) => line.length <= COLUMNS)) ?? tables.at(-1)!.map((line) => cut(line, COLUMNS));
}

/** Shortens the end of what is too long for its column. */
export const cut = (text: string, length: number): string => (text.length <= length ? text : `${text.slice(0, length - 1)}…`);

/** Words in lines, with commas between them. */
export function wrapped(words: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 2 + word.length < width) lines[lines.length - 1] = `${last}, ${word}`;
    else lines.push(word);
  }
  return lines.map((line, index) => cut(index < lines.length - 1 ? `${line},` : line, width));
}

/** Each table that is not empty, under its heading. */
export function sections(parts: readonly (readonly [heading: string, lines: readonly string[]])[]): string[] {
  return parts.flatMap(([heading, lines]) => (lines.length > 0 ? ['', heading, ...lines] : []));
}
