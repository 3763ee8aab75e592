/*
 * The heap against a model, on the host: heap-test SEED. One line per property; the first that does not
 * hold ends the program with status 1 and says what was seen. It includes heap.c, so that it can walk the
 * blocks and lists themselves, and takes the arena from malloc, so that the sanitizer guards its ends.
 */
#include "heap.c"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char *property = "start";
static unsigned long long seed, step;

static _Noreturn __attribute__((format(printf, 1, 2))) void fail(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    printf("FAIL: %s: ", property);
    vprintf(format, list);
    printf(" (seed %llu, step %llu)\n", seed, step);
    va_end(list);
    exit(1);
}
#define CHECK(condition, ...) do { if (!(condition)) fail(__VA_ARGS__); } while (0)

/* SplitMix64 (G. Steele et al., 2014): every seed will do. */
static uint64_t state;
static uint64_t random_bits(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}
static size_t below(size_t limit) { return (size_t)(random_bits() % limit); }

/* ---- An arena and its heap. */

struct arena { char *memory; size_t length; struct heap *heap; size_t whole; /* payload of the one block of a fresh heap */ };

static struct block *first_block(const struct arena *arena) { return (struct block *)(arena->memory + rounded(sizeof(struct heap))); }

static struct arena arena_create(size_t length)
{
    struct arena arena = { .memory = aligned_alloc(ALIGNMENT, (length + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1)), .length = length };
    memset(arena.memory, 0xa5, length);
    arena.heap = heap_create(arena.memory, length);
    CHECK(arena.heap, "no heap of %zu bytes", length);
    arena.whole = size_of(first_block(&arena));
    return arena;
}

/* What has to hold between any two calls. Returns the size of the largest free block. */
static size_t check_structure(const struct arena *arena)
{
    const struct heap *heap = arena->heap;
    const char *end = arena->memory + (arena->length & ~(size_t)(ALIGNMENT - 1)) - HEADER_SIZE;
    size_t free_blocks = 0, largest = 0;
    const struct block *previous = NULL, *block = first_block(arena);
    for (; (const char *)block < end; previous = block, block = after(block)) {
        CHECK(block->previous == previous, "a block does not know its neighbour below");
        CHECK(size_of(block) >= ALIGNMENT && size_of(block) % ALIGNMENT == 0, "a block of %zu bytes", size_of(block));
        CHECK(!(is_free(block) && previous && is_free(previous)), "two free neighbours were not made one");
        if (is_free(block)) {
            free_blocks++;
            largest = size_of(block) > largest ? size_of(block) : largest;
        }
    }
    CHECK((const char *)block == end, "the blocks do not fill the arena");
    CHECK(block->previous == previous && block->size == 0, "the arena's end was overwritten");
    size_t listed = 0;
    for (unsigned first = 0; first < FIRST_LEVELS; first++) {
        CHECK(((heap->first_level >> first) & 1) == (heap->second_level[first] != 0), "bitmap of level 1 is wrong at %u", first);
        for (unsigned second = 0; second < SECOND_LEVELS; second++) {
            const struct block *head = heap->lists[first][second];
            CHECK(((heap->second_level[first] >> second) & 1) == (head != NULL), "bitmap of level 2 is wrong at %u, %u", first, second);
            for (const struct block *each = head; each; each = each->next_free, listed++) {
                struct class class = class_of(size_of(each));
                CHECK(is_free(each), "a used block is in a list");
                CHECK(class.first == first && class.second == second, "a block of %zu bytes is in list %u, %u", size_of(each), first, second);
                CHECK(each == head ? !each->previous_free : each->previous_free->next_free == each, "a list's links are torn");
            }
        }
    }
    CHECK(listed == free_blocks, "%zu free blocks, %zu in the lists", free_blocks, listed);
    return largest;
}

/* One free block again: its whole payload can be had, by an allocation that grows in place. */
static void check_whole(const struct arena *arena)
{
    CHECK(check_structure(arena) == arena->whole, "the largest free block is not the whole heap of %zu bytes", arena->whole);
    void *block = heap_allocate(arena->heap, 1);
    CHECK(block, "an empty heap has no block of 1 byte");
    CHECK(heap_resize(arena->heap, block, arena->whole) == block, "%zu bytes can't be had again", arena->whole);
    CHECK(heap_block_size(block) == arena->whole, "%zu bytes became %zu", arena->whole, heap_block_size(block));
    CHECK(!heap_allocate(arena->heap, 1), "a full heap gave a block");
    heap_free(arena->heap, block);
    CHECK(check_structure(arena) == arena->whole, "the heap did not become whole again");
}

static void arena_destroy(struct arena *arena) { free(arena->memory); }

/* ---- The model: what is in use, and what stands in it. */

enum { LIVE_MAX = 600 };
struct live { unsigned char *at; size_t size; uint64_t mark; };
struct model { struct arena *arena; struct live live[LIVE_MAX]; size_t count; };

static unsigned char pattern(uint64_t mark, size_t index) { return (unsigned char)((mark + index * 0x9e3779b97f4a7c15) >> 56); }

static void fill(struct live *live)
{
    live->mark = random_bits();
    for (size_t index = 0; index < live->size; index++)
        live->at[index] = pattern(live->mark, index);
}

static void check_content(const struct live *live, size_t length)
{
    for (size_t index = 0; index < length; index++)
        CHECK(live->at[index] == pattern(live->mark, index), "byte %zu of a block of %zu changed", index, live->size);
}

/* A block as it was given out for `size` bytes. */
static void check_block(const struct model *model, const unsigned char *at, size_t size, size_t except)
{
    const char *memory = model->arena->memory;
    size_t usable = heap_block_size(at);
    CHECK((uintptr_t)at % ALIGNMENT == 0, "a block at %p is not aligned to %d", (const void *)at, ALIGNMENT);
    CHECK(usable >= size, "%zu bytes were asked for, %zu given", size, usable);
    CHECK(usable < rounded(size) + HEADER_SIZE + ALIGNMENT, "%zu bytes were asked for, and %zu spent", size, usable);
    CHECK((const char *)at >= memory && (const char *)at + usable <= memory + model->arena->length, "a block is outside the arena");
    for (size_t index = 0; index < model->count; index++) {
        const struct live *other = &model->live[index];
        if (index != except)
            CHECK(at + usable <= other->at || other->at + heap_block_size(other->at) <= at, "two blocks overlap");
    }
}

/* NULL is right only when no class that fits whole has a block. */
static void check_refusal(const struct model *model, size_t size)
{
    size = rounded(size);
    size_t granule = size < (1 << SMALL_BITS) ? ALIGNMENT : (size_t)1 << (63 - __builtin_clzl(size) - SECOND_LEVEL_BITS);
    size_t enough = (size + granule - 1) / granule * granule;
    size_t largest = check_structure(model->arena);
    CHECK(largest < enough, "no block for %zu bytes, though %zu are free in one", size, largest);
}

static bool model_allocate(struct model *model, size_t size)
{
    unsigned char *at = heap_allocate(model->arena->heap, size);
    if (!at) {
        check_refusal(model, size);
        return false;
    }
    check_block(model, at, size, model->count);
    struct live *live = &model->live[model->count++];
    live->at = at;
    live->size = size;
    fill(live);
    return true;
}

static void model_free(struct model *model, size_t index)
{
    struct live *live = &model->live[index];
    check_content(live, live->size);
    heap_free(model->arena->heap, live->at);
    *live = model->live[--model->count];
}

static bool model_resize(struct model *model, size_t index, size_t size)
{
    struct live *live = &model->live[index];
    unsigned char *at = heap_resize(model->arena->heap, live->at, size);
    if (!at) {
        check_content(live, live->size);
        check_refusal(model, size);
        return false;
    }
    live->at = at;
    check_content(live, size < live->size ? size : live->size);
    check_block(model, at, size, index);
    live->size = size;
    fill(live);
    return true;
}

/* Mostly small, as an engine's; now and then around a power of two, or a large part of the arena. */
static size_t random_size(size_t whole)
{
    switch (below(8)) {
    case 0: return below(4);
    case 1: return ((size_t)1 << below(17)) + below(64);
    case 2: return below(whole / 8);
    case 3: return below(4096);
    default: return below(300);
    }
}

/* ---- The properties. */

static void creation(void)
{
    size_t least = rounded(sizeof(struct heap)) + 2 * HEADER_SIZE + ALIGNMENT;
    char *memory = aligned_alloc(ALIGNMENT, least);
    for (size_t length = 0; length < least; length++)
        CHECK(!heap_create(memory, length), "%zu bytes are said to be enough", length);
    free(memory);
    CHECK(!heap_create(&state, SIZE_MAX), "a heap of the whole address space");
    CHECK(!heap_create(&state, SIZE_MAX_ALLOWED + ALIGNMENT), "a heap larger than the classes reach");
    for (size_t length = least; length < least + 200; length++) {
        /* Not from arena_create: the sanitizer is to see the odd length. */
        char *odd = malloc(length);
        struct arena arena = { .memory = odd, .length = length, .heap = heap_create(odd, length) };
        CHECK(arena.heap, "%zu bytes are not enough", length);
        arena.whole = size_of(first_block(&arena));
        check_whole(&arena);
        free(odd);
    }
}

/* Just below, at and just above each class's lower bound. */
static void class_boundaries(void)
{
    struct arena arena = arena_create(4 << 20);
    struct model model = { .arena = &arena };
    for (size_t power = 4; power < 21; power++)
        for (size_t part = 0; part < SECOND_LEVELS; part++) {
            size_t bound = ((size_t)1 << power) + (part << power) / SECOND_LEVELS;
            size_t around = power < 12 ? 17 : 1;
            for (size_t size = bound < around ? 0 : bound - around; size <= bound + around; size++, step++) {
                CHECK(model_allocate(&model, size), "%zu of %zu bytes can't be had", size, arena.whole);
                /* A used neighbour, so that the freed block keeps its size and class. */
                CHECK(model_allocate(&model, 1), "no second block");
                check_content(&model.live[0], size);
                heap_free(arena.heap, model.live[0].at);
                check_structure(&arena);
                void *again = heap_allocate(arena.heap, bound);
                CHECK(again, "%zu bytes can't be had after %zu were freed", bound, size);
                heap_free(arena.heap, again);
                heap_free(arena.heap, model.live[1].at);
                model.count = 0;
            }
        }
    check_whole(&arena);
    arena_destroy(&arena);
}

static void refusals(void)
{
    struct arena arena = arena_create(1 << 20);
    static const size_t HUGE_SIZES[] = { SIZE_MAX, SIZE_MAX - 15, SIZE_MAX / 2 + 1, (size_t)1 << 63, SIZE_MAX_ALLOWED, SIZE_MAX_ALLOWED / 2 + 1,
        SIZE_MAX_ALLOWED / 2, (size_t)1 << 32, 1 << 20 };
    for (size_t index = 0; index < sizeof HUGE_SIZES / sizeof *HUGE_SIZES; index++, step++) {
        struct live live = { .at = heap_allocate(arena.heap, 100), .size = 100 };
        fill(&live);
        CHECK(!heap_allocate(arena.heap, HUGE_SIZES[index]), "%zx bytes were given", HUGE_SIZES[index]);
        CHECK(!heap_resize(arena.heap, live.at, HUGE_SIZES[index]), "a block grew to %zx bytes", HUGE_SIZES[index]);
        check_content(&live, 100);
        heap_free(arena.heap, live.at);
        check_whole(&arena);
    }
    heap_free(arena.heap, NULL);
    check_whole(&arena);
    arena_destroy(&arena);
}

static void zero_size(void)
{
    struct arena arena = arena_create(1 << 16);
    struct model model = { .arena = &arena };
    for (; step < 100; step++)
        CHECK(model_allocate(&model, 0), "no block of no bytes");
    for (size_t index = 0; index < 100; index++)
        CHECK(model_resize(&model, index, 0), "a block can't shrink to no bytes");
    CHECK(heap_resize(arena.heap, NULL, 0), "no block for a resize of none");
    heap_free(arena.heap, (char *)after(block_of(model.live[99].at)) + HEADER_SIZE);
    while (model.count)
        model_free(&model, model.count - 1);
    check_whole(&arena);
    arena_destroy(&arena);
}

static void resizing(void)
{
    struct arena arena = arena_create(1 << 18);
    struct heap *heap = arena.heap;
    for (size_t from = 1; from < 5000; from += 1 + below(60), step++) {
        /* Enough more that the difference can be a block of its own. */
        size_t to = rounded(from) + HEADER_SIZE + ALIGNMENT + below(5000);
        struct live live = { .at = heap_allocate(heap, from), .size = from };
        fill(&live);
        CHECK(heap_resize(heap, live.at, to) == live.at, "%zu to %zu bytes moved, though all above was free", from, to);
        CHECK(heap_block_size(live.at) >= to, "%zu to %zu bytes is too small", from, to);
        check_content(&live, from);
        CHECK(heap_resize(heap, live.at, from) == live.at, "%zu to %zu bytes moved", to, from);
        CHECK(heap_block_size(live.at) == rounded(from), "what a smaller block no longer needs was not given back");
        check_content(&live, from);

        unsigned char *neighbour = heap_allocate(heap, 1);
        CHECK(neighbour == live.at + rounded(from) + HEADER_SIZE, "what was given back is not what is given next");
        size_t more = rounded(from) + 1;
        unsigned char *moved = heap_resize(heap, live.at, more);
        CHECK(moved && moved != live.at, "%zu to %zu bytes ran into its neighbour", from, more);
        live.at = moved;
        check_content(&live, from);
        heap_free(heap, neighbour);
        heap_free(heap, moved);
        check_whole(&arena);
    }
    /* Exactly as much as the free neighbour has, and one byte more. */
    unsigned char *low = heap_allocate(heap, 1000), *middle = heap_allocate(heap, 1000), *high = heap_allocate(heap, 1000);
    heap_free(heap, middle);
    size_t both = heap_block_size(low) + HEADER_SIZE + 1008;
    CHECK(heap_resize(heap, low, both) == low, "a block does not take all of its free neighbour");
    CHECK(heap_block_size(low) == both, "the two make %zu bytes, not %zu", heap_block_size(low), both);
    unsigned char *elsewhere = heap_resize(heap, low, both + 1);
    CHECK(elsewhere && elsewhere != low, "a block took more than its free neighbour has");
    heap_free(heap, elsewhere);
    heap_free(heap, high);
    check_whole(&arena);
    arena_destroy(&arena);
}

/* Full of one size: the next is refused, a freed one is had again, and nothing is lost. */
static void exhaustion(void)
{
    struct arena arena = arena_create(1 << 16);
    static const size_t SIZES[] = { 1, 16, 17, 100, 255, 256, 257, 1000, 5000 };
    for (size_t index = 0; index < sizeof SIZES / sizeof *SIZES; index++, step++) {
        static unsigned char *blocks[1 << 12];
        size_t count = 0, size = SIZES[index];
        while ((blocks[count] = heap_allocate(arena.heap, size)))
            memset(blocks[count++], 0xff, size);
        /* Rounding up to a class wastes at most 1/16, and one block may be left over. */
        size_t each = rounded(size) + HEADER_SIZE;
        CHECK((count + 2) * each >= arena.whole / 17 * 16, "only %zu blocks of %zu in %zu bytes", count, size, arena.whole);
        check_structure(&arena);
        CHECK(!heap_resize(arena.heap, blocks[0], arena.whole), "a block grew in a full heap");
        size_t some = below(count);
        heap_free(arena.heap, blocks[some]);
        unsigned char *again = heap_allocate(arena.heap, size < 256 ? size : size - size / 16);
        CHECK(again == blocks[some], "a full heap does not give a freed block of %zu again", size);
        /* Every second one first: then none has a free neighbour. */
        for (size_t odd = 2; odd-- > 0;)
            for (size_t each_second = odd; each_second < count; each_second += 2)
                heap_free(arena.heap, blocks[each_second]);
        check_whole(&arena);
    }
    arena_destroy(&arena);
}

static void random_work(size_t length, size_t steps)
{
    struct arena arena = arena_create(length);
    static struct model model;
    model = (struct model){ .arena = &arena };
    size_t refused = 0, moved = 0, kept = 0;
    for (step = 0; step < steps; step++) {
        /* Long stretches that mostly fill, then long ones that mostly empty. */
        size_t bias = step / 1000 % 2 ? 3 : 6, action = below(10);
        if (action < bias && model.count < LIVE_MAX)
            refused += !model_allocate(&model, random_size(arena.whole));
        else if (action < 8 && model.count) {
            size_t index = below(model.count);
            const unsigned char *before = model.live[index].at;
            if (!model_resize(&model, index, random_size(arena.whole)))
                refused++;
            else if (model.live[index].at == before)
                kept++;
            else
                moved++;
        } else if (model.count)
            model_free(&model, below(model.count));
        if (step % 16 == 0)
            check_structure(&arena);
    }
    CHECK(refused && moved && kept, "the work was too easy: %zu refused, %zu moved, %zu kept", refused, moved, kept);
    while (model.count)
        model_free(&model, below(model.count));
    check_whole(&arena);
    arena_destroy(&arena);
}

static void random_small(void) { random_work(20000, 20000); }
static void random_middle(void) { random_work((256 << 10) + 5, 20000); }
static void random_large(void) { random_work(4 << 20, 10000); }

int main(int count, char **arguments)
{
    static const struct { const char *name; void (*check)(void); } PROPERTIES[] = {
        { "a heap is made of any length that holds its bookkeeping and one block", creation },
        { "sizes around every class boundary", class_boundaries },
        { "a size that can't be had is refused and harms nothing", refusals },
        { "no bytes are a block too", zero_size },
        { "a resize keeps the content, in place where it can", resizing },
        { "an exhausted heap refuses and stays usable", exhaustion },
        { "random work in a small heap", random_small },
        { "random work in a middle heap", random_middle },
        { "random work in a large heap", random_large },
    };
    if (count != 2) {
        fprintf(stderr, "usage: heap-test SEED\n");
        return 2;
    }
    seed = strtoull(arguments[1], NULL, 0);
    for (size_t index = 0; index < sizeof PROPERTIES / sizeof *PROPERTIES; index++) {
        property = PROPERTIES[index].name;
        state = seed;
        step = 0;
        PROPERTIES[index].check();
        printf("PASS: %s\n", property);
    }
    return 0;
}
