// The class library proper. Shared with stock .NET.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using System.Numerics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;
using Xunit;

namespace Unikernel.Tests.Bcl;

public record Person(string Name, int Age, string[] Tags);

[JsonSerializable(typeof(Person))]
[JsonSerializable(typeof(Dictionary<string, double>))]
public partial class Json : JsonSerializerContext;

public partial class LibraryTests
{
    [Fact]
    public void Strings_and_formatting()
    {
        CultureInfo c = CultureInfo.InvariantCulture;
        Assert.Equal("1,234,567.89|0x00FF|  right|left  |5.0E+003", string.Create(c, $"{1234567.891:N2}|0x{255:X4}|{"right",7}|{"left",-6}|{5000.0:E1}"));
        Assert.Equal("0.1 1E+300 -0 NaN 3.4028235E+38", string.Join(' ', 0.1.ToString(c), 1e300.ToString(c), (-0.0).ToString(c), double.NaN.ToString(c), float.MaxValue.ToString(c)));
        Assert.Equal(Math.PI, double.Parse(Math.PI.ToString("R", c), c));
        Assert.Equal("79228162514264337593543950335", decimal.MaxValue.ToString(c));
        Assert.Equal(["a", "b", "", "c"], "a,b,,c".Split(','));
        Assert.Equal("ÄÖÜ straße", "äöü".ToUpperInvariant() + " straße");
        Assert.Equal("h\u00e9llo \U0001F600", Encoding.UTF8.GetString(Encoding.UTF8.GetBytes("h\u00e9llo \U0001F600")));
        Assert.True(string.Compare("apple", "Banana", StringComparison.OrdinalIgnoreCase) < 0);
        Assert.Equal("c-b-a", string.Join('-', "abc".Reverse()));
        var sb = new StringBuilder();
        for (int i = 0; i < 10_000; i++)
        {
            sb.Append(i % 10);
        }
        Assert.Equal(10_000, sb.Length);
        Assert.Equal(45_000, sb.ToString().Sum(d => d - '0'));
    }

    [Theory]
    [InlineData(2.0, 0.5, 1.4142135623730951)]
    [InlineData(10.0, -3.0, 0.001)]
    [InlineData(1.1, 10.0, 2.5937424601000023)]
    public void Math_pow(double x, double y, double expected) => Assert.Equal(expected, Math.Pow(x, y), 1e-15 * expected * 4);

    [Fact]
    public void Math_functions()
    {
        Assert.Equal(0.8414709848078965, Math.Sin(1), 15);
        Assert.Equal(0.5403023058681398, Math.Cos(1), 15);
        Assert.Equal(1.5574077246549023, Math.Tan(1), 15);
        Assert.Equal(0.7853981633974483, Math.Atan(1), 15);
        Assert.Equal(Math.E, Math.Exp(1), 15);
        Assert.Equal(2.302585092994046, Math.Log(10), 15);
        Assert.Equal(1.5, 5.5 % 2);
        Assert.Equal(-3, Math.Floor(-2.5));
        Assert.Equal(2, Math.Round(2.5));
        Assert.Equal(3, Math.Sqrt(9));
    }

    [Fact]
    public void Collections()
    {
        var d = new Dictionary<string, int>();
        for (int i = 0; i < 5000; i++)
        {
            d[$"key{i}"] = i;
        }
        for (int i = 0; i < 5000; i += 2)
        {
            Assert.True(d.Remove($"key{i}"));
        }
        Assert.Equal(2500, d.Count);
        Assert.Equal(4999, d["key4999"]);
        var sorted = new SortedDictionary<int, string>(Enumerable.Range(0, 100).ToDictionary(i => (i * 37) % 101, i => $"{i}"));
        Assert.Equal(sorted.Keys.Order(), sorted.Keys);
        var queue = new PriorityQueue<string, int>([("c", 3), ("a", 1), ("b", 2)]);
        Assert.Equal("abc", queue.Dequeue() + queue.Dequeue() + queue.Dequeue());
        Assert.Equal(3, new HashSet<int> { 1, 2, 2, 3, 1 }.Count);
        var list = new LinkedList<int>([1, 2, 3]);
        list.AddAfter(list.First!, 9);
        Assert.Equal([1, 9, 2, 3], list.ToArray());
        int[] shuffled = [.. Enumerable.Range(0, 1000)];
        new Random(7).Shuffle(shuffled);
        Array.Sort(shuffled);
        Assert.Equal(500, Array.BinarySearch(shuffled, 500));
    }

    [Fact]
    public void Linq()
    {
        var words = "the quick brown fox jumps over the lazy dog the end".Split(' ');
        var counts = words.GroupBy(w => w).OrderByDescending(g => g.Count()).ThenBy(g => g.Key).Select(g => $"{g.Key}={g.Count()}").ToList();
        Assert.Equal("the=3", counts[0]);
        Assert.Equal("brown=1", counts[1]);
        var joined = from a in Enumerable.Range(1, 5)
                     join b in Enumerable.Range(3, 5) on a equals b
                     select a * b;
        Assert.Equal([9, 16, 25], joined.ToArray());
        Assert.Equal((1, 55), Enumerable.Range(1, 10).Aggregate((Low: 1, Sum: 0), (acc, x) => (acc.Low, acc.Sum + x)));
        Assert.Equal([[1, 2], [3, 4], [5]], Enumerable.Range(1, 5).Chunk(2).ToArray());
    }

    [Fact]
    public void Big_numbers()
    {
        BigInteger factorial = Enumerable.Range(1, 50).Aggregate(BigInteger.One, (a, b) => a * b);
        Assert.Equal("30414093201713378043612608166064768844377641568960512000000000000", factorial.ToString(CultureInfo.InvariantCulture));
        Assert.Equal(BigInteger.Parse("1267650600228229401496703205376", CultureInfo.InvariantCulture), BigInteger.Pow(2, 100));
        Assert.Equal(UInt128.MaxValue, (UInt128.One << 127) + ((UInt128.One << 127) - 1));
        Assert.True(Vector.IsHardwareAccelerated);
    }

    [GeneratedRegex(@"(?<year>\d{4})-(?<month>\d\d)")]
    private static partial Regex Dates();

    [Fact]
    public void Regular_expressions()
    {
        Match m = Regex.Match("in 2026-11 we", @"(\d+)-(\d+)");
        Assert.Equal("2026/11", $"{m.Groups[1].Value}/{m.Groups[2].Value}");
        Assert.Equal("11", Dates().Match("2026-11-23").Groups["month"].Value);
        Assert.Equal("a.b.c", Regex.Replace("a--b---c", "-+", "."));
        Assert.Equal(3, Regex.Count("foo bar baz", @"\b[fb]\w+"));
        Assert.Throws<RegexParseException>(() => new Regex("(unclosed"));
    }

    [Fact]
    public void Json_source_generated()
    {
        var p = new Person("Ada", 36, ["math", "engines"]);
        string text = JsonSerializer.Serialize(p, Json.Default.Person);
        Assert.Equal("""{"Name":"Ada","Age":36,"Tags":["math","engines"]}""", text);
        Person back = JsonSerializer.Deserialize(text, Json.Default.Person)!;
        Assert.Equal(p.Tags, back.Tags);
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize("{\"Age\":", Json.Default.Person));
        using var document = JsonDocument.Parse("""{"a":[1,2,{"b":null}]}""");
        Assert.Equal(JsonValueKind.Null, document.RootElement.GetProperty("a")[2].GetProperty("b").ValueKind);
    }

    [Fact]
    public void Dates_and_clocks()
    {
        Assert.InRange(DateTime.UtcNow.Year, 2024, 2100);
        Assert.Equal(DayOfWeek.Monday, new DateTime(2026, 11, 23).DayOfWeek);
        Assert.Equal("2024-02-29T12:00:00.0000000Z", new DateTime(2024, 2, 29, 12, 0, 0, DateTimeKind.Utc).ToString("O", CultureInfo.InvariantCulture));
        Assert.Equal(TimeSpan.FromDays(366), new DateTime(2025, 1, 1) - new DateTime(2024, 1, 1));
        long a = Stopwatch.GetTimestamp();
        long b = Stopwatch.GetTimestamp();
        Assert.True(b >= a);
        Assert.True(Stopwatch.Frequency >= 1_000_000);
        Assert.NotEqual(Guid.NewGuid(), Guid.NewGuid());
        Assert.Equal(new Random(42).Next(), new Random(42).Next());
    }

    [Fact]
    public void Locks_and_threads()
    {
        object gate = new();
        int counter = 0;
        Thread[] threads = [.. Enumerable.Range(0, 8).Select(_ => new Thread(() =>
        {
            for (int i = 0; i < 200; i++)
            {
                lock (gate)
                {
                    int seen = counter;
                    if (i % 50 == 0)
                    {
                        Thread.Yield();
                    }
                    counter = seen + 1;
                }
            }
        }))];
        foreach (Thread t in threads)
        {
            t.Start();
        }
        foreach (Thread t in threads)
        {
            t.Join();
        }
        Assert.Equal(1600, counter);
        Assert.Throws<SynchronizationLockException>(() => Monitor.Exit(gate));
    }

    [Fact]
    public void Monitor_wait_and_pulse()
    {
        var box = new Queue<int>();
        int sum = 0;
        var consumer = new Thread(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                lock (box)
                {
                    while (box.Count == 0)
                    {
                        Monitor.Wait(box);
                    }
                    sum += box.Dequeue();
                }
            }
        });
        consumer.Start();
        for (int i = 1; i <= 100; i++)
        {
            lock (box)
            {
                box.Enqueue(i);
                Monitor.Pulse(box);
            }
        }
        consumer.Join();
        Assert.Equal(5050, sum);
        lock (box)
        {
            Assert.False(Monitor.Wait(box, 5));
        }
    }

    [Fact]
    public async Task Tasks_and_async()
    {
        int[] results = await Task.WhenAll(Enumerable.Range(0, 20).Select(async i =>
        {
            await Task.Delay(i % 5);
            return i * i;
        }));
        Assert.Equal(2470, results.Sum());
        using var cancel = new CancellationTokenSource();
        Task never = Task.Delay(Timeout.Infinite, cancel.Token);
        cancel.Cancel();
        await Assert.ThrowsAsync<TaskCanceledException>(() => never);
        using var semaphore = new SemaphoreSlim(0);
        Task<bool> wait = semaphore.WaitAsync(TimeSpan.FromSeconds(30));
        semaphore.Release();
        Assert.True(await wait);
        var bag = new ConcurrentDictionary<int, int>();
        Parallel.For(0, 100, i => bag[i] = i);
        Assert.Equal(4950, bag.Values.Sum());
        var source = new TaskCompletionSource<string>();
        using var timer = new Timer(_ => source.TrySetResult("ticked"), null, 3, Timeout.Infinite);
        Assert.Equal("ticked", await source.Task);
    }
}
