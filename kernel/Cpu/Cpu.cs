// The instructions of Cpu/core.S as C# methods: what every body of the machine has.
// Context: anywhere. Allocates nothing.

using System.Runtime;
using System.Runtime.CompilerServices;

namespace Unikernel.Kernel;

/// <summary>One CPU instruction each. Unsafe: some change the machine under everyone.</summary>
public static unsafe partial class Cpu
{
    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuReadTsc")]
    public static extern ulong ReadTsc();

    /// <summary>CPUID; abcd receives EAX, EBX, ECX, EDX.</summary>
    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuId")]
    public static extern void Id(uint leaf, uint subleaf, uint* abcd);

    /// <summary>RDRAND; 1 when value is good. The CPU must have it.</summary>
    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuRandom")]
    public static extern int Random(ulong* value);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuPause")]
    public static extern void Pause();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuGetCore")]
    public static extern void* GetCore();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuGetG")]
    public static extern void* GetG();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuSetG")]
    public static extern void SetG(void* g);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuGetTls")]
    public static extern void* GetTls();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuSetGsBase")]
    public static extern void SetGsBase(void* address);

    /// <summary>RSP of the calling method at the call.</summary>
    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuGetSp")]
    public static extern nuint GetSp();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("SwitchStack")]
    public static extern void* SwitchStack(nuint* saveRsp, nuint newRsp, void* g, void* tlsEnd);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("memset")]
    public static extern byte* MemSet(void* destination, int value, nuint n);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("memmove")]
    public static extern byte* MemMove(void* destination, void* source, nuint n);
}
