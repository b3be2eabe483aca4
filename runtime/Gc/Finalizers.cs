// Objects with finalizers, from their making to the call.
//
// FN1  Every object with a finalizer is on the list of registered ones, until it is found unreachable: then it moves to the
//      queue, which is a root, and its finalizer runs in the class library's finalizer goroutine. As .NET has it there is
//      no order among them (Go's dependency order does not apply).
// FN2  GC.SuppressFinalize sets a bit of the object's header; one found unreachable with the bit leaves the list.
// FN3  An object that is queued has been reachable again since (resurrection): it is freed when it is found unreachable
//      later, unless it is registered anew.
// FN4  Both are chunks of a page. s_lock guards them; the collector takes from the list with the world stopped.
// FN5  The collector, which moves objects from list to list, never needs a page: there are always chunks for all objects and
//      one more for each list, whose first may not be full. Who makes an object provides them, or gets no memory for it.
// Context: goroutine; as said. Allocates: pages. Reference: .NET's GC.ReRegisterForFinalize, __Finalizer.
using System.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;
using Unikernel.Kernel;
using Unikernel.Runtime.Mem;
using Unikernel.Runtime.Sched;
using SpinLock = Unikernel.Runtime.Sched.SpinLock;

namespace Unikernel.Runtime.Gc;

internal static unsafe class Finalizers
{
    private const int Capacity = 510;
    private const uint FinalizerRunBit = 0x4000_0000;      // of the header word before the object
    private const int Lists = 4;                            // those three, and one that is being emptied; FN5
    private const nuint StackBytes = 256 * 1024 - 8192;

    [StructLayout(LayoutKind.Sequential)]
    private struct Chunk
    {
        internal Chunk* Next;
        internal long Count;
        internal fixed ulong Objects[Capacity];
    }

    private static SpinLock s_lock;
    private static ulong s_registered;          // Chunk*; guarded by s_lock
    private static ulong s_queue;               // Chunk*; the same
    private static ulong s_free;                // Chunk*; the same
    private static long s_chunks;               // on any list; the same
    private static ulong s_candidates;          // Chunk*; registered too; the driver's
    private static GList s_finalizer;           // the finalizer goroutine while it waits; the same
    private static GList s_pending;             // who waits for it to be done; the same
    private static long s_registeredCount;      // the same
    private static long s_queued;               // objects in the queue; the same
    private static bool s_isRunning;            // finalizers are being called; the same

    /// <summary>Objects that wait for their finalizers.</summary>
    internal static long Queued => Atomic.Load(ref s_queued);

    /// <summary>Objects with finalizers that have not been found unreachable.</summary>
    internal static long Registered => Atomic.Load(ref s_registeredCount);

    /// <summary>False when memory is out.</summary>
    internal static bool Register(byte* o)
    {
        s_lock.Acquire(LockRank.Finalizers);
        bool added = Provide();
        if (added)
        {
            Add(ref s_registered, o);
            s_registeredCount++;
        }
        s_lock.Release();
        return added;
    }

    // Lock held: FN5, for one more object.
    private static bool Provide()
    {
        while (s_chunks * Capacity <= s_registeredCount + s_queued + (Lists * Capacity))
        {
            Chunk* c = (Chunk*)Machine.AllocPage();
            if (c == null)
            {
                return false;
            }
            c->Next = (Chunk*)s_free;
            s_free = (ulong)c;
            s_chunks++;
        }
        return true;
    }

    // Lock held.
    private static void Add(ref ulong list, byte* o)
    {
        Chunk* c = (Chunk*)list;
        if (c == null || c->Count == Capacity)
        {
            c = (Chunk*)s_free;
            if (c == null)
            {
                Throw.Fatal("no chunk for the lists of objects with finalizers"u8);       // FN5
            }
            s_free = (ulong)c->Next;
            c->Count = 0;
            c->Next = (Chunk*)list;
            list = (ulong)c;
        }
        c->Objects[c->Count++] = (ulong)o;
    }

    // Lock held. The object added last, or null.
    private static byte* Take(ref ulong list)
    {
        Chunk* c = (Chunk*)list;
        if (c == null)
        {
            return null;
        }
        byte* o = (byte*)c->Objects[--c->Count];
        if (c->Count == 0)
        {
            list = (ulong)c->Next;
            c->Next = (Chunk*)s_free;
            s_free = (ulong)c;
        }
        return o;
    }

    [RuntimeExport("RhSuppressFinalize")]
    internal static void Suppress(byte* o) => _ = Interlocked.Or(ref *(uint*)(o - 4), FinalizerRunBit);

    [RuntimeExport("RhReRegisterForFinalize")]
    internal static bool ReRegister(byte* o)
    {
        if ((Interlocked.And(ref *(uint*)(o - 4), ~FinalizerRunBit) & FinalizerRunBit) != 0)
        {
            return true;                        // still on the list
        }
        return Register(o);
    }

    /// <summary>Lock depth raised, marking nearly done: what is not marked yet goes apart, a chunk at a time, so that little is left for the pause.</summary>
    internal static void NoteCandidates()
    {
        s_lock.Acquire(LockRank.Finalizers);
        ulong list = s_registered;
        s_registered = 0;
        Sort(list, ref s_registered, ref s_candidates);
        s_lock.Release();
    }

    private static void Sort(ulong list, ref ulong marked, ref ulong unmarked)
    {
        for (byte* o = Take(ref list); o != null; o = Take(ref list))
        {
            if (MarkBits.IsSet(o))
            {
                Add(ref marked, o);
            }
            else
            {
                Add(ref unmarked, o);
            }
        }
    }

    /// <summary>
    /// World stopped, all that is reachable is marked: moves unreachable objects to the queue, marks them, and whether
    /// there were any. Those made since NoteCandidates are marked.
    /// </summary>
    internal static bool QueueUnreachable(GcWork* work)
    {
        bool any = false;
        ulong list = s_candidates;
        s_candidates = 0;
        for (byte* o = Take(ref list); o != null; o = Take(ref list))
        {
            if (MarkBits.IsSet(o))
            {
                Add(ref s_registered, o);
            }
            else if ((*(uint*)(o - 4) & FinalizerRunBit) != 0)
            {
                s_registeredCount--;
            }
            else
            {
                s_registeredCount--;
                s_queued++;
                Add(ref s_queue, o);
                any = true;
            }
        }
        for (Chunk* c = (Chunk*)s_queue; any && c != null; c = c->Next)
        {
            for (long i = 0; i < c->Count; i++)
            {
                Marker.Grey(work, (byte*)c->Objects[i]);
            }
        }
        return any;
    }

    /// <summary>Lock depth raised: marks what is in the queue.</summary>
    internal static void GreyQueue<T>(GcWork* work)
        where T : struct, IMarks
    {
        s_lock.Acquire(LockRank.Finalizers);
        for (Chunk* c = (Chunk*)s_queue; c != null; c = c->Next)
        {
            for (long i = 0; i < c->Count; i++)
            {
                Marker.Grey<T>(work, (byte*)c->Objects[i]);
            }
        }
        s_lock.Release();
    }

    /// <summary>World running again: wakes the finalizer goroutine if there is something for it.</summary>
    internal static void Wake()
    {
        s_lock.Acquire(LockRank.Finalizers);
        G* gp = s_queued != 0 ? s_finalizer.Take() : null;
        s_lock.Open();
        if (gp != null)
        {
            Proc.GoReady(gp);
        }
        ThisCore.Release();
    }

    /// <summary>Makes the finalizer goroutine.</summary>
    internal static void Start()
    {
        G* gp = Proc.NewProc(&Run, null, StackBytes, true);
        if (gp == null)
        {
            Throw.Fatal("out of memory for the finalizer goroutine"u8);
        }
        gp->IsSystem = true;
    }

    private static void Run(void* argument) => ProcessFinalizers();

    // Calls Wait, Next and Done below for ever.
    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("ProcessFinalizers")]
    private static extern void ProcessFinalizers();

    [RuntimeExport("RhpWaitForFinalizerRequest")]
    internal static uint Wait()
    {
        while (true)
        {
            s_lock.Acquire(LockRank.Finalizers);
            if (s_queued != 0)
            {
                s_isRunning = true;
                s_lock.Release();
                return 1;
            }
            s_finalizer.Add(Proc.GetG());
            Proc.GoPark(s_lock.Word, WaitReason.FinalizerWait);
        }
    }

    [RuntimeExport("RhpGetNextFinalizableObject")]
    internal static byte* Next()
    {
        while (true)
        {
            s_lock.Acquire(LockRank.Finalizers);
            byte* o = Take(ref s_queue);
            if (o != null)
            {
                s_queued--;
                Barrier.Shade(o);               // it was a root here and goes on living on a stack
            }
            s_lock.Release();
            if (o == null || (*(uint*)(o - 4) & FinalizerRunBit) == 0)
            {
                Proc.GetG()->IsSystem = o == null;      // while it runs the program's code it is shown, as Go's
                return o;
            }
            _ = Interlocked.And(ref *(uint*)(o - 4), ~FinalizerRunBit);
        }
    }

    [RuntimeExport("RhpSignalFinalizationComplete")]
    internal static void Done(uint count, int observedFullGcCount)
    {
        s_lock.Acquire(LockRank.Finalizers);
        s_isRunning = false;
        GList waiting = s_pending;
        if (s_queued == 0)
        {
            s_pending = default;
        }
        else
        {
            waiting = default;
        }
        s_lock.Open();
        for (G* gp = waiting.Take(); gp != null; gp = waiting.Take())
        {
            Proc.GoReady(gp);
        }
        ThisCore.Release();
    }

    [RuntimeExport("RhWaitForPendingFinalizers")]
    internal static void WaitForPending(int allowReentrantWait)
    {
        while (true)
        {
            s_lock.Acquire(LockRank.Finalizers);
            if (s_queued == 0 && !s_isRunning)
            {
                s_lock.Release();
                return;
            }
            s_pending.Add(Proc.GetG());
            Proc.GoPark(s_lock.Word, WaitReason.FinalizerWait);
        }
    }
}
