// Goroutine stacks: reserved slots whose pages appear on first touch.
//
// SK1  Stacks never move: .NET code holds pointers into them. A slot belongs to one G for ever (G2).
// SK2  A page is committed by the fault of its first touch, by Machine.GrowStack, whose frames can be had
//      even when the fault strikes inside the frame allocator. No lock is taken.
// SK3  A stack may use as much as its slot holds, but no more than a quarter of the machine's memory: so a runaway
//      recursion ends in Go's report, not in lack of memory.
// SK4  A goroutine's end gives the pages back below the first 64 KiB, so one deep recursion does not keep them.
// SK6  A parked goroutine may have no page at all: Stash.cs.
// SK5  Which class: a size asked for picks the smallest that holds it. Without one, a goroutine gets a 64 MiB slot while
//      fewer than 1024 live (each costs a page of page table besides its stack page); more get 128 KiB slots, fifteen
//      of which share that page, 264 bytes each. The main goroutine has a 1 GiB slot.
// Context: HandleFault runs on the page fault's IST stack, the rest on goroutines. Allocates: off-heap.
using System.Threading;
using Unikernel.Kernel;
using Unikernel.Runtime.Abi;

namespace Unikernel.Runtime.Sched;

/// <summary>Dead Gs by slot class, linked through SchedLink.</summary>
internal unsafe struct FreeStacks
{
    internal fixed ulong First[StackLayout.ClassCount];     // G*
    internal fixed int Count[StackLayout.ClassCount];

    internal void Add(G* gp)
    {
        int c = gp->StackClass;
        gp->SchedLink = (G*)First[c];
        First[c] = (ulong)gp;
        Count[c]++;
    }

    internal G* Take(int c)
    {
        G* gp = (G*)First[c];
        if (gp != null)
        {
            First[c] = (ulong)gp->SchedLink;
            gp->SchedLink = null;
            Count[c]--;
        }
        return gp;
    }
}

internal static unsafe class Stacks
{
    private const int MaxLargeSlots = 1024;
    private const ulong KeepBytes = Machine.StackKeepBytes;
    private const int TlsControlBytes = 64;     // above the block: what a C library may have there for its thread

    private const int MostFreeHere = 64;
    private const int FreeBatch = MostFreeHere / 2;

    private struct SlotClasses
    {
        internal fixed ulong Used[StackLayout.ClassCount];          // atomic
        internal fixed ulong LimitBytes[StackLayout.ClassCount];    // immutable after Init
        internal FreeStacks Free;                                   // guarded by Lock
        internal SpinLock Lock;
    }

    private static SlotClasses s_classes;
    private static nuint s_tlsBytes;
    private static byte* s_tlsTemplate;
    private static nuint s_tlsTemplateBytes;

    /// <summary>Bytes of a goroutine's block of thread statics, which ends at G.TlsEnd.</summary>
    internal static nuint TlsBytes => s_tlsBytes;

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
    internal static int ClassFor(P* p, ulong sizeBytes)
    {
        if (sizeBytes != 0)
        {
            return StackLayout.ClassFor(sizeBytes);
        }
        bool isLarge = p->Free.Count[StackLayout.LargeClass] != 0 || Volatile.Read(ref s_classes.Free.Count[StackLayout.LargeClass]) != 0
            || Atomic.Load(ref s_classes.Used[StackLayout.LargeClass]) < MaxLargeSlots || Proc.Goroutines < MaxLargeSlots;
        return isLarge ? StackLayout.LargeClass : StackLayout.SmallClass;
    }

    /// <summary>Lock depth raised: a dead G of the class, with its stack, or a new one; null when memory is out.</summary>
    internal static G* Take(P* p, int slotClass, bool freshTls)
    {
        G* gp = p->Free.Take(slotClass);
        if (gp == null && Volatile.Read(ref s_classes.Free.Count[slotClass]) != 0)
        {
            s_classes.Lock.Acquire(LockRank.Stacks);
            Move(ref s_classes.Free, ref p->Free, slotClass);
            s_classes.Lock.Release();
            gp = p->Free.Take(slotClass);
        }
        if (gp == null)
        {
            return Make(slotClass);
        }
        if (freshTls || gp->IsTlsStale)
        {
            FillTls(gp->TlsEnd);
            gp->ThreadStatics = 0;
        }
        return gp;
    }

    private static void Move(ref FreeStacks from, ref FreeStacks to, int slotClass)
    {
        for (int i = 0; i < FreeBatch; i++)
        {
            G* gp = from.Take(slotClass);
            if (gp == null)
            {
                return;
            }
            to.Add(gp);
        }
    }

    /// <summary>Lock depth raised: takes a dead G back, which no core runs any more.</summary>
    internal static void Free(P* p, G* gp)
    {
        ulong keep = (ulong)gp->StackHi - KeepBytes;
        if ((ulong)gp->StackLow < keep)
        {
            while (!Atomic.Swap(ref gp->ScanLock, 0, 1))
            {
                Cpu.Pause();                            // the collector looks at it (ST4)
            }
            Machine.TrimStack(gp->StackLow, (byte*)keep);
            Atomic.Store(ref gp->ScanLock, 0);
            gp->StackLow = (byte*)keep;
        }
        p->Free.Add(gp);
        int c = gp->StackClass;
        if (p->Free.Count[c] > MostFreeHere)
        {
            s_classes.Lock.Acquire(LockRank.Stacks);
            Move(ref p->Free, ref s_classes.Free, c);
            s_classes.Lock.Release();
        }
    }

    /// <summary>World stopped: the dead Gs of a core that runs nothing from now on are for all to use.</summary>
    internal static void GiveAway(P* p)
    {
        s_classes.Lock.Acquire(LockRank.Stacks);
        for (int c = 0; c < StackLayout.ClassCount; c++)
        {
            while (p->Free.Count[c] != 0)
            {
                s_classes.Free.Add(p->Free.Take(c));
            }
        }
        s_classes.Lock.Release();
    }

    private static G* Make(int slotClass)
    {
        ulong index = Atomic.Load(ref s_classes.Used[slotClass]);
        do
        {
            if (index >= StackLayout.SlotCount(slotClass))
            {
                return null;
            }
        }
        while (!TakeSlot(slotClass, ref index));
        G* gp = (G*)OffHeap.Alloc((nuint)sizeof(G));
        byte* tls = (byte*)OffHeap.Alloc(s_tlsBytes + TlsControlBytes);
        byte* hi = (byte*)StackLayout.SlotHi(slotClass, index);
        byte* low = gp == null || tls == null ? null : Machine.MakeStack(hi);
        if (low == null)
        {
            return null;
        }
        gp->StackHi = hi;
        gp->StackLo = hi - s_classes.LimitBytes[slotClass];
        gp->StackLow = low;
        gp->StackClass = (byte)slotClass;
        gp->TlsEnd = tls + s_tlsBytes;
        FillTls(gp->TlsEnd);
        Proc.AddToAll(gp);
        return gp;
    }

    private static bool TakeSlot(int slotClass, ref ulong index)
    {
        if (Atomic.Swap(ref s_classes.Used[slotClass], index, index + 1))
        {
            return true;
        }
        index = Atomic.Load(ref s_classes.Used[slotClass]);
        return false;
    }

    // Variant II: what is above the block is the C library's and begins with its own address.
    private static void FillTls(void* end)
    {
        byte* block = (byte*)end - s_tlsBytes;
        for (nuint i = 0; i < s_tlsBytes; i++)
        {
            block[i] = i < s_tlsTemplateBytes ? s_tlsTemplate[i] : (byte)0;
        }
        *(void**)end = end;
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
        if (hi != (ulong)Proc.GetG()->StackHi && Stash.RestoreTouched(hi, address))
        {
            return true;
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

    /// <summary>Interrupt context: makes <paramref name="bytes"/> below <paramref name="rsp"/> of the stack usable; false when there is no room.</summary>
    internal static bool EnsureBelow(G* gp, ulong rsp, ulong bytes)
    {
        ulong want = rsp - bytes;
        if (rsp > (ulong)gp->StackHi || want < (ulong)gp->StackLo)
        {
            return false;
        }
        while (want < (ulong)gp->StackLow)
        {
            byte* low = Machine.GrowStack((byte*)(((ulong)gp->StackLow - 1) & ~(StackLayout.PageBytes - 1)), gp->StackLo);
            if (low == null)
            {
                return false;
            }
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
