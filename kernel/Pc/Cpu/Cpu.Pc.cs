// The instructions of Pc/Cpu/cpu.S as C# methods, and the layout of the linked image.
// Context: anywhere. Allocates nothing. What each one needs is said where it is not plain.

using System.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Unikernel.Kernel;

/// <summary>Addresses the link script defines; the order is ImageLayoutTable's in Pc/Boot/boot.S.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct ImageLayout
{
    public nuint TextStart, TextEnd, RodataStart, RodataEnd, DataStart, DataEnd;
    public nuint SymblobStart, SymblobEnd, ImageStart, ImageEnd;
    public nuint BootPhysStart, BootPhysEnd, StacksStart, StacksEnd;
    public nuint BootCore, BootStackTop;
    public nuint IstDoubleFault, IstNmi, IstMachineCheck, IstPageFault, IstInterrupt, IstFault;
    public nuint TrapStubs, MemopsStart, MemopsEnd;
    public nuint CoreTrampoline, CoreTrampolineEnd, CoreEnter;
    public fixed ulong Guards[GuardCount];

    public const int GuardCount = 7;
}

/// <summary>One CPU instruction each. Unsafe: port, MSR and control register writes change the machine under everyone.</summary>
public static unsafe partial class Cpu
{
    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuIn8")]
    public static extern byte In8(ushort port);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuIn16")]
    public static extern ushort In16(ushort port);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuIn32")]
    public static extern uint In32(ushort port);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuOut8")]
    public static extern void Out8(ushort port, byte value);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuOut16")]
    public static extern void Out16(ushort port, ushort value);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuOut32")]
    public static extern void Out32(ushort port, uint value);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuReadMsr")]
    public static extern ulong ReadMsr(uint msr);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuWriteMsr")]
    public static extern void WriteMsr(uint msr, ulong value);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuReadCr2")]
    public static extern ulong ReadCr2();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuReadCr3")]
    public static extern ulong ReadCr3();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuWriteCr3")]
    public static extern void WriteCr3(ulong value);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuReadCr4")]
    public static extern ulong ReadCr4();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuInvlpg")]
    public static extern void Invlpg(void* va);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuLoadTables")]
    public static extern void LoadTables(void* gdtr, void* idtr, ushort tss);

    /// <summary>Everything before it has happened, for every core, before anything after it.</summary>
    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuFence")]
    public static extern void Fence();

    /// <summary>Makes a fresh thread-local block that ends at <paramref name="end"/>.</summary>
    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuInitTls")]
    public static extern void InitTls(void* end);

    /// <summary>The TSC, read after every load before it and before every load after it.</summary>
    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuReadTscInOrder")]
    public static extern ulong ReadTscInOrder();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuReadCr0")]
    public static extern ulong ReadCr0();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuTripleFault")]
    public static extern void TripleFault();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuDisableInterrupts")]
    public static extern nuint DisableInterrupts();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuRestoreInterrupts")]
    public static extern void RestoreInterrupts(nuint flags);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuEnableInterrupts")]
    public static extern void EnableInterrupts();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuHalt")]
    public static extern void Halt();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuHaltForever")]
    public static extern void HaltForever();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuImageLayout")]
    public static extern ImageLayout* Layout();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuEntryTsc")]
    public static extern ulong EntryTsc();
}
