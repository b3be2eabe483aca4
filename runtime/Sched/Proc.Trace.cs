// GODEBUG=schedtrace=X: the scheduler's state every X milliseconds, in Go's words; scheddetail=1: with every P, M and G.
//
// ST1  A timer asks for it, so it comes however busy the cores are; it is printed by the core whose timer it was, on g0.
// ST2  The timer is nobody's deadline: a deadlock is found in spite of it.
// ST3  What is printed is read without locks, while the other cores go on: each number is right at some moment.
// ST4  Go's M is a core here. A P whose core is idle has no M, as in Go.
// Context: g0. Allocates nothing. Reference: Go's schedtrace (proc.go).
using System.Numerics;
using System.Runtime.CompilerServices;
using Unikernel.Kernel;

namespace Unikernel.Runtime.Sched;

internal static unsafe partial class Proc
{
    private const int TraceBytes = 4096;        // the longest line, that of 64 cores
    private const long NsPerMs = 1_000_000;
    private const int PIdle = 0;                // Go's states of a P
    private const int PRunning = 1;
    private const int PStopped = 3;

    private struct TraceState
    {
        internal TimerEvent Timer;
        internal int IsDue;                     // atomic
        internal bool HasStarted;
        internal long StartNs;
        internal fixed byte Text[TraceBytes];
    }

    private static TraceState s_trace;          // owner: who has taken IsDue

    private static void StartTrace(P* p)
    {
        if (GoDebug.Settings.SchedTrace > 0)
        {
            ArmTrace(p, 0);
        }
    }

    private static void ArmTrace(P* p, long whenNs)
    {
        TimerEvent* e = (TimerEvent*)Unsafe.AsPointer(ref s_trace.Timer);
        e->WhenNs = whenNs;
        e->Fire = &TraceIsDue;
        AddTimer(p, e);
    }

    private static void TraceIsDue(void* argument) => Atomic.Store(ref s_trace.IsDue, 1);

    /// <summary>Timers of a P that somebody waits for (ST2).</summary>
    private static int Deadlines(P* p) => p->Timers.Count - (s_trace.Timer.Owner == p && s_trace.Timer.Index >= 0 ? 1 : 0);

    // After the timers have run.
    private static void PrintTraceIfDue(P* p)
    {
        if (Atomic.Load(ref s_trace.IsDue) == 0 || Atomic.Exchange(ref s_trace.IsDue, 0) == 0)
        {
            return;
        }
        long now = Machine.NanoTime();
        if (!s_trace.HasStarted)
        {
            s_trace.HasStarted = true;
            s_trace.StartNs = now;
        }
        bool isDetailed = GoDebug.Settings.SchedDetail > 0;
        PrintSched((now - s_trace.StartNs) / NsPerMs, isDetailed);
        if (isDetailed)
        {
            for (int i = 0; i < Machine.CoresStarted; i++)
            {
                PrintM(i);
            }
            for (G* gp = AllFirst; gp != null; gp = gp->AllLink)
            {
                PrintG(gp);
            }
        }
        ArmTrace(p, Machine.NanoTime() + (GoDebug.Settings.SchedTrace * NsPerMs));
    }

    private static TraceWriter NewLine() => new((byte*)Unsafe.AsPointer(ref s_trace.Text[0]), TraceBytes);

    private static void EndLine(TraceWriter* w)
    {
        w->Write("\n"u8);
        Machine.ConsoleWrite((byte*)Unsafe.AsPointer(ref s_trace.Text[0]), w->Length < TraceBytes ? w->Length : TraceBytes);
        *w = NewLine();
    }

    private static void PrintSched(long ms, bool isDetailed)
    {
        int procs = s_maxProcs;
        int idle = BitOperations.PopCount(Atomic.Load(ref s_idle));
        TraceWriter w = NewLine();
        w.Write("SCHED "u8);
        w.Write(ms);
        Field(&w, "ms: gomaxprocs="u8, procs);
        Field(&w, " idleprocs="u8, idle);
        Field(&w, " threads="u8, Machine.CoresStarted);
        Field(&w, " spinningthreads="u8, Atomic.Load(ref s_spinning));
        Field(&w, " needspinning="u8, 0);
        Field(&w, " idlethreads="u8, idle + Machine.CoresStarted - procs);
        Field(&w, " runqueue="u8, Atomic.Load(ref s_sched.RunqCount));
        if (isDetailed)
        {
            w.Write(" gcwaiting="u8);
            Bool(&w, Atomic.Load(ref s_stopping) != 0);
            Field(&w, " nmidlelocked="u8, 0);
            Field(&w, " stopwait="u8, 0);
            w.Write(" sysmonwait=false"u8);
            EndLine(&w);
            for (int i = 0; i < procs; i++)
            {
                PrintP(&w, i);
            }
            return;
        }
        for (int i = 0; i < procs; i++)
        {
            Field(&w, i == 0 ? " [ "u8 : " "u8, PAt(i)->Runq.RingCount);
        }
        w.Write(" ] schedticks=[ "u8);
        for (int i = 0; i < procs; i++)
        {
            w.Write(PAt(i)->SchedTick);
            w.Write(" "u8);
        }
        w.Write("]"u8);
        EndLine(&w);
    }

    private static void PrintP(TraceWriter* w, int id)
    {
        P* p = PAt(id);
        bool isIdle = IsIdle(id);
        Field(w, "  P"u8, id);
        Field(w, ": status="u8, isIdle ? PIdle : Atomic.Load(ref p->Stopped) != 0 ? PStopped : PRunning);
        Field(w, " schedtick="u8, p->SchedTick);
        Field(w, " syscalltick="u8, 0);
        w->Write(" m="u8);
        NumberOrNil(w, isIdle ? -1 : id);
        int free = 0;
        for (int i = 0; i < StackLayout.ClassCount; i++)
        {
            free += p->Free.Count[i];
        }
        Field(w, " runqsize="u8, p->Runq.RingCount);
        Field(w, " gfreecnt="u8, free);
        Field(w, " timerslen="u8, p->Timers.Count);
        EndLine(w);
    }

    private static void PrintM(int id)
    {
        Core* core = Machine.CoreAt(id);
        CoreState* cs = CoreState.Of(core);
        G* gp = (G*)core->G;
        bool isIdle = id >= s_maxProcs || IsIdle(id);
        bool isUser = gp != null && gp != cs->G0;
        TraceWriter w = NewLine();
        Field(&w, "  M"u8, id);
        w.Write(": p="u8);
        NumberOrNil(&w, isIdle ? -1 : id);
        w.Write(" curg="u8);
        NumberOrNil(&w, isUser ? gp->Id : -1);
        w.Write(" mallocing=0 throwing=0 preemptoff="u8);
        Field(&w, " locks="u8, cs->LockDepth);
        w.Write(" dying=0 spinning="u8);
        Bool(&w, cs->P->IsSpinning);
        w.Write(" blocked="u8);
        Bool(&w, isIdle);
        w.Write(" lockedg="u8);
        NumberOrNil(&w, isUser && gp->LockedCore != null ? gp->Id : -1);
        EndLine(&w);
    }

    private static void PrintG(G* gp)
    {
        int runs = -1;
        for (int i = 0; i < Machine.CoresStarted; i++)
        {
            runs = Machine.CoreAt(i)->G == gp ? i : runs;
        }
        Core* locked = gp->LockedCore;
        TraceWriter w = NewLine();
        Field(&w, "  G"u8, gp->Id);
        Field(&w, ": status="u8, (int)gp->Status);
        w.Write("("u8);
        if (gp->WaitReason != WaitReason.None)
        {
            w.Write(WaitReasons.Text(gp->WaitReason));
        }
        w.Write(") m="u8);
        NumberOrNil(&w, runs);
        w.Write(" lockedm="u8);
        NumberOrNil(&w, locked != null ? locked->Id : -1);
        EndLine(&w);
    }

    private static bool IsIdle(int id) => (Atomic.Load(ref s_idle) & (1UL << id)) != 0;

    private static void Field(TraceWriter* w, System.ReadOnlySpan<byte> name, long value)
    {
        w->Write(name);
        w->Write(value);
    }

    private static void Bool(TraceWriter* w, bool value) => w->Write(value ? "true"u8 : "false"u8);

    private static void NumberOrNil(TraceWriter* w, long value)
    {
        if (value < 0)
        {
            w->Write("nil"u8);
        }
        else
        {
            w->Write(value);
        }
    }
}
