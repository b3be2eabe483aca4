// The scheduler as text for a terminal of 80 columns: the table of `ps` and the picture of `mpg`. Pure.
//
// No line is wider than Columns; what does not fit is cut and ends in an ellipsis.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace Unikernel.Samples;

/// <summary>Formats what <see cref="Go.Snapshot"/> gives.</summary>
internal static class SchedulerText
{
    /// <summary>The widest line.</summary>
    public const int Columns = 79;

    private const int BoxesInARow = 4;
    private const int MaxBoxes = 8;
    private const int BoxWidth = 15;                // of the text in it
    private const int MaxBar = 5;
    private const string NoneShown = "-";

    private const string Plain = "\e[0m";
    private const string Green = "\e[32m";
    private const string Yellow = "\e[33m";
    private const string Dim = "\e[2m";

    /// <summary>A line per goroutine, under a heading; the last line says how many are not listed, if any.</summary>
    public static List<string> Table(SchedulerInfo info)
    {
        var lines = new List<string> { $"{"ID",7}  {"STATE, OR WAITS FOR",-23} {"AGE",6}  {"ON",-3}  IN" };
        foreach (GoroutineInfo g in info.Goroutines)
        {
            string core = g.Core < 0 ? NoneShown : (g.State == "running" ? "M" : "P") + Number(g.Core);
            string line = $"{Number(g.Id),7}  {Cut(g.State, 23),-23} {Age(g.Age),6}  {core,-3}  ";
            lines.Add(line + Place(g.Function, g.Location, Columns - line.Length));
        }

        int hidden = info.GoroutineCount - info.Goroutines.Count;
        if (hidden > 0)
        {
            lines.Add($"        and {Number(hidden)} more");
        }

        return lines;
    }

    /// <summary>Cores with their Ps as boxes (more than eight: a line each), then what belongs to all.</summary>
    /// <param name="info">What to draw.</param>
    /// <param name="isColored">With ANSI colours.</param>
    public static List<string> Picture(SchedulerInfo info, bool isColored)
    {
        var lines = new List<string>
        {
            $"Go's M:P:G on {Number(info.Cores.Count)} {(info.Cores.Count == 1 ? "core" : "cores")}, GOMAXPROCS {Number(info.GoMaxProcs)}, up {Age(info.Time)}",
        };
        if (info.Cores.Count > MaxBoxes)
        {
            AddRows(lines, info, isColored);
        }
        else
        {
            for (int first = 0; first < info.Cores.Count; first += BoxesInARow)
            {
                AddBoxes(lines, info, first, Math.Min(info.Cores.Count, first + BoxesInARow), isColored);
            }
        }

        int running = 0;
        foreach (CoreInfo core in info.Cores)
        {
            running += core.Goroutine != 0 ? 1 : 0;
        }

        int waiting = 0;
        var reasons = new StringBuilder();
        foreach ((string reason, int count) in info.Waiting)
        {
            waiting += count;
            reasons.Append(reasons.Length == 0 ? ": " : ", ").Append(CultureInfo.InvariantCulture, $"{reason} {count}");
        }

        string next = info.NextTimer is { } due ? $"in {Age(due)}" : "none";
        lines.Add(Cut($"global queue {Number(info.GlobalQueueLength),6} {Bar(info.GlobalQueueLength),-MaxBar}   next timer {next}", Columns));
        lines.Add(Cut($"goroutines   {Number(info.GoroutineCount),6}         {Number(running)} running, {Number(info.RunnableCount)} runnable, {Number(waiting)} waiting", Columns));
        lines.Add(Cut($"waiting      {Number(waiting),6}{reasons}", Columns));
        return lines;
    }

    private static void AddBoxes(List<string> lines, SchedulerInfo info, int first, int end, bool isColored)
    {
        string rule = new('─', BoxWidth - 3);
        AddRow(core => $"┌─ {"M" + Number(core.Id) + " ",-3}{rule}┐");
        AddRow(core => Inside(core, Mark(core) + " " + Word(core.Activity)));
        AddRow(core => Inside(core, core.Goroutine == 0 ? "" : $"G{Number(core.Goroutine)} {Age(core.Age),BoxWidth}"));
        AddRow(core => Inside(core, Short(core.Function)));
        AddRow(core => Inside(core, CutLeft(FileOf(core.Location), BoxWidth)));
        AddRow(core => $"├─ {"P" + Number(core.Id) + " ",-3}{rule}┤");
        AddRow(core => Inside(null, $"next  {(core.RunNext == 0 ? NoneShown : "G" + Number(core.RunNext))}"));
        AddRow(core => Inside(null, $"queue {Number(core.QueueLength),3} {Bar(core.QueueLength)}"));
        AddRow(core => Inside(null, $"timers {Number(core.Timers)}"));
        AddRow(_ => $"└{new string('─', BoxWidth + 2)}┘");

        void AddRow(Func<CoreInfo, string> cell)
        {
            var row = new StringBuilder();
            for (int i = first; i < end; i++)
            {
                row.Append(i > first ? " " : "").Append(cell(info.Cores[i]));
            }

            lines.Add(row.ToString());
        }

        string Inside(CoreInfo? core, string text)
        {
            string padded = Squeeze(text).PadRight(BoxWidth);
            return $"│ {(core is { } c ? Colored(padded, c, isColored) : padded)} │";
        }
    }

    // "G12" at the left and its age at the right of a box, whatever their lengths.
    private static string Squeeze(string text)
    {
        int gap = text.IndexOf("  ", StringComparison.Ordinal);
        while (text.Length > BoxWidth && gap >= 0 && gap + 1 < text.Length && text[gap + 1] == ' ')
        {
            text = text.Remove(gap, 1);
        }

        return Cut(text, BoxWidth);
    }

    private static void AddRows(List<string> lines, SchedulerInfo info, bool isColored)
    {
        lines.Add($"{"M:P",4}  {"STATE",-12}{"G",7}  {"FOR",6}  {"NEXT",7}  {"QUEUE",-9}  IN");
        foreach (CoreInfo core in info.Cores)
        {
            string state = (Mark(core) + " " + Word(core.Activity)).PadRight(12);
            string goroutine = core.Goroutine == 0 ? NoneShown : Number(core.Goroutine);
            string age = core.Goroutine == 0 ? "" : Age(core.Age);
            string next = core.RunNext == 0 ? NoneShown : Number(core.RunNext);
            string rest = $"{goroutine,7}  {age,6}  {next,7}  {Number(core.QueueLength),3} {Bar(core.QueueLength),-MaxBar}  ";
            int left = Columns - 6 - state.Length - rest.Length;
            lines.Add($"{Number(core.Id),4}  {Colored(state, core, isColored)}{rest}{Place(core.Function, core.Location, left)}");
        }
    }

    private static string Colored(string text, CoreInfo core, bool isColored)
    {
        string color = core.Activity switch
        {
            CoreActivity.Running => Green,
            CoreActivity.Spinning or CoreActivity.Scheduling => Yellow,
            _ => Dim,
        };
        return isColored ? color + text + Plain : text;
    }

    private static string Mark(CoreInfo core) => core.Activity switch
    {
        CoreActivity.Running => "●",
        CoreActivity.Spinning or CoreActivity.Scheduling => "◌",
        _ => "○",
    };

    private static string Word(CoreActivity activity) => activity switch
    {
        CoreActivity.Running => "running",
        CoreActivity.Scheduling => "scheduling",
        CoreActivity.Spinning => "spinning",
        CoreActivity.Idle => "idle",
        _ => "retired",
    };

    // One square for 1 to 3, two for 4 to 15, … five for 256 and more.
    private static string Bar(int n) => new('■', n <= 0 ? 0 : Math.Min(MaxBar, 1 + (BitOperations.Log2((uint)n) / 2)));

    /// <summary>A duration in at most six characters.</summary>
    internal static string Age(TimeSpan age)
    {
        double s = age.TotalSeconds;
        (double n, string format, string unit) = s switch
        {
            < 0.9995 => (s * 1000, "F0", " ms"),
            < 99.95 => (s, "F1", " s"),
            < 5970 => (s / 60, "F0", " min"),
            < 359_000 => (s / 3600, "F0", " h"),
            _ => (Math.Min(s / 86_400, 9999), "F0", " d"),
        };
        return n.ToString(format, CultureInfo.InvariantCulture) + unit;
    }

    // Method, then file and line. Where that is too long the type goes first, then the method's end.
    private static string Place(string function, string location, int width)
    {
        string file = FileOf(location);
        string method = Short(function);
        if (file.Length == 0 || method.Length == 0)
        {
            return Cut(file.Length == 0 ? method : "new at " + file, width);
        }

        int room = width - file.Length - 1;
        method = method.Length <= room ? method : method[(method.LastIndexOf('.') + 1)..];
        return Cut(room < 4 ? file : Cut(method, room) + " " + file, width);
    }

    /// <summary>A method without its namespace: Type.Method.</summary>
    internal static string Short(string function)
    {
        int depth = 0;
        int dots = 0;
        for (int i = function.Length - 1; i >= 0; i--)
        {
            depth += function[i] switch { '>' or ']' or ')' => 1, '<' or '[' or '(' => -1, _ => 0 };
            if (function[i] == '.' && depth == 0 && ++dots == 2)
            {
                return function[(i + 1)..];
            }
        }

        return function;
    }

    private static string FileOf(string location) => location[(location.LastIndexOf('/') + 1)..];

    private static string Cut(string text, int width) => text.Length <= width ? text : string.Concat(text.AsSpan(0, width - 1), "…");

    private static string CutLeft(string text, int width) => text.Length <= width ? text : string.Concat("…", text.AsSpan(text.Length - width + 1));

    private static string Number(long n) => n.ToString(CultureInfo.InvariantCulture);
}
