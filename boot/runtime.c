/* From the entry in assembly to the engine. */
#include "runtime.h"

extern uint64_t boot_entry_tsc, boot_start_info;

static struct boot_info boot;

/* Below this the engine does not start; above this nobody needs it to. */
#define HEAP_MINIMUM (1 * MIB)
#define HEAP_DEFAULT (32 * MIB)

_Noreturn void runtime_main(void)
{
    partition_detect();
    diagnostic_init();
    legacy_interrupts_mask();
    cpu_init(&boot_cpu, &boot);
    boot.entry_tsc = boot_entry_tsc;
    boot_info_read(&boot, boot_start_info);
    paging_init(&boot);
    boot_info_read_archive(&boot);

    uint64_t free_length = boot_info_largest_free(&boot);
    uint64_t automatic = free_length / 2 < HEAP_DEFAULT ? free_length / 2 : HEAP_DEFAULT;
    boot_cpu.heap_limit = boot_info_size_option(&boot, "heap", automatic);
    if (boot_cpu.heap_limit < HEAP_MINIMUM)
        fatal(EXIT_BOOT_INFO_INVALID, "heap of %lu KiB is too small: the machine needs more memory, or heap= a larger value (at least %lu KiB)",
              boot_cpu.heap_limit / KIB, HEAP_MINIMUM / KIB);
    engine_run(&boot_cpu);
}
