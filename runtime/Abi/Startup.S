# Addresses the linker knows and C# cannot name, and the class library's function table.
    .intel_syntax noprefix
    .text

.macro ADDRESS_OF name, symbol
    .globl  \name
    .type   \name, @function
\name:
    .cfi_startproc
    mov     rax, offset \symbol
    ret
    .cfi_endproc
    .size   \name, . - \name
.endm
    ADDRESS_OF AbiGetKnobs, g_compilerEmbeddedKnobsBlob
    ADDRESS_OF AbiGetSecurityCookie, __security_cookie
    ADDRESS_OF AbiGetAddresses, abi_addresses

    .section .rodata
    .balign 8
# Order: AbiAddresses in Startup.cs.
abi_addresses:
    .quad   __eh_frame_hdr_start
    .quad   __text_start, __text_end
    .quad   __start___managedcode, __stop___managedcode
    .quad   __start___unbox, __stop___unbox
    .quad   __start___modules, __stop___modules
    .quad   __image_start
    .quad   RhpCallCatchFunclet2, RhpCallFinallyFunclet2, RhpCallFilterFunclet2, RhpThrowHwEx2
    .quad   RhpThrowHwEx
    .quad   __abi_helpers_start, __abi_helpers_end
    .quad   __memops_start, __memops_end
    .quad   abi_classlib
    .quad   __symblob_start, __symblob_end
    .quad   __tdata_start, __tdata_end, __tls_size
    .quad   __data_start, __stacks_start

# ClassLibFunctionId order; 2, 4 and 10 to 13 are unused on this platform.
    .section .data.rel.ro, "aw"
    .balign 8
abi_classlib:
    .quad   GetRuntimeException
    .quad   RuntimeFailFast
    .quad   0
    .quad   AppendExceptionStackFrame
    .quad   0
    .quad   GetSystemArrayEEType
    .quad   OnFirstChanceException
    .quad   AbiOnUnhandledException     # Panic.cs, which calls CoreLib's first
    .quad   IDynamicCastableIsInterfaceImplemented
    .quad   IDynamicCastableGetInterfaceImplementation
    .quad   0, 0, 0, 0
    .weak   IDynamicCastableIsInterfaceImplemented, IDynamicCastableGetInterfaceImplementation
    .section .note.GNU-stack, "", @progbits
