using System;
using System.Text;
using Unikernel.Kernel;
using Unikernel.Runtime.Sched;

namespace Unikernel;

/// <summary>What <see cref="Go.ForEach"/> tells about a goroutine.</summary>
/// <param name="Id">Its number, as in traces; 1 is the main goroutine, numbers are never reused.</param>
/// <param name="State"><c>running</c>, <c>runnable</c>, or Go's words for what it waits for.</param>
/// <param name="Waiting">For how long it has been waiting, roughly; zero when it is not.</param>
/// <param name="StackLimit">Room of its stack in bytes.</param>
public readonly record struct GoroutineInfo(long Id, string State, TimeSpan Waiting, long StackLimit)
{
    internal static unsafe GoroutineInfo Of(G* gp)
    {
        string state = gp->Status switch
        {
            GStatus.Waiting => Encoding.UTF8.GetString(WaitReasons.Text(gp->WaitReason)),
            GStatus.Runnable => "runnable",
            _ => "running",
        };
        long waitingNs = gp->Status == GStatus.Waiting ? Machine.NanoTime() - gp->WaitSinceNs : 0;
        return new GoroutineInfo(gp->Id, state, TimeSpan.FromTicks(waitingNs / TimeSpan.NanosecondsPerTick), gp->StackHi - gp->StackLo);
    }
}
