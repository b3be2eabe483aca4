// What is seen while it runs, on standard error: a bar at a terminal, a line per finished row elsewhere.
using System;
using System.Collections.Generic;
using System.IO;
using System.Threading.Tasks;
using Spectre.Console;
using Unikernel.Bench.Runner.Results;

namespace Unikernel.Bench.Runner.Reports;

internal interface IProgressDisplay
{
    /// <summary>One repetition of one row begins.</summary>
    void Step(string what);

    /// <summary>All repetitions of a row, with one number of cores, are done.</summary>
    void Done(IReadOnlyList<ReportRow> rows);
}

internal sealed class PlainProgress(TextWriter error) : IProgressDisplay
{
    public void Step(string what)
    {
    }

    public void Done(IReadOnlyList<ReportRow> rows)
    {
        foreach (ReportRow row in rows)
        {
            error.WriteLine(string.Join("  ", TableText.Cells(row)).TrimEnd());
        }
    }
}

internal sealed class BarProgress(ProgressTask task) : IProgressDisplay
{
    private bool _begun;

    public void Step(string what)
    {
        task.Increment(_begun ? 1 : 0);
        _begun = true;
        task.Description = Markup.Escape(what);
    }

    public void Done(IReadOnlyList<ReportRow> rows)
    {
    }

    /// <summary>Shows a bar of so many steps while <paramref name="work"/> runs.</summary>
    public static Task<T> Show<T>(int steps, Func<IProgressDisplay, Task<T>> work)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        return console.Progress().AutoClear(true)
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .StartAsync(context => work(new BarProgress(context.AddTask("starting", maxValue: steps))));
    }
}
