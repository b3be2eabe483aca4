// The text of `ps` and `mpg`: never wider than the screen, and true to what it was given.
using System;
using System.Collections.Generic;
using System.Linq;
using CsCheck;
using Unikernel.Samples;
using Xunit;

namespace Unikernel.Tests.Shell;

public class SchedulerTextTests
{
    private static CoreInfo Core(int id, long goroutine = 0, CoreActivity activity = CoreActivity.Idle, int queue = 0, long next = 0) =>
        new(id, goroutine == 0 ? activity : CoreActivity.Running, goroutine,
            goroutine == 0 ? "" : "Unikernel.Samples.Sieve.Filter", goroutine == 0 ? "" : "sieve/Sieve.cs:42",
            TimeSpan.FromMilliseconds(12), next, queue, 1, 7);

    private static SchedulerInfo Info(IReadOnlyList<CoreInfo> cores, params GoroutineInfo[] goroutines) => new(cores, goroutines)
    {
        GoroutineCount = goroutines.Length,
        GoMaxProcs = cores.Count,
        Time = TimeSpan.FromSeconds(75),
        Waiting = [("chan receive", 2), ("sleep", 1)],
        NextTimer = TimeSpan.FromMilliseconds(3),
    };

    [Fact]
    public void Picture_of_two_cores()
    {
        SchedulerInfo info = Info([Core(0, goroutine: 12, queue: 5, next: 9), Core(1)]);
        Assert.Equal(
            """
            Go's M:P:G on 2 cores, GOMAXPROCS 2, up 75.0 s
            ┌─ M0 ────────────┐ ┌─ M1 ────────────┐
            │ ● running       │ │ ○ idle          │
            │ G12       12 ms │ │                 │
            │ Sieve.Filter    │ │                 │
            │ Sieve.cs:42     │ │                 │
            ├─ P0 ────────────┤ ├─ P1 ────────────┤
            │ next  G9        │ │ next  -         │
            │ queue   5 ■■    │ │ queue   0       │
            │ timers 1        │ │ timers 1        │
            └─────────────────┘ └─────────────────┘
            global queue      0         next timer in 3 ms
            goroutines        0         1 running, 0 runnable, 3 waiting
            waiting           3: chan receive 2, sleep 1
            """.ReplaceLineEndings("\n"),
            string.Join('\n', SchedulerText.Picture(info, isColored: false)));
    }

    [Fact]
    public void Table_says_what_each_goroutine_does_and_how_many_are_not_listed()
    {
        var info = new SchedulerInfo([Core(0)],
        [
            new(1, "running", false, TimeSpan.FromSeconds(2), 0, "A.B.Main", "x/Main.cs:1", 4096),
            new(2, "chan receive (nil chan)", true, TimeSpan.FromMinutes(3), -1, "A.Very.LongTypeName.AndALongMethodName", "x/LongTypeName.cs:123", 4096),
            new(3, "runnable", false, TimeSpan.FromMilliseconds(4), 12, "", "x/Main.cs:9", 4096),
        ])
        { GoroutineCount = 10 };
        Assert.Equal(
            """
                 ID  STATE, OR WAITS FOR        AGE  ON   IN
                  1  running                  2.0 s  M0   B.Main Main.cs:1
                  2  chan receive (nil chan)  3 min  -    AndALongMeth… LongTypeName.cs:123
                  3  runnable                  4 ms  P12  new at Main.cs:9
                    and 7 more
            """.ReplaceLineEndings("\n"),
            string.Join('\n', SchedulerText.Table(info)));
    }

    private static readonly Gen<GoroutineInfo> s_goroutines = Gen.Select(
        Gen.Long[1, 1_000_000], Gen.String[Gen.Char['a', 'z'], 0, 40], Gen.Bool, Gen.Long[0, long.MaxValue / 200], Gen.Int[-1, 63], Gen.String[Gen.Char['.', 'z'], 0, 60],
        (id, state, waits, ticks, core, place) => new GoroutineInfo(id, state, waits, TimeSpan.FromTicks(ticks), core, place, place, 1));

    [Fact]
    public void No_line_is_wider_than_the_screen() => Gen.Select(
        Gen.Int[1, 64], s_goroutines.Array[0, 20], Gen.Int[0, 1_000_000], Gen.Enum<CoreActivity>()).Sample((cores, goroutines, queue, activity) =>
    {
        CoreInfo[] all = [.. Enumerable.Range(0, cores).Select(i => new CoreInfo(
            i, activity, i < goroutines.Length ? goroutines[i].Id : 0, i < goroutines.Length ? goroutines[i].Function : "",
            i < goroutines.Length ? goroutines[i].Location : "", i < goroutines.Length ? goroutines[i].Age : default, queue, queue % 1000, queue % 1000, 1))];
        SchedulerInfo info = Info(all, goroutines);
        return SchedulerText.Picture(info, isColored: false).Concat(SchedulerText.Table(info)).All(line => line.Length <= SchedulerText.Columns);
    });

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(64)]
    public void Every_core_is_drawn(int cores)
    {
        SchedulerInfo info = Info([.. Enumerable.Range(0, cores).Select(i => Core(i, goroutine: 1000 + i))]);
        string picture = string.Join('\n', SchedulerText.Picture(info, isColored: false));
        Assert.All(info.Cores, c => Assert.Contains($"{c.Goroutine} ", picture));
    }

    [Fact]
    public void Colours_change_nothing_but_colours()
    {
        SchedulerInfo info = Info([Core(0, goroutine: 1), Core(1), Core(2, activity: CoreActivity.Spinning)]);
        string colored = string.Join('\n', SchedulerText.Picture(info, isColored: true));
        Assert.Contains("\e[32m", colored);
        string plain = System.Text.RegularExpressions.Regex.Replace(colored, "\e\\[\\d+m", "");
        Assert.Equal(string.Join('\n', SchedulerText.Picture(info, isColored: false)), plain);
    }

    [Theory]
    [InlineData(0, "0 ms")]
    [InlineData(0.9994, "999 ms")]
    [InlineData(0.9999, "1.0 s")]
    [InlineData(99.94, "99.9 s")]
    [InlineData(100, "2 min")]
    [InlineData(5969, "99 min")]
    [InlineData(7200, "2 h")]
    [InlineData(400_000, "5 d")]
    [InlineData(1e10, "9999 d")]
    public void Ages(double seconds, string text) => Assert.Equal(text, SchedulerText.Age(TimeSpan.FromSeconds(seconds)));

    [Theory]
    [InlineData("A.B.C", "B.C")]
    [InlineData("B.C", "B.C")]
    [InlineData("C", "C")]
    [InlineData("", "")]
    [InlineData("N.T<A.B>.M", "T<A.B>.M")]
    [InlineData("N.T.M<A.B>", "T.M<A.B>")]
    public void Short_names(string name, string text) => Assert.Equal(text, SchedulerText.Short(name));
}
