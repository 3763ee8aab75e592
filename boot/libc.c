/*
 * The functions of the C library that the engine links against and that musl implements by system
 * calls. The engine allocates through its heap only, and the kernel has clocks of its own.
 */
#include "runtime.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static _Noreturn void must_not_be_called(const char *name)
{
    fatal(EXIT_RUNTIME_BUG, "%s() was called: the runtime has no such service", name);
}

void *malloc(size_t size) { (void)size; must_not_be_called("malloc"); }
void *calloc(size_t count, size_t size) { (void)count; (void)size; must_not_be_called("calloc"); }
void *realloc(void *block, size_t size) { (void)block; (void)size; must_not_be_called("realloc"); }
void free(void *block) { if (block) must_not_be_called("free"); }
size_t malloc_usable_size(void *block) { (void)block; must_not_be_called("malloc_usable_size"); }
_Noreturn void abort(void) { must_not_be_called("abort"); }
_Noreturn void __assert_fail(const char *expression, const char *file, int line, const char *function)
{
    fatal(EXIT_RUNTIME_BUG, "assertion failed in %s (%s:%d): %s", function, file, line, expression);
}

/* Seeds Math.random: a constant, because runs are to be repeatable. */
int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    (void)zone;
    *now = (struct timeval){ 0, 0 };
    return 0;
}
