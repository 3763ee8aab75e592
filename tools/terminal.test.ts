import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createPainter } from './terminal.ts';

const streamWith = (isTTY: boolean | undefined): NodeJS.WriteStream => ({ isTTY }) as unknown as NodeJS.WriteStream;
const TERMINAL = streamWith(true);
// A pipe has no isTTY at all.
const PIPE = streamWith(undefined);
const RED = '\x1b[31mx\x1b[39m';

beforeEach(() => {
  for (const name of ['NO_COLOR', 'FORCE_COLOR']) vi.stubEnv(name, undefined);
  vi.stubEnv('TERM', 'xterm-256color');
});
afterEach(() => {
  vi.unstubAllEnvs();
});

describe('a painter', () => {
  it('paints on a terminal', () => {
    expect(createPainter(TERMINAL)('red', 'x')).toBe(RED);
  });

  it('paints by the stream that it was made for, whatever standard output is', () => {
    const { isTTY } = process.stdout;
    process.stdout.isTTY = false;
    const text = createPainter(TERMINAL)('red', 'x');
    process.stdout.isTTY = isTTY;
    expect(text).toBe(RED);
  });

  it('does not paint on a pipe', () => {
    expect(createPainter(PIPE)('red', 'x')).toBe('x');
  });

  it('does not paint where the terminal can not', () => {
    vi.stubEnv('TERM', 'dumb');
    expect(createPainter(TERMINAL)('red', 'x')).toBe('x');
  });

  it('respects NO_COLOR, if it says something', () => {
    vi.stubEnv('NO_COLOR', '1');
    expect(createPainter(TERMINAL)('red', 'x')).toBe('x');
    vi.stubEnv('NO_COLOR', '');
    expect(createPainter(TERMINAL)('red', 'x')).toBe(RED);
  });

  it.each(['', '1', '2', '3', 'true'])('paints everywhere with FORCE_COLOR=%s, also against NO_COLOR', (value) => {
    vi.stubEnv('FORCE_COLOR', value);
    vi.stubEnv('NO_COLOR', '1');
    expect(createPainter(PIPE)('red', 'x')).toBe(RED);
  });

  it.each(['0', 'false', 'no'])('paints nowhere with FORCE_COLOR=%s', (value) => {
    vi.stubEnv('FORCE_COLOR', value);
    expect(createPainter(TERMINAL)('red', 'x')).toBe('x');
  });

  it('takes several styles', () => {
    expect(createPainter(TERMINAL)(['bold', 'red'], 'x')).toBe('\x1b[1m\x1b[31mx\x1b[39m\x1b[22m');
  });
});
