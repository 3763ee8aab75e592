/* Jumps to where no memory is. Native, flat, protected mode: paging is off, so the fetch itself is a nested page fault. */
    .code32
    .text
    .global _start
_start:
    movl $0x40000000, %eax
    jmp *%eax
    .section .note.GNU-stack, "", @progbits
