/*
 * Runs on the build machine, linked with the same engine: JavaScript source to the engine's bytecode,
 * so that the kernel does not spend its first milliseconds parsing. Line and column tables stay in.
 * Usage: precompile INPUT.js OUTPUT NAME-IN-STACKS
 */
#include "quickjs.h"
#include <stdio.h>
#include <stdlib.h>

static char *read_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        return NULL;
    *length = (size_t)ftell(file);
    rewind(file);
    char *text = malloc(*length + 1);
    if (!text || fread(text, 1, *length, file) != *length)
        return NULL;
    text[*length] = 0;
    fclose(file);
    return text;
}

int main(int count, char **arguments)
{
    if (count != 4) {
        fprintf(stderr, "usage: precompile INPUT.js OUTPUT NAME\n");
        return 2;
    }
    size_t length, size;
    char *text = read_file(arguments[1], &length);
    if (!text) {
        perror(arguments[1]);
        return 1;
    }
    JSRuntime *runtime = JS_NewRuntime();
    JS_SetStripInfo(runtime, JS_STRIP_SOURCE); /* the text of functions; nobody asks for it on the machine */
    JSContext *context = JS_NewContext(runtime);
    JSValue program = JS_Eval(context, text, length, arguments[3], JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_COMPILE_ONLY);
    if (JS_IsException(program)) {
        JSValue error = JS_GetException(context), stack = JS_GetPropertyStr(context, error, "stack");
        fprintf(stderr, "%s\n%s", JS_ToCString(context, error), JS_ToCString(context, stack));
        return 1;
    }
    uint8_t *bytes = JS_WriteObject(context, &size, program, JS_WRITE_OBJ_BYTECODE);
    FILE *output = fopen(arguments[2], "wb");
    if (!bytes || !output || fwrite(bytes, 1, size, output) != size || fclose(output) != 0) {
        perror(arguments[2]);
        return 1;
    }
    return 0;
}
