// engine-edit.mjs SOURCE TARGET: copies the engine's source and edits the copy. Each edit must fit exactly as
// often as stated; a newer engine in which it does not is an error here, not a surprise in a kernel.
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The engine's code of an operation on two numbers, and the same with a way for bigints. */
const bigintWay = (builtin, slow) =>
  '                } else if (BOTH_ARE(op1, op2, JS_TAG_SHORT_BIG_INT)) {\n' +
  '                    int64_t wide;\n' +
  `                    if (unlikely(${builtin}((int64_t)JS_VALUE_GET_SHORT_BIG_INT(op1), (int64_t)JS_VALUE_GET_SHORT_BIG_INT(op2), &wide)))\n` +
  `                        goto ${slow};\n` +
  '                    sp[-2] = __JS_NewShortBigInt(ctx, wide);\n' +
  '                    sp--;\n';
const floatWay = '                } else if (JS_VALUE_IS_BOTH_FLOAT(op1, op2)) {\n';
const floatSum = (sign) =>
  `                    sp[-2] = __JS_NewFloat64(ctx, JS_VALUE_GET_FLOAT64(op1) ${sign}\n` +
  '                                             JS_VALUE_GET_FLOAT64(op2));\n';
const floatProduct = '                    d = JS_VALUE_GET_FLOAT64(op1) * JS_VALUE_GET_FLOAT64(op2);\n';
const withBigint = (code, builtin, slow) => ({ find: floatWay + code, replace: bigintWay(builtin, slow) + floatWay + code });
const ARITHMETIC = {
  add: withBigint(floatSum('+'), '__builtin_add_overflow', 'add_slow'),
  sub: withBigint(floatSum('-'), '__builtin_sub_overflow', 'binary_arith_slow'),
  mul: withBigint(floatProduct, '__builtin_mul_overflow', 'binary_arith_slow'),
};

const EDITS = [
  {
    why: 'an out-of-memory error says how much memory was to be had',
    find: 'JS_ThrowInternalError(ctx, "out of memory");',
    replace:
      'JS_ThrowInternalError(ctx, "out of memory: %lu of %lu bytes of the heap are in use", ' +
      '(unsigned long)rt->malloc_state.malloc_size, (unsigned long)rt->malloc_state.malloc_limit);',
    times: 1,
  },
  {
    why: 'calls of native functions take the short way of engine-call.h: every shim is one',
    find: 'static JSValue JS_CallInternal(JSContext *caller_ctx, JSValueConst func_obj,',
    replace: '#include "engine-call.h"\nstatic JSValue JS_CallInternal(JSContext *caller_ctx, JSValueConst func_obj,',
    times: 1,
  },
  {
    why: 'the same, for calls of methods',
    find: 'ret_val = JS_CallInternal(ctx, call_argv[-1], call_argv[-2],',
    replace: 'ret_val = engine_call(ctx, call_argv[-1], call_argv[-2],',
    times: 1,
  },
  {
    why: 'the same, for calls of functions and for eval of a name that is not eval',
    find: 'ret_val = JS_CallInternal(ctx, call_argv[-1], JS_UNDEFINED,',
    replace: 'ret_val = engine_call(ctx, call_argv[-1], JS_UNDEFINED,',
    times: 2,
  },
  {
    why: 'comparing two bigints of 64 bits, as instants are, does not take the slow way (385 instructions), nor do two doubles',
    find:
      '                    sp--;                                               \\\n' +
      '                } else {                                                \\\n' +
      '                    sf->cur_pc = pc;                                    \\\n' +
      '                    if (slow_call)                                      \\\n',
    replace:
      '                    sp--;                                               \\\n' +
      '                } else if (BOTH_ARE(op1, op2, JS_TAG_SHORT_BIG_INT)) {  \\\n' +
      '                    sp[-2] = JS_NewBool(ctx, JS_VALUE_GET_SHORT_BIG_INT(op1) binary_op JS_VALUE_GET_SHORT_BIG_INT(op2)); \\\n' +
      '                    sp--;                                               \\\n' +
      '                } else if (BOTH_ARE(op1, op2, JS_TAG_FLOAT64)) {        \\\n' +
      '                    sp[-2] = JS_NewBool(ctx, JS_VALUE_GET_FLOAT64(op1) binary_op JS_VALUE_GET_FLOAT64(op2)); \\\n' +
      '                    sp--;                                               \\\n' +
      '                } else {                                                \\\n' +
      '                    sf->cur_pc = pc;                                    \\\n' +
      '                    if (slow_call)                                      \\\n',
    times: 1,
  },
  ...['add', 'sub', 'mul'].map((operation) => ({
    why: `${operation} of two bigints of 64 bits, as instants are, is done in place (the slow way takes 200 instructions)`,
    find: ARITHMETIC[operation].find,
    replace: ARITHMETIC[operation].replace,
    times: 1,
  })),
  {
    why: 'the same for the bits of bigints, as guests registers are',
    find:
      '                    sp[-2] = JS_NewInt32(ctx,\n' +
      '                                         JS_VALUE_GET_INT(op1) &\n' +
      '                                         JS_VALUE_GET_INT(op2));\n' +
      '                    sp--;\n',
    replace:
      '                    sp[-2] = JS_NewInt32(ctx,\n' +
      '                                         JS_VALUE_GET_INT(op1) &\n' +
      '                                         JS_VALUE_GET_INT(op2));\n' +
      '                    sp--;\n' +
      '                } else if (BOTH_ARE(op1, op2, JS_TAG_SHORT_BIG_INT)) {\n' +
      '                    sp[-2] = __JS_NewShortBigInt(ctx, JS_VALUE_GET_SHORT_BIG_INT(op1) & JS_VALUE_GET_SHORT_BIG_INT(op2));\n' +
      '                    sp--;\n',
    times: 1,
  },
  {
    why: 'an element of a typed array that shares memory with a device or a guest is read in place',
    find:
      '                sf->cur_pc = pc;\n' +
      '                val = JS_GetPropertyValue(ctx, sp[-2], sp[-1]);\n' +
      '                JS_FreeValue(ctx, sp[-2]);\n',
    replace:
      '                if (engine_get_element(ctx, sp[-2], sp[-1], &val)) {\n' +
      '                    JS_FreeValue(ctx, sp[-2]);\n' +
      '                    sp[-2] = val;\n' +
      '                    sp--;\n' +
      '                    BREAK;\n' +
      '                }\n' +
      '                sf->cur_pc = pc;\n' +
      '                val = JS_GetPropertyValue(ctx, sp[-2], sp[-1]);\n' +
      '                JS_FreeValue(ctx, sp[-2]);\n',
    times: 1,
  },
  {
    why: 'and written',
    find:
      '                sf->cur_pc = pc;\n' +
      '                ret = JS_SetPropertyValue(ctx, sp[-3], sp[-2], sp[-1], JS_PROP_THROW_STRICT);\n',
    replace:
      '                if (engine_set_element(sp[-3], sp[-2], sp[-1])) {\n' +
      '                    JS_FreeValue(ctx, sp[-3]);\n' +
      '                    sp -= 3;\n' +
      '                    BREAK;\n' +
      '                }\n' +
      '                sf->cur_pc = pc;\n' +
      '                ret = JS_SetPropertyValue(ctx, sp[-3], sp[-2], sp[-1], JS_PROP_THROW_STRICT);\n',
    times: 1,
  },
];

const [source, target] = process.argv.slice(2);
const files = readdirSync(source).filter((name) => /\.[ch]$/.test(name) && name !== 'quickjs.c');
for (const name of files) copyFileSync(join(source, name), join(target, name));

let text = readFileSync(join(source, 'quickjs.c'), 'utf8');
for (const { why, find, replace, times } of EDITS) {
  const parts = text.split(find);
  if (parts.length - 1 !== times) {
    console.error(
      `engine-edit: ${join(source, 'quickjs.c')} has ${parts.length - 1} places like\n  ${find}\nand ${times} were expected; wanted because: ${why}`,
    );
    process.exit(1);
  }
  text = parts.join(replace);
}
writeFileSync(join(target, 'quickjs.c'), text);
