/** Stacks of the bundle made stacks of the sources: `kernel.js:812:9` becomes `kernel/main.ts:41:5`. */
import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping';
import { existsSync, readFileSync } from 'node:fs';

const POSITION = /\bkernel\.js:(\d+)(?::(\d+))?/g;

export type StackMapper = (line: string) => string;

/** A missing or damaged map leaves lines as they are. */
export function createStackMapper(sourceMap: string | undefined): StackMapper {
  if (!sourceMap || !existsSync(sourceMap)) return (line) => line;
  let map: TraceMap | undefined;
  try {
    map = new TraceMap(readFileSync(sourceMap, 'utf8'));
  } catch {
    return (line) => line;
  }
  const known = map;
  return (line) =>
    line.replaceAll(POSITION, (whole, row: string, column: string | undefined) => {
      // The engine counts columns from 1, source maps from 0.
      const place = originalPositionFor(known, { line: Number(row), column: Math.max(0, Number(column ?? 1) - 1) });
      return place.source === null ? whole : `${place.source}:${place.line}:${place.column + 1}`;
    });
}

/** Whether a line of the log has a place in the bundle. */
export const hasBundlePosition = (line: string): boolean => /\bkernel\.js:\d+/.test(line);
