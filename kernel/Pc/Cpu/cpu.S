// Privileged instructions and the boot image's addresses. One function each; the comment is the C# signature (Cpu.Pc.cs).
// All are leaf functions of the System V ABI, no red zone.

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

FUNC CpuReadTscInOrder                      // ulong CpuReadTscInOrder(): loads neither pass it nor are passed by it
    lfence
    rdtsc
    lfence
    shl rdx, 32
    or rax, rdx
    ret
ENDF CpuReadTscInOrder
FUNC CpuFence                               // void CpuFence()
    mfence
    lfence
    ret
ENDF CpuFence
FUNC CpuReadCr0                             // ulong CpuReadCr0()
    mov rax, cr0
    ret
ENDF CpuReadCr0
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

.section .note.GNU-stack, "", @progbits
