using Unikernel.Runtime.Sched;
using Xunit;

namespace Unikernel.Tests.Runtime;

public class SliceTests
{
    [Fact]
    public void A_slice_is_over_10_ms_after_it_was_first_seen()
    {
        Slice s = default;
        Assert.False(s.IsOver(1, 1_000));
        Assert.False(s.IsOver(1, 10_000_999));
        Assert.True(s.IsOver(1, 10_001_000));
        Assert.True(s.IsOver(1, 20_000_000));
    }

    [Fact]
    public void Many_looks_do_not_shorten_it()
    {
        Slice s = default;
        int looks = 0;
        long now = 5;
        for (; !s.IsOver(7, now); now += 1_000)
        {
            looks++;
        }
        Assert.Equal(10_000, looks);
    }

    [Fact]
    public void Another_slice_begins_anew()
    {
        Slice s = default;
        Assert.False(s.IsOver(1, 0));
        Assert.False(s.IsOver(2, 9_999_999));
        Assert.False(s.IsOver(2, 19_999_998));
        Assert.True(s.IsOver(2, 19_999_999));
        Assert.False(s.IsOver(3, 50_000_000));
    }
}
