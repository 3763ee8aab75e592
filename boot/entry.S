/*
 * PVH entry to long mode (Xen, "x86/HVM direct boot ABI"): 32-bit protected mode, paging off,
 * EBX = physical address of struct hvm_start_info. Early page tables map the first 4 GiB one to
 * one, writable and executable; paging.c replaces them with tables that enforce the access rights.
 */

#include "layout.h"

#define CR0_MP (1 << 1)
#define CR0_EM (1 << 2)
#define CR0_NE (1 << 5)
#define CR0_WP (1 << 16)
#define CR0_PG (1 << 31)
#define CR4_PAE (1 << 5)
#define CR4_MCE (1 << 6)
#define CR4_OSFXSR (1 << 9)
#define CR4_OSXMMEXCPT (1 << 10)
#define MSR_EFER 0xC0000080
#define EFER_LME (1 << 8)
#define EFER_NXE (1 << 11)

#define PTE_P (1 << 0)
#define PTE_RW (1 << 1)
#define PTE_PS (1 << 7)

    /* XEN_ELFNOTE_PHYS32_ENTRY: where a PVH loader enters. */
    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 4, 18
    .asciz "Xen"
    .long pvh_entry

    .section .text.entry, "ax", @progbits
    .code32
    .global pvh_entry
pvh_entry:
    cld
    cli
    /* The first instruction that can: every "since boot" is counted from this stamp. */
    rdtsc
    movl %eax, boot_entry_tsc
    movl %edx, boot_entry_tsc + 4
    movl %ebx, boot_start_info

    /* The bss is zeroed by the loader (ELF: p_filesz < p_memsz), so the tables below are. */
    movl $early_pd, %edi
    movl $(PTE_P | PTE_RW | PTE_PS), %eax
    movl $2048, %ecx
1:  movl %eax, (%edi)
    addl $(2 << 20), %eax
    addl $8, %edi
    loop 1b
    movl $(early_pd + PTE_P + PTE_RW), %eax
    movl $early_pdpt, %edi
    movl $4, %ecx
2:  movl %eax, (%edi)
    addl $4096, %eax
    addl $8, %edi
    loop 2b
    movl $(early_pdpt + PTE_P + PTE_RW), early_pml4

    movl $(CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT), %eax
    movl %eax, %cr4
    movl $early_pml4, %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    rdmsr
    orl $(EFER_LME | EFER_NXE), %eax
    wrmsr
    movl %cr0, %eax
    andl $~CR0_EM, %eax
    orl $(CR0_PG | CR0_WP | CR0_NE | CR0_MP), %eax
    movl %eax, %cr0
    lgdt early_gdt_pointer
    ljmp $0x08, $long_mode

    .code64
long_mode:
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
    leaq boot_cpu + CPU_STACK_TOP(%rip), %rsp
    xorl %ebp, %ebp
    call runtime_main
1:  cli
    hlt
    jmp 1b

    .section .rodata
    .balign 8
early_gdt:
    .quad 0
    .quad 0x00209A0000000000 /* 64-bit code, ring 0 */
early_gdt_pointer:
    .word 15
    .long early_gdt

    .section .bss
    .balign 4096
early_pml4: .skip 4096
early_pdpt: .skip 4096
early_pd:   .skip 4 * 4096
    .global boot_entry_tsc, boot_start_info
    .balign 8
boot_entry_tsc:  .skip 8
boot_start_info: .skip 8
    .section .note.GNU-stack, "", @progbits
