# Where a new goroutine starts.
#
# SW1  A new G's saved frame is laid out as SwitchStack's (kernel/Cpu/core.S): rbx = Fn, r12 = Arg, return address
#      SchedStart + 1, and rsp is 16-byte aligned after the return.
# SW2  Unwinding ends here: the return address of this frame is undefined. The nop makes the return address lie
#      inside this routine even before its first instruction has run.
# Context: goroutine. Allocates: no.
    .intel_syntax noprefix
    .text

# void SchedStart(): Fn(Arg), then the goroutine ends
    .globl  SchedStart
    .type   SchedStart, @function
SchedStart:
    .cfi_startproc
    .cfi_undefined rip
    nop
    mov     rdi, r12
    call    rbx
    call    SchedGoexit0
    ud2
    .cfi_endproc
    .size   SchedStart, . - SchedStart

# nuint SchedCallerPc(): return address of the method that calls this one, which must have an rbp frame
    .globl  SchedCallerPc
    .type   SchedCallerPc, @function
SchedCallerPc:
    .cfi_startproc
    mov     rax, [rbp + 8]
    ret
    .cfi_endproc
    .size   SchedCallerPc, . - SchedCallerPc

# nuint SchedStartAddress()
    .globl  SchedStartAddress
    .type   SchedStartAddress, @function
SchedStartAddress:
    .cfi_startproc
    lea     rax, [rip + SchedStart]
    ret
    .cfi_endproc
    .size   SchedStartAddress, . - SchedStartAddress
    .section .note.GNU-stack, "", @progbits
