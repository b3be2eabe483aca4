// Goroutines as roots: their stacks, thread statics and the few references in a G; and which of them have to be looked at
// again because they have run since.
//
// ST1  Stacks stay grey: no barrier watches them. A goroutine that has run since its scan is dirty and is scanned again
//      before marking ends.
// ST2  While a cycle marks, a core that begins to run a goroutine which has not run in this round lists it (NoteRun), after
//      it has set G.Rsp to 0. Whoever scans takes it off the list first and reads Rsp then; both steps are full
//      fences, so either it sees that the goroutine runs and keeps it for later, or the goroutine is listed again.
// ST3  In the closing phase nothing is listed: a core scans each goroutine it has just left, before anybody else can run it
//      (ScanLeft). When the lists of before have been worked off, only goroutines that run are dirty, and stopping the
//      world leaves (and scans) these. Those found running while the lists were worked off are kept and scanned then.
// ST4  A scan of a goroutine that begins to run meanwhile sees anything, and does no harm: it is looked at again. It must
//      not lose its pages, though: G.ScanLock keeps its stack from being trimmed.
// ST5  The driver's own stack holds no references and is never scanned.
// Context: lock depth raised. Allocates: work buffers. Reference: design section 6.
using System.Threading;
using Unikernel.Kernel;
using Unikernel.Runtime.Mem;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Gc;

internal static unsafe class StackScan
{
    private static ulong s_dirty;               // G*, through DirtyLink; atomic
    private static ulong s_kept;                // the same, the driver's own
    private static long s_dirtyCount;           // atomic

    private static uint s_lastRound;

    /// <summary>The round; 0 = goroutines that run are not listed. Changed by the driver. No number comes twice: a G keeps its last one.</summary>
    internal static uint Round { get; private set; }

    /// <summary>ST3. Changed by the driver.</summary>
    internal static bool IsClosing;

    /// <summary>Goroutines listed as dirty.</summary>
    internal static long DirtyCount => Atomic.Load(ref s_dirtyCount);

    /// <summary>Driver: from now on every goroutine that runs is listed once more.</summary>
    internal static void BeginRound()
    {
        s_lastRound = s_lastRound == uint.MaxValue ? 1 : s_lastRound + 1;
        Round = s_lastRound;
    }

    /// <summary>Driver: goroutines that run are not listed any more.</summary>
    internal static void EndRounds() => Round = 0;

    /// <summary>A core begins to run a goroutine whose last round was another one; its Rsp is 0 already.</summary>
    internal static void NoteRun(G* gp, uint round)
    {
        gp->DirtyRound = round;
        if (Atomic.Exchange(ref gp->IsDirty, 1) == 0)
        {
            Add(ref s_dirty, gp);
            Atomic.Add(ref s_dirtyCount, 1);
        }
    }

    private static void Add(ref ulong list, G* gp)
    {
        ulong first;
        do
        {
            first = Atomic.Load(ref list);
            gp->DirtyLink = (G*)first;
        }
        while (!Atomic.Swap(ref list, first, (ulong)gp));
    }

    /// <summary>Takes the list as it is; the driver's to work off.</summary>
    internal static G* TakeDirty()
    {
        s_dirtyCount = 0;
        G* first = (G*)Atomic.Exchange(ref s_dirty, 0);
        G* kept = (G*)s_kept;
        s_kept = 0;
        if (kept == null)
        {
            return first;
        }
        G* last = kept;
        while (last->DirtyLink != null)
        {
            last = last->DirtyLink;
        }
        last->DirtyLink = first;
        return kept;
    }

    /// <summary>Scans the first of a list taken by TakeDirty; the rest of it. One that runs is kept for the next time.</summary>
    internal static G* ScanDirty(GcWork* work, G* gp)
    {
        G* next = gp->DirtyLink;
        Atomic.Exchange(ref gp->IsDirty, 0);
        if (!TryScan(work, gp) && Atomic.Exchange(ref gp->IsDirty, 1) == 0)
        {
            gp->DirtyLink = (G*)s_kept;
            s_kept = (ulong)gp;
        }
        return next;
    }

    /// <summary>Scans a goroutine; false when it runs.</summary>
    internal static bool TryScan(GcWork* work, G* gp) => TryScan<CycleMarks>(work, gp);

    internal static bool TryScan<T>(GcWork* work, G* gp)
        where T : struct, IMarks
    {
        while (!Atomic.Swap(ref gp->ScanLock, 0, 1))
        {
            Cpu.Pause();
        }
        nuint rsp = Volatile.Read(ref gp->Rsp);
        bool runs = rsp == 0 && gp->Status != GStatus.Dead;
        if (!runs && gp != Mgc.Driver)
        {
            if (rsp != 0 && gp->Status != GStatus.Dead)
            {
                byte* stash = Stash.IsStashed(gp) ? (byte*)gp->Stash : null;
                Marker.GuessRange<T>(work, stash != null ? stash : (byte*)rsp, stash != null ? stash + gp->StashBytes : gp->StackHi);
            }
            ScanFields<T>(work, gp);
        }
        Atomic.Store(ref gp->ScanLock, 0);
        return !runs;
    }

    /// <summary>What a scan of it reads of its stack; 0 of one that runs.</summary>
    internal static long LiveBytes(G* gp)
    {
        nuint rsp = Volatile.Read(ref gp->Rsp);
        return rsp == 0 || gp->Status == GStatus.Dead ? 0 : Stash.IsStashed(gp) ? gp->StashBytes : (long)((nuint)gp->StackHi - rsp);
    }

    private static void ScanFields<T>(GcWork* work, G* gp)
        where T : struct, IMarks
    {
        Marker.Guess<T>(work, (byte*)gp->Arg);        // may be anything
        Marker.Grey<T>(work, (byte*)gp->ReceiveSudog);
        Marker.Grey<T>(work, (byte*)gp->SendSudog);
        Marker.Grey<T>(work, (byte*)gp->ThreadStatics);
        Marker.GuessRange<T>(work, (byte*)gp->TlsEnd - Stacks.TlsBytes, (byte*)gp->TlsEnd);
    }

    /// <summary>This core has just left a goroutine in the closing phase (ST3).</summary>
    internal static void ScanLeft(CoreState* cs)
    {
        G* gp = cs->Left;
        cs->Left = null;
        if (IsClosing && gp != Mgc.Driver)
        {
            _ = TryScan(&cs->Cache->Work, gp);
            cs->Cache->Work.Flush();
        }
    }
}
