// Both sides of one row on one target, with one number of cores; and how they become rows of the report.
using System.Collections.Generic;
using System.Linq;
using Unikernel.Bench.Runner.Running;
using Unikernel.Bench.Runner.Targets;

namespace Unikernel.Bench.Runner.Results;

internal sealed class RowFigures(string target, string row, int procs)
{
    private readonly SideFigures _go = new();
    private readonly SideFigures _ours = new();

    public string Target => target;

    public string Row => row;

    /// <summary>Why neither side was run.</summary>
    public string? NotRun { get; init; }

    public SideFigures this[Side side] => side == Side.Go ? _go : _ours;

    private IEnumerable<Metric> Metrics => _go.Metrics.Concat(_ours.Metrics).Distinct();

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
        string note = string.Join("; ", Notes());
        Metric[] metrics = [.. Metrics];
        if (metrics.Length == 0)
        {
            yield return new ReportRow(row, null, target, procs, null, null, null, note);
        }

        foreach (Metric metric in metrics)
        {
            string name = several && metric.Name != ProgramLine.SingleMetric ? $"{row}_{metric.Name}" : row;
            Summary? go = _go.Summary(metric);
            Summary? ours = _ours.Summary(metric);
            yield return new ReportRow(
                name, metric.Unit, target, procs, go, ours, Summary.CostRatio(metric.Kind, go, ours), note);
        }
    }

    private IEnumerable<string> Notes()
    {
        if (NotRun is not null)
        {
            yield return NotRun;
        }

        if (_go.Note() is { } go)
        {
            yield return $"Go: {go}";
        }

        if (_ours.Note() is { } ours)
        {
            yield return $"ours: {ours}";
        }
    }
}
