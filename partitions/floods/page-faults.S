/*
 * Writes behind its memory, over and over: a nested page fault each time, whether the hypervisor skips the instruction or tries it again.
 *
 * Program: native, flat, protected mode (paging is off, so that no page table of its own is asked first). Memory: 64 KiB. Plan: any
 * slot. Ports: none. Health: memory-violation must not halt it: ignore or log.
 */
#define ADDRESS 0x40000000

    .code32
    .text
    .global _start
_start:
1:  movl %eax, ADDRESS
    jmp 1b
    .section .note.GNU-stack, "", @progbits
