// The table of size classes satisfies what its header says, exhaustively.
using System.Linq;
using System.Runtime.InteropServices;
using Unikernel.Runtime.Mem;
using Xunit;

namespace Unikernel.Tests.Mem;

public unsafe class SizeClassesTests
{
    private static readonly bool s_isReady = Init();

    // The tables stay for the life of the process, as in the kernel; other tests use them too.
    internal static bool Init()
    {
        SizeClasses.Init((byte*)NativeMemory.AlignedAlloc(SizeClasses.TableBytes, 64));
        return true;
    }

    public SizeClassesTests() => Assert.True(s_isReady);

    private static int[] Classes => [.. Enumerable.Range(1, SizeClasses.Count - 1)];

    [Fact]
    public void Slot_sizes_ascend_from_24_to_32768_in_steps_of_8_then_64()
    {
        Assert.InRange(SizeClasses.Count, 2, 96);
        Assert.Equal(24u, SizeClasses.SizeOf(1));
        Assert.Equal(32768u, SizeClasses.SizeOf(SizeClasses.Count - 1));
        Assert.Equal((0u, 0u, 0u), (SizeClasses.SizeOf(0), SizeClasses.PagesOf(0), SizeClasses.SlotsOf(0)));
        Assert.All(Classes, c =>
        {
            Assert.True(SizeClasses.SizeOf(c) > SizeClasses.SizeOf(c - 1));
            Assert.Equal(0u, SizeClasses.SizeOf(c) % (SizeClasses.SizeOf(c) > 1024 ? 64u : 8u));
        });
    }

    [Fact]
    public void Every_size_gets_the_smallest_slot_that_holds_it()
    {
        for (uint size = 0; size <= 32768; size++)
        {
            int c = SizeClasses.ClassOf(size);
            Assert.InRange(c, 1, SizeClasses.Count - 1);
            Assert.True(SizeClasses.SizeOf(c) >= size && SizeClasses.SizeOf(c - 1) < (size == 0 ? 1 : size), $"{size} got class {c}");
        }
    }

    [Theory]
    [InlineData(32769UL)]
    [InlineData(1UL << 31)]
    [InlineData(1UL << 32)]
    [InlineData(ulong.MaxValue)]
    public void More_than_32768_bytes_are_large(ulong bytes) => Assert.Equal(SizeClasses.LargeClass, SizeClasses.ClassOf((nuint)bytes));

    [Fact]
    public void An_eighth_of_the_slot_is_wasted_at_most()
    {
        for (uint size = 24; size <= 32768; size += 8)
        {
            uint slot = SizeClasses.SizeOf(SizeClasses.ClassOf(size));
            Assert.True((slot - size) * 8 <= slot, $"{size} in {slot}");
        }
    }

    [Fact]
    public void An_eighth_of_the_span_is_tail_at_most()
    {
        Assert.All(Classes, c =>
        {
            uint pages = SizeClasses.PagesOf(c);
            uint slots = SizeClasses.SlotsOf(c);
            Assert.InRange(pages, 1u, (uint)SizeClasses.MaxPages);
            Assert.InRange(slots, 1u, (uint)SizeClasses.MaxSlots);
            uint tail = (pages * 8192) - (slots * SizeClasses.SizeOf(c));
            Assert.True(tail < SizeClasses.SizeOf(c), "another slot fits");
            Assert.True(tail * 8 <= pages * 8192, $"class {c} leaves {tail}");
        });
        Assert.Equal((uint)SizeClasses.MaxSlots, Classes.Max(SizeClasses.SlotsOf));
    }

    [Fact]
    public void Magic_divides_exactly()
    {
        foreach (int c in Classes)
        {
            uint size = SizeClasses.SizeOf(c);
            uint magic = SizeClasses.MagicOf(c);
            for (uint offset = 0; offset < SizeClasses.MaxPages * 8192; offset++)
            {
                if ((uint)(((ulong)offset * magic) >> 32) != offset / size)
                {
                    Assert.Fail($"{offset} / {size}");
                }
            }
        }
    }

    [Fact]
    public void Small_table_is_ClassOf_at_every_eighth_byte()
    {
        byte* table = stackalloc byte[SizeClasses.SmallTableBytes];
        SizeClasses.CopySmallTable(table);
        Assert.Equal(1, table[0]);
        for (int i = 1; i < SizeClasses.SmallTableBytes; i++)
        {
            Assert.Equal(SizeClasses.ClassOf((nuint)(i * 8)), table[i]);
        }
    }

    [Fact]
    public void Init_stays_inside_its_memory()
    {
        byte* memory = (byte*)NativeMemory.AlignedAlloc(SizeClasses.TableBytes + 128, 64);
        new System.Span<byte>(memory, SizeClasses.TableBytes + 128).Fill(0xEE);
        SizeClasses.Init(memory + 64);
        for (int i = 0; i < 64; i++)
        {
            Assert.Equal(0xEE, memory[i]);
            Assert.Equal(0xEE, memory[64 + SizeClasses.TableBytes + i]);
        }
    }
}
