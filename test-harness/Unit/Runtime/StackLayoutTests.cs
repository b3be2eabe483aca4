using CsCheck;
using Unikernel.Kernel;
using Unikernel.Runtime.Sched;
using Xunit;

namespace Unikernel.Tests.Runtime;

public class StackLayoutTests
{
    [Fact]
    public void Slot_sizes()
    {
        Assert.Equal((128UL << 10) + 4096, StackLayout.SlotBytes(0));
        Assert.Equal((4UL << 20) + 4096, StackLayout.SlotBytes(1));
        Assert.Equal((64UL << 20) + 4096, StackLayout.SlotBytes(2));
        Assert.Equal((1UL << 30) + 4096, StackLayout.SlotBytes(3));
    }

    [Theory]
    [InlineData(1UL, 0)]
    [InlineData((128UL << 10) - 4096, 0)]
    [InlineData((128UL << 10) - 4095, 1)]
    [InlineData((4UL << 20) - 4096, 1)]
    [InlineData(4UL << 20, 2)]
    [InlineData((1UL << 30) - 4096, 3)]
    [InlineData((1UL << 30) - 4095, -1)]
    [InlineData(ulong.MaxValue, -1)]
    public void Smallest_class_that_suffices(ulong bytes, int expected) => Assert.Equal(expected, StackLayout.ClassFor(bytes));

    [Fact]
    public void Every_address_of_a_slot_is_found_in_it()
    {
        Gen.Select(Gen.Int[0, StackLayout.ClassCount - 1], Gen.ULong, Gen.ULong).Sample((slotClass, number, offset) =>
        {
            ulong index = number % StackLayout.SlotCount(slotClass);
            ulong hi = StackLayout.SlotHi(slotClass, index);
            ulong address = hi - 1 - (offset % StackLayout.SlotBytes(slotClass));
            return StackLayout.TryLocate(address, out int c, out ulong i) && c == slotClass && i == index;
        });
    }

    [Fact]
    public void Addresses_outside_belong_to_no_slot()
    {
        const ulong End = Machine.StackRegionBase + Machine.StackRegionSize;
        Assert.False(StackLayout.TryLocate(Machine.StackRegionBase - 1, out _, out _));
        Assert.False(StackLayout.TryLocate(End, out _, out _));
        Assert.False(StackLayout.TryLocate(End - 1, out _, out _));
        Assert.False(StackLayout.TryLocate(StackLayout.ArraysBase, out _, out _));
        Assert.False(StackLayout.TryLocate(0, out _, out _));
        Assert.False(StackLayout.TryLocate(ulong.MaxValue, out _, out _));
    }

    [Fact]
    public void Slots_fill_their_quarters_without_overlap()
    {
        for (int c = 0; c < StackLayout.ClassCount; c++)
        {
            ulong start = Machine.StackRegionBase + ((ulong)c * (Machine.StackRegionSize / StackLayout.ClassCount));
            Assert.Equal(start + StackLayout.SlotBytes(c), StackLayout.SlotHi(c, 0));
            ulong end = StackLayout.SlotHi(c, StackLayout.SlotCount(c) - 1);
            ulong room = c == StackLayout.MainClass ? StackLayout.ArraysBase : start + (Machine.StackRegionSize / StackLayout.ClassCount);
            Assert.InRange(room - end, 0UL, StackLayout.SlotBytes(c) - 1);
            Assert.False(StackLayout.TryLocate(room - 1, out int above, out _) && above == c && end < room);
        }
    }

    // SL3: 16 neighbours differ in their page's place among 16 and in the line within it.
    [Fact]
    public void Tops_of_neighbours_do_not_compete_for_the_same_cache_sets()
    {
        for (int c = 0; c < StackLayout.ClassCount; c++)
        {
            var sets = new System.Collections.Generic.HashSet<ulong>();
            var lines = new System.Collections.Generic.HashSet<ulong>();
            for (ulong i = 0; i < 16; i++)
            {
                ulong hi = StackLayout.SlotHi(c, i);
                ulong colour = StackLayout.Colour(hi);
                Assert.InRange(colour, 0UL, 1023UL);
                Assert.Equal(0UL, colour % 64);
                sets.Add(hi / 4096 % 16);
                lines.Add(colour);
            }
            Assert.Equal(16, sets.Count);
            Assert.Equal(16, lines.Count);
        }
    }
}
