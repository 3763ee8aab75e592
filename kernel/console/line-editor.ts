/**
 * A line editor for a terminal at the other end of a serial line, as people know it from readline. Keys are
 * bytes as a terminal sends them: UTF-8, and the control sequences of ECMA-48 (5th edition) with the key
 * codes of the VT220, xterm, rxvt and the Linux console.
 *
 * What does not fit the row scrolls sideways: a serial line does not tell how wide the terminal is, and moving
 * the cursor over a wrapped row needs exactly that, while a row of `columns` is right on every terminal that
 * is at least that wide. A line that was scrolled is written once in full when it is entered.
 *
 * Not done: yank, undo, search in the history, bracketed paste, right-to-left text, emoji joined from several
 * (their parts are edited, and counted as columns, one by one). There is no clock: an ESC pressed alone waits
 * for the next byte, and with a letter becomes the terminal's Alt and that letter.
 */

/** The longest line, in characters. More is refused with BEL. */
export const MAX_LINE_LENGTH = 4096;
/** The longest type-ahead, in bytes: what may come while no prompt is shown. More is refused with BEL. */
export const MAX_TYPE_AHEAD = 4096;

const DEFAULT_HISTORY_LIMIT = 100;
/** The VT100's row: there is hardly a terminal with less. */
const DEFAULT_COLUMNS = 80;
/** Fewer cells for the text than this can't be edited in. */
const MIN_ROOM = 8;
/** How many completions are listed. */
const MAX_LISTED = 100;
/** UTF-16 units of a character with its combining marks; text in any language stays far below. */
const MAX_CELL_LENGTH = 16;

const BEL = '\x07';
const ERASE_TO_END_OF_LINE = '\x1b[K';
const CLEAR_SCREEN = '\x1b[H\x1b[2J';
const CONTROL_SEQUENCE = /\x1b\[[0-?]*[ -/]*[@-~]/g;
/**
 * Escape sequences of which the end is still to come: plain ones, CSI, the Linux console's F1 to F5 (ESC [ [ A:
 * no CSI by ECMA-48), SS3, and the control strings (OSC, DCS, SOS, PM, APC), which only a control character ends.
 */
const UNFINISHED_SEQUENCE = /^\x1b(?:[ -/]*|\[[0-?]*[ -/]*|\[\[|O[0-9;]*|[\]PX^_][^]*)$/;
const CONTROL_STRING = /^\x1b[\]PX^_]/;
/** No sequence that means something is longer; of longer ones only the kind is remembered. */
const MAX_SEQUENCE_LENGTH = 16;

const UNTYPABLE = /[\p{Cc}\p{Zl}\p{Zp}]/u;
/** By what a cell begins with: a mark on a blank does not make it a word. */
const NOT_BLANK = /^\S/u;
const WORD = /[\p{L}\p{N}_$]/u;
const NAME = /[\p{L}\p{M}\p{N}_$.]/u;
const ZERO_WIDTH = /[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff]/u;
/** Unicode Standard Annex #11, "Wide" and "Fullwidth" by blocks, and the emoji, which terminals show as wide. */
const DOUBLE_WIDTH =
  /[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3040-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{2fffd}\u{30000}-\u{3fffd}\p{Emoji_Presentation}]/u;

export interface LineEditorOptions {
  /** Takes what the terminal is to show; the receiver encodes it as UTF-8. */
  write(text: string): void;
  /** May hold control sequences for colour; everything else in it must be printable. */
  prompt: string;
  /** How many lines are remembered, 0 or more; 100 if not given. */
  historyLimit?: number;
  /** Columns of the terminal's row; 80 if not given. A wider terminal does no harm, a narrower one garbles long lines. */
  columns?: number;
  /** A line was entered; without its end, perhaps empty. No prompt is shown until the caller asks for it. */
  onLine(line: string): void;
  /** Ctrl-D on an empty line. */
  onEnd(): void;
  /** Ctrl-C: the line was thrown away, and the next prompt is about to be shown by the editor itself. */
  onAbandon?(): void;
  /**
   * Tab. The prefix is the dotted name before the cursor (letters, digits, `_`, `$` and `.`; perhaps empty).
   * Returns the names that begin with it, each in full; others are ignored.
   */
  complete?(prefix: string): readonly string[];
}

export interface LineEditor {
  /**
   * Takes the next received byte; RangeError if it is not an integer from 0 to 255. While no prompt is shown bytes wait
   * for it, up to MAX_TYPE_AHEAD of them, and a Ctrl-C throws away those that wait.
   * Errors of the callbacks pass through; the editor is ready for `prompt` or the next byte then.
   */
  input(byte: number): void;
  /**
   * Shows the prompt, and the line as far as it was typed: also the way to restore it after something else was printed.
   * The cursor must be in the first column. May be called from within `onLine` and `onEnd`.
   * @param text this once another prompt, for instance of a continued line; RangeError if it leaves no room for typing
   */
  prompt(text?: string): void;
}

/** What one press of an arrow key passes over: a character with its combining marks, and the columns that it takes. */
interface Cell {
  readonly text: string;
  readonly width: number;
}

/** @throws RangeError for a history limit or a number of columns that makes no sense, and for a prompt that fills the row */
export function createLineEditor(options: LineEditorOptions): LineEditor {
  const { write, historyLimit = DEFAULT_HISTORY_LIMIT, columns = DEFAULT_COLUMNS } = options;
  if (!Number.isSafeInteger(historyLimit) || historyLimit < 0) throw new RangeError(`a history of ${historyLimit} lines`);
  if (!Number.isSafeInteger(columns) || columns < 0) throw new RangeError(`a terminal with ${columns} columns`);

  const decode = createUtf8Decoder();
  const waiting: number[] = [];
  let isHandling = false;
  let isPrompting = false;
  let followsCarriageReturn = false;
  /** An escape sequence as far as it has come, or ''. */
  let sequence = '';

  let promptText = options.prompt;
  let room = roomBeside(promptText);
  let cells: Cell[] = [];
  let cursor = 0;
  /** The first cell that is shown. */
  let first = 0;
  /** Where the terminal's cursor is, and where its row's text ends: in columns behind the prompt. */
  let cursorColumn = 0;
  let endColumn = 0;

  const history: string[] = [];
  /** The entry shown; `history.length` is the line in progress. */
  let entry = 0;
  let lineInProgress = '';

  const keys = new Map<string, () => void>();
  function bind(action: () => void, ...sequences: string[]): void {
    for (const key of sequences) keys.set(key, action);
  }
  bind(() => moveTo(0), '\x01', '\x1b[H', '\x1bOH', '\x1b[1~', '\x1b[7~');
  bind(() => moveTo(cells.length), '\x05', '\x1b[F', '\x1bOF', '\x1b[4~', '\x1b[8~');
  bind(() => moveTo(cursor - 1), '\x02', '\x1b[D', '\x1bOD');
  bind(() => moveTo(cursor + 1), '\x06', '\x1b[C', '\x1bOC');
  bind(() => moveTo(startOfWord(WORD)), '\x1bb', '\x1b[1;5D', '\x1b[1;3D', '\x1bOd');
  bind(() => moveTo(endOfWord(WORD)), '\x1bf', '\x1b[1;5C', '\x1b[1;3C', '\x1bOc');
  bind(() => remove(cursor - 1, cursor), '\x7f', '\b');
  bind(() => remove(cursor, cursor + 1), '\x1b[3~');
  bind(() => (cells.length === 0 ? end() : remove(cursor, cursor + 1)), '\x04');
  bind(() => remove(cursor, cells.length), '\x0b');
  bind(() => remove(0, cursor), '\x15');
  bind(() => remove(startOfWord(NOT_BLANK), cursor), '\x17');
  bind(() => remove(startOfWord(WORD), cursor), '\x1b\x7f');
  bind(() => remove(cursor, endOfWord(WORD)), '\x1bd');
  bind(transpose, '\x14');
  bind(() => recall(entry - 1), '\x10', '\x1b[A', '\x1bOA');
  bind(() => recall(entry + 1), '\x0e', '\x1b[B', '\x1bOB');
  bind(completeName, '\t');
  bind(() => show(CLEAR_SCREEN), '\x0c');
  bind(abandon, '\x03');
  bind(enter, '\r', '\n');

  function handleWaiting(): void {
    // A callback that prompts comes back here: the loop below goes on with the bytes, a second one inside it
    // would nest as deep as there are lines in the type-ahead.
    if (isHandling) return;
    isHandling = true;
    try {
      while (isPrompting && waiting.length > 0) {
        for (const char of decode(waiting.shift()!)) handle(char);
      }
    } finally {
      isHandling = false;
    }
  }

  function handle(char: string): void {
    const isSecondOfPair = char === '\n' && followsCarriageReturn;
    followsCarriageReturn = char === '\r';
    if (isSecondOfPair) return;
    if (sequence !== '' && continuesSequence(char)) return;
    const action = keys.get(char);
    if (action) action();
    else if (char === '\x1b') sequence = char;
    else if (!UNTYPABLE.test(char)) insert(char);
  }

  /** Returns false if `char` is no part of the sequence, which it ends: a sequence that broke off must not eat an Enter. */
  function continuesSequence(char: string): boolean {
    const whole = sequence + char;
    const isPart = CONTROL_STRING.test(sequence) ? char >= ' ' : (char >= ' ' && char <= '~') || whole === '\x1b\x7f';
    if (isPart && UNFINISHED_SEQUENCE.test(whole)) {
      if (whole.length <= MAX_SEQUENCE_LENGTH) sequence = whole;
      return true;
    }
    sequence = '';
    if (isPart) keys.get(whole)?.();
    return isPart;
  }

  function insert(char: string): void {
    const width = widthOf(char);
    const before = cells[cursor - 1];
    if (width > 0) {
      if (cells.length >= MAX_LINE_LENGTH) return write(BEL);
      cells.splice(cursor, 0, { text: char, width });
      cursor++;
    } else {
      if (!before || before.text.length >= MAX_CELL_LENGTH) return write(BEL);
      cells[cursor - 1] = { text: before.text + char, width: before.width };
    }
    draw(cursor - 1);
  }

  function remove(from: number, to: number): void {
    if (from < 0 || from >= to || to > cells.length) return write(BEL);
    cells.splice(from, to - from);
    cursor = from;
    draw(from);
  }

  function transpose(): void {
    if (cursor === 0 || cells.length < 2) return write(BEL);
    // At the end of the line the last two change places, as in readline.
    const right = Math.min(cursor, cells.length - 1);
    cells.splice(right - 1, 2, cells[right]!, cells[right - 1]!);
    cursor = right + 1;
    draw(right - 1);
  }

  function moveTo(index: number): void {
    if (index < 0 || index > cells.length) return write(BEL);
    cursor = index;
    draw(Infinity);
  }

  function startOfWord(kind: RegExp): number {
    let index = cursor;
    while (index > 0 && !kind.test(cells[index - 1]!.text)) index--;
    while (index > 0 && kind.test(cells[index - 1]!.text)) index--;
    return index;
  }

  function endOfWord(kind: RegExp): number {
    let index = cursor;
    while (index < cells.length && !kind.test(cells[index]!.text)) index++;
    while (index < cells.length && kind.test(cells[index]!.text)) index++;
    return index;
  }

  function recall(index: number): void {
    if (index < 0 || index > history.length) return write(BEL);
    if (entry === history.length) lineInProgress = textOf(cells);
    entry = index;
    cells = cellsOf(history[index] ?? lineInProgress);
    cursor = cells.length;
    draw(0);
  }

  function completeName(): void {
    let start = cursor;
    while (start > 0 && NAME.test(cells[start - 1]!.text)) start--;
    const prefix = textOf(cells.slice(start, cursor));
    const names = new Set((options.complete?.(prefix) ?? []).filter((name) => name.startsWith(prefix) && !UNTYPABLE.test(name)));
    const rest = commonStart([...names]).slice(prefix.length);
    if (rest !== '') for (const char of rest) insert(char);
    else if (names.size > 1) list([...names]);
    else write(BEL);
  }

  function list(names: readonly string[]): void {
    const listed = names.slice(0, MAX_LISTED);
    const widths = listed.map((name) => columnsOf(cellsOf(name)));
    const width = Math.max(...widths) + 2;
    const perRow = Math.max(1, Math.floor((columns - 1) / width));
    leave();
    for (let row = 0; row < listed.length; row += perRow) {
      const texts = listed.slice(row, row + perRow).map((name, index) => name + ' '.repeat(width - widths[row + index]!));
      write(texts.join('').trimEnd() + '\r\n');
    }
    if (names.length > listed.length) write(`... ${names.length - listed.length} more\r\n`);
    show();
  }

  function enter(): void {
    const line = textOf(cells);
    leave();
    isPrompting = false;
    if (line.trim() !== '' && line !== history.at(-1)) history.push(line);
    if (history.length > historyLimit) history.shift();
    clear();
    options.onLine(line);
  }

  function abandon(): void {
    leave('^C');
    clear();
    // If the callback throws, the prompt is the caller's to show.
    isPrompting = false;
    options.onAbandon?.();
    isPrompting = true;
    usePrompt(options.prompt);
    show();
  }

  function end(): void {
    leave();
    isPrompting = false;
    clear();
    options.onEnd();
  }

  function clear(): void {
    cells = [];
    cursor = 0;
    first = 0;
    entry = history.length;
    lineInProgress = '';
  }

  function roomBeside(text: string): number {
    // The last column stays empty: whether the cursor wraps when it is written differs between terminals.
    const left = columns - 1 - columnsOf(cellsOf(text.replace(CONTROL_SEQUENCE, '')));
    if (left < MIN_ROOM) throw new RangeError(`a prompt that leaves ${left} of ${columns} columns; at least ${MIN_ROOM} were expected`);
    return left;
  }

  function usePrompt(text: string): void {
    room = roomBeside(text);
    promptText = text;
  }

  /** Writes prompt and line, given that the cursor is in the first column or `lead` brings it there. */
  function show(lead = ''): void {
    cursorColumn = 0;
    endColumn = 0;
    draw(0, lead + promptText);
  }

  /** Goes on to the next row, with the line in full above it. */
  function leave(mark = ''): void {
    const isAllShown = first === 0 && columnsOf(cells) <= room;
    const toEnd = isAllShown ? movement(cursorColumn, endColumn) : movement(cursorColumn, 0) + textOf(cells);
    write(`${toEnd}${mark}\r\n`);
  }

  /** Brings the row up to date, given that the cells before `from` are as they were when it was drawn last. */
  function draw(from: number, lead = ''): void {
    if (scroll()) from = 0;
    let text = lead;
    if (from <= cells.length) {
      let index = Math.max(from, first);
      let column = columnsOf(cells, first, index);
      text += movement(cursorColumn, column);
      for (; index < cells.length && column + cells[index]!.width <= room; index++) {
        text += cells[index]!.text;
        column += cells[index]!.width;
      }
      if (column < endColumn) text += ERASE_TO_END_OF_LINE;
      cursorColumn = column;
      endColumn = column;
    }
    const column = columnsOf(cells, first, cursor);
    text += movement(cursorColumn, column);
    cursorColumn = column;
    if (text !== '') write(text);
  }

  /** Chooses the first cell shown, so that the cursor is within the row; returns whether that is another one than before. */
  function scroll(): boolean {
    const before = first;
    if (columnsOf(cells) <= room) {
      first = 0;
    } else if (cursor < first || (cursor === first && first > 0) || columnsOf(cells, first, cursor) > room) {
      // To the middle: the next few keys, whichever way they go, won't have to redraw all of it again.
      let width = 0;
      for (first = cursor; first > 0 && width + cells[first - 1]!.width <= room / 2; first--) width += cells[first - 1]!.width;
    }
    return first !== before;
  }

  return {
    input(byte) {
      if (!Number.isInteger(byte) || byte < 0 || byte > 0xff) throw new RangeError(`byte ${byte}; 0 to 255 was expected`);
      if (!isPrompting && byte === 0x03) waiting.length = 0;
      else if (waiting.length >= MAX_TYPE_AHEAD) write(BEL);
      else waiting.push(byte);
      handleWaiting();
    },
    prompt(text = options.prompt) {
      usePrompt(text);
      isPrompting = true;
      show();
      handleWaiting();
    },
  };
}

/**
 * Returns a function that takes bytes of UTF-8 and returns the characters they complete: none, one, or two if the
 * byte shows that the ones before it are no character. Each such piece becomes one U+FFFD (Unicode 15.0, section 3.9,
 * "U+FFFD Substitution of Maximal Subparts"), and table 3-7 there has the bounds below.
 */
function createUtf8Decoder(): (byte: number) => string {
  let codePoint = 0;
  let missing = 0;
  let lowest = 0x80;
  let highest = 0xbf;

  function start(byte: number): string {
    lowest = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80;
    highest = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf;
    if (byte < 0x80) return String.fromCharCode(byte);
    if (byte >= 0xc2 && byte <= 0xdf) missing = 1;
    else if (byte >= 0xe0 && byte <= 0xef) missing = 2;
    else if (byte >= 0xf0 && byte <= 0xf4) missing = 3;
    else return '\ufffd';
    codePoint = byte & (0x3f >> missing);
    return '';
  }

  return (byte) => {
    if (missing === 0) return start(byte);
    if (byte < lowest || byte > highest) {
      missing = 0;
      return '\ufffd' + start(byte);
    }
    lowest = 0x80;
    highest = 0xbf;
    codePoint = (codePoint << 6) | (byte & 0x3f);
    missing--;
    return missing === 0 ? String.fromCodePoint(codePoint) : '';
  };
}

/** The columns that a character takes on a terminal: 0, 1 or 2. */
function widthOf(char: string): number {
  // Below the combining marks everything is one wide; U+00AD is a Cf, and terminals show it.
  if (char < '\u0300') return 1;
  if (ZERO_WIDTH.test(char)) return 0;
  return DOUBLE_WIDTH.test(char) ? 2 : 1;
}

function cellsOf(text: string): Cell[] {
  const cells: Cell[] = [];
  for (const char of text) {
    const width = widthOf(char);
    const before = cells.at(-1);
    if (width === 0 && before) cells[cells.length - 1] = { text: before.text + char, width: before.width };
    else cells.push({ text: char, width });
  }
  return cells;
}

function textOf(cells: readonly Cell[]): string {
  return cells.map((cell) => cell.text).join('');
}

function columnsOf(cells: readonly Cell[], from = 0, to = cells.length): number {
  let sum = 0;
  for (let index = from; index < to; index++) sum += cells[index]!.width;
  return sum;
}

function movement(from: number, to: number): string {
  if (to === from) return '';
  if (to === from - 1) return '\b';
  return to < from ? `\x1b[${from - to}D` : `\x1b[${to - from}C`;
}

function commonStart(texts: readonly string[]): string {
  let common = [...(texts[0] ?? '')];
  for (const text of texts) {
    const chars = [...text];
    const end = common.findIndex((char, index) => char !== chars[index]);
    if (end >= 0) common = common.slice(0, end);
  }
  return common.join('');
}
