/* Leaving the machine: QEMU's isa-debug-exit device, and what remains where there is none. Leaving a partition: it halts. */
#include "runtime.h"

/* QEMU, docs "isa-debug-exit": a write of v ends QEMU with status (v << 1) | 1. */
#define DEBUG_EXIT_PORT 0xF4

_Noreturn void exit_machine_silently(uint8_t code)
{
    if (partition_is_inside())
        partition_end(code);
    port_out8(DEBUG_EXIT_PORT, code);
    for (;;)
        __asm__ volatile("cli; hlt");
}

_Noreturn void exit_machine(uint8_t code)
{
    if (partition_is_inside()) {
        diagnostic_line("ended: exit code 0x%02x", code);
        partition_end(code);
    }
    port_out8(DEBUG_EXIT_PORT, code);
    /* No such device: nobody to report to but the serial line. */
    diagnostic_line("halted: exit code 0x%02x, and no debug-exit device at port 0x%02x took it", code, DEBUG_EXIT_PORT);
    exit_machine_silently(code);
}
