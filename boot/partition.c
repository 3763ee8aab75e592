/*
 * The runtime as a partition's: whether a hypervisor of ours is below, and the few hypercalls that the runtime makes on its own
 * account (kernel/partition/abi.ts). Everything else is TypeScript's, by the shim of that name.
 */
#include "runtime.h"
#include "../partitions/native/chronovisor.h"
#include <string.h>

static bool is_partition, has_devices;
static uint64_t time_page;

void partition_detect(void)
{
    struct { uint32_t ebx, ecx, edx; } signature;
    uint32_t leaf = CV_CPUID_LEAF_BASE, subleaf = 0;
    __asm__ volatile("cpuid" : "+a"(leaf), "=b"(signature.ebx), "+c"(subleaf), "=d"(signature.edx));
    signature.ecx = subleaf;
    is_partition = memcmp(&signature, CV_SIGNATURE, sizeof signature) == 0;
    if (!is_partition)
        return;
    uint32_t version = CV_CPUID_LEAF_PARTITION, address, number = 0, memory;
    __asm__ volatile("cpuid" : "+a"(version), "=b"(address), "+c"(number), "=d"(memory));
    time_page = address;
    /* CPUID 1: EDX bit 9, a local APIC. A partition has one with all of a PC's devices or with none. */
    uint32_t features = 1, unused_ebx, unused_ecx = 0, edx;
    __asm__ volatile("cpuid" : "+a"(features), "=b"(unused_ebx), "+c"(unused_ecx), "=d"(edx));
    has_devices = edx >> 9 & 1;
    if (version != CV_ABI_VERSION)
        fatal(EXIT_BOOT_INFO_INVALID, "the hypervisor speaks version %u of the interface, this runtime %u", version, CV_ABI_VERSION);
}

bool partition_is_inside(void) { return is_partition; }

bool machine_has_devices(void) { return !is_partition || has_devices; }

uint64_t partition_time_page(void) { return time_page; }

int64_t partition_hypercall(const uint64_t arguments[5], uint64_t *value)
{
    struct cv_result result = cv_hypercall(arguments[0], arguments[1], arguments[2], arguments[3], arguments[4]);
    *value = result.value;
    return result.status;
}

/* A call takes so many bytes, whole lines: what is longer goes on in a line of its own. */
void partition_console(const char *line, size_t length)
{
    char part[CV_CONSOLE_MAX] = "! ";
    size_t prefix = 0;
    while (length > 0) {
        size_t most = sizeof part - prefix, taken = length;
        if (length > most)
            taken = most - 1;
        memcpy(part + prefix, line, taken);
        size_t end = prefix + taken;
        if (taken < length)
            part[end++] = '\n';
        cv_console(part, end);
        line += taken;
        length -= taken;
        /* The rest starts as the runtime's lines do: "! ". */
        memcpy(part, "! ", 2);
        prefix = 2;
    }
}

_Noreturn void partition_end(uint8_t code)
{
    if (code != EXIT_OK)
        cv_raise_health(code);
    cv_halt();
}
