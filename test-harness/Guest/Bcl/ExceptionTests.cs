// Exceptions, completely. The same sources run on stock .NET (project Unit) and in the guest.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Threading.Tasks;
using Xunit;

namespace Unikernel.Tests.Bcl;

public class ExceptionTests
{
    private static readonly List<string> s_log = [];

    private static bool Note(string text, bool result = true)
    {
        s_log.Add(text);
        return result;
    }

    private static string Log()
    {
        string all = string.Join(' ', s_log);
        s_log.Clear();
        return all;
    }

    [Fact]
    public void Filters_run_before_inner_finally()
    {
        Log();
        try
        {
            try
            {
                throw new InvalidOperationException("x");
            }
            finally
            {
                Note("finally");
            }
        }
        catch (InvalidOperationException) when (Note("filter1", false))
        {
            Note("wrong");
        }
        catch (Exception e) when (Note("filter2") && e.Message == "x")
        {
            Note("caught");
        }
        Assert.Equal("filter1 filter2 finally caught", Log());
    }

    [Fact]
    public void Exception_in_a_filter_counts_as_false()
    {
        Log();
        try
        {
            throw new ArgumentException("outer");
        }
        catch (ArgumentException) when (Throws())
        {
            Note("wrong");
        }
        catch (ArgumentException)
        {
            Note("right");
        }
        Assert.Equal("right", Log());

        static bool Throws() => throw new InvalidOperationException("in the filter");
    }

    [Fact]
    public void Finally_runs_innermost_first_and_rethrow_keeps_the_trace()
    {
        Log();
        Exception? seen = null;
        try
        {
            try
            {
                try
                {
                    ThrowHere();
                }
                finally
                {
                    Note("a");
                }
            }
            catch
            {
                Note("b");
                throw;
            }
            finally
            {
                Note("c");
            }
        }
        catch (Exception e)
        {
            seen = e;
        }
        Assert.Equal("a b c", Log());
        Assert.Contains(nameof(ThrowHere), seen!.StackTrace);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void ThrowHere() => throw new FormatException("here");

    [Fact]
    public void Throw_in_finally_replaces_the_exception()
    {
        Action replaced = () =>
        {
            try
            {
                throw new InvalidOperationException("first");
            }
            finally
            {
                ThrowHere();
            }
        };
        var e = Assert.Throws<FormatException>(replaced);
        Assert.Equal("here", e.Message);
    }

    [Fact]
    public void Nested_handling_inside_a_catch_and_a_finally()
    {
        Log();
        try
        {
            try
            {
                throw new InvalidOperationException("1");
            }
            catch (InvalidOperationException)
            {
                try
                {
                    throw new FormatException("2");
                }
                catch (FormatException)
                {
                    Note("inner");
                }
                throw;
            }
            finally
            {
                try
                {
                    throw new ArgumentException("3");
                }
                catch (ArgumentException)
                {
                    Note("finally");
                }
            }
        }
        catch (InvalidOperationException e)
        {
            Note(e.Message);
        }
        Assert.Equal("inner finally 1", Log());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(100)]
    [InlineData(3000)]
    public void From_deep_recursion(int depth)
    {
        int finallys = 0;
        var e = Assert.Throws<InvalidOperationException>(() => Deep(depth));
        Assert.Equal("bottom", e.Message);
        Assert.Equal(depth, finallys);

        void Deep(int n)
        {
            if (n == 0)
            {
                throw new InvalidOperationException("bottom");
            }
            try
            {
                Deep(n - 1);
            }
            finally
            {
                finallys++;
            }
        }
    }

    [Fact]
    public void Through_generics_lambdas_and_iterators()
    {
        Func<int, int> fail = x => x == 3 ? throw new InvalidOperationException($"at {x}") : x;
        var e = Assert.Throws<InvalidOperationException>(() => Generic<string>(() => Enumerable.Range(0, 10).Select(fail).Sum()));
        Assert.Equal("at 3", e.Message);
        bool disposed = false;
        Assert.Throws<FormatException>(() =>
        {
            foreach (int i in Items())
            {
                if (i == 2)
                {
                    ThrowHere();
                }
            }
        });
        Assert.True(disposed);

        static int Generic<T>(Func<int> f) => typeof(T) == typeof(string) ? f() : 0;
        IEnumerable<int> Items()
        {
            try
            {
                yield return 1;
                yield return 2;
                yield return 3;
            }
            finally
            {
                disposed = true;
            }
        }
    }

    private sealed class Node
    {
        internal int Value = 1;
        internal Node? Next;
    }

    private struct Large
    {
        internal object A = 1, B = 2, C = 3, D = 4;

        public Large()
        {
        }
    }

    private interface IThing
    {
        int Do();
    }

    [Fact]
    public void Null_dereference_of_every_kind()
    {
        Node? none = Nothing<Node>();
        Assert.Throws<NullReferenceException>(() => none!.Value);
        Assert.Throws<NullReferenceException>(() => none!.Next = new Node());
        Assert.Throws<NullReferenceException>(() => none!.Next!.Value = 2);
        Assert.Throws<NullReferenceException>(() => Nothing<int[]>()!.Length);
        Assert.Throws<NullReferenceException>(() => Nothing<Large[]>()![0] = default);
        Assert.Throws<NullReferenceException>(() => Nothing<IThing>()!.Do());
        Assert.Throws<NullReferenceException>(() => Nothing<Func<int>>()!());
        Assert.Throws<NullReferenceException>(() => Nothing<object>()!.ToString());
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static T? Nothing<T>()
        where T : class => null;

    [Fact]
    public void Division()
    {
        int zero = s_log.Count - s_log.Count;
        long zero64 = zero;
        Assert.Throws<DivideByZeroException>(() => 1 / zero);
        Assert.Throws<DivideByZeroException>(() => 1 % zero);
        Assert.Throws<DivideByZeroException>(() => 1L / zero64);
        Assert.Throws<DivideByZeroException>(() => 1u / (uint)zero);
        Assert.Throws<DivideByZeroException>(() => 1ul % (ulong)zero64);
        Assert.Throws<DivideByZeroException>(() => 1m / zero);
        Assert.Throws<OverflowException>(() => int.MinValue / (zero - 1));
        Assert.Throws<OverflowException>(() => long.MinValue / (zero64 - 1));
        Assert.Equal(double.PositiveInfinity, 1.0 / zero);
    }

    [Fact]
    public void Runtime_checks()
    {
        object text = Nothing<object>() ?? string.Concat("a", "b");
        int[] three = new int[3];
        int big = int.MaxValue - three.Length;
        object[] strings = new string[2];
        Assert.Throws<InvalidCastException>(() => (int[])text);
        Assert.Throws<InvalidCastException>(() => (int)text);
        Assert.Throws<IndexOutOfRangeException>(() => three[three.Length]);
        Assert.Throws<ArrayTypeMismatchException>(() => strings[0] = new object());
        Assert.Throws<OverflowException>(() => checked(big * 2));
        Assert.Throws<OverflowException>(() => new int[three[0] - 1]);
        Assert.Throws<ArgumentOutOfRangeException>(() => "abc".Substring(4));
        Assert.Throws<KeyNotFoundException>(() => new Dictionary<int, int>()[1]);
        Assert.Throws<OutOfMemoryException>(() => new long[int.MaxValue].Length + new long[int.MaxValue].Length
            + new long[int.MaxValue].Length + new long[int.MaxValue].Length + new long[int.MaxValue].Length + new long[int.MaxValue].Length);
    }

    private static class Broken
    {
        internal static readonly int Value = Fail();

        private static int Fail() => throw new FormatException("in the initialiser");
    }

    [Fact]
    public void Type_initialiser_that_fails_fails_always()
    {
        var first = Assert.Throws<TypeInitializationException>(() => Broken.Value);
        Assert.IsType<FormatException>(first.InnerException);
        Assert.Throws<TypeInitializationException>(() => Broken.Value);
    }

    [Fact]
    public async Task Through_await()
    {
        await Assert.ThrowsAsync<FormatException>(async () =>
        {
            await Task.Yield();
            ThrowHere();
        });
        var all = await Assert.ThrowsAsync<AggregateException>(() => Task.Run(() => Task.WaitAll(Task.Run(ThrowHere), Task.Run(ThrowHere))));
        Assert.Equal(2, all.InnerExceptions.Count);
    }

    [Fact]
    public void Stack_trace_names_the_methods_from_the_throw_to_the_catch()
    {
        try
        {
            Outer();
        }
        catch (FormatException e)
        {
            string[] lines = e.StackTrace!.Split('\n');
            Assert.Contains(nameof(ThrowHere), lines[0]);
            Assert.Contains(nameof(Outer), lines[1]);
            Assert.Contains(nameof(Stack_trace_names_the_methods_from_the_throw_to_the_catch), lines[2]);
        }
        Assert.Contains(nameof(Stack_trace_names_the_methods_from_the_throw_to_the_catch), Environment.StackTrace);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Outer()
    {
        ThrowHere();
        Note("not reached");
    }
}
