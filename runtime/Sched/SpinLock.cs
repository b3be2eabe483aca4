// The runtime's lock: spins, and keeps its holder on its core.
//
// SP1  Held for a few dozen instructions; the holder neither parks nor throws nor allocates managed memory.
// SP2  The core's lock depth is raised from before the attempt until after the release.
// SP3  Unheld is 0, so zeroed memory is an open lock.
// SP4  Locks are taken in the order of their ranks (LockRank.cs).
// Context: goroutine or g0, not interrupts. Reference: Go's runtime.lock.
using System.Runtime.CompilerServices;
using Unikernel.Kernel;

namespace Unikernel.Runtime.Sched;

internal unsafe struct SpinLock
{
    private const int SpinsBeforeYield = 100;
    private const int MostPauses = 32;      // as long as Go's: whoever has the lock's line in its cache does several turns

    private int _held;

    internal int* Word => (int*)Unsafe.AsPointer(ref _held);

    /// <summary>Takes the lock; the core's block. The rank is checked in builds with LOCKRANK.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal CoreState* Acquire(LockRank rank = LockRank.Leaf)
    {
        CoreState* cs = ThisCore.Acquire();
        LockRanks.Acquiring(Word, rank);
        if (Atomic.Exchange(ref _held, 1) != 0)
        {
            Spin();
        }
        return cs;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Release()
    {
        LockRanks.Opening(Word);
        Atomic.Store(ref _held, 0);
        ThisCore.Release();
    }

    /// <summary>Opens the lock and leaves the core's lock depth as it is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Open()
    {
        LockRanks.Opening(Word);
        Atomic.Store(ref _held, 0);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Spin()
    {
        int n = 0;
        int pauses = 1;
        do
        {
            do
            {
                for (int i = 0; i < pauses; i++)
                {
                    Cpu.Pause();
                }
                pauses = pauses < MostPauses ? pauses * 2 : MostPauses;
                if (++n % SpinsBeforeYield == 0)
                {
                    Machine.SpinYield();        // the holder's virtual core may not be running
                }
            }
            while (Atomic.Load(ref _held) != 0);
        }
        while (Atomic.Exchange(ref _held, 1) != 0);
    }
}
