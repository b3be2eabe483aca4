// The ratios as a chart: one bar a row from the line at 1, on a logarithmic axis.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using ScottPlot;
using Unikernel.Bench.Runner.Results;

namespace Unikernel.Bench.Runner.Reports;

internal static partial class RatioPlot
{
    private const int Width = 1000;
    private const int HeightPerBar = 20;
    private const int HeightOfRest = 130;

    private static readonly string[] s_typefaces = ["Noto Sans", "Open Sans", "Liberation Sans", "DejaVu Sans"];

    // Apart from each other for the colour-blind too.
    private static readonly Color s_ahead = Color.FromHex("#2878b5");
    private static readonly Color s_behind = Color.FromHex("#d9772b");

    /// <summary>False if no row has a ratio: then nothing is drawn.</summary>
    public static bool Write(Report report, string file)
    {
        ReportRow[] rows = [.. report.Rows.Where(r => r.Ratio is > 0)];
        if (rows.Length == 0)
        {
            return false;
        }

        using Plot plot = Draw(report, rows);
        int height = (rows.Length * HeightPerBar) + HeightOfRest;
        if (Path.GetExtension(file) == ".svg")
        {
            File.WriteAllText(file, Portable(plot.GetSvgXml(Width, height)));
        }
        else
        {
            plot.SavePng(file, Width, height);
        }

        return true;
    }

    private static Plot Draw(Report report, ReportRow[] rows)
    {
        var plot = new Plot();
        Typeface(plot);
        plot.Add.Bars(rows.Select((row, i) => Bar(row, rows.Length - 1 - i)).ToArray()).Horizontal = true;
        double[] logs = [.. rows.Select(r => Math.Log10(r.Ratio!.Value))];
        // Room for the labels at the bars' ends.
        double low = Math.Min(logs.Min(), 0);
        double high = Math.Max(logs.Max(), 0);
        double room = Math.Max((high - low) * 0.12, 0.05);
        low -= room;
        high += room;

        plot.Add.VerticalLine(0, 1.5f, Colors.Black);
        plot.Axes.SetLimits(low, high, -0.8, rows.Length - 0.2);
        plot.Axes.Left.SetTicks([.. rows.Select((_, i) => (double)(rows.Length - 1 - i))], Labels(rows));
        double[] ticks = [.. Ticks(Math.Pow(10, low), Math.Pow(10, high))];
        plot.Axes.Bottom.SetTicks([.. ticks.Select(Math.Log10)], [.. ticks.Select(t => t.ToString("G", CultureInfo.InvariantCulture))]);
        plot.Axes.Left.MajorTickStyle.Length = 0;
        plot.Axes.Right.FrameLineStyle.IsVisible = false;
        plot.Axes.Top.FrameLineStyle.IsVisible = false;
        plot.Grid.YAxisStyle.IsVisible = false;
        plot.Grid.MajorLineColor = Colors.Black.WithAlpha(0.15);

        plot.Title("Unikernel's cost in terms of Go's (median; left of 1 Unikernel is ahead)", 16);
        plot.XLabel($"×N: on N cores. {report.Cpu}, {report.Machine.Cores} cores, {report.Date[..10]}", 12);
        return plot;
    }

    // A sans-serif typeface that is there; without any the plot's default stays.
    private static void Typeface(Plot plot)
    {
        string[] there = [.. SkiaSharp.SKFontManager.Default.FontFamilies];
        if (Array.Find(s_typefaces, f => there.Contains(f, StringComparer.Ordinal)) is { } found)
        {
            plot.Font.Set(found);
        }
    }

    private static Bar Bar(ReportRow row, double position)
    {
        double ratio = row.Ratio!.Value;
        return new Bar
        {
            Position = position,
            Value = Math.Log10(ratio),
            FillColor = ratio <= 1 ? s_ahead : s_behind,
            LineWidth = 0,
            Size = 0.75,
            Label = TableText.Ratio(ratio),
        };
    }

    // Skia ends lists of coordinates with a comma, which readers may refuse, and names no typeface to fall back on.
    private static string Portable(string svg) =>
        Typefaces().Replace(svg.Replace(", \"", "\"", StringComparison.Ordinal), "font-family=\"$1, sans-serif\"");

    [GeneratedRegex("font-family=\"([^\"]*)\"")]
    private static partial Regex Typefaces();

    /// <summary>What the rows do not have in common.</summary>
    private static string[] Labels(ReportRow[] rows)
    {
        bool targets = rows.Select(r => r.Target).Distinct().Skip(1).Any();
        return [.. rows.Select(r => $"{r.Name}{(targets ? " " + r.Target : "")} ×{r.Procs}")];
    }

    private static IEnumerable<double> Ticks(double low, double high)
    {
        double[] steps = high / low > 30000 ? [1] : high / low > 4 ? [1, 2, 5] : [1, 1.2, 1.5, 2, 3, 4, 5, 6, 7, 8, 9];
        for (int exponent = (int)Math.Floor(Math.Log10(low)); exponent <= Math.Log10(high); exponent++)
        {
            foreach (double step in steps)
            {
                double tick = Math.Round(step * Math.Pow(10, exponent), 12);
                if (tick >= low && tick <= high)
                {
                    yield return tick;
                }
            }
        }
    }
}
