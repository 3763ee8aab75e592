/** Stacks of the bundle made stacks of the sources: `kernel.js:812:9` becomes `kernel/main.ts:41:5`. */
import { LEAST_UPPER_BOUND, originalPositionFor, TraceMap, type Needle } from '@jridgewell/trace-mapping';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const POSITION = /\b([a-z][a-z0-9-]*)\.js:(\d+)(?::(\d+))?/g;

export type StackMapper = (line: string) => string;

/**
 * @param folder where the maps are, NAME.js.map for NAME.js. A missing or damaged map leaves positions as they are.
 */
export function createStackMapper(folder: string | undefined): StackMapper {
  const maps = new Map<string, TraceMap | undefined>();
  function mapOf(name: string): TraceMap | undefined {
    if (!maps.has(name)) maps.set(name, folder === undefined ? undefined : readMap(join(folder, `${name}.js.map`)));
    return maps.get(name);
  }
  return (text) =>
    text.replaceAll(POSITION, (whole, name: string, row: string, column: string | undefined) => {
      const map = mapOf(name);
      const line = Number(row);
      // Lines count from 1 in both, but a damaged log may say anything. The engine counts columns from 1, source maps from 0.
      if (!map || line < 1) return whole;
      // Without a column, the line's first statement.
      const needle: Needle =
        column === undefined ? { line, column: 0, bias: LEAST_UPPER_BOUND } : { line, column: Math.max(0, Number(column) - 1) };
      const place = originalPositionFor(map, needle);
      return place.source ? `${place.source}:${place.line}:${place.column + 1}` : whole;
    });
}

function readMap(path: string): TraceMap | undefined {
  try {
    return existsSync(path) ? new TraceMap(readFileSync(path, 'utf8')) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a line of the log has a place in a program. */
export const hasProgramPosition = (line: string): boolean => /\b[a-z][a-z0-9-]*\.js:\d+/.test(line);
