// For each size class and kind of contents, the swept spans with free slots that no cache has.
//
// MN1  A span in use is in one cache, on one list here, full, or not swept yet.
// MN2  When marking ends the lists are emptied: every span is to be swept, and the sweeper puts it back.
// Context: lock depth raised. Allocates: spans. Reference: Go's mcentral.go.
using System.Runtime.CompilerServices;
using System.Threading;
using Unikernel.Runtime.Gc;
using Unikernel.Runtime.Sched;
using SpinLock = Unikernel.Runtime.Sched.SpinLock;

namespace Unikernel.Runtime.Mem;

internal static unsafe class MCentral
{
    private struct Lists
    {
        internal fixed ulong First[SizeClasses.Count * 2];      // MSpan*; guarded by the lock of the same number
        internal fixed int Locks[SizeClasses.Count * 2];        // SpinLock
    }

    private static Lists s_lists;

    private static SpinLock* Lock(int i) => (SpinLock*)Unsafe.AsPointer(ref s_lists.Locks[i]);

    /// <summary>A span with free slots, the caller's; null when memory is out.</summary>
    internal static MSpan* Take(MCache* c, int sizeClass, bool isNoScan)
    {
        int i = (sizeClass * 2) + (isNoScan ? 1 : 0);
        MSpan* s = TakePartial(i);
        while (s == null && Sweeper.SweepSome())
        {
            s = TakePartial(i);
        }
        if (s != null)
        {
            return s;
        }
        s = MHeap.AllocSpan(c, sizeClass, isNoScan, SizeClasses.PagesOf(sizeClass));
        if (s != null)
        {
            s->SweptCycle = Mgc.Cycle;
            Volatile.Write(ref *(byte*)&s->State, (byte)SpanState.InUse);       // last: the sweeper may look
        }
        return s;
    }

    private static MSpan* TakePartial(int i)
    {
        if (s_lists.First[i] == 0)
        {
            return null;                        // a span put there this instant goes to the next who asks
        }
        Lock(i)->Acquire(LockRank.Central);
        MSpan* s = (MSpan*)s_lists.First[i];
        if (s != null)
        {
            s_lists.First[i] = (ulong)s->Next;
            s->Next = null;
        }
        Lock(i)->Release();
        return s;
    }

    /// <summary>A swept span with free slots, which nobody has.</summary>
    internal static void Put(MSpan* s)
    {
        int i = (s->Class * 2) + (s->IsNoScan ? 1 : 0);
        Lock(i)->Acquire(LockRank.Central);
        s->Next = (MSpan*)s_lists.First[i];
        s_lists.First[i] = (ulong)s;
        Lock(i)->Release();
    }

    /// <summary>World stopped: MN2.</summary>
    internal static void Clear()
    {
        for (int i = 0; i < SizeClasses.Count * 2; i++)
        {
            s_lists.First[i] = 0;
        }
    }
}
