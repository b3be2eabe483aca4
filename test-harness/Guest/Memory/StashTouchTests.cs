// Behind StashTests, for on Linux this ends stashing.
using System;
using System.Threading;
using Unikernel.Runtime.Sched;
using Xunit;

namespace Unikernel.Tests.Memory;

public class StashTouchTests
{
    private const int Many = 500;

    // Legal, and on .NET it works: a pointer into the stack of somebody who waits.
    [Fact]
    public unsafe void A_pointer_into_a_parked_stack_is_good()
    {
        var done = new WaitGroup();
        var parked = new WaitGroup();
        int wrong = 0;
        nint[] where = new nint[Many];
        var gate = new Chan<int>();
        parked.Add(Many);
        for (int i = 0; i < Many; i++)
        {
            int me = i;
            done.Go(() =>
            {
                long* mine = stackalloc long[4];
                mine[0] = me;
                where[me] = (nint)mine;
                parked.Done();
                _ = gate.Receive();
                if (mine[0] != me || mine[1] != me + 1 || mine[3] != -me)
                {
                    Interlocked.Increment(ref wrong);
                }
            });
        }
        parked.Wait();
        StashTests.CollectUntilStashed(Many);
        int before = StashTests.Stashed();
        bool isOn = Stash.IsOn;
        var writers = new WaitGroup();
        for (int w = 0; w < 4; w++)
        {
            int first = w;
            writers.Go(() =>
            {
                for (int i = first; i < Many; i += 4)
                {
                    long* its = (long*)where[i];
                    its[1] = its[0] + 1;
                    its[3] = -its[0];
                }
            });
        }
        writers.Wait();
        // Some of those counted are not ours, and as many of ours may not have been parked in time.
        Assert.True(!isOn || StashTests.Stashed() <= before - (Many * 4 / 5), $"{before} and then {StashTests.Stashed()}");
        gate.Close();
        done.Wait();
        Assert.Equal(0, wrong);
    }
}
