// Entry, system calls, signals and threads of the Linux body.
//
// LX1  GS base is the core's block, FS base what thread statics begin with (Cpu/core.S), as on bare metal.
// LX2  Signals run on an alternate stack: the IST of this machine. The handler edits the ucontext and returns.
// LX3  A new thread starts on its own stack at LinuxThreadStart with fn in rbx and its argument in r12.
// Reference: System V ABI for x86-64, appendix A.2.1; rt_sigreturn(2), clone(2), arch_prctl(2).
    .intel_syntax noprefix
    .text
    .set SYS_RT_SIGRETURN, 15
    .set SYS_CLONE, 56
    .set SYS_EXIT, 60
    .set SYS_ARCH_PRCTL, 158
    .set ARCH_SET_GS, 0x1001
    .set ARCH_SET_FS, 0x1002
    .set PROTOCOL_LINUX, 3

    .globl  _start
    .type   _start, @function
_start:
    .cfi_startproc
    .cfi_undefined rip
    mov     r12, rsp                    // argc, argv, envp, auxiliary vector
    and     rsp, -16
    lea     rsi, [rip + boot_core]
    mov     [rsi], rsi
    mov     edi, ARCH_SET_GS
    mov     eax, SYS_ARCH_PRCTL
    syscall
    lea     rbx, [rip + boot_tls_end]
    mov     [rbx], rbx
    mov     rsi, rbx
    mov     edi, ARCH_SET_FS
    mov     eax, SYS_ARCH_PRCTL
    syscall
    lea     rsi, [rip + __tdata_start]
    lea     rdx, [rip + __tdata_end]
    sub     rdx, rsi
    mov     rdi, rbx
    mov     rax, offset __tls_size
    sub     rdi, rax
    call    memmove
    mov     edi, PROTOCOL_LINUX
    mov     rsi, r12
    call    KernelMain
    ud2
    .cfi_endproc
    .size   _start, . - _start

    .globl  LinuxSyscall                // nint LinuxSyscall(nint number, nint a, nint b, nint c, nint d, nint e, nint f)
    .type   LinuxSyscall, @function
LinuxSyscall:
    .cfi_startproc
    mov     rax, rdi
    mov     rdi, rsi
    mov     rsi, rdx
    mov     rdx, rcx
    mov     r10, r8
    mov     r8, r9
    mov     r9, [rsp + 8]
    syscall
    ret
    .cfi_endproc
    .size   LinuxSyscall, . - LinuxSyscall

    .globl  LinuxClone                  // nint LinuxClone(nint flags, void* stackTop, delegate*<void*, void> fn, void* arg)
    .type   LinuxClone, @function
LinuxClone:
    .cfi_startproc
    push    rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbx, 0
    push    r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r12, 0
    mov     rbx, rdx
    mov     r12, rcx
    xor     edx, edx
    xor     r10d, r10d
    xor     r8d, r8d
    mov     eax, SYS_CLONE
    syscall
    test    rax, rax
    jz      LinuxThreadStart
    pop     r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore r12
    pop     rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore rbx
    ret
    .cfi_endproc
    .size   LinuxClone, . - LinuxClone

    .type   LinuxThreadStart, @function
LinuxThreadStart:
    .cfi_startproc
    .cfi_undefined rip
    mov     rdi, r12
    call    rbx
    xor     edi, edi
    mov     eax, SYS_EXIT
    syscall
    ud2
    .cfi_endproc
    .size   LinuxThreadStart, . - LinuxThreadStart

// The kernel enters with rdi = signal, rsi = siginfo, rdx = ucontext and rsp at the return address (the restorer).
    .type   SignalEntry, @function
SignalEntry:
    .cfi_startproc simple
    .cfi_signal_frame
    .cfi_def_cfa rsp, 8
    .cfi_undefined rip
    push    rbx
    mov     rbx, rsp
    and     rsp, -16
    cld
    call    LinuxSignal
    mov     rsp, rbx
    pop     rbx
    ret
    .cfi_endproc
    .size   SignalEntry, . - SignalEntry

SignalRestorer:
    mov     eax, SYS_RT_SIGRETURN
    syscall

    .macro ADDRESS name, symbol
    .globl  \name
    .type   \name, @function
\name:
    .cfi_startproc
    lea     rax, [rip + \symbol]
    ret
    .cfi_endproc
    .size   \name, . - \name
    .endm
    ADDRESS LinuxSignalEntry, SignalEntry           // void* LinuxSignalEntry()
    ADDRESS LinuxSignalRestorer, SignalRestorer     // void* LinuxSignalRestorer()

    .globl  LinuxSwapIrqOff             // nuint LinuxSwapIrqOff(nuint value): Core.IrqOff, which is the value before
    .type   LinuxSwapIrqOff, @function
LinuxSwapIrqOff:
    .cfi_startproc
    mov     eax, edi
    xchg    eax, gs:[36]                // one instruction: the goroutine may move to another core between two
    ret
    .cfi_endproc
    .size   LinuxSwapIrqOff, . - LinuxSwapIrqOff

    .globl  LinuxIrqPending             // int LinuxIrqPending(): Core.IrqPending
    .type   LinuxIrqPending, @function
LinuxIrqPending:
    .cfi_startproc
    mov     eax, gs:[40]
    ret
    .cfi_endproc
    .size   LinuxIrqPending, . - LinuxIrqPending

    .bss
    .balign 64
    .skip   4096 - 64                   // room for __tls_size bytes below the end
boot_tls_end:
    .skip   64
boot_core:
    .skip   256                         // struct Core
    .section .note.GNU-stack, "", @progbits
