// The runs of one row on one side, with one number of cores.
using System;
using System.Collections.Generic;
using System.Linq;
using Unikernel.Bench.Runner.Running;

namespace Unikernel.Bench.Runner.Results;

internal sealed record Metric(string Name, Kind Kind, string Unit);

internal sealed class SideFigures
{
    private readonly List<RunResult> _runs = [];

    private const int EnoughFailures = 2;

    /// <summary>Another run would only say the same, or wait as long.</summary>
    public bool Decided => Missing || _runs.Exists(r => r.Outcome is Outcome.Skipped or Outcome.TimedOut)
        || (_runs.Count >= EnoughFailures && _runs.TrueForAll(r => r.Outcome == Outcome.Failed && r.Reason == _runs[0].Reason));

    /// <summary>In the order printed.</summary>
    public IEnumerable<Metric> Metrics =>
        _runs.SelectMany(r => r.Rows).Select(r => new Metric(r.Metric, r.Kind, r.Unit)).Distinct();

    /// <summary>There is no program to run.</summary>
    public bool Missing { get; init; }

    public void Add(RunResult run) => _runs.Add(run);

    public Summary? Summary(Metric metric) =>
        Results.Summary.Of([.. _runs.SelectMany(r => r.Rows)
            .Where(r => r.Metric == metric.Name && r.Kind == metric.Kind && r.Unit == metric.Unit)
            .Select(r => r.Value)]);

    /// <summary>What a reader must know: why figures are missing, and of how many runs.</summary>
    /// <param name="metric">Null for the row as such.</param>
    public string? Note(Metric? metric)
    {
        if (Missing)
        {
            return "missing";
        }

        RunResult? odd = _runs.Find(r => r.Reason is not null);
        if (odd is null)
        {
            return metric is null || _runs.Count == 0 || Metrics.Contains(metric) ? null : "no such figure";
        }

        int count = _runs.Count(r => r.Reason is not null);
        string runs = count == _runs.Count ? "" : $" ({count} of {_runs.Count} runs)";
        return odd.Outcome == Outcome.Failed ? $"failed: {odd.Reason}{runs}" : odd.Reason + runs;
    }
}
