// GDT and TSS with IST stacks, one of each a core; the IDT, which all cores share.
//
// TB1  Selectors: 0x08 kernel code, 0x10 kernel data, 0x18 user data, 0x20 user code (both reserved), 0x28 TSS.
// TB2  IST: 1 double fault, 2 NMI, 3 machine check, 4 page fault, 5 interrupts, 6 every other exception. Each stack has
//      a guard page below it, unmapped once Machine.InitMemory has run; the other cores' never were mapped.
// Context: the start of a core, before any trap can happen on it. Reference: Intel SDM 3A sections 3.5, 6.14, 7.7.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private const ushort KernelCodeSelector = 0x08;
    private const ushort TssSelector = 0x28;
    private const int TssSize = 104;

    private struct CoreTables
    {
        public fixed ulong Gdt[8];
        public fixed byte Tss[112];
    }

    private struct TrapGates
    {
        public fixed ulong Words[512];
    }

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct TableRegister
    {
        public ushort Limit;
        public void* Base;
    }

    private static CoreTables s_bootTables; // both immutable after InitTables
    private static TrapGates s_gates;

    /// <summary>Loads GDT, TSS and IDT: from here on a CPU fault is reported instead of resetting the machine.</summary>
    public static void InitTables()
    {
        var gates = (ulong*)Unsafe.AsPointer(ref s_gates);
        var layout = Cpu.Layout();
        for (uint vector = 0; vector < 256; vector++)
        {
            uint index = vector switch
            {
                (uint)TrapFrame.DoubleFault => 1,
                (uint)TrapFrame.Nmi => 2,
                (uint)TrapFrame.MachineCheck => 3,
                (uint)TrapFrame.PageFault => 4,
                >= 32 => 5,
                _ => 6,
            };
            var stub = (ulong)layout->TrapStubs + vector * 16;
            gates[vector * 2] = (stub & 0xffff) | ((ulong)KernelCodeSelector << 16) | ((ulong)index << 32)
                | (0x8eUL << 40) | ((stub >> 16 & 0xffff) << 48);
            gates[vector * 2 + 1] = stub >> 32;
        }
        LoadTables((CoreTables*)Unsafe.AsPointer(ref s_bootTables), (ulong*)&layout->IstDoubleFault, layout->BootStackTop);
    }

    // Fills and loads a core's own tables; stacks holds the tops of its six, in TB2's order.
    private static void LoadTables(CoreTables* tables, ulong* stacks, ulong stackTop)
    {
        var tss = tables->Tss;
        *(ulong*)(tss + 4) = stackTop;              // RSP0: never used, ring 3 is not entered
        for (var i = 0; i < 6; i++)
        {
            *(ulong*)(tss + 36 + (i * 8)) = stacks[i];
        }
        *(ushort*)(tss + 102) = TssSize;            // no I/O permission map

        var gdt = tables->Gdt;
        gdt[0] = 0;
        gdt[1] = 0x00af9b000000ffff;
        gdt[2] = 0x00cf93000000ffff;
        gdt[3] = 0x00cff3000000ffff;
        gdt[4] = 0x00affb000000ffff;
        var tssBase = (ulong)tss;
        gdt[5] = (TssSize - 1) | ((tssBase & 0xffffff) << 16) | (0x89UL << 40) | (((tssBase >> 24) & 0xff) << 56);
        gdt[6] = tssBase >> 32;

        TableRegister gdtr;
        gdtr.Limit = 7 * 8 - 1;
        gdtr.Base = gdt;
        TableRegister idtr;
        idtr.Limit = 4095;
        idtr.Base = Unsafe.AsPointer(ref s_gates);
        Cpu.LoadTables(&gdtr, &idtr, TssSelector);
    }
}
