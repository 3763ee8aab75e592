/*
 * The shims: one function per declaration in kernel/hw/shims.ts, same names, same order. Each checks
 * its arguments, executes its instruction and returns; none decides anything.
 */
#include "engine.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define SHIM(name) static JSValue shim_##name(JSContext *context, JSValueConst self, int count, JSValueConst *arguments)
#define UNUSED_ARGUMENTS ((void)self, (void)count, (void)arguments)

/* ---- Arguments. A wrong type is a TypeError, a wrong value a RangeError; both say which, what and what was expected. */

static const char *type_name(JSContext *context, JSValueConst value)
{
    if (JS_IsUndefined(value)) return "undefined";
    if (JS_IsNull(value)) return "null";
    if (JS_IsBool(value)) return "a boolean";
    if (JS_IsNumber(value)) return "a number";
    if (JS_IsBigInt(context, value)) return "a bigint";
    if (JS_IsString(value)) return "a string";
    return "an object";
}

static bool wrong_type(JSContext *context, const char *shim, const char *name, JSValueConst value, const char *expected)
{
    JS_ThrowTypeError(context, "%s: %s is %s, expected %s", shim, name, type_name(context, value), expected);
    return false;
}

/* An integer from 0 to `most` (at most 2^53 - 1). */
static bool get_integer(JSContext *context, const char *shim, const char *name, JSValueConst value, uint64_t most, uint64_t *result)
{
    double number;
    if (JS_VALUE_GET_TAG(value) == JS_TAG_INT) {
        int32_t integer = JS_VALUE_GET_INT(value);
        if (integer >= 0 && (uint64_t)integer <= most) {
            *result = (uint64_t)integer;
            return true;
        }
        number = integer;
    } else if (JS_IsNumber(value)) {
        number = JS_VALUE_GET_FLOAT64(value);
        /* Exact only for integers; NaN, infinities and numbers beyond 2^63 convert to the smallest integer. */
        int64_t integer = (int64_t)number;
        if ((double)integer == number && integer >= 0 && (uint64_t)integer <= most) {
            *result = (uint64_t)integer;
            return true;
        }
    } else {
        return wrong_type(context, shim, name, value, "a number");
    }
    char text[160];
    if (number >= 0 && number == floor(number) && number < 1e18)
        snprintf(text, sizeof text, "%s: %s is 0x%lx, expected an integer from 0 to 0x%lx", shim, name, (uint64_t)number, most);
    else
        snprintf(text, sizeof text, "%s: %s is %g, expected an integer from 0 to 0x%lx", shim, name, number, most);
    JS_ThrowRangeError(context, "%s", text);
    return false;
}

/* The 32 bits of an integer from -2^31 to 2^32 - 1. */
static bool get_32_bits(JSContext *context, const char *shim, const char *name, JSValueConst value, uint64_t *result)
{
    if (JS_VALUE_GET_TAG(value) == JS_TAG_INT) {
        *result = (uint32_t)JS_VALUE_GET_INT(value);
        return true;
    }
    /* A negative integer that an operation left as a floating-point number. */
    if (JS_IsNumber(value) && JS_VALUE_GET_FLOAT64(value) < 0 && JS_VALUE_GET_FLOAT64(value) >= INT32_MIN &&
        JS_VALUE_GET_FLOAT64(value) == (int32_t)JS_VALUE_GET_FLOAT64(value)) {
        *result = (uint32_t)(int32_t)JS_VALUE_GET_FLOAT64(value);
        return true;
    }
    return get_integer(context, shim, name, value, 0xFFFFFFFF, result);
}

/* A bigint from 0 to 2^64 - 1. */
static bool get_bigint(JSContext *context, const char *shim, const char *name, JSValueConst value, uint64_t *result)
{
    if (!JS_IsBigInt(context, value))
        return wrong_type(context, shim, name, value, "a bigint");
    int64_t bits;
    if (JS_ToBigInt64(context, &bits, value) < 0)
        return false;
    /* The conversion wraps: only a value that survives it was in range. */
    JSValue back = JS_NewBigUint64(context, (uint64_t)bits);
    bool same = JS_StrictEq(context, back, value);
    JS_FreeValue(context, back);
    if (!same) {
        const char *text = JS_ToCString(context, value);
        JS_ThrowRangeError(context, "%s: %s is %s, expected a bigint from 0 to 2^64 - 1", shim, name, text ? text : "?");
        JS_FreeCString(context, text);
        return false;
    }
    *result = (uint64_t)bits;
    return true;
}

static struct cpu *cpu_of(JSContext *context) { return JS_GetContextOpaque(context); }

/* Every access to a device is dated to a few instructions: what a reading means depends on when it was made. */
#define DATED(cpu, access)                \
    do {                                  \
        uint64_t before = read_tsc();     \
        access;                           \
        (cpu)->access_after = read_tsc(); \
        (cpu)->access_before = before;    \
    } while (0)

/* ---- Port I/O. */

#define PORT_MOST 0xFFFF

#define PORT_IN(name, read)                                                                          \
    SHIM(name)                                                                                       \
    {                                                                                                \
        UNUSED_ARGUMENTS;                                                                            \
        uint64_t port;                                                                               \
        if (!get_integer(context, #name, "port", arguments[0], PORT_MOST, &port))                    \
            return JS_EXCEPTION;                                                                     \
        uint32_t value;                                                                              \
        DATED(cpu_of(context), value = read((uint16_t)port));                                        \
        return JS_NewUint32(context, value);                                                         \
    }

#define PORT_OUT(name, write, type, most)                                                            \
    SHIM(name)                                                                                       \
    {                                                                                                \
        UNUSED_ARGUMENTS;                                                                            \
        uint64_t port, value;                                                                        \
        if (!get_integer(context, #name, "port", arguments[0], PORT_MOST, &port) ||                  \
            !get_integer(context, #name, "value", arguments[1], most, &value))                       \
            return JS_EXCEPTION;                                                                     \
        DATED(cpu_of(context), write((uint16_t)port, (type)value));                                  \
        return JS_UNDEFINED;                                                                         \
    }

PORT_IN(in8, port_in8)
PORT_IN(in16, port_in16)
PORT_IN(in32, port_in32)
PORT_OUT(out8, port_out8, uint8_t, 0xFF)
PORT_OUT(out16, port_out16, uint16_t, 0xFFFF)
PORT_OUT(out32, port_out32, uint32_t, 0xFFFFFFFF)

SHIM(outBlock8)
{
    UNUSED_ARGUMENTS;
    uint64_t port, offset, length;
    size_t size;
    if (!get_integer(context, "outBlock8", "port", arguments[0], PORT_MOST, &port))
        return JS_EXCEPTION;
    uint8_t *bytes = JS_GetArrayBuffer(context, &size, arguments[1]);
    if (!bytes) {
        JS_FreeValue(context, JS_GetException(context));
        wrong_type(context, "outBlock8", "buffer", arguments[1], "an ArrayBuffer");
        return JS_EXCEPTION;
    }
    if (!get_integer(context, "outBlock8", "offset", arguments[2], size, &offset) ||
        !get_integer(context, "outBlock8", "length", arguments[3], size - offset, &length))
        return JS_EXCEPTION;
    const uint8_t *source = bytes + offset;
    __asm__ volatile("rep outsb" : "+S"(source), "+c"(length) : "d"((uint16_t)port) : "memory");
    return JS_UNDEFINED;
}

/* ---- Memory-mapped I/O: exactly one access of exactly the stated width. */

static bool get_mmio_address(JSContext *context, const char *shim, JSValueConst value, unsigned width, uint64_t *address)
{
    if (!get_integer(context, shim, "address", value, (1ull << 53) - 1, address))
        return false;
    if (*address & (width - 1)) {
        char text[96];
        snprintf(text, sizeof text, "%s: address 0x%lx is not a multiple of %u", shim, *address, width);
        JS_ThrowRangeError(context, "%s", text);
        return false;
    }
    if (!paging_is_mmio(*address, width)) {
        char text[96];
        snprintf(text, sizeof text, "%s: address 0x%lx is not in a device range", shim, *address);
        JS_ThrowRangeError(context, "%s", text);
        return false;
    }
    return true;
}

#define MMIO_READ(name, type, width, instruction, constraint, box)                                   \
    SHIM(name)                                                                                       \
    {                                                                                                \
        UNUSED_ARGUMENTS;                                                                            \
        uint64_t address;                                                                            \
        type value;                                                                                  \
        if (!get_mmio_address(context, #name, arguments[0], width, &address))                        \
            return JS_EXCEPTION;                                                                     \
        DATED(cpu_of(context), __asm__ volatile(instruction " %1, %0" : constraint(value) : "m"(*(volatile type *)address))); \
        return box(context, value);                                                                  \
    }

#define MMIO_WRITE(name, type, width, instruction, constraint, get, ...)                             \
    SHIM(name)                                                                                       \
    {                                                                                                \
        UNUSED_ARGUMENTS;                                                                            \
        uint64_t address, value;                                                                     \
        if (!get_mmio_address(context, #name, arguments[0], width, &address) ||                      \
            !get(context, #name, "value", arguments[1], __VA_ARGS__ &value))                         \
            return JS_EXCEPTION;                                                                     \
        DATED(cpu_of(context), __asm__ volatile(instruction " %1, %0" : "=m"(*(volatile type *)address) : constraint((type)value))); \
        return JS_UNDEFINED;                                                                         \
    }

/* One MOV by name, not a C assignment: a compiler may split or merge those. */
MMIO_READ(mmioRead8, uint8_t, 1, "movb", "=q", JS_NewUint32)
MMIO_READ(mmioRead16, uint16_t, 2, "movw", "=r", JS_NewUint32)
MMIO_READ(mmioRead32, uint32_t, 4, "movl", "=r", JS_NewUint32)
MMIO_READ(mmioRead64, uint64_t, 8, "movq", "=r", JS_NewBigUint64)
MMIO_WRITE(mmioWrite8, uint8_t, 1, "movb", "q", get_integer, 0xFF,)
MMIO_WRITE(mmioWrite16, uint16_t, 2, "movw", "r", get_integer, 0xFFFF,)
MMIO_WRITE(mmioWrite32, uint32_t, 4, "movl", "r", get_integer, 0xFFFFFFFF,)
MMIO_WRITE(mmioWrite64, uint64_t, 8, "movq", "r", get_bigint,)

/* Accesses to one address as functions: its 32 bits, checked once, are the function's datum. */
static JSValue accessor(JSContext *context, JSCFunctionData *function, int arity, uint64_t address)
{
    JSValue datum = JS_NewInt32(context, (int32_t)(uint32_t)address);
    return JS_NewCFunctionData(context, function, arity, 0, 1, &datum);
}

#define ACCESSOR(name) static JSValue access_##name(JSContext *context, JSValueConst self, int count, JSValueConst *arguments, int magic, JSValue *data)
#define ACCESSED(type) (*(volatile type *)(uintptr_t)(uint32_t)JS_VALUE_GET_INT(data[0]))

ACCESSOR(mmioReaderInt32)
{
    UNUSED_ARGUMENTS, (void)magic;
    int32_t value;
    DATED(cpu_of(context), __asm__ volatile("movl %1, %0" : "=r"(value) : "m"(ACCESSED(int32_t))));
    return JS_NewInt32(context, value);
}

ACCESSOR(mmioReader64)
{
    UNUSED_ARGUMENTS, (void)magic;
    uint64_t value;
    DATED(cpu_of(context), __asm__ volatile("movq %1, %0" : "=r"(value) : "m"(ACCESSED(uint64_t))));
    return JS_NewBigUint64(context, value);
}

ACCESSOR(mmioWriter32)
{
    UNUSED_ARGUMENTS, (void)magic;
    uint64_t value;
    if (!get_32_bits(context, "mmioWriter32", "value", arguments[0], &value))
        return JS_EXCEPTION;
    DATED(cpu_of(context), __asm__ volatile("movl %1, %0" : "=m"(ACCESSED(uint32_t)) : "r"((uint32_t)value)));
    return JS_UNDEFINED;
}

#define MMIO_ACCESSOR(name, width, arity)                                                            \
    SHIM(name)                                                                                       \
    {                                                                                                \
        UNUSED_ARGUMENTS;                                                                            \
        uint64_t address;                                                                            \
        if (!get_mmio_address(context, #name, arguments[0], width, &address))                        \
            return JS_EXCEPTION;                                                                     \
        return accessor(context, access_##name, arity, address);                                     \
    }

MMIO_ACCESSOR(mmioReaderInt32, 4, 0)
MMIO_ACCESSOR(mmioReader64, 8, 0)
MMIO_ACCESSOR(mmioWriter32, 4, 1)

SHIM(accessTsc)
{
    UNUSED_ARGUMENTS;
    return JS_NewBigInt64(context, (int64_t)cpu_of(context)->access_after);
}

SHIM(accessTicks)
{
    UNUSED_ARGUMENTS;
    const struct cpu *cpu = cpu_of(context);
    return JS_NewInt64(context, (int64_t)(cpu->access_after - cpu->access_before));
}

/* ---- CPU. */

SHIM(rdtsc)
{
    UNUSED_ARGUMENTS;
    return JS_NewBigInt64(context, (int64_t)read_tsc());
}

SHIM(rdtscOrdered)
{
    UNUSED_ARGUMENTS;
    /* LFENCE waits for all earlier instructions (AMD: with its serialising bit set, which firmware does). */
    __asm__ volatile("lfence" : : : "memory");
    uint64_t tsc = read_tsc();
    __asm__ volatile("lfence" : : : "memory");
    return JS_NewBigInt64(context, (int64_t)tsc);
}

/* The longest wait of spinUntil: above it a wait is a mistake that would look like a hang. */
#define SPIN_LIMIT (UINT64_C(1) << 30)
/* Ticks that 256 NOPs and a turn of the loop take at the most: on QEMU's -icount each takes one. */
#define SPIN_BLOCK 1024

SHIM(spinUntil)
{
    UNUSED_ARGUMENTS;
    uint64_t end;
    if (!get_bigint(context, "spinUntil", "tsc", arguments[0], &end))
        return JS_EXCEPTION;
    uint64_t now = read_tsc();
    if (now < end && end - now > SPIN_LIMIT) {
        char text[96];
        snprintf(text, sizeof text, "spinUntil: %lu ticks ahead: expected at most %lu", end - now, SPIN_LIMIT);
        return JS_ThrowRangeError(context, "%s", text);
    }
    /* NOPs, because emulators execute them for next to nothing; no CPU takes less than a tick for four of them. */
    for (; now + SPIN_BLOCK < end; now = read_tsc())
        for (uint64_t blocks = (end - now) / SPIN_BLOCK; blocks > 0; blocks--)
            __asm__ volatile(".rept 256\n\tnop\n\t.endr");
    while (now < end)
        now = read_tsc();
    return JS_NewBigInt64(context, (int64_t)now);
}

static JSValue msr_error(JSContext *context, const char *shim, uint64_t index)
{
    char text[96];
    snprintf(text, sizeof text, "%s: MSR 0x%lx: the CPU raised #GP", shim, index);
    return JS_ThrowRangeError(context, "%s", text);
}

SHIM(rdmsr)
{
    UNUSED_ARGUMENTS;
    uint64_t index, value;
    if (!get_integer(context, "rdmsr", "index", arguments[0], 0xFFFFFFFF, &index))
        return JS_EXCEPTION;
    if (msr_read((uint32_t)index, &value) < 0)
        return msr_error(context, "rdmsr", index);
    return JS_NewBigUint64(context, value);
}

SHIM(wrmsr)
{
    UNUSED_ARGUMENTS;
    uint64_t index, value;
    if (!get_integer(context, "wrmsr", "index", arguments[0], 0xFFFFFFFF, &index) ||
        !get_bigint(context, "wrmsr", "value", arguments[1], &value))
        return JS_EXCEPTION;
    if (msr_write((uint32_t)index, value) < 0)
        return msr_error(context, "wrmsr", index);
    return JS_UNDEFINED;
}

SHIM(cpuid)
{
    UNUSED_ARGUMENTS;
    uint64_t leaf, subleaf;
    if (!get_integer(context, "cpuid", "leaf", arguments[0], 0xFFFFFFFF, &leaf) ||
        !get_integer(context, "cpuid", "subleaf", arguments[1], 0xFFFFFFFF, &subleaf))
        return JS_EXCEPTION;
    uint32_t registers[4];
    __asm__ volatile("cpuid" : "=a"(registers[0]), "=b"(registers[1]), "=c"(registers[2]), "=d"(registers[3]) : "a"((uint32_t)leaf), "c"((uint32_t)subleaf));
    JSValue result = JS_NewArray(context);
    for (uint32_t i = 0; i < 4; i++)
        if (JS_SetPropertyUint32(context, result, i, JS_NewUint32(context, registers[i])) < 0) {
            JS_FreeValue(context, result);
            return JS_EXCEPTION;
        }
    return result;
}

static JSValue no_such_control_register(JSContext *context, const char *shim, uint64_t number)
{
    return JS_ThrowRangeError(context, "%s: there is no control register %d; expected 0, 2, 3, 4 or 8", shim, (int)number);
}

SHIM(readCr)
{
    UNUSED_ARGUMENTS;
    uint64_t number, value;
    if (!get_integer(context, "readCr", "number", arguments[0], 15, &number))
        return JS_EXCEPTION;
    switch (number) {
    case 0: __asm__ volatile("mov %%cr0, %0" : "=r"(value)); break;
    case 2: value = read_cr2(); break;
    case 3: value = read_cr3(); break;
    case 4: __asm__ volatile("mov %%cr4, %0" : "=r"(value)); break;
    case 8: __asm__ volatile("mov %%cr8, %0" : "=r"(value)); break;
    default: return no_such_control_register(context, "readCr", number);
    }
    return JS_NewBigUint64(context, value);
}

SHIM(writeCr)
{
    UNUSED_ARGUMENTS;
    uint64_t number, value;
    if (!get_integer(context, "writeCr", "number", arguments[0], 15, &number) || !get_bigint(context, "writeCr", "value", arguments[1], &value))
        return JS_EXCEPTION;
    switch (number) {
    case 0: __asm__ volatile("mov %0, %%cr0" : : "r"(value) : "memory"); break;
    case 2: __asm__ volatile("mov %0, %%cr2" : : "r"(value) : "memory"); break;
    case 3: __asm__ volatile("mov %0, %%cr3" : : "r"(value) : "memory"); break;
    case 4: __asm__ volatile("mov %0, %%cr4" : : "r"(value) : "memory"); break;
    case 8: __asm__ volatile("mov %0, %%cr8" : : "r"(value) : "memory"); break;
    default: return no_such_control_register(context, "writeCr", number);
    }
    return JS_UNDEFINED;
}

/* ---- Memory. */

SHIM(physicalView)
{
    UNUSED_ARGUMENTS;
    uint64_t address, length;
    if (!get_integer(context, "physicalView", "address", arguments[0], (1ull << 53) - 1, &address) ||
        !get_integer(context, "physicalView", "length", arguments[1], 1ull << 40, &length))
        return JS_EXCEPTION;
    const struct boot_info *boot = cpu_of(context)->boot;
    const char *reason = "is not in a range of the memory map";
    for (unsigned i = 0; i < boot->range_count; i++) {
        const struct memory_range *range = &boot->ranges[i];
        bool inside = address >= range->address && length <= range->length && address - range->address <= range->length - length;
        if (!inside)
            continue;
        if (range->kind == MEMORY_RUNTIME)
            reason = "belongs to the runtime";
        else if (address < PAGE_SIZE || paging_is_mmio(address, length))
            reason = "is not memory";
        else if (!paging_is_mapped(range))
            reason = "is reserved above 4 GiB, and not mapped";
        else
            return JS_NewArrayBuffer(context, (uint8_t *)address, length, NULL, NULL, false);
    }
    char text[128];
    snprintf(text, sizeof text, "physicalView: 0x%lx, length 0x%lx, %s", address, length, reason);
    return JS_ThrowRangeError(context, "%s", text);
}

/* ---- Interrupts. */

SHIM(idle)
{
    UNUSED_ARGUMENTS;
    struct cpu *cpu = cpu_current();
    cpu->taken_count = 0;
    stretch_end(cpu);
    interrupts_idle();
    stretch_begin(cpu);
    return JS_NewUint32(context, cpu->taken_count);
}

SHIM(idleAwake)
{
    UNUSED_ARGUMENTS;
    if (partition_is_inside())
        return JS_ThrowRangeError(context, "idleAwake: inside a partition it would use up the slot; idle gives it away");
    struct cpu *cpu = cpu_current();
    cpu->taken_count = 0;
    stretch_end(cpu);
    interrupts_idle_awake();
    stretch_begin(cpu);
    return JS_NewUint32(context, cpu->taken_count);
}

SHIM(poll)
{
    UNUSED_ARGUMENTS;
    struct cpu *cpu = cpu_current();
    cpu->taken_count = 0;
    stretch_end(cpu);
    interrupts_poll();
    stretch_begin(cpu);
    return JS_NewUint32(context, cpu->taken_count);
}

SHIM(pollOne)
{
    UNUSED_ARGUMENTS;
    struct cpu *cpu = cpu_current();
    cpu->taken_count = 0;
    stretch_end(cpu);
    interrupts_poll_one();
    stretch_begin(cpu);
    return JS_NewUint32(context, cpu->taken_count);
}

static bool get_taken(JSContext *context, const char *shim, JSValueConst value, const struct taken_interrupt **taken)
{
    struct cpu *cpu = cpu_of(context);
    uint64_t index;
    if (!get_integer(context, shim, "index", value, TAKEN_CAPACITY - 1, &index))
        return false;
    if (index >= cpu->taken_count) {
        JS_ThrowRangeError(context, "%s: index is %d, but only %d interrupts were taken", shim, (int)index, (int)cpu->taken_count);
        return false;
    }
    *taken = &cpu->taken[index];
    return true;
}

SHIM(interruptVector)
{
    UNUSED_ARGUMENTS;
    const struct taken_interrupt *taken;
    return get_taken(context, "interruptVector", arguments[0], &taken) ? JS_NewUint32(context, (uint32_t)taken->vector) : JS_EXCEPTION;
}

SHIM(interruptTsc)
{
    UNUSED_ARGUMENTS;
    const struct taken_interrupt *taken;
    return get_taken(context, "interruptTsc", arguments[0], &taken) ? JS_NewBigInt64(context, (int64_t)taken->tsc) : JS_EXCEPTION;
}

SHIM(interruptsLost)
{
    UNUSED_ARGUMENTS;
    return JS_NewUint32(context, cpu_of(context)->lost_count);
}

SHIM(longestStretch)
{
    UNUSED_ARGUMENTS;
    struct cpu *cpu = cpu_of(context);
    uint64_t longest = cpu->longest_stretch;
    cpu->longest_stretch = 0;
    cpu->closed_since = read_tsc();
    return JS_NewBigInt64(context, (int64_t)longest);
}

/* ---- Guests. */

SHIM(openGuest)
{
    UNUSED_ARGUMENTS;
    uint64_t address;
    if (!get_integer(context, "openGuest", "address", arguments[0], (1ull << 53) - 1, &address))
        return JS_EXCEPTION;
    int index = guest_open(cpu_of(context), address);
    if (index < 0) {
        char text[128];
        snprintf(text, sizeof text, "openGuest: 0x%lx is no page of free memory, or there are %d guests already", address, GUESTS_MAX);
        return JS_ThrowRangeError(context, "%s", text);
    }
    return JS_NewInt32(context, index);
}

SHIM(runGuest)
{
    UNUSED_ARGUMENTS;
    struct cpu *cpu = cpu_of(context);
    uint64_t index;
    if (!get_integer(context, "runGuest", "guest", arguments[0], GUESTS_MAX - 1, &index))
        return JS_EXCEPTION;
    if (index >= cpu->guest_count)
        return JS_ThrowRangeError(context, "runGuest: there is no guest %d", (int)index);
    return JS_NewInt32(context, (int32_t)guest_enter(cpu, (unsigned)index));
}

/* ---- Boot information. */

SHIM(commandLine)
{
    UNUSED_ARGUMENTS;
    return JS_NewString(context, cpu_of(context)->boot->command_line);
}

SHIM(entryTsc)
{
    UNUSED_ARGUMENTS;
    return JS_NewBigInt64(context, (int64_t)cpu_of(context)->boot->entry_tsc);
}

SHIM(typescriptTsc)
{
    UNUSED_ARGUMENTS;
    return JS_NewBigInt64(context, (int64_t)cpu_of(context)->boot->typescript_tsc);
}

SHIM(rsdpAddress)
{
    UNUSED_ARGUMENTS;
    return JS_NewInt64(context, (int64_t)cpu_of(context)->boot->rsdp);
}

SHIM(memoryMap)
{
    UNUSED_ARGUMENTS;
    static const char *const kinds[] = {
        [MEMORY_FREE] = "free", [MEMORY_RUNTIME] = "runtime", [MEMORY_MODULE] = "module", [MEMORY_RESERVED] = "reserved", [MEMORY_ACPI] = "acpi",
    };
    const struct boot_info *boot = cpu_of(context)->boot;
    JSValue result = JS_NewArray(context);
    for (unsigned i = 0; i < boot->range_count; i++) {
        const struct memory_range *range = &boot->ranges[i];
        JSValue entry = JS_NewObject(context);
        if (JS_SetPropertyStr(context, entry, "address", JS_NewInt64(context, (int64_t)range->address)) < 0 ||
            JS_SetPropertyStr(context, entry, "length", JS_NewInt64(context, (int64_t)range->length)) < 0 ||
            JS_SetPropertyStr(context, entry, "kind", JS_NewString(context, kinds[range->kind])) < 0 ||
            JS_SetPropertyUint32(context, result, i, entry) < 0) {
            JS_FreeValue(context, result);
            return JS_EXCEPTION;
        }
    }
    return result;
}

SHIM(moduleFile)
{
    UNUSED_ARGUMENTS;
    if (!JS_IsString(arguments[0])) {
        wrong_type(context, "moduleFile", "name", arguments[0], "a string");
        return JS_EXCEPTION;
    }
    const char *name = JS_ToCString(context, arguments[0]);
    if (!name)
        return JS_EXCEPTION;
    const struct module_file *file = boot_info_find(cpu_of(context)->boot, name);
    JS_FreeCString(context, name);
    return file ? JS_NewArrayBufferCopy(context, file->data, file->length) : JS_UNDEFINED;
}

SHIM(loadProgram)
{
    UNUSED_ARGUMENTS;
    size_t length;
    bool found;
    if (!JS_IsString(arguments[0])) {
        wrong_type(context, "loadProgram", "name", arguments[0], "a string");
        return JS_EXCEPTION;
    }
    const char *name = JS_ToCStringLen(context, &length, arguments[0]);
    if (!name)
        return JS_EXCEPTION;
    JSValue program = JS_UNDEFINED;
    found = false;
    if (length <= PROGRAM_NAME_MAX)
        program = engine_read_program(cpu_of(context), name, &found);
    if (!found)
        program = JS_ThrowRangeError(context, "loadProgram: the boot module has no program %s", name);
    JS_FreeCString(context, name);
    return JS_IsException(program) ? program : JS_EvalFunction(context, program);
}

/* ---- Partition. */

/* An argument of a hypercall, as the 64 bits of its register: an integer as a number, or a bigint, negative ones in two's complement; undefined is 0. */
static bool get_word(JSContext *context, const char *name, JSValueConst value, uint64_t *result)
{
    int tag = JS_VALUE_GET_TAG(value);
    if (tag == JS_TAG_INT) {
        *result = (uint64_t)JS_VALUE_GET_INT(value);
        return true;
    }
    if (tag == JS_TAG_SHORT_BIG_INT) {
        *result = (uint64_t)JS_VALUE_GET_SHORT_BIG_INT(value);
        return true;
    }
    if (tag == JS_TAG_UNDEFINED) {
        *result = 0;
        return true;
    }
    if (JS_IsNumber(value))
        return get_integer(context, "hypercall", name, value, (1ull << 53) - 1, result);
    if (JS_IsBigInt(context, value))
        return get_bigint(context, "hypercall", name, value, result);
    return wrong_type(context, "hypercall", name, value, "a number or a bigint");
}

SHIM(hypercall)
{
    (void)self;
    static const char *const names[5] = { "number", "a", "b", "c", "d" };
    if (!partition_is_inside())
        return JS_ThrowRangeError(context, "hypercall: this is not a partition: there is no hypervisor to call");
    uint64_t words[5] = { 0, 0, 0, 0, 0 };
    for (int i = 0; i < count && i < 5; i++)
        if (!get_word(context, names[i], arguments[i], &words[i]))
            return JS_EXCEPTION;
    int64_t status = partition_hypercall(words, &cpu_of(context)->hypercall_value);
    return JS_NewInt64(context, status);
}

SHIM(hypercallValue)
{
    UNUSED_ARGUMENTS;
    return JS_NewBigUint64(context, cpu_of(context)->hypercall_value);
}

SHIM(hypercallNumber)
{
    UNUSED_ARGUMENTS;
    return JS_NewInt64(context, (int64_t)cpu_of(context)->hypercall_value);
}

/* ---- Engine. */

SHIM(heapUsed)
{
    UNUSED_ARGUMENTS;
    return JS_NewInt64(context, (int64_t)cpu_of(context)->heap_used);
}

SHIM(heapLimit)
{
    UNUSED_ARGUMENTS;
    return JS_NewInt64(context, (int64_t)cpu_of(context)->heap_limit);
}

SHIM(collectGarbage)
{
    UNUSED_ARGUMENTS;
    JS_RunGC(JS_GetRuntime(context));
    return JS_UNDEFINED;
}

SHIM(encodeUtf8)
{
    UNUSED_ARGUMENTS;
    size_t length;
    if (!JS_IsString(arguments[0])) {
        wrong_type(context, "encodeUtf8", "text", arguments[0], "a string");
        return JS_EXCEPTION;
    }
    const char *text = JS_ToCStringLen(context, &length, arguments[0]);
    if (!text)
        return JS_EXCEPTION;
    JSValue bytes = JS_NewArrayBufferCopy(context, (const uint8_t *)text, length);
    JS_FreeCString(context, text);
    return bytes;
}

SHIM(evaluate)
{
    UNUSED_ARGUMENTS;
    struct cpu *cpu = cpu_of(context);
    uint64_t limit;
    size_t length;
    if (!JS_IsString(arguments[0])) {
        wrong_type(context, "evaluate", "source", arguments[0], "a string");
        return JS_EXCEPTION;
    }
    if (!get_bigint(context, "evaluate", "limit", arguments[1], &limit))
        return JS_EXCEPTION;
    const char *source = JS_ToCStringLen(context, &length, arguments[0]);
    if (!source)
        return JS_EXCEPTION;
    /* An evaluation within an evaluation ends with the outer one at the latest. */
    uint64_t now = read_tsc(), outer_end = cpu->evaluation_end, end = limit > UINT64_MAX - now ? UINT64_MAX : now + limit;
    cpu->evaluation_end = outer_end != 0 && outer_end < end ? outer_end : end;
    JSValue result = JS_Eval(context, source, length, "console", JS_EVAL_TYPE_GLOBAL);
    bool over = read_tsc() >= cpu->evaluation_end;
    cpu->evaluation_end = outer_end;
    JS_FreeCString(context, source);
    if (JS_IsException(result) && over) {
        /* The engine's own error can't be caught by JavaScript; the caller is to survive it. */
        JS_FreeValue(context, JS_GetException(context));
        return JS_ThrowInternalError(context, "evaluation stopped at its time limit");
    }
    return result;
}

SHIM(exit)
{
    UNUSED_ARGUMENTS;
    uint64_t code;
    /* QEMU shifts the code left into an 8-bit exit status. */
    if (!get_integer(context, "exit", "code", arguments[0], 0x7F, &code))
        return JS_EXCEPTION;
    exit_machine((uint8_t)code);
}

static const JSCFunctionListEntry shims[] = {
/* Like the engine's JS_CFUNC_DEF, but enumerable: whoever copies or prints the object sees them. */
#define ENTRY(name, arity)                                                                                                \
    {                                                                                                                     \
        #name, JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE | JS_PROP_ENUMERABLE, JS_DEF_CFUNC, 0, .u = { .func = { arity, JS_CFUNC_generic, { .generic = shim_##name } } } \
    }
    ENTRY(in8, 1),
    ENTRY(in16, 1),
    ENTRY(in32, 1),
    ENTRY(out8, 2),
    ENTRY(out16, 2),
    ENTRY(out32, 2),
    ENTRY(outBlock8, 4),
    ENTRY(mmioRead8, 1),
    ENTRY(mmioRead16, 1),
    ENTRY(mmioRead32, 1),
    ENTRY(mmioRead64, 1),
    ENTRY(mmioWrite8, 2),
    ENTRY(mmioWrite16, 2),
    ENTRY(mmioWrite32, 2),
    ENTRY(mmioWrite64, 2),
    ENTRY(mmioReaderInt32, 1),
    ENTRY(mmioReader64, 1),
    ENTRY(mmioWriter32, 1),
    ENTRY(accessTsc, 0),
    ENTRY(accessTicks, 0),
    ENTRY(rdtsc, 0),
    ENTRY(rdtscOrdered, 0),
    ENTRY(spinUntil, 1),
    ENTRY(rdmsr, 1),
    ENTRY(wrmsr, 2),
    ENTRY(cpuid, 2),
    ENTRY(readCr, 1),
    ENTRY(writeCr, 2),
    ENTRY(physicalView, 2),
    ENTRY(idle, 0),
    ENTRY(idleAwake, 0),
    ENTRY(poll, 0),
    ENTRY(pollOne, 0),
    ENTRY(interruptVector, 1),
    ENTRY(interruptTsc, 1),
    ENTRY(interruptsLost, 0),
    ENTRY(longestStretch, 0),
    ENTRY(openGuest, 1),
    ENTRY(runGuest, 1),
    ENTRY(commandLine, 0),
    ENTRY(entryTsc, 0),
    ENTRY(typescriptTsc, 0),
    ENTRY(rsdpAddress, 0),
    ENTRY(memoryMap, 0),
    ENTRY(moduleFile, 1),
    ENTRY(loadProgram, 1),
    ENTRY(hypercall, 1),
    ENTRY(hypercallValue, 0),
    ENTRY(hypercallNumber, 0),
    ENTRY(heapUsed, 0),
    ENTRY(heapLimit, 0),
    ENTRY(collectGarbage, 0),
    ENTRY(encodeUtf8, 1),
    ENTRY(evaluate, 2),
    ENTRY(exit, 1),
};

JSValue shims_create(JSContext *context)
{
    JSValue object = JS_NewObject(context);
    if (!JS_IsException(object))
        JS_SetPropertyFunctionList(context, object, shims, sizeof shims / sizeof *shims);
    return object;
}
