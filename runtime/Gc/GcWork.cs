// Grey objects: buffers of references that are marked and still to be scanned.
//
// WB1  A core pushes to and pops from its own buffer (GcWork); whole buffers go to and come from the list of full ones.
// WB2  Between slices of marking a core keeps none: what a cycle has still to do is on the list, or on nobody's.
// WB3  Buffers are pages of the machine, kept for ever. When there is no page for another one, the reference is dropped and
//      Overflowed is set: its object is marked but not scanned, and the cycle looks for such objects at its end
//      (Marker.Rescan). So a full memory never stops a cycle.
// WB4  An entry's upper 16 bits are which piece of a large array is meant; 0 = the object, or its first piece.
// Context: lock depth raised. Allocates: pages. Reference: Go's mgcwork.go.
using System.Runtime.InteropServices;
using System.Threading;
using Unikernel.Kernel;
using Unikernel.Runtime.Sched;
using SpinLock = Unikernel.Runtime.Sched.SpinLock;

namespace Unikernel.Runtime.Gc;

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct WorkBuffer
{
    internal const int Capacity = 510;

    internal WorkBuffer* Next;
    internal long Count;
    internal fixed ulong Items[Capacity];
}

/// <summary>A core's own grey objects.</summary>
internal unsafe struct GcWork
{
    private WorkBuffer* _current;

    /// <summary>Bytes scanned and not yet counted by the cycle.</summary>
    internal long ScannedBytes;

    internal readonly bool IsEmpty => _current == null || _current->Count == 0;

    internal void Push(ulong entry)
    {
        WorkBuffer* b = _current;
        if (b == null || b->Count == WorkBuffer.Capacity)
        {
            if (b != null)
            {
                GcQueue.PutFull(b);
            }
            b = GcQueue.TakeEmpty();
            _current = b;
            if (b == null)
            {
                GcQueue.Overflowed = true;      // WB3
                return;
            }
        }
        b->Items[b->Count++] = entry;
    }

    internal bool TryPop(out ulong entry)
    {
        WorkBuffer* b = _current;
        if (b == null || b->Count == 0)
        {
            WorkBuffer* full = GcQueue.TakeFull();
            if (full == null)
            {
                entry = 0;
                return false;
            }
            if (b != null)
            {
                GcQueue.PutEmpty(b);
            }
            b = full;
            _current = b;
        }
        entry = b->Items[--b->Count];
        return true;
    }

    /// <summary>Lets others have half of it, when there is nothing else for them.</summary>
    internal readonly void Share()
    {
        WorkBuffer* b = _current;
        if (b == null || b->Count < 8 || GcQueue.HasFull)
        {
            return;
        }
        WorkBuffer* half = GcQueue.TakeEmpty();
        if (half == null)
        {
            return;
        }
        long n = b->Count / 2;
        for (long i = 0; i < n; i++)
        {
            half->Items[i] = b->Items[i];       // the older ones: they lead to more
        }
        for (long i = n; i < b->Count; i++)
        {
            b->Items[i - n] = b->Items[i];
        }
        half->Count = n;
        b->Count -= n;
        GcQueue.PutFull(half);
    }

    /// <summary>WB2</summary>
    internal void Flush()
    {
        WorkBuffer* b = _current;
        if (b != null)
        {
            _current = null;
            if (b->Count == 0)
            {
                GcQueue.PutEmpty(b);
            }
            else
            {
                GcQueue.PutFull(b);
            }
        }
    }
}

/// <summary>Buffers that no core has.</summary>
internal static unsafe class GcQueue
{
    private const int Reserve = 16;

    private static SpinLock s_lock;
    private static ulong s_full;                // WorkBuffer*; guarded by s_lock, read without
    private static WorkBuffer* s_empty;         // guarded by s_lock

    /// <summary>WB3. Set by anybody, cleared by the driver.</summary>
    internal static bool Overflowed;

    internal static bool HasFull => Atomic.Load(ref s_full) != 0;

    internal static void Init()
    {
        for (int i = 0; i < Reserve; i++)
        {
            WorkBuffer* b = (WorkBuffer*)Machine.AllocPage();
            if (b != null)
            {
                PutEmpty(b);
            }
        }
    }

    internal static void PutFull(WorkBuffer* b)
    {
        s_lock.Acquire(LockRank.Leaf);
        b->Next = (WorkBuffer*)s_full;
        Atomic.Store(ref s_full, (ulong)b);
        s_lock.Release();
    }

    internal static WorkBuffer* TakeFull()
    {
        if (!HasFull)
        {
            return null;
        }
        s_lock.Acquire(LockRank.Leaf);
        WorkBuffer* b = (WorkBuffer*)s_full;
        if (b != null)
        {
            Atomic.Store(ref s_full, (ulong)b->Next);
        }
        s_lock.Release();
        return b;
    }

    internal static void PutEmpty(WorkBuffer* b)
    {
        b->Count = 0;
        s_lock.Acquire(LockRank.Leaf);
        b->Next = s_empty;
        s_empty = b;
        s_lock.Release();
    }

    internal static WorkBuffer* TakeEmpty()
    {
        s_lock.Acquire(LockRank.Leaf);
        WorkBuffer* b = s_empty;
        if (b != null)
        {
            s_empty = b->Next;
        }
        s_lock.Release();
        if (b == null)
        {
            b = (WorkBuffer*)Machine.AllocPage();
            if (b != null)
            {
                b->Count = 0;
            }
        }
        return b;
    }
}
