// Entry of every core but the boot core: real mode to the high half, and the thread-local block of a core.
//
// AS1  The code between the labels CoreTrampoline and CoreTrampolineEnd is copied to a page below 1 MiB and runs there at
//      whatever address it has: it finds itself by CS. Nothing here runs where it is linked.
// AS2  CoreStartBlock (Cpu/Machine.Start.cs, struct CoreStart) is the copy's last part. A core takes its stack from it by
//      one exchange, and only if the block is meant for it: a core that comes late, or twice, halts.
// AS3  Control registers, EFER and PAT are the boot core's, so a core differs from it in nothing that code can see. The
//      page tables here map the final high half and, identically, the copy's page; CoreEnter leaves them for the final ones.
// AS4  CoreMain() is called with interrupts off, GS base = core block, FS base = boot TLS block, SSE and AVX enabled.
// Reference: Intel SDM 3A sections 9.4 and 9.8.5; boot.S.

.intel_syntax noprefix

.set START_PML4, 0
.set START_CR4, 4
.set START_EFER, 8
.set START_CR0, 12
.set START_APIC_ID, 16
.set START_STACK, 24
.set START_CORE, 32
.set START_TLS, 40
.set START_CR3, 48
.set START_PAT, 56
.set START_ENTER, 64
.set START_SIZE, 72

.section .rodata
.balign 16
.code16
.global CoreTrampoline
CoreTrampoline:
    cli
    cld
    mov ax, cs
    mov ds, ax
    movzx ebx, ax
    shl ebx, 4                              // ebx = address of the copy
    lea eax, [ebx + (trampoline_gdt - CoreTrampoline)]
    mov dword ptr ds:[trampoline_gdtr - CoreTrampoline + 2], eax
    lea eax, [ebx + (trampoline32 - CoreTrampoline)]
    mov dword ptr ds:[trampoline_far32 - CoreTrampoline], eax
    lea eax, [ebx + (trampoline64 - CoreTrampoline)]
    mov dword ptr ds:[trampoline_far64 - CoreTrampoline], eax
    data32 lgdt ds:[trampoline_gdtr - CoreTrampoline]
    mov eax, cr0
    and eax, ~((1 << 29) | (1 << 30))       // NW CD
    or eax, 1
    mov cr0, eax
    data32 ljmp ds:[trampoline_far32 - CoreTrampoline]

.code32
trampoline32:
    mov eax, 16
    mov ds, ax
    mov ss, ax
    lea esi, [ebx + (CoreStartBlock - CoreTrampoline)]
    mov eax, [esi + START_CR4]
    mov cr4, eax
    mov eax, [esi + START_PML4]
    mov cr3, eax
    mov ecx, 0xc0000080                     // EFER
    mov eax, [esi + START_EFER]
    xor edx, edx
    wrmsr
    mov eax, [esi + START_CR0]
    mov cr0, eax
    ljmp [ebx + (trampoline_far64 - CoreTrampoline)]

.code64
trampoline64:
    xor eax, eax
    mov ss, eax
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    mov esi, esi                            // the upper halves are undefined after the mode's change
    mov eax, 1
    cpuid
    shr ebx, 24                             // this core's APIC id, its low byte
    cmp bl, [rsi + START_APIC_ID]
    jne 1f
    xor eax, eax
    xchg [rsi + START_STACK], rax
    test rax, rax
    jz 1f
    mov rsp, rax
    jmp qword ptr [rsi + START_ENTER]
1:  cli
    hlt
    jmp 1b

.balign 8
trampoline_gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff
trampoline_gdtr:
    .short 31
    .long 0
    .short 0
trampoline_far32:
    .long 0
    .short 0x18
    .short 0
trampoline_far64:
    .long 0
    .short 0x08
    .short 0
.balign 8
CoreStartBlock:
    .skip START_SIZE
.global CoreTrampolineEnd
CoreTrampolineEnd:

// ---------------------------------------------------------------- high half
.text
.code64
// rsi = the start block, rsp = the core's stack. The block stays good until CoreMain has answered the boot core.
.global CoreEnter
.type CoreEnter, @function
CoreEnter:
    .cfi_startproc
    .cfi_undefined rip
    .cfi_undefined rbp
    xor ebp, ebp
    mov rax, [rsi + START_CORE]
    wrgsbase rax
    mov rax, [rsi + START_TLS]
    wrfsbase rax
    mov rax, [rsi + START_PAT]
    mov rdx, rax
    shr rdx, 32
    mov ecx, 0x277
    wrmsr
    mov rax, [rsi + START_CR3]
    mov cr3, rax                            // from here on the low half is gone
    fninit
    ldmxcsr [rip + core_mxcsr]
    xor ecx, ecx                            // XCR0 = x87 | SSE | AVX
    xor edx, edx
    mov eax, 7
    xsetbv
    call CoreMain
1:  cli
    hlt
    jmp 1b
    .cfi_endproc
.size CoreEnter, . - CoreEnter

.balign 16
.global CpuInitTls
.type CpuInitTls, @function
CpuInitTls:                                 // void CpuInitTls(void* end): a fresh thread-local block that ends there
    .cfi_startproc
    mov [rdi], rdi
    lea rsi, [rip + __tdata_start]
    lea rdx, [rip + __tdata_end]
    sub rdx, rsi
    mov rax, offset __tls_size
    sub rdi, rax
    jmp memmove
    .cfi_endproc
.size CpuInitTls, . - CpuInitTls

.section .rodata
.balign 4
core_mxcsr: .long 0x1f80

.section .note.GNU-stack, "", @progbits
