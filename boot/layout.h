/* What assembly knows of struct cpu (runtime.h); cpu.c asserts each line. */
#define CPU_TAKEN_COUNT 8
#define CPU_LOST_COUNT 12
#define CPU_TAKEN 16
#define TAKEN_CAPACITY 64
#define CPU_STACK_TOP 0x126000

#define RFLAGS_IF 0x200

/* struct guest (runtime.h): what runGuest takes and leaves; kernel/vm/guest-area.ts has the same offsets. guest.c asserts each line. */
#define GUEST_RAX 0x00
#define GUEST_RCX 0x08
#define GUEST_RDX 0x10
#define GUEST_RBX 0x18
#define GUEST_RBP 0x28
#define GUEST_RSI 0x30
#define GUEST_RDI 0x38
#define GUEST_R8 0x40
#define GUEST_R9 0x48
#define GUEST_R10 0x50
#define GUEST_R11 0x58
#define GUEST_R12 0x60
#define GUEST_R13 0x68
#define GUEST_R14 0x70
#define GUEST_R15 0x78
#define GUEST_DR0 0x80
#define GUEST_DR1 0x88
#define GUEST_DR2 0x90
#define GUEST_DR3 0x98
#define GUEST_TSC_AUX 0xA0
#define GUEST_VMCB 0xA8
#define GUEST_HOST_VMCB 0xB0
#define GUEST_NOT_BEFORE 0xB8
#define GUEST_ENTERED 0xC0
#define GUEST_LEFT 0xC8
#define GUEST_TIMER_ADDRESS 0xD0
#define GUEST_TIMER_VALUE 0xD8
#define GUEST_TAKEN 0xE0
#define GUEST_KEEP 0xE8
#define GUEST_END_ADDRESS 0xF0
#define GUEST_TIMER_VALUE_IF_TAKEN 0xF8
#define GUEST_FX 0x200
#define GUEST_HOST_FX 0x400
/* AMD64 Architecture Programmer's Manual vol. 2, "Layout of VMCB", "SVM Intercept Codes": what the world switch itself touches. */
#define VMCB_TLB_CONTROL 0x05C
#define VMCB_EXITCODE 0x070
#define VMCB_RAX 0x5F8
#define VMEXIT_INTR 0x60
