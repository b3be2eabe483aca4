// Cores as threads.
//
// LT1  A core's thread comes with its block, its signal stack and its timer set up, interrupts on.
// LT2  With as many cores as CPUs each core has a CPU of its own. Else Linux likes to put a thread that is woken on the CPU of
//      the one that wakes it, which then stands still for some milliseconds, holding what it holds, beside an idle CPU.
// LT3  Freezing is a signal that nothing holds back: its handler spins until the thaw.
// Context: as said. Reference: clone(2), membarrier(2).
namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private const nuint CoreStackBytes = 256 * 1024;
    private const long FreezeWaitNs = 1_000_000_000;

    private const int AffinityWords = 16;

    private static bool s_hasCpuPerCore;        // immutable after InitAcpi

    private struct CoreStart
    {
        internal Core* Core;
        internal delegate*<void> Entry;
    }

    /// <summary>Registers the boot core.</summary>
    public static void InitCores()
    {
        const int registerPrivateExpedited = 16;
        AddCore(CurrentCore, 0);
        Linux.Syscall(Linux.Membarrier, registerPrivateExpedited, 0);
    }

    /// <summary>Starts core <paramref name="id"/>, the next one, which runs <paramref name="entry"/>; false when there is no thread for it.</summary>
    public static bool StartCore(int id, delegate*<void> entry)
    {
        var stack = Linux.Map(0, CoreStackBytes, 0);
        if (stack < 0)
        {
            return false;
        }
        Linux.Syscall(Linux.Mprotect, stack, (nint)PageBytes, ProtNone);
        var core = (Core*)AllocPage();
        if (core == null)
        {
            return false;
        }
        AddCore(core, id);
        var start = (CoreStart*)((byte*)core + 1024);
        start->Core = core;
        start->Entry = entry;
        if (StartThread((byte*)stack + CoreStackBytes - 64, &RunCore, start) < 0)
        {
            return false;
        }
        while (Volatile.Read(ref core->ThreadId) == 0)
        {
            SpinYield();
        }
        Volatile.Write(ref s_coresStarted, id + 1);
        if (id + 1 == CoreCount && s_hasCpuPerCore)
        {
            TakeCpu(0);                             // the last: those it starts begin with its CPUs
        }
        return true;
    }

    // The CPUs this process may run on.
    private static int CountCpus()
    {
        var mask = stackalloc ulong[AffinityWords];
        var n = Linux.Syscall(Linux.SchedGetAffinity, 0, AffinityWords * sizeof(ulong), (nint)mask);
        var cpus = 0;
        for (var i = 0; i < n / sizeof(ulong); i++)
        {
            cpus += System.Numerics.BitOperations.PopCount(mask[i]);
        }
        return cpus;
    }

    // LT2. The calling thread, which may still run on all of them.
    private static void TakeCpu(int id)
    {
        var mask = stackalloc ulong[AffinityWords];
        var n = Linux.Syscall(Linux.SchedGetAffinity, 0, AffinityWords * sizeof(ulong), (nint)mask);
        for (var i = 0; i < n / sizeof(ulong); i++)
        {
            var left = mask[i];
            for (mask[i] = 0; left != 0; left &= left - 1)
            {
                if (id-- == 0)
                {
                    mask[i] = left & (0 - left);
                    for (i++; i < n / sizeof(ulong); i++)
                    {
                        mask[i] = 0;
                    }
                    Linux.Syscall(Linux.SchedSetAffinity, 0, n, (nint)mask);
                    return;
                }
            }
        }
    }

    private static void RunCore(void* argument)
    {
        const nint setGs = 0x1001;
        const nint setFs = 0x1002;
        const int setMask = 2;
        var start = (CoreStart*)argument;
        Linux.Syscall(Linux.ArchPrctl, setGs, (nint)start->Core);
        var tls = (byte*)start->Core + 3072;        // what FS points at (core.S); g0 uses no thread statics
        *(void**)tls = tls;
        Linux.Syscall(Linux.ArchPrctl, setFs, (nint)tls);
        InitSignalStack();
        InitThread(start->Core);
        if (s_hasCpuPerCore)
        {
            TakeCpu(start->Core->Id);
        }
        ulong none = 0;
        Linux.Syscall(Linux.RtSigprocmask, setMask, (nint)(&none), 0, 8);
        start->Entry();
    }

    /// <summary>Returns when every other core has passed a full memory barrier.</summary>
    public static void MemoryBarrierAll()
    {
        const int privateExpedited = 8;
        Interlocked.MemoryBarrier();
        Linux.Syscall(Linux.Membarrier, privateExpedited, 0);
    }

    /// <summary>Nothing: Linux asks cores by itself.</summary>
    public static void AnswerOthers()
    {
    }

    /// <summary>Stops all other cores where they are, whatever they do; <see cref="Core.Frozen"/> says where. Waits a second at most for all.</summary>
    public static void FreezeOthers()
    {
        var self = CurrentCore;
        while (Interlocked.CompareExchange(ref s_frozenBy, self->Id + 1, 0) != 0)
        {
            SpinYield();                            // this core's own freeze signal arrives meanwhile
        }
        for (var i = 0; i < CoresStarted; i++)
        {
            if (CoreAt(i) != self)
            {
                Linux.Syscall(Linux.TgKill, s_process, CoreAt(i)->ThreadId, FreezeSignal);
            }
        }
        var deadline = NanoTime() + FreezeWaitNs;
        for (var i = 0; i < CoresStarted; i++)
        {
            while (CoreAt(i) != self && Frozen(CoreAt(i)) == 0 && NanoTime() < deadline)
            {
                SpinYield();
            }
        }
    }

    /// <summary>Lets the other cores go on.</summary>
    public static void ThawOthers()
    {
        Volatile.Write(ref s_frozenBy, 0);
        for (var i = 0; i < CoresStarted; i++)
        {
            while (Frozen(CoreAt(i)) != 0)
            {
                SpinYield();
            }
        }
    }

    static partial void SilenceOthers() => FreezeOthers();

    private static ulong Frozen(Core* core) => Volatile.Read(ref *(ulong*)&core->Frozen);

    private static void StayFrozen(Core* core, TrapFrame* frame)
    {
        Volatile.Write(ref *(ulong*)&core->Frozen, (ulong)frame);
        while (Volatile.Read(ref s_frozenBy) != 0 && Volatile.Read(ref s_frozenBy) != core->Id + 1)
        {
            SpinYield();
        }
        Volatile.Write(ref *(ulong*)&core->Frozen, 0);
    }
}
