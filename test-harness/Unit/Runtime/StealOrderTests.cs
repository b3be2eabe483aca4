// The order in which a core looks at the others' queues: Go's TestStealOrder.
using System.Collections.Generic;
using Unikernel.Kernel;
using Unikernel.Runtime.Sched;
using Xunit;

namespace Unikernel.Tests.Runtime;

public class StealOrderTests
{
    [Fact]
    public void Steps_from_anywhere_visit_everybody_once()
    {
        for (int n = 1; n <= Machine.MaxCores; n++)
        {
            for (int draw = 0; draw < n; draw++)
            {
                int step = Proc.CoprimeStep(n, draw);
                for (int start = 0; start < n; start++)
                {
                    var seen = new HashSet<int>();
                    for (int i = 0, at = start; i < n; i++, at = (at + step) % n)
                    {
                        Assert.True(seen.Add(at), $"{n} cores, step {step} from {start}: {at} again after {i}");
                    }
                }
            }
        }
    }

    // Were it always the same order, one queue would be looked at first by all.
    [Fact]
    public void Draws_give_different_orders()
    {
        var steps = new HashSet<int>();
        for (int draw = 0; draw < 16; draw++)
        {
            steps.Add(Proc.CoprimeStep(16, draw) % 16);
        }
        Assert.Equal(8, steps.Count);       // the numbers below 16 that are coprime to it
    }
}
