// Taking work from other Ps, and waking cores that might.
//
// PS1  A core that looks for work to steal spins: it counts in s_spinning, at most half as many as are busy. Whoever makes
//      work wakes a core only if none spins; the last to stop spinning because it found work wakes another in its
//      place, for there may be more; one that stops for want of work goes idle, which looks everywhere once more (PF3).
// PS2  Goroutines that hand over to each other (a ready that is followed by a park) are left together: elsewhere each
//      hand-over would cost a cache miss, and a wake-up. So a thief looks four times, a microsecond apart. Half of a ring
//      of two or more is taken at first sight; the only entry of a ring, if the ring was never seen empty; runnext, if
//      the P has had no turn all the time, which means that what readied it computes on.
// PS3  A spinner that found nothing naps and looks again, some times before it goes idle. It spins while it naps, so it
//      spares a busy pair of goroutines the wake-ups, and a goroutine readied meanwhile waits a nap at most. Not when
//      all others are idle: there is nobody to steal from.
// Context: g0, lock depth 1; WakeP from anywhere with the lock depth raised. Allocates nothing.
// Reference: Go's wakep, resetspinning, stealWork, runqgrab.
using System.Numerics;
using Unikernel.Kernel;

namespace Unikernel.Runtime.Sched;

internal static unsafe partial class Proc
{
    private const int StealRounds = 4;
    private const long RoundNs = 1_000;
    private const int PausesPerRound = 40;      // at most, however slow or fast the clock and the instruction are
    private const long NapNs = 10_000;
    private const int MostNaps = 8;

    private static int s_spinning;              // atomic

    // PS1, PS2. Null when there is nothing, or something to look at.
    private static G* Steal(CoreState* cs, P* p)
    {
        int procs = s_maxProcs;
        if (procs == 1 || !MaySpin(p, procs))
        {
            return null;
        }
        uint* turns = stackalloc uint[Machine.MaxCores];
        ulong wereEmpty = 0;
        for (int round = 0; round < StealRounds; round++)
        {
            if (round != 0 && !WaitForRound(cs))
            {
                return null;
            }
            p->Seed ^= p->Seed << 13;                   // xorshift64 (Marsaglia 2003)
            p->Seed ^= p->Seed >> 7;
            p->Seed ^= p->Seed << 17;
            int at = (int)(p->Seed % (ulong)procs);
            int step = CoprimeStep(procs, (int)((p->Seed >> 32) % (ulong)procs));
            for (int i = 0; i < procs; i++, at = (at + step) % procs)
            {
                P* other = PAt(at);
                if (other == p)
                {
                    continue;
                }
                if (round == 0)
                {
                    turns[at] = Atomic.Load(ref other->Turns);
                }
                G* gp = StealFrom(p, other, turns[at], ref wereEmpty, round == StealRounds - 1);
                if (gp != null)
                {
                    return gp;
                }
            }
        }
        return null;
    }

    private static G* StealFrom(P* p, P* other, uint turns, ref ulong wereEmpty, bool isLast)
    {
        ulong bit = 1UL << other->Id;
        int n = other->Runq.RingCount;
        if (n == 0)
        {
            wereEmpty |= bit;
            G* next = isLast && Atomic.Load(ref other->Turns) == turns ? other->Runq.RunNext : null;
            return next != null && other->Runq.TryTakeNext(next) ? next : null;
        }
        return n > 1 || (isLast && (wereEmpty & bit) == 0) ? other->Runq.Steal(ref p->Runq) : null;
    }

    private static bool MaySpin(P* p, int procs)
    {
        if (p->IsSpinning)
        {
            return true;
        }
        int busy = procs - BitOperations.PopCount(Atomic.Load(ref s_idle));
        if (2 * Atomic.Load(ref s_spinning) >= busy)
        {
            return false;
        }
        p->IsSpinning = true;
        Atomic.Add(ref s_spinning, 1);
        return true;
    }

    // False when there is something to look at.
    private static bool WaitForRound(CoreState* cs)
    {
        long until = Machine.NanoTime() + RoundNs;
        for (int i = 0; i < PausesPerRound && Machine.NanoTime() < until; i++)
        {
            if (Atomic.Load(ref cs->Look) != 0)
            {
                return false;
            }
            Cpu.Pause();
        }
        return Atomic.Load(ref cs->Look) == 0;
    }

    // A number coprime to n, at or after `from`: stepping by it visits all of 0 … n-1.
    internal static int CoprimeStep(int n, int from)
    {
        for (int step = from + 1; ; step++)
        {
            int a = step;
            int b = n;
            while (b != 0)
            {
                (a, b) = (b, a % b);
            }
            if (a == 1)
            {
                return step;
            }
        }
    }

    // PS3. False when the core should rather go idle.
    private static bool Nap(CoreState* cs, P* p)
    {
        if (Atomic.Load(ref cs->Look) != 0)
        {
            return true;
        }
        int procs = s_maxProcs;
        if (!p->IsSpinning || p->Naps == MostNaps || p->Id >= procs || BitOperations.PopCount(Atomic.Load(ref s_idle)) >= procs - 1)
        {
            p->Naps = 0;
            return false;
        }
        p->Naps++;
        SetAlarmBefore(p, Machine.NanoTime() + NapNs);
        nuint flags = Machine.DisableInterrupts();
        if (Atomic.Load(ref cs->Look) == 0)
        {
            Machine.Halt();
        }
        Machine.RestoreInterrupts(flags);
        return true;
    }

    // Found: the last spinner leaves somebody spinning in its place, for there may be more.
    private static void StopSpinning(P* p, bool found)
    {
        p->Naps = 0;
        if (!p->IsSpinning)
        {
            return;
        }
        p->IsSpinning = false;
        if (Atomic.Add(ref s_spinning, -1) == 0 && found)
        {
            WakeP();
        }
    }

    /// <summary>Lock depth raised: wakes an idle core to look for work, unless one is looking already.</summary>
    private static void WakeP()
    {
        if (Atomic.Load(ref s_spinning) != 0 || !Atomic.Swap(ref s_spinning, 0, 1))
        {
            return;
        }
        while (true)
        {
            ulong idle = Atomic.Load(ref s_idle);
            if (idle == 0)
            {
                // Others may have kept still because of this one: a core may have gone idle before they made work.
                Atomic.Add(ref s_spinning, -1);
                if (Atomic.Load(ref s_idle) == 0 || !Atomic.Swap(ref s_spinning, 0, 1))
                {
                    return;
                }
                continue;
            }
            int id = BitOperations.TrailingZeroCount(idle);
            ulong bit = 1UL << id;
            if ((Atomic.And(ref s_idle, ~bit) & bit) != 0)
            {
                Machine.WakeCore(id);           // sees that its bit is gone: it is the one counted above
                return;
            }
        }
    }
}
