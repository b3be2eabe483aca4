// The control of the checked build: two locks in the wrong order, one after the other, so that nothing hangs.
using System;
using Unikernel.Runtime.Sched;

namespace Unikernel.Tests.Guest;

internal static class LockOrder
{
    internal const string Argument = "break-lock-order";

    private static SpinLock s_sched;
    private static SpinLock s_chan;

    internal static unsafe int Break()
    {
        s_sched.Acquire(LockRank.Sched);
        s_chan.Acquire(LockRank.Chan);
        s_chan.Release();
        s_sched.Release();
        Console.WriteLine("not noticed");
        return 0;
    }
}
