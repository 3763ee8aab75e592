/** What every prompt is: lines are edited, evaluated as JavaScript, and their values shown. */
import { nanosToTicks } from '../time/frequency.ts';
import type { Machine } from '../machine.ts';
import { millis } from '../time/units.ts';
import { encodeUtf8 } from '../trace/utf8.ts';
import { inspect } from './inspect.ts';
import { createLineEditor } from './line-editor.ts';

const PROMPT = 'chronovisor> ';
/** An evaluation that takes longer is stopped: nothing else happens meanwhile. */
const EVALUATION_LIMIT = millis(5_000);

export interface Binding {
  readonly value: unknown;
  readonly about: string;
}

export interface Prompt {
  /** A byte from the terminal. */
  input(byte: number): void;
  /** Shows the prompt, with the line in progress. */
  show(): void;
  /** Whether the user has left, by Ctrl-D. */
  isOver(): boolean;
  write(text: string): void;
  /** One or several lines. */
  print(text: string): void;
}

export interface PromptParts {
  readonly machine: Pick<Machine, 'shims' | 'tscFrequency'>;
  /** Where it writes. */
  readonly port: { write(bytes: Uint8Array): void };
  /** Names that become global, beside `help` and `print`. */
  bindings(print: (text: string) => void): Readonly<Record<string, Binding>>;
  /** Called when a line has been evaluated. @returns whether the next prompt is for somebody else to show */
  onEvaluated?(): boolean;
}

export function createPrompt({ machine, port, bindings: bindingsFor, onEvaluated }: PromptParts): Prompt {
  const { shims, tscFrequency } = machine;
  const write = (text: string): void => port.write(encodeUtf8(text));
  const print = (text: string): void => write(text.replaceAll('\n', '\r\n') + '\r\n');
  const bindings: Readonly<Record<string, Binding>> = {
    help: { value: () => help(), about: 'this list' },
    print: {
      value: (...values: unknown[]) => print(values.map((value) => (typeof value === 'string' ? value : inspect(value))).join(' ')),
      about: 'writes values to the console',
    },
    ...bindingsFor(print),
  };
  const global = globalThis as unknown as Record<string, unknown>;
  for (const [name, { value }] of Object.entries(bindings)) global[name] = value;
  const width = Math.max(...Object.keys(bindings).map((name) => name.length));

  function help(): void {
    print('Type a JavaScript expression. Ctrl-C abandons a line, Ctrl-D leaves. What is there:');
    for (const [name, { value, about }] of Object.entries(bindings))
      print(`  ${name.padEnd(width)} ${about}${value === undefined ? ' (this machine has none)' : ''}`);
  }

  function evaluate(source: string): void {
    try {
      const value = shims.evaluate(source, nanosToTicks(tscFrequency, EVALUATION_LIMIT));
      if (value !== undefined) {
        global['_'] = value;
        print(inspect(value));
      }
    } catch (error) {
      print(error instanceof Error ? describeError(error) : `thrown: ${inspect(error)}`);
    }
  }

  let isOver = false;
  const editor = createLineEditor({
    write,
    prompt: PROMPT,
    onLine: (text) => {
      if (text.trim() !== '') evaluate(text);
      if (!onEvaluated?.()) editor.prompt();
    },
    onEnd: () => {
      isOver = true;
    },
    complete: (prefix) => complete(prefix, global),
  });

  return { input: editor.input, show: editor.prompt, isOver: () => isOver, write, print };
}

/** With the part of the stack that is the user's: what lies below the evaluation is the console itself. */
function describeError(error: Error): string {
  const frames = (error.stack ?? '').split('\n');
  const own = frames.slice(
    0,
    Math.max(
      0,
      frames.findIndex((frame) => frame.includes('at evaluate (native)')),
    ),
  );
  return [`${error.name}: ${error.message}`, ...own].join('\n');
}

/** Names that `prefix`, a chain like `hpet.cou`, can become. Getters are not called. */
function complete(prefix: string, global: Record<string, unknown>): string[] {
  const chain = /[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*\.?$/.exec(prefix)?.[0] ?? '';
  const parts = chain.split('.');
  const last = parts.pop() ?? '';
  let value: unknown = global;
  for (const part of parts) {
    const descriptor: PropertyDescriptor | undefined =
      value !== null && typeof value === 'object' ? Object.getOwnPropertyDescriptor(value, part) : undefined;
    value = descriptor?.value;
  }
  if (value === null || typeof value !== 'object') return [];
  const head = prefix.slice(0, prefix.length - last.length);
  return Object.getOwnPropertyNames(value)
    .filter((name) => name.startsWith(last) && /^[A-Za-z_$]/.test(name))
    .sort()
    .map((name) => head + name);
}
