# KVM probe: a PVH kernel that says whether ring 0 runs natively. Exit 33: good; 65: too slow. Anything else: unusable.
# Some machines offer /dev/kvm and yet interpret guest ring 0, a thousand times slower, and stop at SSE or INT.
    .intel_syntax noprefix
    .code32
    .set    LOOPS, 20000
    .set    LIMIT, 200                  # TSC cycles per iteration; healthy 1, interpreted 2750

    .section .note.pvh, "a", @note
    .balign 4
    .long   4, 8, 18
    .asciz  "Xen"
    .balign 4
    .quad   probe

    .text
    .globl  probe
probe:
    cli
    mov     esp, offset stack_top
    lgdt    [gdt_pointer]
    ljmp    0x08, offset reload
reload:
    mov     eax, 0x10
    mov     ds, eax
    mov     es, eax
    mov     ss, eax

    rdtsc
    mov     esi, eax
    mov     ecx, LOOPS
1:  dec     ecx
    jnz     1b
    rdtsc
    sub     eax, esi
    cmp     eax, LOOPS * LIMIT
    ja      slow

    mov     eax, cr4
    or      eax, 0x600                  # OSFXSR, OSXMMEXCPT
    mov     cr4, eax
    pxor    xmm0, xmm0
    addsd   xmm0, xmm0

    mov     eax, offset handler
    mov     word ptr [idt + 0x40 * 8], ax
    shr     eax, 16
    mov     word ptr [idt + 0x40 * 8 + 6], ax
    mov     word ptr [idt + 0x40 * 8 + 2], 8
    mov     byte ptr [idt + 0x40 * 8 + 5], 0x8E
    lidt    [idt_pointer]
    int     0x40

    mov     eax, 0x10
    jmp     leave_
slow:
    mov     eax, 0x20
leave_:
    mov     edx, 0xF4
    out     dx, eax
2:  hlt
    jmp     2b
handler:
    iretd

    .data
    .balign 8
gdt:
    .quad   0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF
gdt_pointer:
    .word   23
    .long   gdt
idt_pointer:
    .word   0x41 * 8 - 1
    .long   idt
    .bss
    .balign 16
idt:
    .skip   0x41 * 8
    .skip   4096
stack_top:
    .section .note.GNU-stack, "", @progbits
