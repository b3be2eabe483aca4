// Both sides of one row on one target, with one number of cores; and how they become rows of the report.
using System.Collections.Generic;
using System.Linq;
using Unikernel.Bench.Runner.Running;
using Unikernel.Bench.Runner.Targets;

namespace Unikernel.Bench.Runner.Results;

internal sealed class RowFigures(string target, string row, int procs)
{
    public string Target => target;

    public string Row => row;

    /// <summary>Why neither side was run.</summary>
    public string? NotRun { get; init; }

    public SideFigures Go { get; init; } = new();

    public SideFigures Ours { get; init; } = new();

    public SideFigures this[Side side] => side == Side.Go ? Go : Ours;

    private IEnumerable<Metric> Metrics => Go.Metrics.Concat(Ours.Metrics).Distinct();

    /// <summary>Every row comes out, with figures or without.</summary>
    public static IReadOnlyList<ReportRow> ToReport(IReadOnlyCollection<RowFigures> figures)
    {
        HashSet<(string, string)> several = [.. figures
            .GroupBy(f => (f.Target, f.Row))
            .Where(g => g.SelectMany(f => f.Metrics).DistinctBy(m => m.Name).Skip(1).Any())
            .Select(g => g.Key)];
        return [.. figures.SelectMany(f => f.ToRows(several.Contains((f.Target, f.Row))))];
    }

    private IEnumerable<ReportRow> ToRows(bool several)
    {
        Metric[] metrics = [.. Metrics];
        if (metrics.Length == 0)
        {
            yield return new ReportRow(row, null, target, procs, null, null, null, Note(null));
        }

        foreach (Metric metric in metrics)
        {
            string name = several && metric.Name != ProgramLine.SingleMetric ? $"{row}_{metric.Name}" : row;
            Summary? go = Go.Summary(metric);
            Summary? ours = Ours.Summary(metric);
            yield return new ReportRow(
                name, metric.Unit, target, procs, go, ours, Summary.CostRatio(metric.Kind, go, ours), Note(metric));
        }
    }

    private string Note(Metric? metric)
    {
        if (NotRun is not null)
        {
            return NotRun;
        }

        string?[] notes =
        [
            Go.Note(metric) is { } go ? $"Go: {go}" : null,
            Ours.Note(metric) is { } ours ? $"ours: {ours}" : null,
        ];
        return string.Join("; ", notes.Where(n => n is not null));
    }
}
