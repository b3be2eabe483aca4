// Trap entry: 256 stubs of 16 bytes, one common path, TrapDispatch(TrapFrame*) in C#.
//
// TR1  Every vector runs on an IST stack: the interrupted stack may be full, unmapped, or inside a red-zone-free leaf.
// TR2  All general registers are in the TrapFrame, which C# may edit; SSE and AVX state is saved around the C# code.
// TR3  GS base always is the core's block (ring 0 only, no SWAPGS).
// TR4  Interrupt gates: interrupts are off until IRETQ.
// Reference: Intel SDM 3A section 6.14. Layout: struct TrapFrame in Cpu/TrapFrame.cs.

.intel_syntax noprefix
.text

.balign 16
.global TrapStubs
.type TrapStubs, @function
TrapStubs:
    .cfi_startproc simple                   // a core may be frozen here: CFA = address of the saved RIP, as below
    .cfi_signal_frame
    .cfi_def_cfa rsp, 0
    .cfi_offset rip, 0
    .cfi_offset rsp, 24
.set vector, 0
.rept 256
    .balign 16
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
    .cfi_def_cfa_offset 0
    push 0
    .endif
    .cfi_def_cfa_offset 8
    .byte 0x68                              // push imm32
    .long vector
    .cfi_def_cfa_offset 16
    jmp TrapCommon
    .set vector, vector + 1
.endr
    .cfi_endproc
.size TrapStubs, . - TrapStubs

.balign 16
.global TrapCommon
.type TrapCommon, @function
TrapCommon:
    .cfi_startproc simple
    .cfi_signal_frame
    .cfi_def_cfa rsp, 16                    // from here: CFA = address of the saved RIP
    .cfi_offset rip, 0
    .cfi_offset rsp, 24
    push rax
    push rbx
    push rcx
    push rdx
    push rsi
    push rdi
    push rbp
    push r8
    push r9
    push r10
    push r11
    push r12
    push r13
    push r14
    push r15
    mov rbp, rsp
    .cfi_def_cfa rbp, 136
    .cfi_offset rax, -24
    .cfi_offset rbx, -32
    .cfi_offset rcx, -40
    .cfi_offset rdx, -48
    .cfi_offset rsi, -56
    .cfi_offset rdi, -64
    .cfi_offset rbp, -72
    .cfi_offset r8, -80
    .cfi_offset r9, -88
    .cfi_offset r10, -96
    .cfi_offset r11, -104
    .cfi_offset r12, -112
    .cfi_offset r13, -120
    .cfi_offset r14, -128
    .cfi_offset r15, -136
    cld
    // XSAVE area: 512 legacy + 64 header + 256 upper halves; components SSE and AVX (C# handlers leave x87 alone).
    sub rsp, 832
    and rsp, -64
    xor eax, eax
    mov [rsp + 512], rax
    mov [rsp + 520], rax
    mov [rsp + 528], rax
    mov [rsp + 536], rax
    mov [rsp + 544], rax
    mov [rsp + 552], rax
    mov [rsp + 560], rax
    mov [rsp + 568], rax
    mov eax, 6
    xor edx, edx
    xsave64 [rsp]
    mov rdi, rbp
    call TrapDispatch
    mov eax, 6
    xor edx, edx
    xrstor64 [rsp]
    mov rsp, rbp
    pop r15
    pop r14
    pop r13
    pop r12
    pop r11
    pop r10
    pop r9
    pop r8
    pop rbp
    pop rdi
    pop rsi
    pop rdx
    pop rcx
    pop rbx
    pop rax
    add rsp, 16
    iretq
    .cfi_endproc
.size TrapCommon, . - TrapCommon

.section .note.GNU-stack, "", @progbits
