// The order in which the runtime's locks are taken, and the check of it in builds with LOCKRANK (configuration Checked).
//
// LR1  A core that holds a lock may only take locks of a higher rank; of the same rank only where SameRankAllowed says so,
//      and then by rising address. So no two cores can wait for each other.
// LR2  When a goroutine has been left, every lock its core held is open: none is held over a switch but the one that the
//      switch itself opens (SP1).
// LR3  Without LOCKRANK none of this is compiled, and a lock is one word.
// Context: goroutine or g0 with the lock depth raised. Allocates nothing. Reference: Go's lockrank.go, mklockrank.go.
using System;
using System.Diagnostics;
#if LOCKRANK
using System.Runtime.CompilerServices;
#endif
using Unikernel.Kernel;

namespace Unikernel.Runtime.Sched;

/// <summary>Ranks, first to last: who holds one may take those below it here.</summary>
internal enum LockRank
{
    /// <summary>Turns at the console (Pal/Tty.cs); readies the next reader.</summary>
    Console,

    /// <summary>The class library's monitors (Pal/Pal.Threads.cs); starts deadlines, readies.</summary>
    Monitor,

    /// <summary>WaitGroup; readies.</summary>
    WaitGroup,

    /// <summary>Channels; several at a time by address (select), starts deadlines, readies.</summary>
    Chan,

    /// <summary>A P's timer heap; what fires readies.</summary>
    Timers,

    /// <summary>The global run queue.</summary>
    Sched,

    /// <summary>Goroutines locked to a core.</summary>
    Pinned,

    /// <summary>Free stacks of all cores.</summary>
    Stacks,

    /// <summary>The list of all goroutines.</summary>
    AllGoroutines,

    /// <summary>Requests for a collection (Gc/Mgc.cs); opened before it readies.</summary>
    Collector,

    /// <summary>Lists of objects with finalizers; opened before it readies.</summary>
    Finalizers,

    /// <summary>The class library's handles (Gc/Handles.cs); shades, which takes buffers.</summary>
    Handles,

    /// <summary>Writers of interface dispatch cells (Abi/Dispatch.cs); allocate off-heap.</summary>
    Dispatch,

    /// <summary>The class library's native memory (Pal/Pal.Memory.cs), which may take pages of the heap.</summary>
    NativeMemory,

    /// <summary>Spans of a size class with room (Mem/MCentral.cs).</summary>
    Central,

    /// <summary>The heap's pages.</summary>
    Heap,

    /// <summary>Whoever takes no other lock while holding it. Also what names no rank.</summary>
    Leaf,
}

/// <summary>The locks a core holds, in the order it took them.</summary>
internal unsafe struct HeldLocks
{
    internal const int Most = 16;

    internal int Count;
    private fixed ulong _words[Most];
    private fixed int _ranks[Most];

    internal readonly LockRank RankAt(int i) => (LockRank)_ranks[i];

    /// <summary>Index of a held lock that forbids taking this one, or -1.</summary>
    internal readonly int Conflict(int* word, LockRank rank)
    {
        for (int i = 0; i < Count; i++)
        {
            if (_ranks[i] > (int)rank
                || (_ranks[i] == (int)rank && !(LockRanks.SameRankAllowed(rank) && _words[i] < (ulong)word)))
            {
                return i;
            }
        }
        return -1;
    }

    /// <summary>False when there is no room.</summary>
    internal bool Add(int* word, LockRank rank)
    {
        if (Count == Most)
        {
            return false;
        }
        _words[Count] = (ulong)word;
        _ranks[Count] = (int)rank;
        Count++;
        return true;
    }

    /// <summary>Locks may be opened in any order. False when it is not held.</summary>
    internal bool Remove(int* word)
    {
        int at = Count - 1;
        while (at >= 0 && _words[at] != (ulong)word)
        {
            at--;
        }
        if (at < 0)
        {
            return false;
        }
        Count--;
        for (; at < Count; at++)
        {
            _words[at] = _words[at + 1];
            _ranks[at] = _ranks[at + 1];
        }
        return true;
    }
}

internal static unsafe class LockRanks
{
    /// <summary>Ranks of which a core may hold several, taken by rising address.</summary>
    internal static bool SameRankAllowed(LockRank rank) => rank == LockRank.Chan;

    internal static ReadOnlySpan<byte> Name(LockRank rank) => rank switch
    {
        LockRank.Console => "console"u8,
        LockRank.Monitor => "monitor"u8,
        LockRank.WaitGroup => "wait group"u8,
        LockRank.Chan => "chan"u8,
        LockRank.Timers => "timers"u8,
        LockRank.Sched => "sched"u8,
        LockRank.Pinned => "pinned"u8,
        LockRank.Stacks => "stacks"u8,
        LockRank.AllGoroutines => "all goroutines"u8,
        LockRank.Collector => "collector"u8,
        LockRank.Finalizers => "finalizers"u8,
        LockRank.Handles => "handles"u8,
        LockRank.Central => "central"u8,
        LockRank.Heap => "heap"u8,
        LockRank.Dispatch => "dispatch"u8,
        LockRank.NativeMemory => "native memory"u8,
        _ => "leaf"u8,
    };

#if LOCKRANK
    private struct Table
    {
        internal fixed byte Bytes[Machine.MaxCores * 256];      // HeldLocks, one per core; owner: the core
    }

    private static Table s_held;

    private static HeldLocks* Held
    {
        get
        {
            if (sizeof(HeldLocks) > 256)
            {
                Throw.Fatal("HeldLocks outgrew its table"u8);
            }
            return (HeldLocks*)((byte*)Unsafe.AsPointer(ref s_held) + (Machine.CurrentCore->Id * 256));
        }
    }
#endif

    /// <summary>Before a lock is waited for.</summary>
    [Conditional("LOCKRANK")]
    internal static void Acquiring(int* word, LockRank rank)
    {
#if LOCKRANK
        HeldLocks* held = Held;
        int conflict = held->Conflict(word, rank);
        if (conflict >= 0)
        {
            LockRank other = held->RankAt(conflict);
            held->Count = 0;                    // the report takes no locks, but ends by way of code that may
            Throw.Begin();
            Machine.Print("fatal error: lock order: taking "u8);
            Machine.Print(Name(rank));
            Machine.Print(" while holding "u8);
            Machine.Print(Name(other));
            Machine.Print("\n"u8);
            Traceback.PrintAll(true);
            Throw.End();
        }
        if (!held->Add(word, rank))
        {
            Throw.Fatal("too many locks at a time"u8);
        }
#endif
    }

    /// <summary>Before a lock is opened.</summary>
    [Conditional("LOCKRANK")]
    internal static void Opening(int* word)
    {
#if LOCKRANK
        if (!Held->Remove(word))
        {
            Throw.Fatal("opening a lock that this core does not hold"u8);
        }
#endif
    }

    /// <summary>LR2.</summary>
    [Conditional("LOCKRANK")]
    internal static void CheckNoneHeld()
    {
#if LOCKRANK
        if (Held->Count != 0)
        {
            Throw.Fatal("a lock was held over a switch"u8);
        }
#endif
    }
}
