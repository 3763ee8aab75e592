/*
 * Executes instructions of 64-bit code on this machine, on ordinary memory: native CASES RESULTS. A case is the registers by number, RFLAGS,
 * GS base, two windows of memory, and the instruction with its length behind it; a result is a case as the instruction left it.
 */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CODE 0x40000ul
#define CODE_AT 0x40800ul
#define RAM 0x50000ul
#define DEVICE 0x20000000ul
#define PAGE 0x1000ul
#define WINDOW 256
#define WINDOW_AT 0x800

struct test_case {
    uint64_t registers[16];
    uint64_t flags, gs_base;
    uint8_t device[WINDOW], ram[WINDOW];
    uint8_t code[15], length;
};

uint64_t registers[16], flags, host_stack, entry = CODE_AT;
void run(void);
void back(void);
__asm__(".intel_syntax noprefix\n"
        "run: push rbx; push rbp; push r12; push r13; push r14; push r15\n"
        "mov host_stack, rsp\n"
        "push qword ptr flags; popfq\n"
        "mov rax, registers; mov rcx, registers+8; mov rdx, registers+16; mov rbx, registers+24; mov rbp, registers+40\n"
        "mov rsi, registers+48; mov rdi, registers+56; mov r8, registers+64; mov r9, registers+72; mov r10, registers+80\n"
        "mov r11, registers+88; mov r12, registers+96; mov r13, registers+104; mov r14, registers+112; mov r15, registers+120\n"
        "mov rsp, registers+32\n"
        "jmp qword ptr entry\n"
        "back: mov registers, rax; mov registers+8, rcx; mov registers+16, rdx; mov registers+24, rbx; mov registers+32, rsp\n"
        "mov registers+40, rbp; mov registers+48, rsi; mov registers+56, rdi; mov registers+64, r8; mov registers+72, r9\n"
        "mov registers+80, r10; mov registers+88, r11; mov registers+96, r12; mov registers+104, r13; mov registers+112, r14\n"
        "mov registers+120, r15\n"
        "mov rsp, host_stack\n"
        "pushfq; pop qword ptr flags; cld\n"
        "pop r15; pop r14; pop r13; pop r12; pop rbp; pop rbx; ret\n"
        ".att_syntax\n");

static unsigned long number;
static void on_fault(int signal)
{
    /* printf is not for handlers, but this one does not return. */
    printf("case %lu: signal %d\n", number, signal);
    fflush(stdout);
    _exit(1);
}

static uint8_t *map(unsigned long address, int rights)
{
    void *memory = mmap((void *)address, PAGE, rights, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return memory;
}

int main(int count, char **words)
{
    static uint8_t alternate[0x10000];
    stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate };
    struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_ONSTACK };
    sigaltstack(&stack, NULL);
    for (int signal = SIGILL; signal <= SIGSEGV; signal++) sigaction(signal, &action, NULL);

    FILE *in = count == 3 ? fopen(words[1], "rb") : NULL, *out = count == 3 ? fopen(words[2], "wb") : NULL;
    if (!in || !out) return 2;
    uint8_t *code = map(CODE, PROT_READ | PROT_WRITE | PROT_EXEC);
    uint8_t *ram = map(RAM, PROT_READ | PROT_WRITE) + WINDOW_AT, *device = map(DEVICE, PROT_READ | PROT_WRITE) + WINDOW_AT;
    struct test_case test;
    for (; fread(&test, sizeof test, 1, in) == 1; number++) {
        uint8_t *at = code + (CODE_AT - CODE);
        memcpy(at, test.code, test.length);
        static const uint8_t jump[] = { 0xff, 0x25, 0, 0, 0, 0 };
        uint64_t target = (uint64_t)back;
        memcpy(at + test.length, jump, sizeof jump);
        memcpy(at + test.length + sizeof jump, &target, sizeof target);
        memcpy(device, test.device, WINDOW);
        memcpy(ram, test.ram, WINDOW);
        memcpy(registers, test.registers, sizeof registers);
        flags = test.flags;
        syscall(SYS_arch_prctl, ARCH_SET_GS, test.gs_base);
        run();
        memcpy(test.device, device, WINDOW);
        memcpy(test.ram, ram, WINDOW);
        memcpy(test.registers, registers, sizeof registers);
        test.flags = flags;
        fwrite(&test, sizeof test, 1, out);
    }
    return fclose(out) == 0 ? 0 : 1;
}
