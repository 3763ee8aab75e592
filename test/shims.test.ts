import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { EXIT } from '../kernel/hw/exit.ts';
import { boot } from '../tools/harness/boot.ts';
import '../tools/harness/matchers.ts';

const source = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

/** Names of the methods that the interface declares, in order. */
function declared(): string[] {
  const text = source('kernel/hw/shims.ts');
  const body = text.slice(text.indexOf('export interface Shims {'), text.indexOf('\n}\n'));
  return [...body.matchAll(/^ {2}([a-z]\w*)\(/gm)].map((match) => match[1]!);
}

it('has one C function per declaration, in the same order', () => {
  const c = source('boot/shims.c');
  const defined = [...c.matchAll(/^(?:SHIM|PORT_IN|PORT_OUT|MMIO_READ|MMIO_WRITE|MMIO_ACCESSOR)\(([a-z]\w*)/gm)].map((match) => match[1]!);
  expect(declared().length).toBeGreaterThan(30);
  expect(defined).toEqual(declared());
});

it('registers each of them, in the same order, with as many arguments as it needs', () => {
  const registered = [...source('boot/shims.c').matchAll(/^ {4}ENTRY\((\w+), (\d)\)/gm)].map((match) => [match[1], Number(match[2])]);
  const text = source('kernel/hw/shims.ts');
  const expected = declared().map((name) => {
    const list = new RegExp(`^  ${name}\\(([^)]*)\\)`, 'm').exec(text)![1]!;
    return [name, list.split(',').filter((parameter) => /^[^?]+:/.test(parameter)).length];
  });
  expect(registered).toEqual(expected);
});

it('gives exit codes the same names and numbers on both sides', () => {
  const c = Object.fromEntries(
    [...source('boot/runtime.h').matchAll(/^ {4}EXIT_(\w+) = (0x[0-9A-F]+)/gm)].map((match) => [match[1], Number(match[2])]),
  );
  expect(c).toEqual(EXIT);
});

it('does what each declaration says, and refuses what it must', async () => {
  const run = await boot({ bundle: 'test/bundles/shims.ts', append: 'some words  with=spaces', extra: ['-vga', 'std'], name: 'shims' });
  const failed = run.of('test.case', ({ result }) => result === 'fail').map(({ fields }) => `${fields.name}: saw ${fields.seen}`);
  expect(failed).toEqual([]);
  expect(run.of('test.case').length).toBeGreaterThan(80);
  expect(run).toHold();
});
