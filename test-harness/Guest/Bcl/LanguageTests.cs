// What the compiler and the runtime do together: dispatch, generics, casts, statics. Shared with stock .NET.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using System.Threading;
using Xunit;

namespace Unikernel.Tests.Bcl;

public class LanguageTests
{
    private interface IShape
    {
        int Sides { get; }

        string Describe() => $"{Sides} sides";
    }

    private abstract class Shape(int sides) : IShape
    {
        public int Sides => sides;

        public virtual string Name => "shape";
    }

    private sealed class S1() : Shape(1);

    private sealed class S2() : Shape(2);

    private sealed class S3() : Shape(3)
    {
        public override string Name => "triangle";
    }

    private sealed class S4() : Shape(4), IShape
    {
        string IShape.Describe() => "square";
    }

    private sealed class Generic<T>(int n) : IShape
    {
        public int Sides => n + typeof(T).Name.Length;
    }

    [Fact]
    public void Interface_dispatch_from_one_to_many_types_at_one_site()
    {
        List<IShape> shapes = [new S1(), new S2(), new S3(), new S4(), new Generic<int>(0), new Generic<string>(0), new Generic<double>(0)];
        for (int types = 1; types <= shapes.Count; types++)
        {
            int sum = 0;
            for (int round = 0; round < 50; round++)
            {
                for (int i = 0; i < types; i++)
                {
                    sum += Sides(shapes[i]);
                }
            }
            Assert.Equal(50 * shapes.Take(types).Sum(s => s.Sides), sum);
        }
        Assert.Equal("1 sides", shapes[0].Describe());
        Assert.Equal("square", shapes[3].Describe());
        Assert.Equal("triangle", ((Shape)shapes[2]).Name);
    }

    private static int Sides(IShape s) => s.Sides;

    private interface IVisitor
    {
        string Visit<T>(T value);
    }

    private sealed class TypeNames : IVisitor
    {
        public string Visit<T>(T value) => $"{typeof(T).Name}:{value}";
    }

    private sealed class Lengths : IVisitor
    {
        public string Visit<T>(T value) => $"{value}".Length.ToString(System.Globalization.CultureInfo.InvariantCulture);
    }

    [Fact]
    public void Generic_virtual_methods()
    {
        IVisitor[] visitors = [new TypeNames(), new Lengths()];
        Assert.Equal(["Int32:7", "1"], visitors.Select(v => v.Visit(7)).ToArray());
        Assert.Equal(["String:abc", "3"], visitors.Select(v => v.Visit("abc")).ToArray());
        Assert.Equal(["Decimal:1.50", "4"], visitors.Select(v => v.Visit(1.50m)).ToArray());
    }

    [Fact]
    public void Variance_and_array_covariance()
    {
        IEnumerable<object> objects = new List<string> { "a", "b" };
        Assert.Equal(2, objects.Count());
        Action<string> takes = ((Action<object>)(o => Assert.Equal("x", o)));
        takes("x");
        object[] array = new string[] { "p" };
        Assert.IsType<string[]>(array);
        Assert.True(array is IEnumerable<object>);
        Assert.False((object)new int[1] is object[]);
        Assert.True((object)new int[1] is uint[]);
    }

    [Fact]
    public void Boxing_enums_and_nullables()
    {
        object boxed = 42;
        Assert.Equal(42, (int)boxed);
        Assert.Throws<InvalidCastException>(() => (long)boxed);
        int? none = null;
        object? nothing = none;
        Assert.Null(nothing);
        int? some = 5;
        object five = some;
        Assert.IsType<int>(five);
        object day = DayOfWeek.Friday;
        Assert.Equal("Friday", day.ToString());
        Assert.Equal(5, (int)(DayOfWeek)day);
        Assert.True(Enum.TryParse("Monday", out DayOfWeek monday) && monday == DayOfWeek.Monday);
        var tuple = (1, "b", 2.5);
        Assert.Equal(tuple, ((int, string, double))(object)tuple);
    }

    [Fact]
    public void Multi_dimensional_and_jagged_arrays()
    {
        int[,,] cube = new int[3, 4, 5];
        for (int i = 0; i < 3; i++)
        {
            for (int j = 0; j < 4; j++)
            {
                for (int k = 0; k < 5; k++)
                {
                    cube[i, j, k] = (i * 100) + (j * 10) + k;
                }
            }
        }
        Assert.Equal(234, cube[2, 3, 4]);
        Assert.Equal(60, cube.Length);
        Assert.Equal(4, cube.GetLength(1));
        Assert.Throws<IndexOutOfRangeException>(() => cube[2, 4, 0]);
        string[][] jagged = [["a"], ["b", "c"]];
        Assert.Equal("abc", string.Concat(jagged.SelectMany(r => r)));
        string[,] grid = { { "x", "y" }, { "z", "w" } };
        Assert.Equal("w", grid[1, 1]);
    }

    [Fact]
    public void Delegates_combine_and_remove()
    {
        string log = "";
        Action a = () => log += "a";
        Action b = () => log += "b";
        Action? all = a + b + a;
        all();
        all -= a;
        all!();
        Assert.Equal("abaab", log);
        Func<int, int>[] adders = [.. Enumerable.Range(1, 3).Select(n => (Func<int, int>)(x => x + n))];
        Assert.Equal([11, 12, 13], adders.Select(f => f(10)).ToArray());
        Func<string> bound = "text".ToUpperInvariant;
        Assert.Equal("TEXT", bound());
    }

    private static class Order
    {
        internal static readonly List<string> Log = [];
    }

    private static class First
    {
        internal static readonly int Value = Note("First", Second.Value);

        private static int Note(string name, int inner)
        {
            Order.Log.Add(name);
            return inner + 1;
        }
    }

    private static class Second
    {
        internal static readonly int Value;

        static Second()
        {
            Order.Log.Add("Second");
            Value = 10;
        }
    }

    [Fact]
    public void Static_constructors_run_once_in_order_of_need()
    {
        Assert.Equal(11, First.Value);
        Assert.Equal(11, First.Value);
        Assert.Equal("Second First", string.Join(' ', Order.Log));
    }

    [ThreadStatic]
    private static int s_perThread;

    [Fact]
    public void Thread_statics_belong_to_the_thread()
    {
        s_perThread = 1;
        int seen = -1;
        var t = new Thread(() =>
        {
            seen = s_perThread;
            s_perThread = 2;
        });
        t.Start();
        t.Join();
        Assert.Equal(0, seen);
        Assert.Equal(1, s_perThread);
        using var local = new ThreadLocal<string>(() => $"made on {Environment.CurrentManagedThreadId}");
        string mine = local.Value!;
        string other = "";
        var u = new Thread(() => other = local.Value!);
        u.Start();
        u.Join();
        Assert.NotEqual(mine, other);
    }

    [Fact]
    public void Iterators_and_pattern_matching()
    {
        static IEnumerable<int> Fibonacci()
        {
            (int a, int b) = (0, 1);
            while (true)
            {
                yield return a;
                (a, b) = (b, a + b);
            }
        }
        Assert.Equal([0, 1, 1, 2, 3, 5, 8, 13], Fibonacci().Take(8).ToArray());
        static string Kind(object? o) => o switch
        {
            null => "null",
            int and > 10 => "big",
            int n => $"int {n}",
            string { Length: 0 } => "empty",
            int[] and [1, .., 3] => "list",
            _ => "other",
        };
        Assert.Equal("null big int 3 empty other list", string.Join(' ', new object?[] { null, 11, 3, "", 2.0, new[] { 1, 2, 3 } }.Select(Kind)));
    }

    [Fact]
    public unsafe void Spans_and_stackalloc()
    {
        Span<int> numbers = stackalloc int[100];
        for (int i = 0; i < numbers.Length; i++)
        {
            numbers[i] = 100 - i;
        }
        numbers.Sort();
        Assert.Equal(1, numbers[0]);
        Assert.Equal(100, numbers[^1]);
        byte[] bytes = new byte[1000];
        new Random(1).NextBytes(bytes);
        for (int length = 0; length < 300; length += 7)
        {
            for (int shift = 0; shift < 5; shift++)
            {
                byte[] expected = (byte[])bytes.Clone();
                byte[] moved = (byte[])bytes.Clone();
                for (int i = length - 1; i >= 0; i--)
                {
                    expected[10 + shift + i] = bytes[10 + i];
                }
                moved.AsSpan(10, length).CopyTo(moved.AsSpan(10 + shift));
                Assert.True(expected.AsSpan().SequenceEqual(moved));
            }
        }
    }

    [AttributeUsage(AttributeTargets.All)]
    private sealed class MarkAttribute(string text) : Attribute
    {
        public string Text => text;
    }

    [Mark("type")]
    private sealed class Reflected
    {
        public int Number { get; set; } = 3;

        public string Join(string a, int b) => $"{a}{b}{Number}";
    }

    [Fact]
    public void Reflection_over_what_the_image_holds()
    {
        Type type = typeof(Reflected);
        Assert.Equal("type", type.GetCustomAttribute<MarkAttribute>()!.Text);
        object instance = Activator.CreateInstance(type)!;
        type.GetProperty("Number")!.SetValue(instance, 9);
        Assert.Equal("x59", type.GetMethod("Join")!.Invoke(instance, ["x", 5]));
        Assert.Contains("Number", type.GetProperties().Select(p => p.Name));
        Assert.Equal("System.Collections.Generic.Dictionary`2[System.String,System.Int32]",
            typeof(Dictionary<string, int>).ToString());
        Assert.True(typeof(IEnumerable<int>).IsAssignableFrom(typeof(List<int>)));
    }
}
