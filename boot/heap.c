/*
 * Two-level segregated fit (M. Masmano et al., "TLSF: a New Dynamic Memory Allocator for Real-Time
 * Systems", ECRTS 2004): allocation and release in constant time, whatever the heap's history, so
 * that the kernel's longest stretch does not grow with its age.
 *
 * Size classes: below 256 bytes one per 16 bytes; above, 16 per power of two. Each class is a list
 * of free blocks; two bitmaps find the first class that is large enough and not empty.
 */
#include "heap.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define ALIGNMENT 16
#define SECOND_LEVEL_BITS 4
#define SECOND_LEVELS (1 << SECOND_LEVEL_BITS)
#define SMALL_BITS 8 /* sizes below 1 << SMALL_BITS are all in first level 0 */
#define FIRST_LEVELS 32
#define SIZE_MAX_ALLOWED ((size_t)1 << (SMALL_BITS + FIRST_LEVELS - 3))

struct block {
    struct block *previous;   /* the neighbour below, NULL for the first */
    size_t size;              /* of the payload; bit 0: free */
    struct block *next_free, *previous_free; /* payload starts here */
};
#define HEADER_SIZE offsetof(struct block, next_free)
#define FREE ((size_t)1)

struct heap {
    uint32_t first_level;
    uint32_t second_level[FIRST_LEVELS];
    struct block *lists[FIRST_LEVELS][SECOND_LEVELS];
};

static size_t size_of(const struct block *block) { return block->size & ~FREE; }
static bool is_free(const struct block *block) { return block->size & FREE; }
static struct block *after(const struct block *block) { return (struct block *)((char *)block + HEADER_SIZE + size_of(block)); }
static struct block *block_of(const void *payload) { return (struct block *)((char *)payload - HEADER_SIZE); }

struct class { unsigned first, second; };

static struct class class_of(size_t size)
{
    if (size < (1 << SMALL_BITS))
        return (struct class){ 0, (unsigned)(size / ALIGNMENT) };
    unsigned msb = 63 - (unsigned)__builtin_clzl(size);
    return (struct class){ msb - SMALL_BITS + 1, (unsigned)(size >> (msb - SECOND_LEVEL_BITS)) & (SECOND_LEVELS - 1) };
}

static void list_add(struct heap *heap, struct block *block)
{
    struct class class = class_of(size_of(block));
    struct block **head = &heap->lists[class.first][class.second];
    block->size |= FREE;
    block->next_free = *head;
    block->previous_free = NULL;
    if (*head)
        (*head)->previous_free = block;
    *head = block;
    heap->second_level[class.first] |= 1u << class.second;
    heap->first_level |= 1u << class.first;
}

static void list_remove(struct heap *heap, struct block *block)
{
    struct class class = class_of(size_of(block));
    if (block->next_free)
        block->next_free->previous_free = block->previous_free;
    if (block->previous_free)
        block->previous_free->next_free = block->next_free;
    else if (!(heap->lists[class.first][class.second] = block->next_free)) {
        heap->second_level[class.first] &= ~(1u << class.second);
        if (!heap->second_level[class.first])
            heap->first_level &= ~(1u << class.first);
    }
    block->size &= ~FREE;
}

/* The first block of a class whose every member is large enough, so no list is ever searched. */
static struct block *find(struct heap *heap, size_t size)
{
    if (size >= (1 << SMALL_BITS)) /* round up to the next class's lower bound */
        size += ((size_t)1 << (63 - (unsigned)__builtin_clzl(size) - SECOND_LEVEL_BITS)) - 1;
    struct class class = class_of(size);
    uint32_t second = heap->second_level[class.first] & (~0u << class.second);
    if (!second) {
        uint32_t first = class.first == FIRST_LEVELS - 1 ? 0 : heap->first_level & (~0u << (class.first + 1));
        if (!first)
            return NULL;
        class.first = (unsigned)__builtin_ctz(first);
        second = heap->second_level[class.first];
    }
    return heap->lists[class.first][__builtin_ctz(second)];
}

/* Cuts a used block down to `size` and gives the rest back, if the rest can be a block. */
static void trim(struct heap *heap, struct block *block, size_t size)
{
    size_t whole = size_of(block);
    if (whole < size + HEADER_SIZE + ALIGNMENT)
        return;
    block->size = size;
    struct block *rest = after(block);
    rest->previous = block;
    rest->size = whole - size - HEADER_SIZE;
    struct block *next = after(rest);
    if (is_free(next)) {
        list_remove(heap, next);
        rest->size += HEADER_SIZE + size_of(next);
        next = after(rest);
    }
    next->previous = rest;
    list_add(heap, rest);
}

static size_t rounded(size_t size) { return size < ALIGNMENT ? ALIGNMENT : (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1); }

struct heap *heap_create(void *arena, size_t length)
{
    size_t bookkeeping = rounded(sizeof(struct heap));
    length &= ~(size_t)(ALIGNMENT - 1);
    if (length < bookkeeping + 2 * HEADER_SIZE + ALIGNMENT || length > SIZE_MAX_ALLOWED)
        return NULL;
    struct heap *heap = arena;
    memset(heap, 0, sizeof *heap);
    struct block *first = (struct block *)((char *)arena + bookkeeping);
    first->previous = NULL;
    first->size = length - bookkeeping - 2 * HEADER_SIZE;
    /* A used block of no size ends the arena, so that every block has a neighbour above. */
    struct block *end = after(first);
    end->previous = first;
    end->size = 0;
    list_add(heap, first);
    return heap;
}

void *heap_allocate(struct heap *heap, size_t size)
{
    if (size > SIZE_MAX_ALLOWED / 2)
        return NULL;
    size = rounded(size);
    struct block *block = find(heap, size);
    if (!block)
        return NULL;
    list_remove(heap, block);
    trim(heap, block, size);
    return &block->next_free;
}

void heap_free(struct heap *heap, void *payload)
{
    if (!payload)
        return;
    struct block *block = block_of(payload), *next = after(block);
    if (is_free(next)) {
        list_remove(heap, next);
        block->size += HEADER_SIZE + size_of(next);
    }
    if (block->previous && is_free(block->previous)) {
        struct block *previous = block->previous;
        list_remove(heap, previous);
        previous->size += HEADER_SIZE + size_of(block);
        block = previous;
    }
    after(block)->previous = block;
    list_add(heap, block);
}

size_t heap_block_size(const void *payload) { return size_of(block_of(payload)); }

void *heap_resize(struct heap *heap, void *payload, size_t size)
{
    if (!payload)
        return heap_allocate(heap, size);
    if (size > SIZE_MAX_ALLOWED / 2)
        return NULL;
    size = rounded(size);
    struct block *block = block_of(payload), *next = after(block);
    if (size_of(block) < size && is_free(next) && size_of(block) + HEADER_SIZE + size_of(next) >= size) {
        list_remove(heap, next);
        block->size += HEADER_SIZE + size_of(next);
        after(block)->previous = block;
    }
    if (size_of(block) >= size) {
        trim(heap, block, size);
        return payload;
    }
    void *moved = heap_allocate(heap, size);
    if (!moved)
        return NULL;
    memcpy(moved, payload, size_of(block));
    heap_free(heap, payload);
    return moved;
}
