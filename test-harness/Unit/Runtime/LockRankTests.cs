// The order of locks, as data: what may be taken while what is held.
using System.Linq;
using CsCheck;
using Unikernel.Runtime.Sched;
using Xunit;

namespace Unikernel.Tests.Runtime;

public unsafe class LockRankTests
{
    private const int None = -1;

    private static int* Lock(int address) => (int*)(16 * (nint)(address + 1));

    [Fact]
    public void Rising_ranks_are_allowed_and_falling_ones_are_not()
    {
        HeldLocks held = default;
        Assert.True(held.Add(Lock(1), LockRank.Chan));
        Assert.Equal(None, held.Conflict(Lock(0), LockRank.Timers));
        Assert.True(held.Add(Lock(0), LockRank.Timers));
        Assert.Equal(1, held.Conflict(Lock(2), LockRank.Chan));
        Assert.Equal(0, held.Conflict(Lock(2), LockRank.Console));
        Assert.True(held.Remove(Lock(0)));
        Assert.Equal(None, held.Conflict(Lock(2), LockRank.Chan));
    }

    [Fact]
    public void Channels_are_taken_by_rising_address_and_other_equals_not_at_all()
    {
        HeldLocks held = default;
        held.Add(Lock(5), LockRank.Chan);
        Assert.Equal(None, held.Conflict(Lock(6), LockRank.Chan));
        Assert.Equal(0, held.Conflict(Lock(4), LockRank.Chan));
        Assert.Equal(0, held.Conflict(Lock(5), LockRank.Chan));         // itself
        HeldLocks leaf = default;
        leaf.Add(Lock(1), LockRank.Leaf);
        Assert.Equal(0, leaf.Conflict(Lock(2), LockRank.Leaf));
    }

    [Fact]
    public void What_is_not_held_cannot_be_opened_and_too_many_are_refused()
    {
        HeldLocks held = default;
        Assert.False(held.Remove(Lock(0)));
        Assert.True(Enumerable.Range(0, HeldLocks.Most).All(i => Add(ref held, i)));
        Assert.False(Add(ref held, 99));
        Assert.True(held.Remove(Lock(3)));
        Assert.False(held.Remove(Lock(3)));
        Assert.True(Add(ref held, 99));
    }

    private static bool Add(ref HeldLocks held, int i) => held.Add(Lock(i), LockRank.Chan);

    // Two cores that only take what the check allows never each hold what the other wants.
    [Fact]
    public void Allowed_orders_have_no_cycle() => Gen.Select(Gen.Int[0, 10], Gen.Int[0, 10], Gen.Int[0, 20], Gen.Int[0, 20])
        .Sample((rankA, rankB, a, b) =>
        {
            HeldLocks one = default;
            HeldLocks other = default;
            one.Add(Lock(a), (LockRank)rankA);
            other.Add(Lock(b), (LockRank)rankB);
            return one.Conflict(Lock(b), (LockRank)rankB) != None || other.Conflict(Lock(a), (LockRank)rankA) != None;
        });

    [Fact]
    public void Every_rank_has_a_name_of_its_own()
    {
        LockRank[] ranks = System.Enum.GetValues<LockRank>();
        string[] names = [.. ranks.Select(r => System.Text.Encoding.UTF8.GetString(LockRanks.Name(r)))];
        Assert.Equal(ranks.Length, names.Distinct().Count());
    }
}
