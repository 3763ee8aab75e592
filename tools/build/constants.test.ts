import { transformSync } from '@babel/core';
import { expect, it } from 'vitest';
import { inlineConstants } from './constants.ts';

const transformed = (code: string): string =>
  transformSync(code, { babelrc: false, configFile: false, compact: true, plugins: [inlineConstants] })!.code!;

it.each([
  ['a number', 'const A = { X: 0x10 }; f(A.X);', 'f(0x10)'],
  ['a negative one', 'const A = { X: -1 }; f(A.X);', 'f(-1)'],
  ['a text', "const A = { X: 'x' }; f(A.X);", "f('x')"],
  ['one of several, of which others are computed', 'const A = { X: 1, Y: g() }; f(A.X);', 'f(1)'],
  ['one of an object that is listed elsewhere', 'const A = { X: 1 }; g(Object.values(A)); f(A.X);', 'f(1)'],
  ['a use inside a function', 'const A = { X: 1 }; function h() { return A.X; }', 'return 1'],
])('puts in %s', (_, code, expected) => expect(transformed(code)).toContain(expected));

it.each([
  ['a value that is computed', 'const A = { X: g() }; f(A.X);', 'f(A.X)'],
  ['a property that is written somewhere', 'const A = { X: 1 }; A.X = 2; f(A.X);', 'f(A.X)'],
  ['a property that is counted up', 'const A = { X: 1 }; A.X++; f(A.X);', 'f(A.X)'],
  ['a property that is deleted', 'const A = { X: 1 }; delete A.X; f(A.X);', 'f(A.X)'],
  ['a variable that is assigned to', 'let A = { X: 1 }; A = { X: 2 }; f(A.X);', 'f(A.X)'],
  ['an object that is given to a function, which may write to it', 'const A = { X: 1 }; g(A); f(A.X);', 'f(A.X)'],
  ['an object that has another name', 'const A = { X: 1 }; const B = A; B.X = 2; f(A.X);', 'f(A.X)'],
  ['an object that is part of another one', 'const A = { X: 1 }; const B = { A }; f(A.X);', 'f(A.X)'],
  ['an object with a method that is called', 'const A = { X: 1, h() { this.X++; } }; A.h(); f(A.X);', 'f(A.X)'],
  ['an object with a spread', 'const A = { X: 1, ...b }; f(A.X);', 'f(A.X)'],
  ['a name that is computed', 'const A = { X: 1 }; f(A[x]);', 'f(A[x])'],
  ['another object of the same name', 'const A = { X: 1 }; function h(A) { return A.X; }', 'return A.X'],
])('leaves %s', (_, code, expected) => expect(transformed(code)).toContain(expected));
