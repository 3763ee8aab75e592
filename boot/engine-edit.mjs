// engine-edit.mjs SOURCE TARGET: copies the engine's source and edits the copy. Each edit must fit exactly as
// often as stated; a newer engine in which it does not is an error here, not a surprise in a kernel.
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

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
