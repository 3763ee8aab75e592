/* Guests: the pages that runGuest works on. */
#include "runtime.h"

/* What guest.S takes for granted. */
#define ASSERT_OFFSET(field, offset) _Static_assert(offsetof(struct guest, field) == (offset), #field)
ASSERT_OFFSET(rax, GUEST_RAX);
ASSERT_OFFSET(rcx, GUEST_RCX);
ASSERT_OFFSET(rdx, GUEST_RDX);
ASSERT_OFFSET(rbx, GUEST_RBX);
ASSERT_OFFSET(rbp, GUEST_RBP);
ASSERT_OFFSET(rsi, GUEST_RSI);
ASSERT_OFFSET(rdi, GUEST_RDI);
ASSERT_OFFSET(r8, GUEST_R8);
ASSERT_OFFSET(r15, GUEST_R15);
ASSERT_OFFSET(dr[0], GUEST_DR0);
ASSERT_OFFSET(dr[3], GUEST_DR3);
ASSERT_OFFSET(tsc_aux, GUEST_TSC_AUX);
ASSERT_OFFSET(vmcb, GUEST_VMCB);
ASSERT_OFFSET(host_vmcb, GUEST_HOST_VMCB);
ASSERT_OFFSET(not_before, GUEST_NOT_BEFORE);
ASSERT_OFFSET(entered, GUEST_ENTERED);
ASSERT_OFFSET(left, GUEST_LEFT);
ASSERT_OFFSET(timer_address, GUEST_TIMER_ADDRESS);
ASSERT_OFFSET(timer_value, GUEST_TIMER_VALUE);
ASSERT_OFFSET(taken, GUEST_TAKEN);
ASSERT_OFFSET(keep, GUEST_KEEP);
ASSERT_OFFSET(end_address, GUEST_END_ADDRESS);
ASSERT_OFFSET(timer_value_if_taken, GUEST_TIMER_VALUE_IF_TAKEN);
ASSERT_OFFSET(fx, GUEST_FX);
ASSERT_OFFSET(host_fx, GUEST_HOST_FX);

void guest_run(struct guest *guest);

/* RAM that the memory map calls free: TypeScript's to give out. */
static bool is_free_page(const struct boot_info *boot, uint64_t address)
{
    for (unsigned i = 0; i < boot->range_count; i++) {
        const struct memory_range *range = &boot->ranges[i];
        if (range->kind == MEMORY_FREE && range->length >= PAGE_SIZE && address >= range->address &&
            address - range->address <= range->length - PAGE_SIZE)
            return address % PAGE_SIZE == 0;
    }
    return false;
}

int guest_open(struct cpu *cpu, uint64_t address)
{
    if (cpu->guest_count == GUESTS_MAX || !is_free_page(cpu->boot, address))
        return -1;
    cpu->guests[cpu->guest_count] = (struct guest *)address;
    return (int)cpu->guest_count++;
}

uint32_t guest_enter(struct cpu *cpu, unsigned index)
{
    struct guest *guest = cpu->guests[index];
    if (!guest->keep)
        cpu->taken_count = 0;
    guest->keep = 0;
    stretch_end(cpu);
    guest_run(guest);
    cpu->closed_since = guest->left;
    /* Most often it is one, and the vector tells which: no other call is needed then. */
    guest->taken = cpu->taken_count | (cpu->taken_count ? cpu->taken[0].vector << 8 : 0);
    /* Codes have 32 bits that matter: QEMU's INVALID has no more of its 64. */
    return *(const uint32_t *)(guest->vmcb + VMCB_EXITCODE);
}
