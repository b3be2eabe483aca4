// Takes the scheduler's picture for Go.Snapshot.
//
// SS1  The other cores are frozen while it is taken, so it is of one moment, and stacks may be read. Nothing is allocated
//      and no lock is taken meanwhile: raw values go into arrays made before. Names are looked up afterwards.
// SS2  A frozen core may be anywhere, in the middle of a queue operation too: counts are then off by one, never wild.
// Context: goroutine. Allocates: the picture, outside the freeze.
using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using System.Text;
using Unikernel.Kernel;
using Unikernel.Runtime.Abi;

namespace Unikernel.Runtime.Sched;

internal static unsafe partial class Snapshot
{
    private const int MaxSkippedFrames = 32;
    private const int NameBytes = 512;
    private const int Spare = 64;               // goroutines that may come up between counting and freezing
    private const int Reasons = 64;             // more than WaitReason has

    private struct RawGoroutine
    {
        internal long Id;
        internal long SinceNs;
        internal long StackBytes;
        internal nuint Pc;                      // 0 = not known
        internal GStatus Status;
        internal WaitReason Reason;
        internal int Core;
        internal bool IsExact;
        internal bool IsNew;
    }

    private struct RawCore
    {
        internal CoreActivity Activity;
        internal RawGoroutine Runs;             // Id 0 = none
        internal long RunNext;
        internal int QueueLength;
        internal int Timers;
        internal uint Switches;
    }

    private struct RawTotals
    {
        internal int Goroutines;
        internal int Runnable;
        internal int GlobalQueue;
        internal int MaxProcs;
        internal long NowNs;
        internal long NextTimerNs;
        internal fixed int Waiting[Reasons];
    }

    /// <summary>The picture, with at most <paramref name="most"/> goroutines one by one.</summary>
    [MayAlloc("on the caller's goroutine, while nobody is frozen")]
    internal static SchedulerInfo Take(int most)
    {
        RawCore[] cores = new RawCore[Machine.CoresStarted];
        RawGoroutine[] list = [];
        RawTotals totals;
        int listed;
        do
        {
            int wanted = (int)Math.Min(most, Count() + (long)Spare);
            list = list.Length < wanted ? new RawGoroutine[wanted] : list;
            fixed (RawCore* c = cores)
            {
                fixed (RawGoroutine* g = list)
                {
                    listed = TakeRaw(c, g, list.Length, &totals);
                }
            }
        }
        while (listed < most && listed < totals.Goroutines);
        return Describe(cores, list.AsSpan(0, listed), ref totals);
    }

    private static int Count()
    {
        int n = 0;
        for (G* gp = Proc.AllFirst; gp != null; gp = gp->AllLink)
        {
            n += Exists(gp) ? 1 : 0;
        }
        return n;
    }

    private static bool Exists(G* gp) => gp->Status is not (GStatus.Dead or GStatus.Idle) && !gp->IsSystem;

    // SS1. How many goroutines were listed.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int TakeRaw(RawCore* cores, RawGoroutine* list, int room, RawTotals* totals)
    {
        UnwindContext self;
        Unwinder.CaptureContext(&self);
        *totals = default;
        ThisCore.Acquire();
        Machine.FreezeOthers();
        totals->NowNs = Machine.NanoTime();
        totals->NextTimerNs = long.MaxValue;
        Proc.Describe(out totals->MaxProcs, out totals->GlobalQueue);
        for (int i = 0; i < Machine.CoresStarted; i++)
        {
            FillCore(cores + i, i, totals, &self);
        }
        int n = 0;
        for (G* gp = Proc.AllFirst; gp != null; gp = gp->AllLink)
        {
            if (!Exists(gp))
            {
                continue;
            }
            totals->Goroutines++;
            totals->Runnable += gp->Status == GStatus.Runnable ? 1 : 0;
            if (gp->Status == GStatus.Waiting && (int)gp->WaitReason < Reasons)
            {
                totals->Waiting[(int)gp->WaitReason]++;
            }
            if (n < room)
            {
                FillGoroutine(list + n++, gp, &self);
            }
        }
        Machine.ThawOthers();
        ThisCore.Release();
        return n;
    }

    private static void FillCore(RawCore* raw, int id, RawTotals* totals, UnwindContext* self)
    {
        Core* core = Machine.CoreAt(id);
        CoreState* cs = CoreState.Of(core);
        P* p = Proc.PAt(id);
        G* gp = (G*)core->G;
        *raw = default;
        raw->Activity = Proc.ActivityOf(p);
        if (gp != null && gp != cs->G0)
        {
            raw->Activity = CoreActivity.Running;
            FillGoroutine(&raw->Runs, gp, self);
        }
        G* next = p->Runq.RunNext;
        raw->RunNext = next == null ? 0 : next->Id;
        raw->QueueLength = p->Runq.RingCount + Atomic.Load(ref p->PinnedCount);
        raw->Timers = p->Timers.Count;
        raw->Switches = p->Turns;
        if (raw->Timers != 0 && p->Timers.FirstWhenNs < totals->NextTimerNs)
        {
            totals->NextTimerNs = p->Timers.FirstWhenNs;
        }
    }

    private static void FillGoroutine(RawGoroutine* raw, G* gp, UnwindContext* self)
    {
        raw->Id = gp->Id;
        raw->SinceNs = gp->SinceNs;
        raw->StackBytes = gp->StackHi - gp->StackLo;
        raw->Status = gp->Status;
        raw->Reason = gp->WaitReason;
        raw->Core = gp->Status == GStatus.Waiting ? -1 : gp->LastP;
        for (int i = 0; i < Machine.CoresStarted; i++)
        {
            raw->Core = Machine.CoreAt(i)->G == gp ? i : raw->Core;
        }
        UnwindContext c = *self;
        bool isExact = false;
        if (gp->Status == GStatus.Runnable && gp->Fn != null && gp->Rsp != 0 && Stash.SavedRegisters(gp)[6] == Switch.StartAddress() + 1)
        {
            raw->Pc = gp->GoPc;                 // it has not run yet: where it was made
            raw->IsNew = true;
            return;
        }
        raw->Pc = gp == Proc.GetG() || Traceback.TryContext(gp, out c, out isExact) ? FirstOfProgram(&c, ref isExact) : 0;
        raw->IsExact = isExact;
    }

    // The innermost frame that is not of the runtime or of its public face; else the innermost one.
    private static nuint FirstOfProgram(UnwindContext* c, ref bool isExact)
    {
        nuint innermost = c->Rip;
        bool innermostIsExact = isExact;
        for (int i = 0; i < MaxSkippedFrames; i++)
        {
            if (!Traceback.IsRuntime(c->Rip, isExact) && !Traceback.IsPublicFace(c->Rip, isExact))
            {
                return c->Rip;
            }
            bool more = Unwinder.Step(c, isExact);
            isExact = false;
            if (!more)
            {
                break;
            }
        }
        isExact = innermostIsExact;
        return innermost;
    }

    [MayAlloc("on the caller's goroutine, while nobody is frozen")]
    private static SchedulerInfo Describe(RawCore[] cores, Span<RawGoroutine> list, ref RawTotals totals)
    {
        var infos = new CoreInfo[cores.Length];
        for (int i = 0; i < cores.Length; i++)
        {
            ref RawCore c = ref cores[i];
            (string function, string location) = Names(c.Runs.Pc, c.Runs.IsExact);
            TimeSpan age = c.Runs.Id == 0 ? default : Span(totals.NowNs - c.Runs.SinceNs);
            infos[i] = new CoreInfo(i, c.Activity, c.Runs.Id, function, location, age, c.RunNext, c.QueueLength, c.Timers, c.Switches);
        }
        var goroutines = new GoroutineInfo[list.Length];
        for (int i = 0; i < list.Length; i++)
        {
            ref RawGoroutine g = ref list[i];
            (string function, string location) = Names(g.Pc, g.IsExact);
            function = g.IsNew ? "" : function;
            goroutines[i] = new GoroutineInfo(
                g.Id, GoroutineInfo.Words(g.Status, g.Reason), g.Status == GStatus.Waiting, Span(totals.NowNs - g.SinceNs), g.Core,
                function, location, g.StackBytes);
        }
        Array.Sort(goroutines, static (a, b) => a.Id.CompareTo(b.Id));
        var waiting = new List<(string Reason, int Count)>();
        for (int i = 0; i < Reasons; i++)
        {
            if (totals.Waiting[i] != 0)
            {
                waiting.Add((GoroutineInfo.Words(GStatus.Waiting, (WaitReason)i), totals.Waiting[i]));
            }
        }
        waiting.Sort(static (a, b) => b.Count != a.Count ? b.Count.CompareTo(a.Count) : string.CompareOrdinal(a.Reason, b.Reason));
        return new SchedulerInfo(infos, goroutines)
        {
            GoroutineCount = totals.Goroutines,
            RunnableCount = totals.Runnable,
            Waiting = waiting,
            GlobalQueueLength = totals.GlobalQueue,
            NextTimer = totals.NextTimerNs == long.MaxValue ? null : Span(totals.NextTimerNs - totals.NowNs),
            GoMaxProcs = totals.MaxProcs,
            Time = Span(totals.NowNs),
        };
    }

    private static TimeSpan Span(long ns) => TimeSpan.FromTicks(Math.Max(0, ns) / TimeSpan.NanosecondsPerTick);

    [MayAlloc("on the caller's goroutine, while nobody is frozen")]
    private static (string Function, string Location) Names(nuint pc, bool isExact)
    {
        if (pc == 0)
        {
            return ("", "");
        }
        byte* text = stackalloc byte[NameBytes];
        string function = Encoding.UTF8.GetString(text, SymTab.Format(pc, !isExact, text, NameBytes));
        string location = Encoding.UTF8.GetString(text, SymTab.FormatLocation(pc, !isExact, text, NameBytes));
        return (function, location);
    }
}
