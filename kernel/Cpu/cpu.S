// Instructions C# cannot say. One function an instruction or so; the comment is the C# signature (Cpu/Cpu.cs).
// CP1  All are leaf functions of the System V ABI, no red zone.
// CP2  SwitchStack keeps exactly what a callee must keep; the layout at the saved RSP is
//      r15 r14 r13 r12 rbp rbx return-address, lowest address first.

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

FUNC CpuIn8                                 // byte CpuIn8(ushort port)
    mov edx, edi
    in al, dx
    movzx eax, al
    ret
ENDF CpuIn8
FUNC CpuIn16                                // ushort CpuIn16(ushort port)
    mov edx, edi
    in ax, dx
    movzx eax, ax
    ret
ENDF CpuIn16
FUNC CpuIn32                                // uint CpuIn32(ushort port)
    mov edx, edi
    in eax, dx
    ret
ENDF CpuIn32
FUNC CpuOut8                                // void CpuOut8(ushort port, byte value)
    mov edx, edi
    mov eax, esi
    out dx, al
    ret
ENDF CpuOut8
FUNC CpuOut16                               // void CpuOut16(ushort port, ushort value)
    mov edx, edi
    mov eax, esi
    out dx, ax
    ret
ENDF CpuOut16
FUNC CpuOut32                               // void CpuOut32(ushort port, uint value)
    mov edx, edi
    mov eax, esi
    out dx, eax
    ret
ENDF CpuOut32

FUNC CpuReadTsc                             // ulong CpuReadTsc()
    rdtsc
    shl rdx, 32
    or rax, rdx
    ret
ENDF CpuReadTsc
FUNC CpuReadMsr                             // ulong CpuReadMsr(uint msr)
    mov ecx, edi
    rdmsr
    shl rdx, 32
    or rax, rdx
    ret
ENDF CpuReadMsr
FUNC CpuWriteMsr                            // void CpuWriteMsr(uint msr, ulong value)
    mov ecx, edi
    mov eax, esi
    mov rdx, rsi
    shr rdx, 32
    wrmsr
    ret
ENDF CpuWriteMsr
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

FUNC CpuReadCr2                             // ulong CpuReadCr2()
    mov rax, cr2
    ret
ENDF CpuReadCr2
FUNC CpuReadCr3                             // ulong CpuReadCr3()
    mov rax, cr3
    ret
ENDF CpuReadCr3
FUNC CpuWriteCr3                            // void CpuWriteCr3(ulong value): also drops global entries
    mov rax, cr4
    mov rcx, rax
    and rax, ~(1 << 7)
    mov cr4, rax
    mov cr3, rdi
    mov cr4, rcx
    ret
ENDF CpuWriteCr3
FUNC CpuReadCr4                             // ulong CpuReadCr4()
    mov rax, cr4
    ret
ENDF CpuReadCr4
FUNC CpuInvlpg                              // void CpuInvlpg(void* va)
    invlpg [rdi]
    ret
ENDF CpuInvlpg

FUNC CpuLoadTables                          // void CpuLoadTables(void* gdtr, void* idtr, ushort tss): CS = 8, SS = DS = ES = 16
    lgdt [rdi]
    lidt [rsi]
    mov eax, 16
    mov ss, eax
    mov ds, eax
    mov es, eax
    ltr dx
    pop rax
    push 8
    push rax
    retfq
ENDF CpuLoadTables
FUNC CpuTripleFault                         // void CpuTripleFault(): the last way to reset; does not return
    push 0
    push 0
    lidt [rsp]
    ud2
ENDF CpuTripleFault

FUNC CpuDisableInterrupts                   // nuint CpuDisableInterrupts(): previous RFLAGS
    pushfq
    pop rax
    cli
    ret
ENDF CpuDisableInterrupts
FUNC CpuRestoreInterrupts                   // void CpuRestoreInterrupts(nuint flags)
    push rdi
    popfq
    ret
ENDF CpuRestoreInterrupts
FUNC CpuEnableInterrupts                    // void CpuEnableInterrupts()
    sti
    ret
ENDF CpuEnableInterrupts
FUNC CpuHalt                                // void CpuHalt(): waits for an interrupt with interrupts on; RFLAGS.IF as before
    pushfq
    sti                                     // takes effect after the next instruction: no wake-up is lost between the two
    hlt
    popfq
    ret
ENDF CpuHalt
FUNC CpuHaltForever                         // void CpuHaltForever()
    cli
    hlt
    jmp CpuHaltForever
ENDF CpuHaltForever
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
FUNC CpuSetFsBase                           // void CpuSetFsBase(void* base)
    wrfsbase rdi
    ret
ENDF CpuSetFsBase
FUNC CpuGetFsBase                           // void* CpuGetFsBase()
    rdfsbase rax
    ret
ENDF CpuGetFsBase
FUNC CpuSetGsBase                           // void CpuSetGsBase(void* base)
    wrgsbase rdi
    ret
ENDF CpuSetGsBase
FUNC CpuGetSp                               // nuint CpuGetSp(): RSP of the caller
    lea rax, [rsp + 8]
    ret
ENDF CpuGetSp
FUNC CpuSetSs                               // void CpuSetSs(ushort selector)
    mov ss, edi
    ret
ENDF CpuSetSs

FUNC CpuImageLayout                         // ImageLayout* CpuImageLayout()
    lea rax, [rip + ImageLayoutTable]
    ret
ENDF CpuImageLayout
FUNC CpuEntryTsc                            // ulong CpuEntryTsc(): TSC at the first 32-bit instructions
    mov rax, [rip + BootEntryTsc]
    ret
ENDF CpuEntryTsc

FUNC SwitchStack                            // void SwitchStack(nuint* saveRsp, nuint newRsp)
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
    mov rsp, rsi
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
