// Stacks: Go's stack_test.go TestStackGrowth and test/peano.go.
using System;
using System.Runtime.CompilerServices;
using Unikernel.Kernel;
using Xunit;

namespace Unikernel.Tests.Goroutines;

public class StackTests
{
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Depth(int n) => n == 0 ? 0 : Depth(n - 1) + 1;

    [Theory]
    [InlineData(100_000, 0)]
    [InlineData(1000, 4096)]
    [InlineData(20_000, 4 * 1024 * 1024 - 4096)]
    [InlineData(100_000, 16 * 1024 * 1024)]
    public void Deep_recursion_in_a_goroutine(int depth, int stackBytes)
    {
        var c = new Chan<int>();
        if (stackBytes == 0)
        {
            Go.Run(() => c.Send(Depth(depth)));
        }
        else
        {
            Go.Run(() => c.Send(Depth(depth)), stackBytes);
        }
        Assert.Equal(depth, c.Receive());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(1L << 30)]
    [InlineData(long.MaxValue)]
    public void Impossible_stack_sizes_are_refused(long bytes) =>
        Assert.Throws<ArgumentOutOfRangeException>("stackSizeBytes", () => Go.Run(() => { }, bytes));

    [Fact]
    public void Large_frames_do_not_step_over_the_guard()
    {
        var c = new Chan<int>();
        Go.Run(() => c.Send(LargeFrames(30)), 4 * 1024 * 1024 - 4096);
        Assert.Equal(30 * 255, c.Receive());
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int LargeFrames(int n)
    {
        Span<byte> frame = stackalloc byte[64 * 1024];
        frame[0] = 255;
        return n == 0 ? 0 : LargeFrames(n - 1) + frame[0];
    }

    [Fact]
    public void A_deep_stack_is_given_back()
    {
        using var one = new OneCore();
        var c = new Chan<int>();
        Go.Run(() => c.Send(Depth(1)));
        _ = c.Receive();
        long before = GC.GetGCMemoryInfo().MemoryLoadBytes;
        for (int i = 0; i < 5; i++)
        {
            Go.Run(() => c.Send(Depth(100_000)));
            _ = c.Receive();
            Go.Gosched();
        }
        Assert.InRange(GC.GetGCMemoryInfo().MemoryLoadBytes - before, 0, 1 << 20);
    }

    [Fact]
    public void Exceptions_unwind_from_deep_recursion_in_a_goroutine()
    {
        var c = new Chan<string>();
        Go.Run(() =>
        {
            try
            {
                _ = ThrowAt(1000);
            }
            catch (InvalidOperationException e)
            {
                c.Send(e.Message);
            }
        });
        Assert.Equal("bottom", c.Receive());
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int ThrowAt(int n) => n == 0 ? throw new InvalidOperationException("bottom") : ThrowAt(n - 1) + 1;

    // Unary numbers: a number is as many links as it says; null is zero.
    private sealed class Number
    {
        public Number? Less;
    }

    private static Number? Add(Number? x, Number? y) => y == null ? x : new Number { Less = Add(x, y.Less) };

    private static Number? Multiply(Number? x, Number? y) => x == null || y == null ? null : Add(Multiply(x, y.Less), x);

    private static Number? Factorial(Number? n) => n == null ? new Number() : Multiply(n, Factorial(n.Less));

    private static Number? Make(int n) => n == 0 ? null : new Number { Less = Make(n - 1) };

    private static int Count(Number? n) => n == null ? 0 : Count(n.Less) + 1;

    [Fact]
    public void Unary_factorials_need_deep_stacks()
    {
#if LINUX
        int[] expected = [1, 1, 2, 6, 24, 120, 720, 5040, 40320, 362880];
#else
        int[] expected = [1, 1, 2, 6, 24, 120, 720, 5040, 40320];
#endif
        var c = new Chan<int>();
        for (int i = 0; i < expected.Length; i++)
        {
            int n = i;
            Go.Run(() => c.Send(Count(Factorial(Make(n)))), 64 * 1024 * 1024 - 4096);
            Assert.Equal(expected[i], c.Receive());
        }
    }

    // Go grows a stack to hundreds of megabytes; here the largest class has as much as a quarter of the machine's memory.
    [Fact]
    public void Recursion_uses_a_stack_of_many_megabytes()
    {
#if LINUX
        const int Megabytes = 200;
#else
        const int Megabytes = 48;
#endif
        const int FrameBytes = 1024;
        const int N = Megabytes * 1024 * 1024 / FrameBytes;
        var c = new Chan<(int Depth, long Bytes)>();
        Go.Run(
            () =>
            {
                nuint top = Cpu.GetSp();
                int depth = WideFrames(N, out nuint bottom);
                c.Send((depth, (long)(top - bottom)));
            },
            (Megabytes + 16L) * 1024 * 1024);
        (int depth, long bytes) = c.Receive();
        Assert.Equal(N, depth);
        Assert.True(bytes >= (long)N * FrameBytes);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int WideFrames(int n, out nuint bottom)
    {
        Span<byte> frame = stackalloc byte[1024];
        frame[n & 1023] = 1;
        bottom = Cpu.GetSp();
        return n == 0 ? 0 : WideFrames(n - 1, out bottom) + frame[n & 1023];
    }
}
