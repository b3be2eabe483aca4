// The table's cells as text, and the facts under it: the same on the terminal and in Markdown.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using Unikernel.Bench.Runner.Results;

namespace Unikernel.Bench.Runner.Reports;

internal static class TableText
{
    private const string Nothing = "–";

    public static readonly IReadOnlyList<string> Heads = ["row", "target", "procs", "unit", "Go", "ours", "ours/Go", "note"];

    /// <summary>Which columns hold figures and so align to the right.</summary>
    public static bool IsFigure(int column) => column is 2 or 4 or 5 or 6;

    public static IReadOnlyList<string> Cells(ReportRow row) =>
    [
        row.Name, row.Target, row.Procs.ToString(CultureInfo.InvariantCulture), row.Unit ?? Nothing, Figure(row.Go), Figure(row.Ours),
        row.Ratio is { } ratio ? Ratio(ratio) : Nothing, row.Note,
    ];

    /// <summary>The median, and the least and the greatest where they differ from it.</summary>
    public static string Figure(Summary? summary) => summary switch
    {
        null => Nothing,
        _ when summary.Min == summary.Max => Number(summary.Median),
        _ => $"{Number(summary.Median)} ({Number(summary.Min)}–{Number(summary.Max)})",
    };

    /// <summary>Three significant digits, or all of a larger number's.</summary>
    public static string Number(double value) => value switch
    {
        0 => "0",
        >= 99.95 => value.ToString("N0", CultureInfo.InvariantCulture),
        >= 9.995 => value.ToString("F1", CultureInfo.InvariantCulture),
        >= 1 => value.ToString("F2", CultureInfo.InvariantCulture),
        _ => value.ToString("G3", CultureInfo.InvariantCulture),
    };

    public static string Ratio(double ratio) => ratio switch
    {
        >= 9.995 => Number(ratio),
        >= 0.0995 => ratio.ToString("F2", CultureInfo.InvariantCulture),
        _ => ratio.ToString("G2", CultureInfo.InvariantCulture),
    };

    /// <summary>Where and when it was measured, and what holds for all of it.</summary>
    public static IReadOnlyList<string> Facts(Report report)
    {
        Versions v = report.Versions;
        string?[] versions =
        [
            v.Go, $".NET {v.Dotnet}", $"ILC {v.Ilc}", v.Qemu, report.Machine.Accelerator is { } a ? $"accelerator {a}" : null,
            v.GuestLinux is { } linux ? $"Go in QEMU on {linux}" : null,
        ];
        return
        [
            "ours/Go is a cost: below 1 ours is ahead (for a rate it is Go's divided by ours). Figures: median (min–max).",
            string.Create(CultureInfo.InvariantCulture, $"{report.Cpu}, {report.Machine.Cores} cores, {report.Machine.Kernel}"),
            string.Join(", ", versions.Where(t => t is not null)),
            $"{report.Date}, commit {v.Commit}",
            .. report.Remarks,
        ];
    }
}
