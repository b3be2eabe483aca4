# First instructions of a goroutine. SwitchStack (kernel/Cpu/cpu.S) pops r15 r14 r13 r12 rbp rbx and returns here.
    .intel_syntax noprefix
    .text
    .globl  GoStart, GetGoStart
    .type   GoStart, @function
GoStart:
    .cfi_startproc
    .cfi_undefined rip                  # the bottom of every goroutine's stack
    call    GoEntry
    ud2
    .cfi_endproc
    .size   GoStart, . - GoStart

GetGoStart:                             # void* GetGoStart()
    lea     rax, [rip + GoStart]
    ret
    .section .note.GNU-stack, "", @progbits
