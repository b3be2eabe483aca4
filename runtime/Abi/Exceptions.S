# Throwing and calling funclets: what C# cannot say about exceptions.
#
# EX1  RhpThrowEx, RhpRethrow and RhpThrowHwEx leave on the stack, from rsp upwards: an ExInfo, then a
#      PAL_LIMITED_CONTEXT of the throw site; the ExInfo is the head of the current G's chain.
# EX2  The three funclet callers load the callee-saved registers of the frame the funclet belongs to, and
#      rbp is what the funclet finds its locals by. Their return labels (…2) tell the stack walk where it is.
# EX3  RhpCallCatchFunclet never returns: it pops every ExInfo below the resumed frame and jumps.
# Context: goroutine. Allocates: no. Reference: ECMA-335 I.12.4.2; contract read off CoreLib's EH class.
    .intel_syntax noprefix
    .include "Abi.inc"
    .text

# The common part: registers of the throw site into a context, an ExInfo in front of it.
# In: rdx = 0, rax = rsp of the throw site, rsi = its rip. Out: rsi = ExInfo*.
.macro PUSH_CONTEXT
    push    r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r15, 0
    push    r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r14, 0
    push    r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r13, 0
    push    r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r12, 0
    push    rdx
    .cfi_adjust_cfa_offset 8
    push    rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbx, 0
    push    rdx
    .cfi_adjust_cfa_offset 8
    push    rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbp, 0
    push    rax
    .cfi_adjust_cfa_offset 8
    push    rsi
    .cfi_adjust_cfa_offset 8
    sub     rsp, EXINFO_SIZE
    .cfi_adjust_cfa_offset EXINFO_SIZE
.endm

.macro LINK_EXINFO kind
    mov     rsi, rsp
    mov     [rsi + EXINFO_EXCEPTION], rdx
    mov     byte ptr [rsi + EXINFO_PASS], 1
    mov     dword ptr [rsi + EXINFO_CLAUSE], 0xFFFFFFFF
    mov     byte ptr [rsi + EXINFO_KIND], \kind
    mov     rax, gs:[CORE_G]
    mov     rdx, [rax + G_EXINFO_HEAD]
    mov     [rsi + EXINFO_PREV], rdx
    mov     [rax + G_EXINFO_HEAD], rsi
    lea     rax, [rsp + EXINFO_SIZE]
    mov     [rsi + EXINFO_CONTEXT], rax
.endm

# void RhpThrowEx(object exception)
    .globl  RhpThrowEx, RhpThrowEx2
    .type   RhpThrowEx, @function
RhpThrowEx:
    .cfi_startproc
    lea     rax, [rsp + 8]
    mov     rsi, [rsp]
    xor     edx, edx
    push    rdx                     # keeps rsp 16-aligned at the call
    .cfi_adjust_cfa_offset 8
    PUSH_CONTEXT
    LINK_EXINFO 1
    call    RhThrowEx
RhpThrowEx2:
    ud2
    .cfi_endproc
    .size   RhpThrowEx, . - RhpThrowEx

# void RhpRethrow()
    .globl  RhpRethrow, RhpRethrow2
    .type   RhpRethrow, @function
RhpRethrow:
    .cfi_startproc
    lea     rax, [rsp + 8]
    mov     rsi, [rsp]
    xor     edx, edx
    push    rdx
    .cfi_adjust_cfa_offset 8
    PUSH_CONTEXT
    LINK_EXINFO 0
    mov     rdi, [rsi + EXINFO_PREV]    # the exception being handled
    call    RhRethrow
RhpRethrow2:
    ud2
    .cfi_endproc
    .size   RhpRethrow, . - RhpRethrow

# void RhpThrowHwEx(uint code, void* faultingIp): the trap handler resumes the goroutine here.
# rsp is still that of the faulting instruction, of any alignment.
    .globl  RhpThrowHwEx, RhpThrowHwEx2
    .type   RhpThrowHwEx, @function
RhpThrowHwEx:
    .cfi_startproc
    .cfi_undefined rip              # Unwinder.Step knows RhpThrowHwEx2 and reads the context instead
    mov     rax, rsp
    and     rsp, -16
    xor     edx, edx
    PUSH_CONTEXT
    LINK_EXINFO 2
    call    RhThrowHwEx
RhpThrowHwEx2:
    ud2
    .cfi_endproc
    .size   RhpThrowHwEx, . - RhpThrowHwEx

.macro SAVE_NONVOLATILE
    push    r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r15, 0
    push    r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r14, 0
    push    r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r13, 0
    push    r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r12, 0
    push    rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbx, 0
    push    rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbp, 0
.endm

.macro RESTORE_NONVOLATILE
    pop     rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore rbp
    pop     rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore rbx
    pop     r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore r12
    pop     r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore r13
    pop     r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore r14
    pop     r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore r15
.endm

.macro LOAD_FRAME_REGISTERS rd
    mov     rax, [\rd + RD_RBX]
    mov     rbx, [rax]
    mov     rax, [\rd + RD_RBP]
    mov     rbp, [rax]
    mov     rax, [\rd + RD_R12]
    mov     r12, [rax]
    mov     rax, [\rd + RD_R13]
    mov     r13, [rax]
    mov     rax, [\rd + RD_R14]
    mov     r14, [rax]
    mov     rax, [\rd + RD_R15]
    mov     r15, [rax]
.endm

# void RhpCallCatchFunclet(object exception, void* handler, REGDISPLAY* frame, ExInfo* exInfo)
    .globl  RhpCallCatchFunclet, RhpCallCatchFunclet2
    .type   RhpCallCatchFunclet, @function
RhpCallCatchFunclet:
    .cfi_startproc
    SAVE_NONVOLATILE
    sub     rsp, 0x18
    .cfi_adjust_cfa_offset 0x18
    mov     [rsp], rdx
    mov     [rsp + 8], rcx
    LOAD_FRAME_REGISTERS rdx
    call    rsi                     # rdi: the exception. Returns where to go on.
RhpCallCatchFunclet2:
    mov     rdx, [rsp]
    mov     rcx, [rsp + 8]
    mov     rdx, [rdx + RD_SP]
1:  mov     rcx, [rcx + EXINFO_PREV]
    test    rcx, rcx
    jz      2f
    cmp     rcx, rdx
    jb      1b                      # below the resumed frame: dead
2:  mov     rsi, gs:[CORE_G]
    mov     [rsi + G_EXINFO_HEAD], rcx
    mov     rsp, rdx
    jmp     rax
    .cfi_endproc
    .size   RhpCallCatchFunclet, . - RhpCallCatchFunclet

# void RhpCallFinallyFunclet(void* handler, REGDISPLAY* frame)
    .globl  RhpCallFinallyFunclet, RhpCallFinallyFunclet2
    .type   RhpCallFinallyFunclet, @function
RhpCallFinallyFunclet:
    .cfi_startproc
    SAVE_NONVOLATILE
    sub     rsp, 0x18
    .cfi_adjust_cfa_offset 0x18
    mov     [rsp], rsi
    LOAD_FRAME_REGISTERS rsi
    call    rdi
RhpCallFinallyFunclet2:
    add     rsp, 0x18
    .cfi_adjust_cfa_offset -0x18
    RESTORE_NONVOLATILE
    ret
    .cfi_endproc
    .size   RhpCallFinallyFunclet, . - RhpCallFinallyFunclet

# bool RhpCallFilterFunclet(object exception, void* filter, REGDISPLAY* frame)
    .globl  RhpCallFilterFunclet, RhpCallFilterFunclet2
    .type   RhpCallFilterFunclet, @function
RhpCallFilterFunclet:
    .cfi_startproc
    SAVE_NONVOLATILE
    sub     rsp, 8
    .cfi_adjust_cfa_offset 8
    mov     rax, [rdx + RD_RBP]
    mov     rbp, [rax]
    call    rsi
RhpCallFilterFunclet2:
    add     rsp, 8
    .cfi_adjust_cfa_offset -8
    RESTORE_NONVOLATILE
    ret
    .cfi_endproc
    .size   RhpCallFilterFunclet, . - RhpCallFilterFunclet

# void AbiCaptureContext(UnwindContext* c): the caller's registers as they are after this call returns
    .globl  AbiCaptureContext
    .type   AbiCaptureContext, @function
AbiCaptureContext:
    .cfi_startproc
    mov     rax, [rsp]
    mov     [rdi], rax
    lea     rax, [rsp + 8]
    mov     [rdi + 8], rax
    mov     [rdi + 16], rbp
    mov     [rdi + 24], rbx
    mov     [rdi + 32], r12
    mov     [rdi + 40], r13
    mov     [rdi + 48], r14
    mov     [rdi + 56], r15
    ret
    .cfi_endproc
    .size   AbiCaptureContext, . - AbiCaptureContext
