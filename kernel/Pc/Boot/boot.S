// Entry of the image: PVH and multiboot2 headers, CPU feature check, 32-bit to long mode, jump to the high half.
//
// BT1  No multiboot1 header: QEMU would prefer it and then refuse the ELF64.
// BT2  The entry symbol, not EAX, tells the protocol for PVH (EAX is arbitrary there).
// BT3  A CPU that lacks a feature gets one line on COM1 and exit code 3, never a triple fault.
// BT4  Page tables made here map physical 0..4 GiB three times with 2 MiB pages, writable and executable: identity,
//      direct map, and (first GiB) the image. They live until Machine.InitMemory installs the final ones.
// BT5  KernelMain(int protocol, void* info) is called with interrupts off, GS base = core block, FS base = boot TLS
//      block, SSE and AVX enabled; `info` is a direct-map address.
// Reference: Xen PVH boot ABI; multiboot2 1.6 section 3; Intel SDM 3A section 9.8.5.

.intel_syntax noprefix

.set DIRECT_MAP, 0xffff800000000000
.set COM1, 0x3f8
.set STACK_GUARD, 4096
.set PROTOCOL_PVH, 1
.set PROTOCOL_MULTIBOOT2, 2

// ---------------------------------------------------------------- headers
.section .boot.header, "a"
.balign 8
mb2_header:
    .long 0xe85250d6, 0, mb2_header_end - mb2_header, -(0xe85250d6 + 0 + (mb2_header_end - mb2_header))
    // Entry address (type 3): GRUB then starts us here in 32-bit protected mode, on BIOS and on UEFI.
    .short 3, 0
    .long 12, multiboot2_entry, 0
    // Modules page aligned (type 6).
    .short 6, 0
    .long 8
    .short 0, 0
    .long 8
mb2_header_end:

.section .note.pvh, "a", @note
.balign 4
    .long 4, 8, 18                          // XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .balign 4
    .quad pvh_entry

// ---------------------------------------------------------------- 32-bit code, linked where it is loaded
.section .boot, "awx"
.code32

.global pvh_entry
pvh_entry:
    cli
    cld
    mov esp, offset boot32_stack_top
    mov esi, ebx
    mov edi, PROTOCOL_PVH
    jmp boot32

.global multiboot2_entry
multiboot2_entry:
    cli
    cld
    mov esp, offset boot32_stack_top
    mov esi, ebx
    mov edi, PROTOCOL_MULTIBOOT2
    cmp eax, 0x36d76289
    je boot32
    call boot32_serial_init
    mov ebx, offset msg_loader
    call boot32_print
    jmp boot32_fail

// edi = protocol, esi = physical address of the loader's information; both live until long mode.
boot32:
    // A CPU without CPUID cannot toggle EFLAGS.ID.
    pushfd
    pop eax
    mov ecx, eax
    xor eax, 1 << 21
    push eax
    popfd
    pushfd
    pop eax
    cmp eax, ecx
    mov ebx, offset name_cpuid
    je boot32_lacks

    xor eax, eax
    cpuid
    mov ebp, eax                            // highest basic leaf
    mov eax, 1
    cpuid
    mov [features + 0], edx
    mov [features + 4], ecx
    cmp ebp, 7
    jb 1f
    mov eax, 7
    xor ecx, ecx
    cpuid
    mov [features + 8], ebx
1:  mov eax, 0x80000000
    cpuid
    cmp eax, 0x80000001
    jb 2f
    mov eax, 0x80000001
    cpuid
    mov [features + 12], edx
    mov [features + 16], ecx
2:  mov ebp, offset feature_table
3:  mov ebx, [ebp + 8]                      // name, 0 ends the table
    test ebx, ebx
    jz 4f
    mov eax, [ebp]                          // which feature word
    mov eax, [features + eax]
    mov ecx, [ebp + 4]                      // its bit
    bt eax, ecx
    jnc boot32_lacks
    add ebp, 12
    jmp 3b

4:  rdtsc
    mov [entry_tsc], eax
    mov [entry_tsc + 4], edx

    // Four page directories, 2 MiB pages, physical 0..4 GiB: present, writable, large.
    mov ebx, offset boot_pd
    mov eax, 0x83
    xor ecx, ecx
5:  mov [ebx + ecx * 8], eax
    mov dword ptr [ebx + ecx * 8 + 4], 0
    add eax, 0x200000
    inc ecx
    cmp ecx, 2048
    jb 5b
    mov ebx, offset boot_pdpt_low
    mov eax, offset boot_pd + 3
    mov [ebx], eax
    add eax, 4096
    mov [ebx + 8], eax
    add eax, 4096
    mov [ebx + 16], eax
    add eax, 4096
    mov [ebx + 24], eax
    mov eax, offset boot_pd + 3
    mov [boot_pdpt_high + 510 * 8], eax     // 0xffffffff80000000
    mov eax, offset boot_pdpt_low + 3
    mov [boot_pml4], eax                    // identity
    mov [boot_pml4 + 256 * 8], eax          // direct map
    mov eax, offset boot_pdpt_high + 3
    mov [boot_pml4 + 511 * 8], eax

    mov eax, cr4
    or eax, (1 << 5) | (1 << 7) | (1 << 9) | (1 << 10) | (1 << 16) | (1 << 18)  // PAE PGE OSFXSR OSXMMEXCPT FSGSBASE OSXSAVE
    mov cr4, eax
    mov eax, offset boot_pml4
    mov cr3, eax
    mov ecx, 0xc0000080                     // EFER
    rdmsr
    or eax, (1 << 8) | (1 << 11)            // LME NXE
    wrmsr
    mov eax, cr0
    and eax, ~((1 << 2) | (1 << 3) | (1 << 29) | (1 << 30))  // EM TS NW CD
    or eax, (1 << 0) | (1 << 1) | (1 << 5) | (1 << 16) | (1 << 31)   // PE MP NE WP PG
    mov cr0, eax
    lgdt [boot_gdtr]
    .byte 0xea                              // jmp 0x08:boot64
    .long boot64
    .short 0x08

// ebx = feature name
boot32_lacks:
    push ebx
    call boot32_serial_init
    mov ebx, offset msg_lacks
    call boot32_print
    pop ebx
    call boot32_print
boot32_fail:
    mov ebx, offset msg_newline
    call boot32_print
    mov edx, COM1 + 5
6:  in al, dx
    test al, 0x40                           // transmitter empty
    jz 6b
    mov eax, 3
    mov edx, 0xf4
    out dx, eax
7:  cli
    hlt
    jmp 7b

boot32_serial_init:
    mov ebx, offset serial_setup
1:  movzx edx, byte ptr [ebx]
    mov al, [ebx + 1]
    cmp dl, 0xff
    je 2f
    add edx, COM1
    out dx, al
    add ebx, 2
    jmp 1b
2:  ret

// ebx = NUL-terminated text
boot32_print:
1:  mov edx, COM1 + 5
2:  in al, dx
    test al, 0x20
    jz 2b
    mov al, [ebx]
    test al, al
    jz 3f
    mov edx, COM1
    out dx, al
    inc ebx
    jmp 1b
3:  ret

.code64
boot64:
    xor eax, eax
    mov ss, ax
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    movabs rax, offset boot_high
    jmp rax

.balign 8
boot_gdt:
    .quad 0, 0x00af9b000000ffff
boot_gdtr:
    .short 15
    .long boot_gdt
.balign 8
entry_tsc: .quad 0
features: .long 0, 0, 0, 0, 0

// word offset in `features`, bit, name. Long mode first: an old CPU should hear the plain truth.
.macro FEATURE word, bit, name
    .long \word, \bit, 1f
    .pushsection .boot.names, "a"
1:  .asciz "\name"
    .popsection
.endm
.balign 4
feature_table:
    FEATURE 12, 29, "long mode (64-bit)"
    FEATURE 12, 20, "NX"
    FEATURE 0, 6, "PAE"
    FEATURE 0, 9, "APIC"
    FEATURE 0, 13, "PGE"
    FEATURE 0, 24, "FXSR"
    FEATURE 0, 26, "SSE2"
    FEATURE 4, 0, "SSE3"
    FEATURE 4, 9, "SSSE3"
    FEATURE 4, 13, "CMPXCHG16B"
    FEATURE 4, 19, "SSE4.1"
    FEATURE 4, 20, "SSE4.2"
    FEATURE 4, 23, "POPCNT"
    FEATURE 4, 26, "XSAVE"
    FEATURE 4, 28, "AVX"
    FEATURE 4, 29, "F16C"
    FEATURE 4, 12, "FMA"
    FEATURE 4, 22, "MOVBE"
    FEATURE 8, 3, "BMI1"
    FEATURE 8, 5, "AVX2"
    FEATURE 8, 8, "BMI2"
    FEATURE 16, 5, "LZCNT"
    FEATURE 8, 0, "FSGSBASE"
    .long 0, 0, 0

serial_setup:                               // register, value: 115200 8N1, FIFO on, interrupts off
    .byte 1, 0, 3, 0x80, 0, 1, 1, 0, 3, 3, 2, 7, 4, 3, 0xff, 0
msg_lacks:   .asciz "unikernel: this CPU lacks "
msg_loader:  .asciz "unikernel: not started by a PVH or multiboot2 loader"
msg_newline: .asciz "\r\n"
name_cpuid:  .asciz "CPUID"

.section .bootbss, "aw", @nobits
.balign 4096
boot_pml4:      .skip 4096
boot_pdpt_low:  .skip 4096
boot_pdpt_high: .skip 4096
boot_pd:        .skip 4 * 4096
                .skip 512
boot32_stack_top:

// ---------------------------------------------------------------- high half
.text
.code64
.type boot_high, @function
boot_high:
    .cfi_startproc
    .cfi_undefined rip
    .cfi_undefined rbp
    lea rsp, [rip + boot_stack_top]
    xor ebp, ebp
    fninit
    ldmxcsr [rip + initial_mxcsr]
    mov r12d, edi
    mov r13d, esi
    xor ecx, ecx                            // XCR0 = x87 | SSE | AVX
    xor edx, edx
    mov eax, 7
    xsetbv

    // SMEP (bit 20), SMAP (21), UMIP (11): no page here is a user page, so they cost nothing.
    mov eax, 7
    xor ecx, ecx
    cpuid
    mov rax, cr4
    bt ebx, 7
    jnc 1f
    bts rax, 20
1:  bt ebx, 20
    jnc 2f
    bts rax, 21
2:  bt ecx, 2
    jnc 3f
    bts rax, 11
3:  mov cr4, rax

    mov rax, [entry_tsc]
    mov [rip + BootEntryTsc], rax

    // Core block and boot TLS block (variant II: block below FS base, fs:0 holds its own address).
    lea rax, [rip + boot_core]
    mov [rax], rax
    wrgsbase rax
    lea rbx, [rip + boot_tls_end]
    mov [rbx], rbx
    wrfsbase rbx
    lea rsi, [rip + __tdata_start]
    lea rdx, [rip + __tdata_end]
    sub rdx, rsi
    mov rdi, rbx
    mov rax, offset __tls_size
    sub rdi, rax
    call memmove

    mov edi, r12d
    movabs rsi, DIRECT_MAP
    add rsi, r13
    call KernelMain
4:  cli
    hlt
    jmp 4b
    .cfi_endproc
.size boot_high, . - boot_high

.section .rodata, "a"
.balign 4
initial_mxcsr: .long 0x1f80

// Order and meaning: struct ImageLayout in Cpu/Cpu.cs.
.balign 8
.global ImageLayoutTable
ImageLayoutTable:
    .quad __text_start, __text_end, __rodata_start, __rodata_end, __data_start, __data_end
    .quad __symblob_start, __symblob_end, __image_start, __image_end
    .quad __boot_phys_start, __boot_phys_end, __stacks_start, __stacks_end
    .quad boot_core, boot_stack_top
    .quad ist_double_fault, ist_nmi, ist_machine_check, ist_page_fault, ist_interrupt, ist_fault
    .quad TrapStubs, __memops_start, __memops_end
    .quad CoreTrampoline, CoreTrampolineEnd, CoreEnter
    .quad guard_boot, guard_double_fault, guard_nmi, guard_machine_check, guard_page_fault, guard_interrupt, guard_fault

.bss
.balign 64
boot_core: .skip 256                        // struct Core, Cpu/Core.cs
.balign 64
    .skip 4096 - 64                         // room for __tls_size bytes below the end
boot_tls_end: .skip 64
.balign 8
.global BootEntryTsc
BootEntryTsc: .skip 8

.macro STACK name, guard, size
.balign 4096
\guard: .skip STACK_GUARD
    .skip \size
\name:
.endm
.section .stacks, "aw", @nobits
STACK boot_stack_top, guard_boot, 65536
STACK ist_double_fault, guard_double_fault, 16384
STACK ist_nmi, guard_nmi, 32768
STACK ist_machine_check, guard_machine_check, 16384
STACK ist_page_fault, guard_page_fault, 32768
STACK ist_interrupt, guard_interrupt, 16384
STACK ist_fault, guard_fault, 32768

.section .note.GNU-stack, "", @progbits
