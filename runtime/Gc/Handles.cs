// Handles: GCHandle, WeakReference, DependentHandle and what the class library makes of them.
//
// HD1  A handle is the address of a slot whose first word is the object: compiled code reads it without calling anything.
//      The second word is a dependent handle's secondary, or of a free slot the next free one.
// HD2  Slots lie in pages of the machine with their kinds in front; pages are kept for ever. A free slot's object is null.
// HD3  Strong handles are roots. A dependent handle's secondary is reachable while its primary is. Weak handles are cleared
//      with the world stopped: short ones of objects that are not reachable, long ones of those that no finalizer
//      waiting to be run reaches either.
// HD4  What is stored into a handle while a cycle marks is shaded, weak ones included: it lives through that cycle.
// Context: goroutine at any lock depth; scanning as said. Allocates: pages. Reference: CoreCLR's handle kinds.
using System.Runtime;
using System.Runtime.InteropServices;
using Unikernel.Kernel;
using Unikernel.Runtime.Mem;
using Unikernel.Runtime.Sched;
using SpinLock = Unikernel.Runtime.Sched.SpinLock;

namespace Unikernel.Runtime.Gc;

/// <summary>The class library's numbers.</summary>
internal static class HandleKind
{
    internal const byte WeakShort = 0;
    internal const byte WeakLong = 1;
    internal const byte Strong = 2;
    internal const byte Pinned = 3;
    internal const byte Dependent = 6;
    internal const byte Free = 255;
}

internal static unsafe class Handles
{
    [StructLayout(LayoutKind.Sequential)]
    private struct Slot
    {
        internal byte* Object;
        internal byte* Second;
    }

    private const int PageBytes = 4096;
    private const int SlotsAPage = 239;

    [StructLayout(LayoutKind.Sequential)]
    private struct Page
    {
        internal Page* Next;                // immutable once the page is on the list
        internal fixed byte Kinds[SlotsAPage];
        private fixed byte _padding[9];
        private fixed ulong _slots[SlotsAPage * 2];

        internal static Slot* At(Page* page, int i) => (Slot*)&page->_slots[0] + i;
    }

    private static SpinLock s_lock;
    private static Slot* s_free;            // guarded by s_lock
    private static WorkBuffer* s_candidates;    // the driver's: handles, NoteCandidates
    private static ulong s_pages;           // Page*; written with s_lock held, atomic

    [RuntimeExport("RhpHandleAlloc")]
    internal static byte** Alloc(byte* o, int kind) => Alloc(o, null, (byte)kind);

    [RuntimeExport("RhpHandleAllocDependent")]
    internal static byte** AllocDependent(byte* primary, byte* secondary) => Alloc(primary, secondary, HandleKind.Dependent);

    private static byte** Alloc(byte* o, byte* second, byte kind)
    {
        s_lock.Acquire(LockRank.Handles);
        if (s_free == null && !AddPage())
        {
            s_lock.Release();
            return null;
        }
        Slot* h = s_free;
        s_free = (Slot*)h->Second;
        h->Second = second;
        h->Object = o;
        KindOf((byte**)h) = kind;
        Barrier.Shade(o);
        Barrier.Shade(second);
        s_lock.Release();
        return (byte**)h;
    }

    // Lock held.
    private static bool AddPage()
    {
        Page* page = (Page*)Machine.AllocPage();
        if (page == null || sizeof(Page) > PageBytes)
        {
            return false;
        }
        for (int i = SlotsAPage - 1; i >= 0; i--)
        {
            page->Kinds[i] = HandleKind.Free;
            Page.At(page, i)->Second = (byte*)s_free;
            s_free = Page.At(page, i);
        }
        page->Next = (Page*)s_pages;
        Atomic.Store(ref s_pages, (ulong)page);
        return true;
    }

    private static ref byte KindOf(byte** handle)
    {
        Page* page = (Page*)((nuint)handle & ~(nuint)(PageBytes - 1));
        return ref page->Kinds[(Slot*)handle - Page.At(page, 0)];
    }

    [RuntimeExport("RhHandleFree")]
    internal static void Free(byte** handle)
    {
        s_lock.Acquire(LockRank.Handles);
        Slot* h = (Slot*)handle;
        KindOf(handle) = HandleKind.Free;
        h->Object = null;
        h->Second = (byte*)s_free;
        s_free = h;
        s_lock.Release();
    }

    [RuntimeExport("RhHandleGet")]
    internal static byte* Get(byte** handle) => *handle;

    [RuntimeExport("RhHandleSet")]
    internal static void Set(byte** handle, byte* o)
    {
        ThisCore.Acquire();
        *handle = o;
        Barrier.Shade(o);
        ThisCore.Release();
    }

    [RuntimeExport("RhHandleGetDependent")]
    internal static byte* GetDependent(byte** handle, byte** secondary)
    {
        ThisCore.Acquire();                 // both of one moment: they are cleared with the world stopped
        byte* primary = *handle;
        *secondary = primary == null ? null : ((Slot*)handle)->Second;
        ThisCore.Release();
        return primary;
    }

    [RuntimeExport("RhHandleSetDependentSecondary")]
    internal static void SetDependentSecondary(byte** handle, byte* secondary)
    {
        ThisCore.Acquire();
        ((Slot*)handle)->Second = secondary;
        Barrier.Shade(secondary);
        ThisCore.Release();
    }

    /// <summary>Lock depth raised: marks what strong handles hold.</summary>
    internal static void GreyStrong<T>(GcWork* work)
        where T : struct, IMarks
    {
        for (Page* page = (Page*)Atomic.Load(ref s_pages); page != null; page = page->Next)
        {
            for (int i = 0; i < SlotsAPage; i++)
            {
                if (page->Kinds[i] is not (HandleKind.WeakShort or HandleKind.WeakLong or HandleKind.Dependent or HandleKind.Free))
                {
                    Marker.Grey<T>(work, Page.At(page, i)->Object);
                }
            }
        }
    }

    /// <summary>
    /// Lock depth raised, marking nearly done: notes the weak and dependent handles that more has to be done about, so that
    /// what is done with the world stopped does not depend on how many handles there are. All later ones are shaded (HD4).
    /// </summary>
    internal static void NoteCandidates()
    {
        DropCandidates();
        for (Page* page = (Page*)Atomic.Load(ref s_pages); page != null; page = page->Next)
        {
            for (int i = 0; i < SlotsAPage; i++)
            {
                Slot* h = Page.At(page, i);
                if (page->Kinds[i] switch
                {
                    HandleKind.WeakShort or HandleKind.WeakLong => !IsReachable(h->Object),
                    HandleKind.Dependent => !IsReachable(h->Object) || !IsReachable(h->Second),
                    _ => false,
                })
                {
                    Note(h);
                }
            }
        }
    }

    private static void Note(Slot* h)
    {
        WorkBuffer* b = s_candidates;
        if (b == null || b->Count == WorkBuffer.Capacity)
        {
            b = GcQueue.TakeEmpty();
            if (b == null)
            {
                Throw.Fatal("out of memory for the collector's list of weak handles"u8);
            }
            b->Next = s_candidates;
            s_candidates = b;
        }
        b->Items[b->Count++] = (ulong)h;
    }

    /// <summary>World stopped: marks the secondaries of all primaries that <paramref name="isMarked"/> is true of.</summary>
    internal static void CheckDependents<T>(GcWork* work, delegate*<byte*, bool> isMarked)
        where T : struct, IMarks
    {
        for (Page* page = (Page*)Atomic.Load(ref s_pages); page != null; page = page->Next)
        {
            for (int i = 0; i < SlotsAPage; i++)
            {
                Slot* h = Page.At(page, i);
                if (page->Kinds[i] == HandleKind.Dependent && h->Object != null && isMarked(h->Object))
                {
                    Marker.Grey<T>(work, h->Second);
                }
            }
        }
    }

    /// <summary>The end of a cycle.</summary>
    internal static void DropCandidates()
    {
        while (s_candidates != null)
        {
            WorkBuffer* b = s_candidates;
            s_candidates = b->Next;
            GcQueue.PutEmpty(b);
        }
    }

    /// <summary>Lock depth raised: marks secondaries whose primaries are marked; whether there was a new one.</summary>
    internal static bool GreyDependents(GcWork* work)
    {
        bool any = false;
        for (WorkBuffer* b = s_candidates; b != null; b = b->Next)
        {
            for (long i = 0; i < b->Count; i++)
            {
                Slot* h = (Slot*)b->Items[i];
                if (KindOf((byte**)h) == HandleKind.Dependent && h->Object != null && IsReachable(h->Object) && !IsReachable(h->Second))
                {
                    Marker.Grey(work, h->Second);
                    any = true;
                }
            }
        }
        return any;
    }

    /// <summary>World stopped: clears the weak handles of a kind whose objects are not marked.</summary>
    internal static void ClearWeak(byte kind)
    {
        for (WorkBuffer* b = s_candidates; b != null; b = b->Next)
        {
            for (long i = 0; i < b->Count; i++)
            {
                Slot* h = (Slot*)b->Items[i];
                if (KindOf((byte**)h) == kind && !IsReachable(h->Object))
                {
                    h->Object = null;
                    if (kind == HandleKind.Dependent)
                    {
                        h->Second = null;
                    }
                }
            }
        }
    }

    /// <summary>Null and objects outside the heap count as reachable.</summary>
    internal static bool IsReachable(byte* o) => !MHeap.IsInRange(o) || MarkBits.IsSet(o);
}
