// What a trap leaves on its IST stack (Cpu/traps.S), lowest address first. A handler may edit it; IRETQ loads it back.

using System.Runtime.InteropServices;

namespace Unikernel.Kernel;

/// <summary>Registers at a trap. Vector and Error are the stub's; from Rip on it is the hardware's frame.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct TrapFrame
{
    public ulong R15, R14, R13, R12, R11, R10, R9, R8;
    public ulong Rbp, Rdi, Rsi, Rdx, Rcx, Rbx, Rax;
    public ulong Vector, Error;
    public ulong Rip, Cs, Rflags, Rsp, Ss;

    /// <summary>Error code bits of a page fault.</summary>
    public const ulong ErrorPresent = 1, ErrorWrite = 2, ErrorUser = 4, ErrorReserved = 8, ErrorFetch = 16;

    public const ulong DivideError = 0, Debug = 1, Nmi = 2, Breakpoint = 3, Overflow = 4, InvalidOpcode = 6,
        DoubleFault = 8, StackFault = 12, GeneralProtection = 13, PageFault = 14, MathFault = 16, MachineCheck = 18, SimdFault = 19;
}
