// Goroutine stacks: reserved slots whose pages appear on first touch.
//
// SK1  Stacks never move: .NET code holds pointers into them. A slot belongs to one G for ever (G2).
// SK2  A page is committed by the fault of its first touch, by Machine.GrowStack, whose frames can be had
//      even when the fault strikes inside the frame allocator. No lock is taken.
// SK3  A stack may use as much as its slot holds, but no more than a quarter of the machine's memory: so a runaway
//      recursion ends in Go's report, not in lack of memory.
// SK4  A goroutine's end gives the pages back below the first 64 KiB, so one deep recursion does not keep them.
// SK5  Which class: a size asked for picks the smallest that holds it. Without one, the first 1024 goroutines that live
//      at once get 64 MiB slots (each costs a page of page table besides its stack page); more get 256 KiB slots, eight
//      of which share that page, 512 bytes each. The main goroutine has a 1 GiB slot.
// Context: HandleFault runs on the page fault's IST stack, the rest on goroutines. Allocates: off-heap.
using Unikernel.Kernel;
using Unikernel.Runtime.Abi;

namespace Unikernel.Runtime.Sched;

internal static unsafe class Stacks
{
    private const int MaxLargeSlots = 1024;
    private const ulong KeepBytes = Machine.StackKeepBytes;
    private const int TlsControlBytes = 64;     // above the FS base: own address, and what a C library may look at

    private struct SlotClasses
    {
        internal fixed ulong Used[StackLayout.ClassCount];
        internal fixed ulong LimitBytes[StackLayout.ClassCount];
        internal fixed ulong Free[StackLayout.ClassCount];      // G*, through SchedLink
    }

    private static SlotClasses s_classes;       // guarded by the one core
    private static nuint s_tlsBytes;
    private static byte* s_tlsTemplate;
    private static nuint s_tlsTemplateBytes;

    internal static void Init()
    {
        ulong most = (Machine.TotalMemory / 4) & ~(StackLayout.PageBytes - 1);
        for (int c = 0; c < StackLayout.ClassCount; c++)
        {
            ulong usable = StackLayout.UsableBytes(c);
            s_classes.LimitBytes[c] = usable < most ? usable : most;
        }
        Startup.TlsTemplate(out s_tlsTemplate, out s_tlsTemplateBytes, out s_tlsBytes);
    }

    /// <summary>The class of a goroutine that asked for <paramref name="sizeBytes"/>, 0 = did not ask; -1: there is none so large (SK5).</summary>
    internal static int ClassFor(ulong sizeBytes)
    {
        if (sizeBytes != 0)
        {
            return StackLayout.ClassFor(sizeBytes);
        }
        bool isLarge = s_classes.Free[StackLayout.LargeClass] != 0 || s_classes.Used[StackLayout.LargeClass] < MaxLargeSlots;
        return isLarge ? StackLayout.LargeClass : StackLayout.SmallClass;
    }

    /// <summary>A dead G of the class, with its stack, or a new one; null when memory is out.</summary>
    internal static G* Take(int slotClass, bool freshTls)
    {
        G* gp = (G*)s_classes.Free[slotClass];
        if (gp == null)
        {
            return Make(slotClass);
        }
        s_classes.Free[slotClass] = (ulong)gp->SchedLink;
        gp->SchedLink = null;
        if (freshTls || gp->IsTlsStale)
        {
            FillTls(gp->TlsBase);
            gp->ThreadStatics = 0;
        }
        return gp;
    }

    /// <summary>Takes a dead G back; it may still be the one running, until the next switch.</summary>
    internal static void Free(G* gp)
    {
        ulong keep = (ulong)gp->StackHi - KeepBytes;
        if ((ulong)gp->StackLow < keep)
        {
            Machine.TrimStack(gp->StackLow, (byte*)keep);
            gp->StackLow = (byte*)keep;
        }
        gp->SchedLink = (G*)s_classes.Free[gp->StackClass];
        s_classes.Free[gp->StackClass] = (ulong)gp;
    }

    private static G* Make(int slotClass)
    {
        if (s_classes.Used[slotClass] >= StackLayout.SlotCount(slotClass))
        {
            return null;
        }
        G* gp = (G*)OffHeap.Alloc((nuint)sizeof(G));
        byte* tls = (byte*)OffHeap.Alloc(s_tlsBytes + TlsControlBytes);
        byte* hi = (byte*)StackLayout.SlotHi(slotClass, s_classes.Used[slotClass]);
        byte* low = gp == null || tls == null ? null : Machine.MakeStack(hi);
        if (low == null)
        {
            return null;
        }
        s_classes.Used[slotClass]++;
        gp->StackHi = hi;
        gp->StackLo = hi - s_classes.LimitBytes[slotClass];
        gp->StackLow = low;
        gp->StackClass = (byte)slotClass;
        gp->TlsBase = tls + s_tlsBytes;
        FillTls(gp->TlsBase);
        Proc.AddToAll(gp);
        return gp;
    }

    // Variant II: the block ends at the base, which holds its own address.
    private static void FillTls(void* tlsBase)
    {
        byte* block = (byte*)tlsBase - s_tlsBytes;
        for (nuint i = 0; i < s_tlsBytes; i++)
        {
            block[i] = i < s_tlsTemplateBytes ? s_tlsTemplate[i] : (byte)0;
        }
        *(void**)tlsBase = tlsBase;
    }

    /// <summary>
    /// A page fault that is not the program's null dereference: true when it was a stack's first touch of a page, which
    /// is now there. Stack overflow does not return; false when the address is no stack's.
    /// </summary>
    internal static bool HandleFault(TrapFrame* f)
    {
        ulong address = Machine.FaultAddress;
        if ((f->Error & TrapFrame.ErrorPresent) != 0
            || !StackLayout.TryLocate(address, out int c, out ulong index) || index >= s_classes.Used[c])
        {
            return false;
        }
        ulong page = address & ~(StackLayout.PageBytes - 1);
        ulong hi = StackLayout.SlotHi(c, index);
        if (hi - page > s_classes.LimitBytes[c])
        {
            return Overflow(f, hi);
        }
        byte* low = Machine.GrowStack((byte*)page, (byte*)(hi - s_classes.LimitBytes[c]));
        if (low == null)
        {
            Throw.FatalTrap("out of memory for a goroutine's stack"u8, f);
        }
        G* gp = Proc.GetG();
        if (low < gp->StackLow && page >= (ulong)gp->StackLo)
        {
            gp->StackLow = low;
        }
        return true;
    }

    private static bool Overflow(TrapFrame* f, ulong hi)
    {
        G* gp = Proc.GetG();
        if ((ulong)gp->StackHi != hi)
        {
            return false;                       // a wild pointer below another's stack
        }
        Machine.Print("runtime: goroutine stack exceeds "u8);
        Machine.PrintDecimal((ulong)(gp->StackHi - gp->StackLo));
        Machine.Print("-byte limit\nruntime: sp=0x"u8);
        Machine.PrintHex(f->Rsp, 1);
        Machine.Print(" stack=[0x"u8);
        Machine.PrintHex((ulong)gp->StackLo, 1);
        Machine.Print(", 0x"u8);
        Machine.PrintHex((ulong)gp->StackHi, 1);
        Machine.Print("]\n"u8);
        Throw.FatalTrap("stack overflow"u8, f);
        return true;
    }
}
