import { describe, expect, it } from 'vitest';
import { createLineEditor, MAX_LINE_LENGTH, MAX_TYPE_AHEAD, type LineEditorOptions } from './line-editor.ts';

const ESC = '\x1b';
const UP = `${ESC}[A`;
const DOWN = `${ESC}[B`;
const RIGHT = `${ESC}[C`;
const LEFT = `${ESC}[D`;
const HOME = `${ESC}[H`;
const END = `${ESC}[F`;
const DELETE = `${ESC}[3~`;
const CTRL = (letter: string): string => String.fromCharCode(letter.charCodeAt(0) & 0x1f);

/** The tests' wide and combining characters; the model is not to share the editor's tables. */
const WIDE = new Set(['漢', '字', '🙂']);
const COMBINING = new Set(['\u0301']);

/** A terminal that knows what the editor may use, and stops the test at anything else. Rows are never lost. */
function createTerminal(columns: number) {
  let rows: string[][] = [[]];
  let row = 0;
  let column = 0;
  let wrapsNext = false;
  let bells = 0;

  function put(char: string): void {
    const line = rows[row]!;
    if (COMBINING.has(char)) {
      const at = line[column - 1] === '' ? column - 2 : column - 1;
      line[at] += char;
      return;
    }
    const width = WIDE.has(char) ? 2 : 1;
    if (wrapsNext || column + width > columns) {
      newLine();
      column = 0;
    }
    const target = rows[row]!;
    while (target.length < column) target.push(' ');
    // Half of a wide character that is written over becomes blank.
    if (target[column] === '') target[column - 1] = ' ';
    if (target[column + width] === '') target[column + width] = ' ';
    target[column] = char;
    if (width === 2) target[column + 1] = '';
    wrapsNext = column + width === columns;
    column = Math.min(column + width, columns - 1);
  }
  function newLine(): void {
    row++;
    wrapsNext = false;
    rows[row] ??= [];
  }
  function toColumn(to: number): void {
    column = Math.min(Math.max(to, 0), columns - 1);
    wrapsNext = false;
  }
  function control(final: string, parameter = ''): void {
    if (final === 'C') toColumn(column + Number(parameter || 1));
    else if (final === 'D') toColumn(column - Number(parameter || 1));
    else if (final === 'K' && parameter === '') rows[row]!.length = Math.min(rows[row]!.length, column);
    else if (final === 'J' && parameter === '2') rows = [[]];
    else if (final === 'H' && parameter === '') row = column = 0;
    else if (final !== 'm') throw new Error(`the editor wrote CSI ${parameter} ${final}`);
  }

  return {
    write(text: string): void {
      for (const [char, parameter, final] of text.matchAll(/\x1b\[([\d;]*)([A-Za-z])|[^]/gu)) {
        if (final !== undefined) control(final, parameter);
        else if (char === '\r') toColumn(0);
        else if (char === '\n') newLine();
        else if (char === '\b') toColumn(column - 1);
        else if (char === '\x07') bells++;
        else if (char < ' ') throw new Error(`the editor wrote control character ${char.charCodeAt(0)}`);
        else put(char);
      }
    },
    /** The cursor's row, with trailing blanks. */
    line: () => rows[row]!.join(''),
    lineAbove: (distance = 1) => (rows[row - distance] ?? []).join(''),
    /** The row's text on either side of the cursor. */
    split: () => [rows[row]!.slice(0, column).join(''), rows[row]!.slice(column).join('')] as const,
    column: () => column,
    row: () => row,
    bells: () => bells,
    screen: () => rows.map((line) => line.join('')),
  };
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function setUp(options: Partial<LineEditorOptions> & { promptsAgain?: boolean } = {}) {
  const { promptsAgain = true, columns = 80 } = options;
  const terminal = createTerminal(columns);
  const lines: string[] = [];
  const writes: string[] = [];
  let ends = 0;
  const editor = createLineEditor({
    prompt: '> ',
    onLine(line) {
      lines.push(line);
      if (promptsAgain) editor.prompt();
    },
    onEnd() {
      ends++;
    },
    ...options,
    columns,
    write(text) {
      writes.push(text);
      terminal.write(text);
    },
  });
  return {
    editor,
    terminal,
    lines,
    writes,
    ends: () => ends,
    type(...texts: string[]): void {
      for (const text of texts) for (const byte of bytesOf(text)) editor.input(byte);
    },
    send(...bytes: number[]): void {
      for (const byte of bytes) editor.input(byte);
    },
  };
}

function start(options: Parameters<typeof setUp>[0] = {}) {
  const session = setUp(options);
  session.editor.prompt();
  return session;
}

describe('typing', () => {
  it('shows the prompt, and behind it what is typed', () => {
    const { terminal, type } = start();
    type('1 + 1');
    expect(terminal.line()).toBe('> 1 + 1');
    expect(terminal.column()).toBe(7);
  });

  it('appends with one write of the character alone', () => {
    const { writes, type } = start();
    writes.length = 0;
    type('aé');
    expect(writes).toEqual(['a', 'é']);
  });

  it('inserts at the cursor', () => {
    const { terminal, lines, type } = start();
    type('ac', LEFT, 'b');
    expect(terminal.split()).toEqual(['> ab', 'c']);
    type('\r');
    expect(lines).toEqual(['abc']);
  });

  it('moves over a character of several bytes, of two columns, or with a combining mark in one step', () => {
    const { terminal, lines, type } = start();
    type('é漢🙂e\u0301', LEFT, LEFT, LEFT, LEFT, '|');
    expect(terminal.split()).toEqual(['> |', 'é漢🙂e\u0301']);
    type(RIGHT, RIGHT, '\x7f', '\r');
    expect(lines).toEqual(['|é🙂e\u0301']);
  });

  it('puts a combining mark onto the character before the cursor', () => {
    const { terminal, type } = start();
    type('ex', LEFT, '\u0301');
    expect(terminal.split()).toEqual(['> e\u0301', 'x']);
  });

  it('refuses a combining mark with nothing before it', () => {
    const { terminal, lines, type } = start();
    type('\u0301a\r');
    expect(terminal.bells()).toBe(1);
    expect(lines).toEqual(['a']);
  });

  it.each([
    ['a byte that begins nothing', [0x80], '\ufffd'],
    ['an overlong form', [0xc0, 0xaf], '\ufffd\ufffd'],
    ['half of a surrogate pair', [0xed, 0xa0, 0x80], '\ufffd\ufffd\ufffd'],
    ['a character cut short by another', [0xe6, 0xbc, 0x41], '\ufffdA'],
    ['a character cut short by a longer one', [0xf0, 0x9f, 0xc3, 0xa9], '\ufffdé'],
    ['more than Unicode has', [0xf4, 0x90, 0x80, 0x80], '\ufffd\ufffd\ufffd\ufffd'],
  ])('shows %s as U+FFFD', (_, bytes, shown) => {
    const { lines, send } = start();
    send(...bytes, 0x0d);
    expect(lines).toEqual([shown]);
  });

  it('decodes every character as the platform does', () => {
    const { lines, type } = start();
    const text = 'a\u00e9\u0800\u0fff\ud7ff\ue000\uffef\u{10000}\u{1f642}\u{40000}\u{10ffff}';
    type(text, '\r');
    expect(lines).toEqual([text]);
  });

  it('rings at the longest line and keeps what fits', () => {
    const { terminal, lines, type } = start();
    type('x'.repeat(MAX_LINE_LENGTH), 'yz', '\r');
    expect(terminal.bells()).toBe(2);
    expect(lines).toEqual(['x'.repeat(MAX_LINE_LENGTH)]);
  });

  it('ignores control characters without a meaning, C1 ones too', () => {
    const { terminal, lines, type } = start();
    type('a\x00\x1c\x1f\u009b\u2028b\r');
    expect(lines).toEqual(['ab']);
    expect(terminal.lineAbove()).toBe('> ab');
  });

  it('refuses what is no byte', () => {
    const { editor } = start();
    expect(() => editor.input(256)).toThrow(RangeError);
    expect(() => editor.input(1.5)).toThrow(RangeError);
  });
});

describe('moving', () => {
  it.each([
    ['left', [LEFT, `${ESC}OD`, CTRL('B')], 3],
    ['home', [HOME, `${ESC}[1~`, `${ESC}[7~`, `${ESC}OH`, CTRL('A')], 0],
    ['word left', [`${ESC}b`, `${ESC}[1;5D`], 3],
  ])('knows every form of %s', (_, forms, column) => {
    for (const form of forms) {
      const { terminal, type } = start();
      type('ab d', form);
      expect([form, terminal.column() - 2]).toEqual([form, column]);
    }
  });

  it.each([
    ['right', [RIGHT, `${ESC}OC`, CTRL('F')], 1],
    ['end', [END, `${ESC}[4~`, `${ESC}[8~`, `${ESC}OF`, CTRL('E')], 5],
    ['word right', [`${ESC}f`, `${ESC}[1;5C`], 2],
  ])('knows every form of %s', (_, forms, column) => {
    for (const form of forms) {
      const { terminal, type } = start();
      type('ab cd', HOME, form);
      expect([form, terminal.column() - 2]).toEqual([form, column]);
    }
  });

  it('rings at both ends and stays', () => {
    const { terminal, type } = start();
    type('a', RIGHT);
    expect([terminal.bells(), terminal.column()]).toEqual([1, 3]);
    type(LEFT, LEFT);
    expect([terminal.bells(), terminal.column()]).toEqual([2, 2]);
  });

  it('writes nothing but the movement', () => {
    const { writes, type } = start();
    type('abc');
    writes.length = 0;
    type(LEFT, HOME, END);
    expect(writes).toEqual(['\b', `${ESC}[2D`, `${ESC}[3C`]);
  });
});

describe('deleting', () => {
  const edit = (...keys: string[]) => {
    const { terminal, type } = start();
    type(...keys);
    return terminal.split();
  };

  it('removes before the cursor with Backspace, whichever code it sends', () => {
    expect(edit('abc', LEFT, '\x7f')).toEqual(['> a', 'c']);
    expect(edit('abc', LEFT, '\b')).toEqual(['> a', 'c']);
  });

  it('removes under the cursor with Delete and Ctrl-D', () => {
    expect(edit('abc', HOME, DELETE)).toEqual(['> ', 'bc']);
    expect(edit('abc', HOME, CTRL('D'))).toEqual(['> ', 'bc']);
  });

  it('removes to the end with Ctrl-K', () => {
    expect(edit('abc', LEFT, LEFT, CTRL('K'))).toEqual(['> a', '']);
  });

  it('removes to the start with Ctrl-U', () => {
    expect(edit('abc', LEFT, CTRL('U'))).toEqual(['> ', 'c']);
  });

  it('removes to the blank before with Ctrl-W, and blanks that it stands behind', () => {
    expect(edit('let a.b  x', LEFT, CTRL('W'))).toEqual(['> let ', 'x']);
  });

  it('removes words by letters with Alt-Backspace and Alt-D', () => {
    expect(edit('a.bc', `${ESC}\x7f`)).toEqual(['> a.', '']);
    expect(edit('bc.a', HOME, `${ESC}d`)).toEqual(['> ', '.a']);
  });

  it('exchanges characters with Ctrl-T: around the cursor, and the last two at the end', () => {
    expect(edit('abc', LEFT, LEFT, CTRL('T'))).toEqual(['> ba', 'c']);
    expect(edit('abc', CTRL('T'))).toEqual(['> acb', '']);
  });

  it('rings where there is nothing to remove', () => {
    const { terminal, type } = start();
    type('\x7f', 'a', CTRL('D'));
    expect(terminal.bells()).toBe(2);
    expect(terminal.line()).toBe('> a');
  });

  it('leaves nothing of a removed wide character on the screen', () => {
    expect(edit('漢字', '\x7f', 'x')).toEqual(['> 漢x', '']);
  });
});

describe('the end of a line', () => {
  it('is CR, LF, or both, and both are one', () => {
    const { lines, type } = start();
    type('a\rb\nc\r\nd\r\n\r\n');
    expect(lines).toEqual(['a', 'b', 'c', 'd', '']);
  });

  it('is one even if the LF of the pair comes before the next prompt', () => {
    const { editor, lines, type } = start({ promptsAgain: false });
    type('a\r\nb\r');
    editor.prompt();
    expect(lines).toEqual(['a', 'b']);
  });

  it('leaves the cursor on a row of its own, and the whole line above', () => {
    const { terminal, type } = start({ promptsAgain: false });
    type('abc', HOME, '\r');
    expect([terminal.lineAbove(), terminal.line(), terminal.column()]).toEqual(['> abc', '', 0]);
  });

  it('shows no prompt before the caller asks for it', () => {
    const { editor, terminal, type } = start({ promptsAgain: false });
    type('a\r');
    terminal.write('result\r\n');
    editor.prompt();
    expect(terminal.screen()).toEqual(['> a', 'result', '> ']);
  });
});

describe('type-ahead', () => {
  it('waits for the prompt', () => {
    const { editor, terminal, lines, type } = setUp({ promptsAgain: false });
    type('a\rb');
    expect(terminal.screen()).toEqual(['']);
    editor.prompt();
    expect(lines).toEqual(['a']);
    editor.prompt();
    expect(terminal.screen()).toEqual(['> a', '> b']);
  });

  it('is as long as it may be without nesting calls', () => {
    const { editor, terminal, lines, type } = setUp();
    type('\r'.repeat(MAX_TYPE_AHEAD), 'x');
    expect(terminal.bells()).toBe(1);
    editor.prompt();
    expect(lines).toHaveLength(MAX_TYPE_AHEAD);
  });

  it('is thrown away by Ctrl-C', () => {
    const { editor, terminal, type } = setUp();
    type('abc', CTRL('C'));
    editor.prompt();
    expect(terminal.line()).toBe('> ');
  });

  it('goes on after a callback that threw', () => {
    let isBroken = true;
    const lines: string[] = [];
    const { editor, type } = start({
      onLine(line) {
        if (isBroken) throw new Error('evaluation');
        lines.push(line);
      },
    });
    expect(() => type('a\r')).toThrow('evaluation');
    isBroken = false;
    type('b\r');
    editor.prompt();
    expect(lines).toEqual(['b']);
  });
});

describe('history', () => {
  it('goes up and down, by arrows and by Ctrl-P and Ctrl-N', () => {
    const { terminal, type } = start();
    type('one\rtwo\r', UP);
    expect(terminal.split()).toEqual(['> two', '']);
    type(CTRL('P'));
    expect(terminal.split()).toEqual(['> one', '']);
    type(`${ESC}OB`);
    expect(terminal.line()).toBe('> two');
    type(CTRL('N'), `${ESC}OA`, UP, DOWN);
    expect(terminal.line()).toBe('> two');
  });

  it('keeps the line in progress as its newest entry', () => {
    const { terminal, type } = start();
    type('one\r', 'dra', UP, DOWN, 'ft');
    expect(terminal.line()).toBe('> draft');
  });

  it('rings at both ends', () => {
    const { terminal, type } = start();
    type(DOWN, 'one\r', UP, UP);
    expect(terminal.bells()).toBe(2);
    expect(terminal.line()).toBe('> one');
  });

  it('stores no blank line and not the same line twice in a row', () => {
    const { terminal, type } = start();
    type('one\rtwo\rtwo\r\r  \r', UP, UP);
    expect(terminal.line()).toBe('> one');
  });

  it('stores an edited entry as a new one and leaves the old', () => {
    const { terminal, lines, type } = start();
    type('one\r', UP, '!\r', UP, UP);
    expect(lines).toEqual(['one', 'one!']);
    expect(terminal.line()).toBe('> one');
  });

  it('forgets the oldest beyond its limit', () => {
    const { terminal, type } = start({ historyLimit: 2 });
    type('one\rtwo\rthree\r', UP, UP, UP);
    expect(terminal.line()).toBe('> two');
  });

  it('may be switched off', () => {
    const { terminal, type } = start({ historyLimit: 0 });
    type('one\r', UP);
    expect(terminal.line()).toBe('> ');
  });

  it('refuses a limit that is no number of lines', () => {
    expect(() => setUp({ historyLimit: -1 })).toThrow(RangeError);
  });
});

describe('Ctrl-C', () => {
  it('abandons the line: ^C behind it, a new prompt, nothing entered', () => {
    const { terminal, lines, type } = start();
    type('abc', HOME, CTRL('C'));
    expect(terminal.screen()).toEqual(['> abc^C', '> ']);
    type('d\r');
    expect(lines).toEqual(['d']);
  });

  it('does not touch the history, and forgets where in it one was', () => {
    const { terminal, type } = start();
    type('one\rtwo\r', UP, UP, 'x', CTRL('C'), UP);
    expect(terminal.line()).toBe('> two');
  });

  it('tells the caller, and returns from another prompt to the usual one', () => {
    let abandoned = 0;
    const { editor, terminal, type } = setUp({ onAbandon: () => abandoned++ });
    editor.prompt('... ');
    type('a', CTRL('C'));
    expect(abandoned).toBe(1);
    expect(terminal.screen()).toEqual(['... a^C', '> ']);
  });
});

describe('Ctrl-D', () => {
  it('ends on an empty line, on a new row', () => {
    const { terminal, ends, type } = start();
    type('a\x7f', CTRL('D'));
    expect(ends()).toBe(1);
    expect(terminal.split()).toEqual(['', '']);
  });

  it('does not end on a line with text', () => {
    const { ends, type } = start();
    type('a', CTRL('D'));
    expect(ends()).toBe(0);
  });
});

describe('Ctrl-L', () => {
  it('clears the screen and shows prompt, line and cursor again', () => {
    const { terminal, type } = start();
    type('old\r', 'abc', LEFT, CTRL('L'));
    expect(terminal.row()).toBe(0);
    expect(terminal.split()).toEqual(['> ab', 'c']);
    expect(terminal.screen().join('')).toBe('> abc');
  });
});

describe('the prompt', () => {
  it('brings back the line in progress after something else was printed', () => {
    const { editor, terminal, type } = start();
    type('abc', LEFT);
    terminal.write('\r\nmessage\r\n');
    editor.prompt();
    expect(terminal.split()).toEqual(['> ab', 'c']);
    type('x');
    expect(terminal.split()).toEqual(['> abx', 'c']);
  });

  it('may be coloured', () => {
    const { terminal, type } = start({ prompt: `${ESC}[1;32m> ${ESC}[0m`, columns: 12 });
    type('123456789', HOME);
    expect(terminal.split()).toEqual(['> ', '123456789']);
  });

  it('must leave room for typing', () => {
    expect(() => setUp({ prompt: '> '.repeat(40) })).toThrow('a prompt that leaves -1 of 80 columns; at least 8 were expected');
    const { editor } = start();
    expect(() => editor.prompt('x'.repeat(80))).toThrow(RangeError);
  });
});

describe('escape sequences', () => {
  it.each([
    ['a function key', `${ESC}[15~`],
    ['a function key of the Linux console', `${ESC}[[A`],
    ['a function key by SS3', `${ESC}OP`],
    ['a key with a modifier', `${ESC}[1;2P`],
    ['a private CSI', `${ESC}[?1;2c`],
    ['a CSI with an intermediate byte', `${ESC}[2 q`],
    ['a CSI longer than any', `${ESC}[${'1;'.repeat(100)}m`],
    ['a cursor report', `${ESC}[24;80R`],
    ['a choice of character set', `${ESC}(B`],
    ['Alt and a letter', `${ESC}z`],
    ['an OSC that BEL ends', `${ESC}]11;rgb:00/00/é\x07`],
    ['an OSC that ST ends', `${ESC}]11;rgb:00/00/00${ESC}\\`],
    ['a DCS', `${ESC}P1$r0m${ESC}\\`],
    ['ESC twice before a key', `${ESC}${ESC}[15~`],
  ])('swallows %s whole', (_, keys) => {
    const { terminal, lines, type } = start();
    type('a', keys, 'b\r');
    expect(lines).toEqual(['ab']);
    expect(terminal.lineAbove()).toBe('> ab');
  });

  it('takes no more than one letter after a lone ESC', () => {
    const { lines, type } = start();
    type(ESC, 'zabc\r');
    expect(lines).toEqual(['abc']);
  });

  it.each([
    ['ESC', ESC],
    ['CSI', `${ESC}[1;`],
    ['SS3', `${ESC}O`],
    ['OSC', `${ESC}]0;title`],
  ])('does not lose an Enter after an unfinished %s', (_, begun) => {
    const { lines, type } = start();
    type('a', begun, '\r', 'b\r');
    expect(lines).toEqual(['a', 'b']);
  });

  it('does not lose a character that can be no part of a sequence', () => {
    const { lines, type } = start();
    type(`${ESC}é${ESC}[漢\r`);
    expect(lines).toEqual(['é漢']);
  });
});

describe('Tab', () => {
  const names = ['hpet', 'hpet.counter', 'hpet.comparators', 'lapic', 'naïve', 'naïf'];
  const complete = (prefix: string) => names.filter((name) => name.startsWith(prefix));

  it('inserts the rest of the only candidate, at the cursor', () => {
    const { terminal, type } = start({ complete });
    type('f(la)', LEFT, '\t');
    expect(terminal.split()).toEqual(['> f(lapic', ')']);
  });

  it('inserts what several have in common', () => {
    const { terminal, type } = start({ complete });
    type('hpet.\t');
    expect(terminal.line()).toBe('> hpet.co');
    type('\x15na\t');
    expect(terminal.line()).toBe('> naï');
  });

  it('lists several that have no more in common, and restores the line', () => {
    const { terminal, type } = start({ complete });
    type('1 + hpet.co!', LEFT, '\t');
    expect(terminal.screen()).toEqual(['> 1 + hpet.co!', 'hpet.counter      hpet.comparators', '> 1 + hpet.co!']);
    expect(terminal.split()).toEqual(['> 1 + hpet.co', '!']);
  });

  it('asks for the dotted name before the cursor', () => {
    const asked: string[] = [];
    const { type } = start({
      complete: (prefix) => {
        asked.push(prefix);
        return [];
      },
    });
    type('f($a.b_1.\t', ' \t', 'é\t');
    expect(asked).toEqual(['$a.b_1.', '', 'é']);
  });

  it('rings without candidates, without a completer, and when there is nothing to add', () => {
    for (const options of [{ complete: () => [] }, {}, { complete: () => ['abc', 'abc'] }]) {
      const { terminal, type } = start(options);
      type('abc\t');
      expect([terminal.bells(), terminal.screen()]).toEqual([1, ['> abc']]);
    }
  });

  it('ignores candidates that do not begin with the prefix or would disturb the terminal', () => {
    const { terminal, type } = start({ complete: () => ['xyz', 'ab\x1b[2J', 'abc'] });
    type('ab\t');
    expect(terminal.line()).toBe('> abc');
  });

  it('lists a bounded number and says how many are left', () => {
    const { terminal, type } = start({
      complete: () => Array.from({ length: 250 }, (_, index) => `${String.fromCharCode(97 + (index % 26))}${index}`),
    });
    type('\t');
    expect(terminal.lineAbove()).toBe('... 150 more');
    expect(terminal.line()).toBe('> ');
  });
});

describe('a line longer than the row', () => {
  it('scrolls, and never leaves its row while it is edited', () => {
    const { terminal, type } = start({ columns: 20 });
    type('abcdefghijklmnopqrstuvwxyz');
    expect(terminal.row()).toBe(0);
    expect(terminal.line()).toMatch(/^> [a-z]+$/);
    expect(terminal.split()[0].endsWith('xyz')).toBe(true);
    type(HOME);
    expect(terminal.split()).toEqual(['> ', 'abcdefghijklmnopq']);
  });

  it('is written in full when it is entered', () => {
    const { terminal, lines, type } = start({ columns: 20, promptsAgain: false });
    const text = 'abcdefghijklmnopqrstuvwxyz';
    type(text, '\r');
    expect(lines).toEqual([text]);
    expect(terminal.screen()).toEqual(['> abcdefghijklmnopqr', 'stuvwxyz', '']);
  });

  it('costs a redraw once in a while, not with every character', () => {
    const { writes, type } = start();
    type('x'.repeat(500));
    expect(writes.filter((text) => text.length > 1).length).toBeLessThan(15);
  });
});

/** mulberry32: small, and the same on every machine. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What the editor is to do, with nothing of a terminal: a list of characters, a cursor, a history. */
function createReference(historyLimit: number) {
  let text: string[] = [];
  let cursor = 0;
  const history: string[] = [];
  let entry = 0;
  let draft = '';
  const entered: string[] = [];
  const split = (line: string): string[] => line.match(/[^]\u0301*/gu) ?? [];

  const clear = (): void => {
    text = [];
    cursor = 0;
    entry = history.length;
    draft = '';
  };
  const recall = (to: number): void => {
    if (to < 0 || to > history.length) return;
    if (entry === history.length) draft = text.join('');
    entry = to;
    text = split(to === history.length ? draft : history[to]!);
    cursor = text.length;
  };
  const removeBlanksAndWord = (): void => {
    const isBlankLeft = (): boolean => text[cursor - 1]![0] === ' ';
    while (cursor > 0 && isBlankLeft()) text.splice(--cursor, 1);
    while (cursor > 0 && !isBlankLeft()) text.splice(--cursor, 1);
  };
  const actions: Record<string, () => void> = {
    [LEFT]: () => (cursor = Math.max(0, cursor - 1)),
    [RIGHT]: () => (cursor = Math.min(text.length, cursor + 1)),
    [HOME]: () => (cursor = 0),
    [END]: () => (cursor = text.length),
    '\x7f': () => cursor > 0 && text.splice(--cursor, 1),
    [DELETE]: () => text.splice(cursor, 1),
    [CTRL('K')]: () => (text.length = cursor),
    [CTRL('U')]: () => {
      text.splice(0, cursor);
      cursor = 0;
    },
    [CTRL('W')]: removeBlanksAndWord,
    [CTRL('T')]: () => {
      if (cursor === 0 || text.length < 2) return;
      if (cursor === text.length) cursor--;
      [text[cursor - 1], text[cursor]] = [text[cursor]!, text[cursor - 1]!];
      cursor++;
    },
    [CTRL('L')]: () => {},
    [CTRL('C')]: clear,
    [UP]: () => recall(entry - 1),
    [DOWN]: () => recall(entry + 1),
    '\r': () => {
      const line = text.join('');
      entered.push(line);
      if (line.trim() !== '' && line !== history.at(-1)) history.push(line);
      if (history.length > historyLimit) history.shift();
      clear();
    },
  };
  return {
    entered,
    keys: Object.keys(actions),
    press(key: string): void {
      const action = actions[key];
      if (action) action();
      else if (key === '\u0301') {
        if (cursor > 0) text[cursor - 1] += key;
      } else text.splice(cursor++, 0, key);
    },
    left: () => text.slice(0, cursor).join(''),
    right: () => text.slice(cursor).join(''),
  };
}

describe('random keys', () => {
  const CHARACTERS = ['a', 'b', 'c', ' ', '.', 'é', '漢', '字', '🙂'];
  const SEEDS = [1, 2, 3];
  const KEYS_PER_SEED = 6000;

  function run(
    seed: number,
    columns: number,
    check: (session: ReturnType<typeof start>, reference: ReturnType<typeof createReference>) => void,
  ): void {
    const random = createRandom(seed);
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
    const session = start({ columns, historyLimit: 5 });
    const reference = createReference(5);
    const rare = new Set(['\r', CTRL('C'), CTRL('U'), CTRL('K'), CTRL('L')]);
    const pressed: string[] = [];
    let marks = 0;
    for (let count = 0; count < KEYS_PER_SEED; count++) {
      let key = random() < 0.5 ? pick(CHARACTERS) : pick(reference.keys);
      if (rare.has(key) && random() < 0.7) key = pick(CHARACTERS);
      // The editor bounds the marks on one character, which the reference does not: few enough never to get there.
      if (random() < 0.02 && marks++ < 10) key = '\u0301';
      if (key === '\r' || key === CTRL('C')) marks = 0;
      pressed.push(key);
      session.type(key);
      reference.press(key);
      try {
        check(session, reference);
      } catch (error) {
        throw new Error(`seed ${seed}, after ${JSON.stringify(pressed.slice(-20))}`, { cause: error });
      }
    }
    expect(session.lines).toEqual(reference.entered);
    expect(session.lines.length).toBeGreaterThan(30);
  }

  it.each(SEEDS)('show the reference line and cursor on a row that is wide enough, seed %i', (seed) => {
    run(seed, 2000, ({ terminal }, reference) => {
      expect(terminal.split()).toEqual([`> ${reference.left()}`, reference.right()]);
    });
  });

  it.each(SEEDS)('show the part around the cursor on a narrow row, seed %i', (seed) => {
    run(seed, 20, ({ terminal }, reference) => {
      const [left, right] = terminal.split();
      const width = [...left, ...right].reduce((sum, char) => sum + (WIDE.has(char) ? 2 : COMBINING.has(char) ? 0 : 1), 0);
      expect(width).toBeLessThan(20);
      expect(left.startsWith('> ')).toBe(true);
      expect(reference.left().endsWith(left.slice(2))).toBe(true);
      expect(reference.right().startsWith(right)).toBe(true);
      // Scrolled away is only what does not fit, and the cursor is never blind to its left.
      if (reference.left() !== '') expect(left.length).toBeGreaterThan(2);
      if (reference.right() !== '' && right === '') expect(width).toBeGreaterThanOrEqual(18);
      const isAllShown = left.slice(2) === reference.left() && right === reference.right();
      if (!isAllShown && left.slice(2) === reference.left()) expect(width).toBeGreaterThanOrEqual(18);
    });
  });
});
