// The leaky bucket that bounds the collector's share of the CPU.
using CsCheck;
using Unikernel.Runtime.Gc;
using Xunit;

namespace Unikernel.Tests.Gc;

public class CpuLimiterTests
{
    private const long Second = 1_000_000_000;

    private static CpuLimiter New(int cores)
    {
        CpuLimiter l = default;
        l.SetCores(cores);
        return l;
    }

    [Fact]
    public void Fills_with_the_collector_and_drains_with_the_program()
    {
        CpuLimiter l = New(2);
        l.Account(0, Second);
        Assert.False(l.IsLimiting);
        l.Account(Second / 4, Second);
        Assert.Equal(7 * Second / 4, l.FillNs);
        l.Account(0, Second);
        Assert.True(l.IsLimiting);
        Assert.Equal((2 * Second, 3 * Second / 4), (l.FillNs, l.OverflowNs));
        l.Account(1, 0);
        Assert.False(l.IsLimiting);
        l.Account(100 * Second, 0);
        Assert.Equal(0, l.FillNs);              // no credit for idleness
        l.Account(0, 2 * Second);
        Assert.True(l.IsLimiting);
    }

    [Fact]
    public void Half_of_the_CPU_is_never_too_much()
    {
        CpuLimiter l = New(4);
        for (int i = 0; i < 10_000; i++)
        {
            l.Account(10_000_000, 10_000_000);
            Assert.False(l.IsLimiting);
        }
    }

    [Fact]
    public void Fewer_cores_have_less_room()
    {
        CpuLimiter l = New(4);
        l.Account(0, 3 * Second);
        l.SetCores(2);
        Assert.True(l.IsLimiting);
        Assert.Equal(2 * Second, l.FillNs);
        l.SetCores(4);
        Assert.False(l.IsLimiting);
    }

    // A collector that does without assists when told so, from one window to the next: it has half of the CPU and a second
    // a core, and what it took in windows that began with room and ended without (overflow).
    [Fact]
    public void Who_obeys_it_takes_about_half() =>
        Gen.Select(Gen.Int[1, 8], Gen.Long[0, 20_000_000].Array[1, 2000]).Sample((cores, wishes) =>
        {
            CpuLimiter l = New(cores);
            long total = 0;
            long gc = 0;
            foreach (long wish in wishes)
            {
                long window = 10_000_000 * cores;
                long ns = l.IsLimiting ? window / 4 : long.Min(wish * cores, window);
                l.Account(window - ns, ns);
                total += window;
                gc += ns;
                Assert.InRange(l.FillNs, 0, cores * CpuLimiter.CapacityPerCoreNs);
            }
            Assert.True(gc - (total - gc) <= l.FillNs + l.OverflowNs);
            // The worst: a whole window, then a quarter of one, which makes room for half a window again.
            Assert.True(gc <= (total / 8 * 5) + (Second * cores), $"{gc} of {total}");
        });
}
