// The per-core block GS base points at. Offsets 0 and 8 are known to assembly (cpu.S, the runtime's .S files).
// owner: the core itself; immutable fields are set before the core runs C#.

using System.Runtime.InteropServices;

namespace Unikernel.Kernel;

[StructLayout(LayoutKind.Explicit, Size = SizeBytes)]
public unsafe struct Core
{
    public const int SizeBytes = 256;

    public const int RuntimeOffset = 64;

    public const int RuntimeBytes = 96;

    /// <summary>Own address; gs:[0].</summary>
    [FieldOffset(0)] public Core* Self;

    /// <summary>Current goroutine, opaque here; gs:[8].</summary>
    [FieldOffset(8)] public void* G;

    /// <summary>CR2 of the page fault being handled.</summary>
    [FieldOffset(16)] public ulong FaultAddress;

    /// <summary>1 while an exception handler runs: a second one then is fatal.</summary>
    [FieldOffset(24)] public int InFault;

    /// <summary>1 while an interrupt handler runs.</summary>
    [FieldOffset(28)] public int InInterrupt;

    /// <summary>How many fatal reports have been started.</summary>
    [FieldOffset(32)] public int FatalDepth;

    /// <summary>Where interrupts are signals: 1 while they are held back; gs:[36].</summary>
    [FieldOffset(36)] public int IrqOff;

    /// <summary>Where interrupts are signals: those that have arrived, a bit each. Atomic.</summary>
    [FieldOffset(40)] public int IrqPending;

    /// <summary>Where cores are threads: counts wake-ups; the thread waits on it. Atomic.</summary>
    [FieldOffset(44)] public int Wakes;

    /// <summary>Where cores are threads: 1 while it waits. Atomic.</summary>
    [FieldOffset(48)] public int IsHalted;

    /// <summary>Where cores are threads: the thread.</summary>
    [FieldOffset(52)] public int ThreadId;

    /// <summary>Index of the core, 0 = the one that boots.</summary>
    [FieldOffset(56)] public int Id;

    /// <summary>Bare metal: the local APIC's id.</summary>
    [FieldOffset(60)] public uint ApicId;

    /// <summary>For the runtime: 96 bytes it lays out itself (current P, lock depth, ...).</summary>
    [FieldOffset(RuntimeOffset)] public fixed byte Runtime[RuntimeBytes];

    /// <summary>When the alarm is due, 0 = none; guarded by interrupts off.</summary>
    [FieldOffset(160)] public long AlarmNs;

    /// <summary>Linux: the core's timer.</summary>
    [FieldOffset(168)] public int TimerId;

    /// <summary>Bare metal: this core is inside the frame allocator.</summary>
    [FieldOffset(172)] public int Allocating;

    /// <summary>While the core is frozen: what it was doing. Atomic.</summary>
    [FieldOffset(176)] public TrapFrame* Frozen;

    /// <summary>Bare metal: above 0, interrupts do not call OnInterruptExit. Owner: the core, interrupts off.</summary>
    [FieldOffset(192)] public int ExitHeld;

    /// <summary>Bare metal: 1 when one would have.</summary>
    [FieldOffset(196)] public int ExitSkipped;
}
