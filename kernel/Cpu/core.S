// Instructions C# cannot say that every body of the machine has. One function each; the comment is the C# signature.
// CP1  All are leaf functions of the System V ABI, no red zone.
// CP2  SwitchStack keeps exactly what a callee must keep; the layout at the saved RSP is
//      r15 r14 r13 r12 rbp rbx return-address, lowest address first. Goroutine and thread statics are the new ones' from
//      the moment the stack is.

.intel_syntax noprefix
.text

.macro FUNC name
.balign 16
.global \name
.type \name, @function
\name:
    .cfi_startproc
.endm
.macro ENDF name
    .cfi_endproc
.size \name, . - \name
.endm

FUNC CpuReadTsc                             // ulong CpuReadTsc()
    rdtsc
    shl rdx, 32
    or rax, rdx
    ret
ENDF CpuReadTsc
FUNC CpuId                                  // void CpuId(uint leaf, uint subleaf, uint* abcd)
    mov r8, rbx
    mov r9, rdx
    mov eax, edi
    mov ecx, esi
    cpuid
    mov [r9], eax
    mov [r9 + 4], ebx
    mov [r9 + 8], ecx
    mov [r9 + 12], edx
    mov rbx, r8
    ret
ENDF CpuId
FUNC CpuRandom                              // int CpuRandom(ulong* value): RDRAND, 1 = value is good. Needs the CPU feature.
    mov ecx, 10
1:  rdrand rax
    jc 2f
    dec ecx
    jnz 1b
    xor eax, eax
    ret
2:  mov [rdi], rax
    mov eax, 1
    ret
ENDF CpuRandom
FUNC CpuPause                               // void CpuPause()
    pause
    ret
ENDF CpuPause

FUNC CpuGetCore                             // void* CpuGetCore(): the core's block
    mov rax, gs:[0]
    ret
ENDF CpuGetCore
FUNC CpuGetG                                // void* CpuGetG()
    mov rax, gs:[8]
    ret
ENDF CpuGetG
FUNC CpuSetG                                // void CpuSetG(void* g)
    mov gs:[8], rdi
    ret
ENDF CpuSetG
// Thread statics: FS base never changes on a core. The word there says where the running goroutine's block ends (below it,
// variant II), which is all that compiled code asks of FS: mov reg, fs:[0]. A store is cheaper than WRFSBASE (3 to 10 ns).
// fs:[0x28], the canary of the C library's functions, is 0 on every core: they may be left on another than entered on.
FUNC CpuGetTls                              // void* CpuGetTls(): where the block ends
    mov rax, fs:[0]
    ret
ENDF CpuGetTls
FUNC CpuSetGsBase                           // void CpuSetGsBase(void* base)
    wrgsbase rdi
    ret
ENDF CpuSetGsBase
FUNC CpuGetSp                               // nuint CpuGetSp(): RSP of the caller
    lea rax, [rsp + 8]
    ret
ENDF CpuGetSp

FUNC SwitchStack                            // void* SwitchStack(nuint* saveRsp, nuint newRsp, void* g, void* tlsEnd): the core's block
    push rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbx, 0
    push rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbp, 0
    push r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r12, 0
    push r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r13, 0
    push r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r14, 0
    push r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r15, 0
    mov [rdi], rsp
    mov gs:[8], rdx
    mov fs:[0], rcx
    mov rsp, rsi
    mov rax, gs:[0]                         // of the core that comes here, whichever it is
    pop r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore r15
    pop r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore r14
    pop r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore r13
    pop r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore r12
    pop rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore rbp
    pop rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore rbx
    ret
ENDF SwitchStack

.section .note.GNU-stack, "", @progbits
