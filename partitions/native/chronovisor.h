/*
 * What a native program and the hypervisor agree on, for C and for assembly. The names are those of kernel/partition/abi.ts, with
 * CV_ in front and the object's name between; a test (chronovisor.test.ts) compares every value. What each call does stands there.
 *
 * Entered, a program finds interrupts off, no IDT, and
 *   flat `long`, and ELF `plain` of 64 bits: 64-bit CS, paging on one to one over the memory and the time page behind it,
 *     RDI = address of the time page, RSI = bytes of memory, RSP = 0 (start.S makes all that C needs);
 *   flat `protected`: flat 32-bit segments, paging off, EDI and ESI as above;
 *   flat `real`: CS base = address rounded down to 16, IP = entry - CS base, DS = ES = SS = 0;
 *   ELF `pvh`: as the PVH boot protocol says, EBX = start info.
 * A hypercall is VMMCALL in ring 0: number in RAX, arguments in RDI, RSI, RDX, RCX; status back in RAX, value in RDX, all other
 * registers kept. Outside of long mode EBX is the high half of the second argument, and ECX that of the value.
 */
#pragma once

#define CV_ABI_VERSION 1

#define CV_HYPERCALL_VERSION 0x10000
#define CV_HYPERCALL_GET_TIME 0x10001
#define CV_HYPERCALL_SET_TIMER 0x10002
#define CV_HYPERCALL_CANCEL_TIMER 0x10003
#define CV_HYPERCALL_IDLE 0x10004
#define CV_HYPERCALL_CONSOLE 0x10005
#define CV_HYPERCALL_TRACE 0x10006
#define CV_HYPERCALL_HALT 0x10007
#define CV_HYPERCALL_SUSPEND 0x10008
#define CV_HYPERCALL_RESUME 0x10009
#define CV_HYPERCALL_RESET 0x1000A
#define CV_HYPERCALL_SWITCH_PLAN 0x1000B
#define CV_HYPERCALL_STATUS 0x1000C
#define CV_HYPERCALL_PORT_OPEN 0x1000D
#define CV_HYPERCALL_PORT_WRITE 0x1000E
#define CV_HYPERCALL_PORT_READ 0x1000F
#define CV_HYPERCALL_SET_ENABLED 0x10010
#define CV_HYPERCALL_SET_VECTOR_BASE 0x10011
#define CV_HYPERCALL_SEND_INTERRUPT 0x10012
#define CV_HYPERCALL_RAISE_HEALTH 0x10013
#define CV_HYPERCALL_READ_HEALTH 0x10014
#define CV_HYPERCALL_WATCHDOG 0x10015
#define CV_HYPERCALL_CONTROL_CLOCK 0x10016
#define CV_HYPERCALL_BATCH 0x10017
#define CV_HYPERCALL_STOP 0x10018

#define CV_ERROR_OK 0
#define CV_ERROR_UNKNOWN -1
#define CV_ERROR_INVALID -2
#define CV_ERROR_ADDRESS -3
#define CV_ERROR_PERMISSION -4
#define CV_ERROR_NONE -5
#define CV_ERROR_FULL -6
#define CV_ERROR_EMPTY -7
#define CV_ERROR_VERSION -8
#define CV_ERROR_STATE -9

#define CV_SELF 0xFFFF

#define CV_CLOCK_HW 0
#define CV_CLOCK_EXEC 1
#define CV_CLOCK_WALL 2

#define CV_RESET_COLD 0
#define CV_RESET_WARM 1

#define CV_CLOCK_OPERATION_FREEZE 0
#define CV_CLOCK_OPERATION_THAW 1
#define CV_CLOCK_OPERATION_OFFSET 2

#define CV_LINE_HW_TIMER 0
#define CV_LINE_EXEC_TIMER 1
#define CV_LINE_SLOT_START 2
#define CV_LINE_PORT 3
#define CV_LINE_HEALTH 4
#define CV_LINE_CONTROLLER 5
#define CV_LINE_FIRST_FREE 8
#define CV_LINE_COUNT 32
#define CV_DEFAULT_VECTOR_BASE 0x40

#define CV_TIMERS_MAX 512
#define CV_TIMER_PERIOD_MIN 50000
#define CV_CONSOLE_MAX 256
#define CV_BATCH_MAX 4096
#define CV_BATCH_ENTRY 64
#define CV_PORT_VALID 0x10000

#define CV_TIME_PAGE_LENGTH 4096
#define CV_TIME_PAGE_SEQUENCE 0x00
#define CV_TIME_PAGE_VERSION 0x04
#define CV_TIME_PAGE_TSC_BASE 0x08
#define CV_TIME_PAGE_HW_BASE 0x10
#define CV_TIME_PAGE_EXEC_BASE 0x18
#define CV_TIME_PAGE_HW_MULTIPLIER 0x20
#define CV_TIME_PAGE_EXEC_MULTIPLIER 0x24
#define CV_TIME_PAGE_SHIFT 0x28
#define CV_TIME_PAGE_PARTITION 0x2C
#define CV_TIME_PAGE_SLOT_START 0x30
#define CV_TIME_PAGE_SLOT_END 0x38
#define CV_TIME_PAGE_SLOT 0x40
#define CV_TIME_PAGE_PLAN 0x44
#define CV_TIME_PAGE_WALL_OFFSET 0x48
#define CV_TIME_PAGE_FRAME 0x50
#define CV_TIME_PAGE_RESETS 0x54
#define CV_TIME_PAGE_TIMER_COUNTS 0x400

#define CV_CPUID_LEAF_BASE 0x40000000
#define CV_CPUID_LEAF_PARTITION 0x40000001
#define CV_CPUID_LEAF_FREQUENCY 0x40000010
#define CV_SIGNATURE "Chronovisor\0"

#define CV_STATUS_STATE 0x00
#define CV_STATUS_HW_CLOCK 0x08
#define CV_STATUS_EXEC_CLOCK 0x10
#define CV_STATUS_RESETS 0x18
#define CV_STATUS_EXITS 0x20
#define CV_STATUS_SLOTS 0x28
#define CV_STATUS_LATE_SLOTS 0x30
#define CV_STATUS_HYPERCALLS 0x38
#define CV_STATUS_LENGTH 0x40

#define CV_PARTITION_STATE_READY 0
#define CV_PARTITION_STATE_IDLE 1
#define CV_PARTITION_STATE_SUSPENDED 2
#define CV_PARTITION_STATE_HALTED 3

#define CV_HEALTH_ENTRY_AT 0x00
#define CV_HEALTH_ENTRY_PARTITION 0x08
#define CV_HEALTH_ENTRY_EVENT 0x10
#define CV_HEALTH_ENTRY_ACTION 0x18
#define CV_HEALTH_ENTRY_DETAIL 0x20
#define CV_HEALTH_ENTRY_LENGTH 0x28

#ifdef __ASSEMBLER__

/* One hypercall; its arguments are in their registers. 16-, 32- and 64-bit code alike. */
    .macro cv_hypercall number
    movl $\number, %eax
    vmmcall
    .endm

/* The same with what it takes, for 32- and 64-bit code: an immediate or a register other than EDI, 32 bits. */
    .macro cv_trace code, value
    movl \value, %esi
    movl $\code, %edi
#ifdef CV_32
    xorl %ebx, %ebx
#endif
    cv_hypercall CV_HYPERCALL_TRACE
    .endm

    .macro cv_halt
    movl $CV_SELF, %edi
    cv_hypercall CV_HYPERCALL_HALT
    .endm

#else
#include <stdint.h>

/* `status` is 0 or one of CV_ERROR_x; `value` means something only when it is 0. */
struct cv_result { int64_t status; uint64_t value; };

static inline struct cv_result cv_hypercall(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    struct cv_result result;
    __asm__ volatile("vmmcall" : "=a"(result.status), "=d"(result.value) : "a"(number), "D"(a), "S"(b), "d"(c), "c"(d) : "memory");
    return result;
}

/* The clocks, from the time page, without an exit. A clock's base and its multiplier stand at these two offsets. */
static inline uint64_t cv_read_clock(const volatile void *time_page, unsigned base_at, unsigned multiplier_at)
{
    const volatile uint8_t *page = (const volatile uint8_t *)time_page;
    const volatile uint32_t *sequence = (const volatile uint32_t *)(page + CV_TIME_PAGE_SEQUENCE);
    for (;;) {
        uint32_t before = *sequence, low, high;
        uint64_t base = *(const volatile uint64_t *)(page + base_at), start = *(const volatile uint64_t *)(page + CV_TIME_PAGE_TSC_BASE);
        uint32_t multiplier = *(const volatile uint32_t *)(page + multiplier_at), shift = *(const volatile uint32_t *)(page + CV_TIME_PAGE_SHIFT);
        __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
        /* The page changes only while the partition does not run: equal and even means that all of it, the TSC too, is of one stretch. */
        if (*sequence == before && !(before & 1))
            return base + (uint64_t)((unsigned __int128)(((uint64_t)high << 32 | low) - start) * multiplier >> shift);
    }
}

/* Nanoseconds since the epoch, the start of the first major frame. */
static inline uint64_t cv_now(const volatile void *time_page)
{
    return cv_read_clock(time_page, CV_TIME_PAGE_HW_BASE, CV_TIME_PAGE_HW_MULTIPLIER);
}

/* Nanoseconds that the partition itself has run: others' slots and its own idling do not count. */
static inline uint64_t cv_executed(const volatile void *time_page)
{
    return cv_read_clock(time_page, CV_TIME_PAGE_EXEC_BASE, CV_TIME_PAGE_EXEC_MULTIPLIER);
}

/* How often a timer has expired, periods that fell outside of the slots counted. */
static inline uint32_t cv_timer_count(const volatile void *time_page, unsigned timer)
{
    return *(const volatile uint32_t *)((const volatile uint8_t *)time_page + CV_TIME_PAGE_TIMER_COUNTS + 4 * timer);
}

/* A deadline on a clock, absolute in ns; `period` 0: once, else at least CV_TIMER_PERIOD_MIN. Expiries come as CV_LINE_HW_TIMER or CV_LINE_EXEC_TIMER. */
static inline int64_t cv_set_timer(unsigned timer, unsigned clock, uint64_t deadline, uint64_t period)
{
    return cv_hypercall(CV_HYPERCALL_SET_TIMER, timer | (uint64_t)clock << 16, deadline, period, 0).status;
}

static inline int64_t cv_cancel_timer(unsigned timer) { return cv_hypercall(CV_HYPERCALL_CANCEL_TIMER, timer, 0, 0, 0).status; }

/* At most CV_CONSOLE_MAX bytes. */
static inline int64_t cv_console(const char *text, uint64_t length)
{
    return cv_hypercall(CV_HYPERCALL_CONSOLE, (uint64_t)text, length, 0, 0).status;
}

/* A record in the trace, dated to this instruction. */
static inline void cv_trace(uint64_t code, uint64_t value) { cv_hypercall(CV_HYPERCALL_TRACE, code, value, 0, 0); }

/* A bit per line: which ones are delivered. */
static inline void cv_set_enabled(uint32_t lines) { cv_hypercall(CV_HYPERCALL_SET_ENABLED, lines, 0, 0, 0); }

static inline void cv_raise_health(uint64_t code) { cv_hypercall(CV_HYPERCALL_RAISE_HEALTH, code, 0, 0, 0); }

_Noreturn static inline void cv_halt(void)
{
    for (;;)
        cv_hypercall(CV_HYPERCALL_HALT, CV_SELF, 0, 0, 0);
}

/* What start.S hands to cv_exception. */
struct cv_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rcx, rdx, rax;
    uint64_t vector, error_code, rip, cs, rflags, rsp, ss;
};

/* Waits for the next virtual interrupt; interrupts are on only meanwhile, and one that is pending already ends it. */
static inline void cv_idle(void) { __asm__ volatile("sti; hlt; cli" : : : "memory"); }

#endif
