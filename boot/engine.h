/* Between engine.c and shims.c: the one place where the engine's own header is seen. */
#pragma once
#include "runtime.h"
#include "quickjs.h"

/* The object that the bundle's main() gets: one function per line of kernel/hw/shims.ts. */
JSValue shims_create(JSContext *context);

#define PROGRAM_NAME_MAX 64
/* Reads NAME.bytecode or NAME.js of the boot module; to be run with JS_EvalFunction. */
JSValue engine_read_program(struct cpu *cpu, const char *name, bool *found);
