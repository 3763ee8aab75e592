/* The allocator under the JavaScript engine. Knows nothing of the runtime, so that it is tested on the host too. */
#pragma once
#include <stddef.h>

struct heap;

/* Makes a heap of `length` bytes at `arena` (aligned to 16), its own bookkeeping included; NULL if that is too little. */
struct heap *heap_create(void *arena, size_t length);
/* Blocks are aligned to 16. NULL when no free block is large enough. */
void *heap_allocate(struct heap *heap, size_t size);
/* Grows or shrinks in place where it can. NULL leaves the old block as it was. */
void *heap_resize(struct heap *heap, void *block, size_t size);
void heap_free(struct heap *heap, void *block);
/* Usable bytes of a block: at least what was asked for. */
size_t heap_block_size(const void *block);
