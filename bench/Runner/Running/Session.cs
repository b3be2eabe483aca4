// The measuring itself: for every target, row and number of cores, Go and ours in turn, each run in a fresh process.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Unikernel.Bench.Runner.Reports;
using Unikernel.Bench.Runner.Results;
using Unikernel.Bench.Runner.Targets;

namespace Unikernel.Bench.Runner.Running;

internal sealed class Session(Options options, IProgressDisplay progress, CancellationToken cancel)
{
    private static readonly Side[] s_sides = [Side.Go, Side.Ours];

    private readonly List<RowFigures> _figures = [];

    /// <summary>Cancelled, it returns what there is.</summary>
    public async Task<IReadOnlyList<ReportRow>> Measure(IReadOnlyCollection<Target> targets)
    {
        try
        {
            foreach (Target target in targets)
            {
                foreach (string row in options.Rows)
                {
                    foreach (int procs in options.Procs)
                    {
                        await Measure(target, row, procs).ConfigureAwait(false);
                    }
                }
            }
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // The row it happened in has been added and may hold figures.
        }

        return RowFigures.ToReport(_figures);
    }

    private async Task Measure(Target target, string row, int procs)
    {
        SideFigures Of(Side side) => new() { Missing = target.Program(side).Missing is not null };

        var figures = new RowFigures(target.Name, row, procs)
        {
            NotRun = target.Refuses(row),
            Go = Of(Side.Go),
            Ours = Of(Side.Ours),
        };
        _figures.Add(figures);
        string title = string.Create(CultureInfo.InvariantCulture, $"{target.Name} {row}, procs {procs}");
        Dictionary<Side, IRowRuns> runs = s_sides
            .Where(s => figures.NotRun is null && !figures[s].Missing)
            .ToDictionary(s => s, s => RowRuns.Of(target.Command(s, row, procs)));
        try
        {
            for (int rep = 1; rep <= options.Reps; rep++)
            {
                progress.Step($"{title}, {rep} of {options.Reps}");
                foreach ((Side side, IRowRuns run) in runs.Where(r => !figures[r.Key].Decided))
                {
                    figures[side].Add(await run.Run(cancel).ConfigureAwait(false));
                }
            }
        }
        finally
        {
            foreach (IRowRuns run in runs.Values)
            {
                await run.DisposeAsync().ConfigureAwait(false);
            }
        }

        progress.Done([.. RowFigures.ToReport([figures])]);
    }
}
