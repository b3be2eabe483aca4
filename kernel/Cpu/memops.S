// memmove, memcpy, memset: vector loops (rep movsb/stosb are a byte at a time under TCG).
//
// MO1  Leaf functions that never move RSP: on a fault between __memops_start and __memops_end the return address is at
//      [rsp], so the fault belongs to the caller.
// MO2  memmove reads the bytes of its head and tail before it writes anything that may overlap them; inside the loop
//      each block is read before it is written, in the direction that never overwrites unread source.
// MO3  Clobbers only registers a System V callee may; leaves the upper halves clean (vzeroupper).

.intel_syntax noprefix
.section .text.memops, "ax"
.global __memops_start
__memops_start:

.balign 64
.global memmove
.global memcpy
.type memmove, @function
.type memcpy, @function
memmove:                                    // byte* memmove(byte* dst, byte* src, nuint n)
memcpy:
    .cfi_startproc
    mov rax, rdi
    cmp rdx, 16
    jbe .Lmove16
    cmp rdx, 32
    jbe .Lmove32
    cmp rdx, 64
    jbe .Lmove64
    cmp rdx, 128
    jbe .Lmove128
    cmp rdx, 256
    ja .LmoveLoop

    vmovdqu ymm0, [rsi]
    vmovdqu ymm1, [rsi + 32]
    vmovdqu ymm2, [rsi + 64]
    vmovdqu ymm3, [rsi + 96]
    vmovdqu ymm4, [rsi + rdx - 128]
    vmovdqu ymm5, [rsi + rdx - 96]
    vmovdqu ymm6, [rsi + rdx - 64]
    vmovdqu ymm7, [rsi + rdx - 32]
    vmovdqu [rdi], ymm0
    vmovdqu [rdi + 32], ymm1
    vmovdqu [rdi + 64], ymm2
    vmovdqu [rdi + 96], ymm3
    vmovdqu [rdi + rdx - 128], ymm4
    vmovdqu [rdi + rdx - 96], ymm5
    vmovdqu [rdi + rdx - 64], ymm6
    vmovdqu [rdi + rdx - 32], ymm7
    vzeroupper
    ret
.Lmove128:
    vmovdqu ymm0, [rsi]
    vmovdqu ymm1, [rsi + 32]
    vmovdqu ymm2, [rsi + rdx - 64]
    vmovdqu ymm3, [rsi + rdx - 32]
    vmovdqu [rdi], ymm0
    vmovdqu [rdi + 32], ymm1
    vmovdqu [rdi + rdx - 64], ymm2
    vmovdqu [rdi + rdx - 32], ymm3
    vzeroupper
    ret
.Lmove64:
    vmovdqu ymm0, [rsi]
    vmovdqu ymm1, [rsi + rdx - 32]
    vmovdqu [rdi], ymm0
    vmovdqu [rdi + rdx - 32], ymm1
    vzeroupper
    ret
.Lmove32:
    vmovdqu xmm0, [rsi]
    vmovdqu xmm1, [rsi + rdx - 16]
    vmovdqu [rdi], xmm0
    vmovdqu [rdi + rdx - 16], xmm1
    ret
.Lmove16:
    cmp edx, 8
    jae 1f
    cmp edx, 4
    jae 2f
    cmp edx, 2
    jae 3f
    test edx, edx
    jz 4f
    movzx ecx, byte ptr [rsi]
    mov [rdi], cl
4:  ret
1:  mov rcx, [rsi]
    mov r8, [rsi + rdx - 8]
    mov [rdi], rcx
    mov [rdi + rdx - 8], r8
    ret
2:  mov ecx, [rsi]
    mov r8d, [rsi + rdx - 4]
    mov [rdi], ecx
    mov [rdi + rdx - 4], r8d
    ret
3:  movzx ecx, word ptr [rsi]
    movzx r8d, word ptr [rsi + rdx - 2]
    mov [rdi], cx
    mov [rdi + rdx - 2], r8w
    ret

.LmoveLoop:
    mov rcx, rdi
    sub rcx, rsi
    jz 4b                                   // same place
    cmp rcx, rdx
    jb .LmoveBackward                       // destination starts inside the source

    // Forward: head (32) and tail (128) are kept aside and written last; the loop runs on an aligned destination.
    vmovdqu ymm8, [rsi]
    vmovdqu ymm4, [rsi + rdx - 128]
    vmovdqu ymm5, [rsi + rdx - 96]
    vmovdqu ymm6, [rsi + rdx - 64]
    vmovdqu ymm7, [rsi + rdx - 32]
    lea r8, [rdi + rdx - 128]               // where the tail goes
    mov rcx, rdi
    and rcx, 31
    mov r9d, 32
    sub r9, rcx                             // 1..32 bytes to alignment, covered by the head
    add rdi, r9
    add rsi, r9
.balign 32
5:  vmovdqu ymm0, [rsi]
    vmovdqu ymm1, [rsi + 32]
    vmovdqu ymm2, [rsi + 64]
    vmovdqu ymm3, [rsi + 96]
    vmovdqa [rdi], ymm0
    vmovdqa [rdi + 32], ymm1
    vmovdqa [rdi + 64], ymm2
    vmovdqa [rdi + 96], ymm3
    sub rsi, -128
    sub rdi, -128
    cmp rdi, r8
    jb 5b
    vmovdqu [r8], ymm4
    vmovdqu [r8 + 32], ymm5
    vmovdqu [r8 + 64], ymm6
    vmovdqu [r8 + 96], ymm7
    vmovdqu [rax], ymm8
    vzeroupper
    ret

.LmoveBackward:
    // Mirror image: tail (32) and head (128) are kept aside and written last.
    vmovdqu ymm8, [rsi + rdx - 32]
    vmovdqu ymm4, [rsi]
    vmovdqu ymm5, [rsi + 32]
    vmovdqu ymm6, [rsi + 64]
    vmovdqu ymm7, [rsi + 96]
    lea r10, [rdi + rdx - 32]               // where the tail goes
    lea r8, [rdi + 128]                     // below this the head covers
    lea rcx, [rdi + rdx]
    lea rsi, [rsi + rdx]
    mov r9, rcx
    dec r9
    and r9, 31
    inc r9                                  // 1..32 bytes above alignment, covered by the tail
    sub rcx, r9
    sub rsi, r9
.balign 32
6:  vmovdqu ymm0, [rsi - 32]
    vmovdqu ymm1, [rsi - 64]
    vmovdqu ymm2, [rsi - 96]
    vmovdqu ymm3, [rsi - 128]
    vmovdqa [rcx - 32], ymm0
    vmovdqa [rcx - 64], ymm1
    vmovdqa [rcx - 96], ymm2
    vmovdqa [rcx - 128], ymm3
    add rsi, -128
    add rcx, -128
    cmp rcx, r8
    ja 6b
    vmovdqu [rax], ymm4
    vmovdqu [rax + 32], ymm5
    vmovdqu [rax + 64], ymm6
    vmovdqu [rax + 96], ymm7
    vmovdqu [r10], ymm8
    vzeroupper
    ret
    .cfi_endproc
.size memmove, . - memmove
.size memcpy, . - memcpy

.balign 64
.global memset
.type memset, @function
memset:                                     // byte* memset(byte* dst, int value, nuint n)
    .cfi_startproc
    mov rax, rdi
    vmovd xmm0, esi
    vpbroadcastb ymm0, xmm0
    cmp rdx, 32
    jb .Lset32
    cmp rdx, 64
    jbe .Lset64
    cmp rdx, 128
    jbe .Lset128
    // Head, aligned loop, tail; overlaps write the same bytes twice.
    vmovdqu [rdi], ymm0
    lea r8, [rdi + rdx - 128]               // tail
    add rdi, 32
    and rdi, -32
    cmp rdi, r8
    jae 8f
.balign 32
7:  vmovdqa [rdi], ymm0
    vmovdqa [rdi + 32], ymm0
    vmovdqa [rdi + 64], ymm0
    vmovdqa [rdi + 96], ymm0
    sub rdi, -128
    cmp rdi, r8
    jb 7b
8:  vmovdqu [r8], ymm0
    vmovdqu [r8 + 32], ymm0
    vmovdqu [r8 + 64], ymm0
    vmovdqu [r8 + 96], ymm0
    vzeroupper
    ret
.Lset128:
    vmovdqu [rdi], ymm0
    vmovdqu [rdi + 32], ymm0
    vmovdqu [rdi + rdx - 64], ymm0
    vmovdqu [rdi + rdx - 32], ymm0
    vzeroupper
    ret
.Lset64:
    vmovdqu [rdi], ymm0
    vmovdqu [rdi + rdx - 32], ymm0
    vzeroupper
    ret
.Lset32:
    vzeroupper                              // keeps the low halves
    cmp edx, 16
    jae 1f
    vmovq rcx, xmm0
    cmp edx, 8
    jae 2f
    cmp edx, 4
    jae 3f
    cmp edx, 2
    jae 4f
    test edx, edx
    jz 5f
    mov [rdi], cl
5:  ret
1:  vmovdqu [rdi], xmm0
    vmovdqu [rdi + rdx - 16], xmm0
    ret
2:  mov [rdi], rcx
    mov [rdi + rdx - 8], rcx
    ret
3:  mov [rdi], ecx
    mov [rdi + rdx - 4], ecx
    ret
4:  mov [rdi], cx
    mov [rdi + rdx - 2], cx
    ret
    .cfi_endproc
.size memset, . - memset

.global __memops_end
__memops_end:

.section .note.GNU-stack, "", @progbits
