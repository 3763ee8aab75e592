/*
 * An ELF file with a PVH note (Xen, "x86/HVM direct boot ABI"): looks at the start info that EBX points to, says on the console the
 * command line that it finds there, tells its magic number and how many ranges of memory it has (trace codes 1 and 2), and halts.
 * Native, ELF entered by PVH.
 */
#define CV_32
#include "chronovisor.h"

#define XEN_ELFNOTE_PHYS32_ENTRY 18
/* Offsets in struct hvm_start_info. */
#define START_INFO_MAGIC 0
#define START_INFO_COMMAND_LINE 24
#define START_INFO_MAP_ENTRIES 48

    .section .note.pvh, "a", @note
    .long 4, 4, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long _start

    .code32
    .text
    .global _start
_start:
    movl %ebx, %ebp
    movl START_INFO_MAGIC(%ebp), %edx
    cv_trace 1, %edx
    movl START_INFO_MAP_ENTRIES(%ebp), %edx
    cv_trace 2, %edx
    movl START_INFO_COMMAND_LINE(%ebp), %edi
    xorl %esi, %esi
1:  cmpb $0, (%edi, %esi)
    je 2f
    incl %esi
    jmp 1b
2:  xorl %ebx, %ebx
    cv_hypercall CV_HYPERCALL_CONSOLE
    cv_halt
    .section .note.GNU-stack, "", @progbits
