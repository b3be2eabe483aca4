# Where goroutines start, are interrupted, and hold on to their core.
#
# SW1  A new G's saved frame is laid out as SwitchStack's (kernel/Cpu/core.S): rbx = Fn, r12 = Arg, return address
#      SchedStart + 1, and rsp is 16-byte aligned after the return.
# SW2  Unwinding ends here: the return address of this frame is undefined. The nop makes the return address lie
#      inside this routine even before its first instruction has run.
# SW3  SchedAsyncPreempt is entered as if the interrupted instruction had called it: every register and flag is kept.
#      Managed code has no red zone. XSAVE components x87, SSE and AVX: what the image is compiled for.
# SW4  Offsets 80 and 84 are CoreState.LockDepth and Look; each is used by one instruction at a time, for the goroutine
#      may be on another core at the next one (only at depth 0, and never inside this file: it is not managed code).
# Context: goroutine. Allocates: no.
    .intel_syntax noprefix
    .text
    .equ    XSAVE_BYTES, 832

# void SchedStart(): Fn(Arg), then the goroutine ends
    .globl  SchedStart
    .type   SchedStart, @function
SchedStart:
    .cfi_startproc
    .cfi_undefined rip
    nop
    call    SchedStarted
    mov     rdi, r12
    call    rbx
    call    SchedGoexit0
    ud2
    .cfi_endproc
    .size   SchedStart, . - SchedStart

# void SchedCoreStart(): a core's scheduler, on a stack of its own; the stack the core came on is done with
    .globl  SchedCoreStart
    .type   SchedCoreStart, @function
SchedCoreStart:
    .cfi_startproc
    .cfi_undefined rip
    nop
    call    SchedLoop
    ud2
    .cfi_endproc
    .size   SchedCoreStart, . - SchedCoreStart

# CoreState* SchedAcquire()
    .globl  SchedAcquire
    .type   SchedAcquire, @function
SchedAcquire:
    .cfi_startproc
    inc     dword ptr gs:[80]
    mov     rax, gs:[0]
    add     rax, 64
    ret
    .cfi_endproc
    .size   SchedAcquire, . - SchedAcquire

# void SchedRelease()
    .globl  SchedRelease
    .type   SchedRelease, @function
SchedRelease:
    .cfi_startproc
    dec     dword ptr gs:[80]
    jnz     1f
    cmp     dword ptr gs:[84], 0
    jne     SchedInterrupted
1:  ret
    .cfi_endproc
    .size   SchedRelease, . - SchedRelease

# void SchedAsyncPreempt()
    .globl  SchedAsyncPreempt
    .type   SchedAsyncPreempt, @function
SchedAsyncPreempt:
    .cfi_startproc
    .cfi_signal_frame
    push    rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbp, 0
    mov     rbp, rsp
    .cfi_def_cfa_register rbp
    pushfq
    push    rax
    push    rbx
    .cfi_offset rbx, -40
    push    rcx
    push    rdx
    push    rsi
    push    rdi
    push    r8
    push    r9
    push    r10
    push    r11
    push    r12
    .cfi_offset r12, -112
    push    r13
    .cfi_offset r13, -120
    push    r14
    .cfi_offset r14, -128
    push    r15
    .cfi_offset r15, -136
    cld
    sub     rsp, XSAVE_BYTES + 64
    and     rsp, -64
    xor     eax, eax
    mov     [rsp + 512], rax
    mov     [rsp + 520], rax
    mov     [rsp + 528], rax
    mov     [rsp + 536], rax
    mov     [rsp + 544], rax
    mov     [rsp + 552], rax
    mov     [rsp + 560], rax
    mov     [rsp + 568], rax
    mov     eax, 7
    xor     edx, edx
    xsave64 [rsp]
    call    SchedInterrupted
    mov     eax, 7
    xor     edx, edx
    xrstor64 [rsp]
    lea     rsp, [rbp - 120]
    pop     r15
    pop     r14
    pop     r13
    pop     r12
    pop     r11
    pop     r10
    pop     r9
    pop     r8
    pop     rdi
    pop     rsi
    pop     rdx
    pop     rcx
    pop     rbx
    pop     rax
    popfq
    pop     rbp
    .cfi_def_cfa rsp, 8
    ret
    .cfi_endproc
    .size   SchedAsyncPreempt, . - SchedAsyncPreempt

# nuint SchedCallerPc(): return address of the method that calls this one, which must have an rbp frame
    .globl  SchedCallerPc
    .type   SchedCallerPc, @function
SchedCallerPc:
    .cfi_startproc
    mov     rax, [rbp + 8]
    ret
    .cfi_endproc
    .size   SchedCallerPc, . - SchedCallerPc

    .macro ADDRESS name, symbol
    .globl  \name
    .type   \name, @function
\name:
    .cfi_startproc
    lea     rax, [rip + \symbol]
    ret
    .cfi_endproc
    .size   \name, . - \name
    .endm
    ADDRESS SchedStartAddress, SchedStart                   # nuint SchedStartAddress()
    ADDRESS SchedAsyncPreemptAddress, SchedAsyncPreempt     # nuint SchedAsyncPreemptAddress()
    .section .note.GNU-stack, "", @progbits
