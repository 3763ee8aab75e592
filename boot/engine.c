/* The JavaScript engine on one CPU: its memory, its limits, the bundle, and what is said when it fails. */
#include "engine.h"
#include <stdio.h>
#include <string.h>

/* Kept back from the limit, so that an "out of memory" still becomes an Error with a stack. */
#define HEAP_RESERVE (256 * KIB)
/* C frames of the engine below the last JavaScript frame. */
#define STACK_RESERVE (64 * KIB)
#define KERNEL_PROGRAM "kernel"

/* ---- Memory. The engine's own limit check is in its default functions, so it is made here. */

static bool may_grow(JSMallocState *state, size_t size)
{
    struct cpu *cpu = state->opaque;
    if (state->malloc_size < cpu->heap_limit - HEAP_RESERVE)
        cpu->heap_reserve_open = false;
    size_t limit = cpu->heap_limit + (cpu->heap_reserve_open ? HEAP_RESERVE : 0);
    if (size <= limit && state->malloc_size <= limit - size)
        return true;
    cpu->heap_reserve_open = true;
    return false;
}

static void *engine_malloc(JSMallocState *state, size_t size)
{
    struct cpu *cpu = state->opaque;
    void *block = may_grow(state, size) ? heap_allocate(cpu->heap, size) : NULL;
    if (block) {
        state->malloc_count++;
        state->malloc_size += heap_block_size(block);
        cpu->heap_used = state->malloc_size;
    }
    return block;
}

static void engine_free(JSMallocState *state, void *block)
{
    if (!block)
        return;
    struct cpu *cpu = state->opaque;
    state->malloc_count--;
    state->malloc_size -= heap_block_size(block);
    cpu->heap_used = state->malloc_size;
    heap_free(cpu->heap, block);
}

static void *engine_realloc(JSMallocState *state, void *block, size_t size)
{
    if (!block)
        return size ? engine_malloc(state, size) : NULL;
    if (!size) {
        engine_free(state, block);
        return NULL;
    }
    size_t before = heap_block_size(block);
    if (size > before && !may_grow(state, size - before))
        return NULL;
    struct cpu *cpu = state->opaque;
    void *resized = heap_resize(cpu->heap, block, size);
    if (resized) {
        state->malloc_size += heap_block_size(resized) - before;
        cpu->heap_used = state->malloc_size;
    }
    return resized;
}

static const JSMallocFunctions memory_functions = { engine_malloc, engine_free, engine_realloc, heap_block_size };

/* ---- Failure. */

/* Of a deep recursion's stack, both ends say something and the middle does not. */
#define STACK_LINES_TOP 24
#define STACK_LINES_BOTTOM 8

static void print_stack_of(JSContext *context, JSValueConst error)
{
    JSValue stack = JS_GetPropertyStr(context, error, "stack");
    const char *text = JS_IsString(stack) ? JS_ToCString(context, stack) : NULL;
    size_t lines = 0;
    for (const char *c = text; c && *c; c++)
        lines += *c == '\n';
    size_t number = 0;
    for (const char *line = text; line && *line; number++) {
        size_t length = strcspn(line, "\n");
        bool shown = number < STACK_LINES_TOP || number + STACK_LINES_BOTTOM >= lines;
        if (shown)
            diagnostic_line("%.*s", (int)length, line);
        else if (number == STACK_LINES_TOP)
            diagnostic_line("    ... %lu more", lines - STACK_LINES_TOP - STACK_LINES_BOTTOM);
        line += length + (line[length] == '\n');
    }
    JS_FreeCString(context, text);
    JS_FreeValue(context, stack);
}

void engine_print_stack(struct cpu *cpu)
{
    if (!cpu->context)
        return;
    /* This runs on an exception's stack, where the engine's idea of a limit does not hold. */
    JS_SetMaxStackSize(JS_GetRuntime(cpu->context), 0);
    /* Thrown errors get their stack only when the interpreter unwinds; constructed ones have it at once. */
    JSValue global = JS_GetGlobalObject(cpu->context), constructor = JS_GetPropertyStr(cpu->context, global, "Error");
    print_stack_of(cpu->context, JS_CallConstructor(cpu->context, constructor, 0, NULL));
}

/* Prints the pending exception; the code tells its kind. */
static uint8_t report_uncaught(struct cpu *cpu, const char *what)
{
    JSContext *context = cpu->context;
    JSValue error = JS_GetException(context);
    const char *text = JS_ToCString(context, error);
    diagnostic_line("%s %s", what, text ? text : "(an error that can't be printed)");
    uint8_t code = EXIT_UNCAUGHT_ERROR;
    if (text && strstr(text, "InternalError: out of memory"))
        code = EXIT_OUT_OF_MEMORY;
    else if (text && strstr(text, "InternalError: stack overflow"))
        code = EXIT_STACK_OVERFLOW;
    if (JS_IsError(context, error))
        print_stack_of(context, error);
    return code;
}

/* ---- Programs: the bundle, and what it loads later. */

static JSValue parse_source(JSContext *context, const struct module_file *file)
{
    /* The parser wants a zero byte behind the text. */
    char *text = js_malloc(context, file->length + 1);
    if (!text)
        return JS_EXCEPTION;
    memcpy(text, file->data, file->length);
    text[file->length] = 0;
    JSValue program = JS_Eval(context, text, file->length, file->name, JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_COMPILE_ONLY);
    js_free(context, text);
    return program;
}

JSValue engine_read_program(struct cpu *cpu, const char *name, bool *found)
{
    char file_name[PROGRAM_NAME_MAX + sizeof ".bytecode"];
    snprintf(file_name, sizeof file_name, "%s.bytecode", name);
    const struct module_file *file = boot_info_find(cpu->boot, file_name);
    *found = true;
    if (file)
        return JS_ReadObject(cpu->context, file->data, file->length, JS_READ_OBJ_BYTECODE);
    snprintf(file_name, sizeof file_name, "%s.js", name);
    file = boot_info_find(cpu->boot, file_name);
    *found = file != NULL;
    return file ? parse_source(cpu->context, file) : JS_UNDEFINED;
}

static int stop_evaluation(JSRuntime *runtime, void *opaque)
{
    struct cpu *cpu = opaque;
    (void)runtime;
    return cpu->evaluation_end != 0 && read_tsc() >= cpu->evaluation_end;
}

static JSContext *create_context(struct cpu *cpu)
{
    /* The heap's own headers are not part of the limit: an eighth more covers them. */
    size_t arena = cpu->heap_limit + cpu->heap_limit / 8 + HEAP_RESERVE;
    cpu->heap = heap_create((void *)boot_info_take(cpu->boot, arena), arena);
    JSRuntime *runtime = JS_NewRuntime2(&memory_functions, cpu);
    if (!runtime)
        return NULL;
    JS_SetMemoryLimit(runtime, cpu->heap_limit); /* for the engine's messages */
    JS_SetGCThreshold(runtime, cpu->heap_limit / 2); /* a safety net: the kernel collects when it is idle */
    JS_SetMaxStackSize(runtime, STACK_MAIN_SIZE - STACK_RESERVE);
    JS_SetInterruptHandler(runtime, stop_evaluation, cpu);
    JSContext *context = JS_NewContextRaw(runtime);
    if (!context)
        return NULL;
    JS_SetContextOpaque(context, cpu);
    /* No Date and no Promise: time enters through the shims, and the kernel has an event loop of its own. */
    JS_AddIntrinsicBaseObjects(context);
    JS_AddIntrinsicEval(context);
    JS_AddIntrinsicRegExpCompiler(context);
    JS_AddIntrinsicRegExp(context);
    JS_AddIntrinsicJSON(context);
    JS_AddIntrinsicMapSet(context);
    JS_AddIntrinsicTypedArrays(context);
    return context;
}

_Noreturn void engine_run(struct cpu *cpu)
{
    JSContext *context = cpu->context = create_context(cpu);
    if (!context)
        fatal(EXIT_BOOT_INFO_INVALID, "heap of %lu KiB is too small for the engine", cpu->heap_limit / KIB);

    bool found;
    JSValue program = engine_read_program(cpu, KERNEL_PROGRAM, &found);
    if (!found)
        fatal(EXIT_BUNDLE_INVALID, "boot module: it holds neither " KERNEL_PROGRAM ".bytecode nor " KERNEL_PROGRAM ".js");
    if (JS_IsException(program)) {
        report_uncaught(cpu, "bundle does not parse:");
        exit_machine(EXIT_BUNDLE_INVALID);
    }
    cpu->boot->typescript_tsc = read_tsc();
    /* A program is one expression; its value is what it exports. */
    JSValue exports = JS_EvalFunction(context, program);
    if (JS_IsException(exports))
        exit_machine(report_uncaught(cpu, "uncaught"));
    JSValue main = JS_IsObject(exports) ? JS_GetPropertyStr(context, exports, "main") : JS_UNDEFINED;
    if (!JS_IsFunction(context, main))
        fatal(EXIT_BUNDLE_INVALID, "bundle: it exports no function main");
    JSValue shims = shims_create(context);
    if (JS_IsException(shims) || JS_IsException(JS_Call(context, main, JS_UNDEFINED, 1, &shims)))
        exit_machine(report_uncaught(cpu, "uncaught"));
    exit_machine(EXIT_OK);
}
