# Allocation fast paths and reference stores.
#
# AL1  gs:[CORE_CACHE] is this core's MCache. An object goes where its class's window begins, its header word lies in the 8
#      bytes before; the window's memory is zero and nobody else's. Nothing here is interrupted: it is not managed code.
# AL2  Every helper between __abi_helpers_start and __abi_helpers_end is a leaf that has not moved rsp where it
#      touches the caller's pointers, so that a fault there is the caller's NullReferenceException.
# AL3  Register use of the by-ref helper: rdi and rsi advance by 8, rax and rcx are lost, nothing else.
# AL4  While gc_barrier is active, a stored reference that is not marked yet goes to the core's shade buffer (Gc/Barrier.cs).
# Context: goroutine. Allocates: that is what it does. Reference: src/coreclr/jit/targetamd64.h for registers.
    .intel_syntax noprefix
    .include "Abi.inc"
    .text

# From the window of the class of esi bytes and the type's contents. In: rdi = type, esi = bytes, at most SMALL_MOST.
# Out: rax = object, its type word not written; rcx, r8, r9 lost. Jumps to \slow with rdi and rsi as they were.
.macro BUMP slow
    mov     r8, gs:[CORE_CACHE]
    mov     ecx, esi
    shr     ecx, 3
    movzx   ecx, byte ptr [r8 + rcx]
    movzx   r9d, word ptr [rdi + MT_FLAGS]
    shl     ecx, WINDOW_PAIR_SHIFT
    and     r9d, MT_HAS_POINTERS
    shr     r9d, MT_POINTERS_SHIFT
    add     r8, rcx
    add     r8, r9
    mov     rax, [r8 + CACHE_WINDOWS + WINDOW_PTR]
    mov     rcx, [r8 + CACHE_WINDOWS + WINDOW_SLOT_BYTES]
    add     rcx, rax
    cmp     rcx, [r8 + CACHE_WINDOWS + WINDOW_LIMIT]
    ja      \slow
    mov     [r8 + CACHE_WINDOWS + WINDOW_PTR], rcx
.endm

# object RhpNewFast(MethodTable* type)
    .globl  RhpNewFast
    .type   RhpNewFast, @function
RhpNewFast:
    .cfi_startproc
    mov     esi, [rdi + MT_BASE_SIZE]
    cmp     esi, SMALL_MOST
    ja      1f
    BUMP    1f
    mov     [rax], rdi
    ret
1:  xor     edx, edx
    jmp     AbiAllocSlow
    .cfi_endproc
    .size   RhpNewFast, . - RhpNewFast

# object RhpNewPtrArrayFast(MethodTable* type, nint length) and RhpNewArrayFast: the element size differs
    .globl  RhpNewPtrArrayFast, RhpNewArrayFast
    .type   RhpNewArrayFast, @function
    .type   RhpNewPtrArrayFast, @function
RhpNewPtrArrayFast:
RhpNewArrayFast:
    .cfi_startproc
    mov     rdx, rsi
    cmp     rdx, 0x7FFFFFFF
    ja      3f                      # negative or absurd
    movzx   ecx, word ptr [rdi + MT_COMPONENT_SIZE]
    mov     eax, [rdi + MT_BASE_SIZE]
    imul    rsi, rcx
    lea     rsi, [rsi + rax + 7]
    and     rsi, -8
1:  cmp     rsi, SMALL_MOST
    ja      2f
    BUMP    2f
    mov     [rax], rdi
    mov     [rax + ARRAY_LENGTH], edx
    ret
2:  jmp     AbiAllocSlow            # (type, bytes, length)
3:  mov     esi, 1                  # OverflowException
    jmp     RhExceptionHandling_FailedAllocation
    .cfi_endproc
    .size   RhpNewArrayFast, . - RhpNewArrayFast

# string RhNewString(MethodTable* type, nint length)
    .globl  RhNewString
    .type   RhNewString, @function
RhNewString:
    .cfi_startproc
    mov     rdx, rsi
    cmp     rdx, STRING_MAX_LENGTH
    ja      4f
    lea     rsi, [rsi * 2 + STRING_BASE_SIZE + 7]
    and     rsi, -8
    jmp     1b
4:  xor     esi, esi                # OutOfMemoryException
    jmp     RhExceptionHandling_FailedAllocation
    .cfi_endproc
    .size   RhNewString, . - RhNewString

    .globl  __abi_helpers_start, __abi_helpers_end
__abi_helpers_start:

# Shades the reference in \value, with the scratch registers rax and rcx (AL4). Goes to \full when the buffer is full
# now, else to \done.
.macro SHADE value, done, full
    mov     rax, \value
    sub     rax, gc_barrier[rip + BARRIER_BASE]
    cmp     rax, gc_barrier[rip + BARRIER_BYTES]
    jae     \done                   # null, or not of the heap
    shr     rax, 4
    mov     rcx, rax
    shr     rcx, 6
    shl     rcx, 3
    add     rcx, gc_barrier[rip + BARRIER_MARKS]
    and     eax, 63
    mov     rcx, [rcx]
    bt      rcx, rax
    jc      \done                   # marked already
    mov     rcx, gs:[CORE_SHADE_PTR]
    mov     [rcx], \value
    add     rcx, 8
    mov     gs:[CORE_SHADE_PTR], rcx
    cmp     rcx, gs:[CORE_SHADE_END]
    jae     \full
.endm

# void RhpAssignRef(ref object slot, object value)
    .globl  RhpAssignRef, RhpCheckedAssignRef
    .type   RhpAssignRef, @function
    .type   RhpCheckedAssignRef, @function
RhpAssignRef:
RhpCheckedAssignRef:
    .cfi_startproc
    mov     [rdi], rsi
    cmp     byte ptr gc_barrier[rip], 0
    jne     1f
    ret
1:  SHADE   rsi, 2f, AbiShadeFull
2:  ret
    .cfi_endproc
    .size   RhpAssignRef, . - RhpAssignRef

# void RhpByRefAssignRef(): *rdi++ = *rsi++
    .globl  RhpByRefAssignRef
    .type   RhpByRefAssignRef, @function
RhpByRefAssignRef:
    .cfi_startproc
    mov     rcx, [rsi]
    mov     [rdi], rcx
    add     rdi, 8
    add     rsi, 8
    cmp     byte ptr gc_barrier[rip], 0
    jne     1f
    ret
1:  push    rdx
    .cfi_adjust_cfa_offset 8
    mov     rdx, rcx
    SHADE   rdx, 2f, 3f
2:  pop     rdx
    .cfi_adjust_cfa_offset -8
    ret
3:  pop     rdx
    jmp     AbiShadeFull
    .cfi_endproc
    .size   RhpByRefAssignRef, . - RhpByRefAssignRef

# object RhpCheckedLockCmpXchg(ref object slot, object value, object comparand)
    .globl  RhpCheckedLockCmpXchg
    .type   RhpCheckedLockCmpXchg, @function
RhpCheckedLockCmpXchg:
    .cfi_startproc
    mov     rax, rdx
    lock cmpxchg [rdi], rsi
    jne     1f
    cmp     byte ptr gc_barrier[rip], 0
    jne     2f
1:  ret
2:  mov     rdx, rax
    SHADE   rsi, 3f, 4f
3:  mov     rax, rdx
    ret
4:  mov     rax, rdx
    jmp     AbiShadeFull
    .cfi_endproc
    .size   RhpCheckedLockCmpXchg, . - RhpCheckedLockCmpXchg

# object RhpCheckedXchg(ref object slot, object value)
    .globl  RhpCheckedXchg
    .type   RhpCheckedXchg, @function
RhpCheckedXchg:
    .cfi_startproc
    mov     rdx, rsi
    xchg    [rdi], rdx
    cmp     byte ptr gc_barrier[rip], 0
    jne     1f
    mov     rax, rdx
    ret
1:  SHADE   rsi, 2f, 3f
2:  mov     rax, rdx
    ret
3:  mov     rax, rdx
    jmp     AbiShadeFull
    .cfi_endproc
    .size   RhpCheckedXchg, . - RhpCheckedXchg

# void RhBulkMoveWithWriteBarrier(ref byte to, ref byte from, nuint bytes)
    .globl  RhBulkMoveWithWriteBarrier
    .type   RhBulkMoveWithWriteBarrier, @function
RhBulkMoveWithWriteBarrier:
    .cfi_startproc
    cmp     rdx, 16384
    ja      1f
    cmp     byte ptr gc_barrier[rip], 0
    je      memmove
1:  test    rdx, rdx
    je      2f
    cmp     byte ptr [rdi], dil     # a null pointer faults here, on the caller's account (AL2)
    cmp     byte ptr [rsi], dil
    jmp     GcBulkMove
2:  ret
    .cfi_endproc
    .size   RhBulkMoveWithWriteBarrier, . - RhBulkMoveWithWriteBarrier

# ref byte RhpGcSafeZeroMemory(ref byte to, nuint bytes): memset returns its first argument
    .globl  RhpGcSafeZeroMemory
    .type   RhpGcSafeZeroMemory, @function
RhpGcSafeZeroMemory:
    .cfi_startproc
    mov     rdx, rsi
    xor     esi, esi
    jmp     memset
    .cfi_endproc
    .size   RhpGcSafeZeroMemory, . - RhpGcSafeZeroMemory

# Interface dispatch. The call site does: lea r11, [cell]; call [r11]. A cell is (stub, cache).
# A resolved cell's cache block: 32 bytes of header, then 16-byte entries (MethodTable, code); 0 = empty.
# The stub for N entries compares N of them; unknown types go to the resolver, which may grow the block.
.macro DISPATCH_STUB n
    .globl  AbiDispatch\n
    .type   AbiDispatch\n, @function
AbiDispatch\n:
    .cfi_startproc
    mov     rax, [rdi]              # a null `this` faults here, on the caller's account (AL2)
    mov     r10, [r11 + 8]
    .set    off, 32
    .rept   \n
    cmp     rax, [r10 + off]
    jne     1f
    jmp     [r10 + off + 8]
1:
    .set    off, off + 16
    .endr
    jmp     AbiResolve
    .cfi_endproc
    .size   AbiDispatch\n, . - AbiDispatch\n
.endm
    DISPATCH_STUB 1
    DISPATCH_STUB 2
    DISPATCH_STUB 4
    DISPATCH_STUB 8
    DISPATCH_STUB 16
    DISPATCH_STUB 32

    .globl  RhpInitialDynamicInterfaceDispatch, RhpInitialInterfaceDispatch
    .type   RhpInitialDynamicInterfaceDispatch, @function
RhpInitialDynamicInterfaceDispatch:
RhpInitialInterfaceDispatch:
    .cfi_startproc
    cmp     byte ptr [rdi], dil
    jmp     AbiResolve
    .cfi_endproc
    .size   RhpInitialDynamicInterfaceDispatch, . - RhpInitialDynamicInterfaceDispatch
__abi_helpers_end:

# The core's shade buffer is full: empties it. Every register is kept, for the by-ref helper promises that, and so is the
# core until the buffer is empty (the next barrier on this core would write behind its end).
    .type   AbiShadeFull, @function
AbiShadeFull:
    .cfi_startproc
    push    rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbp, 0
    mov     rbp, rsp
    .cfi_def_cfa_register rbp
    inc     dword ptr gs:[CORE_LOCK_DEPTH]
    push    rax
    push    rcx
    push    rdx
    push    rsi
    push    rdi
    push    r8
    push    r9
    push    r10
    push    r11
    sub     rsp, XSAVE_BYTES + 64
    and     rsp, -64
    xor     eax, eax
    .irp    at, 512, 520, 528, 536, 544, 552, 560, 568
    mov     [rsp + \at], rax
    .endr
    mov     eax, 7
    xor     edx, edx
    xsave64 [rsp]
    call    GcFlushShaded
    call    SchedRelease
    mov     eax, 7
    xor     edx, edx
    xrstor64 [rsp]
    lea     rsp, [rbp - 72]
    pop     r11
    pop     r10
    pop     r9
    pop     r8
    pop     rdi
    pop     rsi
    pop     rdx
    pop     rcx
    pop     rax
    pop     rbp
    .cfi_def_cfa rsp, 8
    ret
    .cfi_endproc
    .size   AbiShadeFull, . - AbiShadeFull

# Saves every argument register, asks CoreLib for the target, goes there.
    .type   AbiResolve, @function
AbiResolve:
    .cfi_startproc
    push    rdi
    .cfi_adjust_cfa_offset 8
    push    rsi
    .cfi_adjust_cfa_offset 8
    push    rdx
    .cfi_adjust_cfa_offset 8
    push    rcx
    .cfi_adjust_cfa_offset 8
    push    r8
    .cfi_adjust_cfa_offset 8
    push    r9
    .cfi_adjust_cfa_offset 8
    sub     rsp, 0x88
    .cfi_adjust_cfa_offset 0x88
    movdqu  [rsp], xmm0
    movdqu  [rsp + 0x10], xmm1
    movdqu  [rsp + 0x20], xmm2
    movdqu  [rsp + 0x30], xmm3
    movdqu  [rsp + 0x40], xmm4
    movdqu  [rsp + 0x50], xmm5
    movdqu  [rsp + 0x60], xmm6
    movdqu  [rsp + 0x70], xmm7
    mov     rsi, r11
    call    RhpResolveInterfaceMethod
    movdqu  xmm0, [rsp]
    movdqu  xmm1, [rsp + 0x10]
    movdqu  xmm2, [rsp + 0x20]
    movdqu  xmm3, [rsp + 0x30]
    movdqu  xmm4, [rsp + 0x40]
    movdqu  xmm5, [rsp + 0x50]
    movdqu  xmm6, [rsp + 0x60]
    movdqu  xmm7, [rsp + 0x70]
    add     rsp, 0x88
    .cfi_adjust_cfa_offset -0x88
    pop     r9
    .cfi_adjust_cfa_offset -8
    pop     r8
    .cfi_adjust_cfa_offset -8
    pop     rcx
    .cfi_adjust_cfa_offset -8
    pop     rdx
    .cfi_adjust_cfa_offset -8
    pop     rsi
    .cfi_adjust_cfa_offset -8
    pop     rdi
    .cfi_adjust_cfa_offset -8
    jmp     rax
    .cfi_endproc
    .size   AbiResolve, . - AbiResolve

# Transitions to and from "native" code: there is none, both sides are managed.
    .globl  RhpPInvoke, RhpPInvokeReturn, RhpReversePInvoke, RhpReversePInvokeReturn, RhpGcPoll, RhpSetThreadDoNotTriggerGC
RhpPInvoke:
RhpPInvokeReturn:
RhpReversePInvoke:
RhpReversePInvokeReturn:
RhpGcPoll:
RhpSetThreadDoNotTriggerGC:
    .cfi_startproc
    ret
    .cfi_endproc

# void RhpStackProbe(): touches each page between rsp and r11 (large frames must not step over the guard)
    .globl  RhpStackProbe
    .type   RhpStackProbe, @function
RhpStackProbe:
    .cfi_startproc
    lea     rax, [rsp - 0x1000]
1:  cmp     rax, r11
    jb      2f
    test    byte ptr [rax], 0
    sub     rax, 0x1000
    jmp     1b
2:  test    byte ptr [r11], 0
    ret
    .cfi_endproc
    .size   RhpStackProbe, . - RhpStackProbe

# void* RhGetThreadEntryPointAddress(): CoreLib's exported thread start, when the image has threads at all
    .globl  RhGetThreadEntryPointAddress
    .weak   ThreadEntryPoint
RhGetThreadEntryPointAddress:
    .cfi_startproc
    mov     rax, offset ThreadEntryPoint
    ret
    .cfi_endproc

# BarrierState* AbiGetBarrier()
    .globl  AbiGetBarrier
    .type   AbiGetBarrier, @function
AbiGetBarrier:
    .cfi_startproc
    lea     rax, gc_barrier[rip]
    ret
    .cfi_endproc

    .data
    .balign 64
gc_barrier:         .quad 0, 0, 0, 0    # BarrierState, runtime/Gc/Barrier.cs
    .balign 8
    .globl  RhpTrapThreads, __security_cookie, g_cpuFeatures
RhpTrapThreads:     .quad 0         # never set: preemption does not poll
__security_cookie:  .quad 0x5AC3F10B7E2694D8    # mixed with random bits by Startup.Init
g_cpuFeatures:      .quad 0         # nothing beyond the baseline the image is compiled for
    .section .note.GNU-stack, "", @progbits
