// How runs become rows, and rows the JSON that others read.
using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using Unikernel.Bench.Runner.Reports;
using Unikernel.Bench.Runner.Results;
using Unikernel.Bench.Runner.Running;
using Unikernel.Bench.Runner.Targets;
using Xunit;

namespace Unikernel.Tests.Bench;

public class ReportTests
{
    private static RunResult Measured(params (string Metric, Kind Kind, string Unit, double Value)[] figures) =>
        new(Outcome.Measured, null, [.. figures.Select(f => new ProgramLine.Row("x", f.Metric, f.Kind, f.Unit, f.Value))]);

    private static RunResult Time(double ns) => Measured(("-", Kind.Time, "ns", ns));

    private static RowFigures Figures(RunResult[] go, RunResult[] ours, string row = "mutex", int procs = 1)
    {
        var figures = new RowFigures("native", row, procs);
        go.ToList().ForEach(figures[Side.Go].Add);
        ours.ToList().ForEach(figures[Side.Ours].Add);
        return figures;
    }

    private static Report Sample() => new(
        "2026-11-23T22:00:00Z", new Versions("abc", "go version go1.26", "10.0.12", "10.0.12", null, null), "Some | CPU",
        new MachineFacts(2, "Linux 6", null),
        RowFigures.ToReport(
        [
            Figures([Time(100), Time(110), Time(90)], [Time(50), Time(60), Time(70)]),
            Figures([Time(1)], [new RunResult(Outcome.Skipped, "no GC yet", [])], "malloc_16"),
            new RowFigures("native", "boot", 1) { NotRun = "QEMU only" },
        ]),
        []);

    [Fact]
    public void A_single_figure_bears_the_rows_name()
    {
        ReportRow row = Assert.Single(RowFigures.ToReport([Figures([Time(100), Time(110), Time(90)], [Time(50), Time(60), Time(70)])]));
        Assert.Equal(
            new ReportRow("mutex", "ns", "native", 1, new Summary(100, 90, 110, 3), new Summary(60, 50, 70, 3), 0.6, ""), row);
    }

    [Fact]
    public void A_side_is_not_asked_again_when_it_would_say_the_same()
    {
        static bool Decided(params RunResult[] runs)
        {
            var side = new SideFigures();
            Array.ForEach(runs, side.Add);
            return side.Decided;
        }

        RunResult outOfMemory = new(Outcome.Failed, "out of memory", []);
        Assert.False(Decided());
        Assert.False(Decided(Time(1), Time(2)));
        Assert.True(Decided(Time(1), RunResult.Timeout));
        Assert.True(Decided(new RunResult(Outcome.Skipped, "not yet", [])));
        Assert.False(Decided(outOfMemory));
        Assert.True(Decided(outOfMemory, outOfMemory));
        Assert.False(Decided(outOfMemory, new RunResult(Outcome.Failed, "wrong answer", [])));
        Assert.False(Decided(Time(1), outOfMemory, outOfMemory));
    }

    [Fact]
    public void Several_figures_bear_their_metrics_names_on_every_number_of_cores()
    {
        RunResult two = Measured(("time", Kind.Time, "ns", 2), ("heap", Kind.Bytes, "B", 4));
        RunResult one = Measured(("time", Kind.Time, "ns", 1));
        var rows = RowFigures.ToReport([Figures([two], [one], procs: 1), Figures([one], [one], procs: 2), Figures([one], [one], "nbody")]);
        Assert.Equal(
            [("mutex_time", 1, 0.5), ("mutex_heap", 1, null), ("mutex_time", 2, 1), ("nbody", 1, (double?)1)],
            rows.Select(r => (r.Name, r.Procs, r.Ratio)));
    }

    [Fact]
    public void Sides_that_measure_in_different_units_are_not_compared()
    {
        var rows = RowFigures.ToReport([Figures([Time(1)], [Measured(("-", Kind.Time, "us", 1))])]);
        Assert.Equal(["ns", "us"], rows.Select(r => r.Unit));
        Assert.All(rows, r => Assert.Null(r.Ratio));
        Assert.Equal(["ours: no such figure", "Go: no such figure"], rows.Select(r => r.Note));
    }

    [Fact]
    public void A_row_without_figures_stays_and_says_why()
    {
        var failed = new RunResult(Outcome.Failed, "exit code 2: oops", []);
        var late = new RunResult(Outcome.TimedOut, "timeout", []);
        ReportRow row = Assert.Single(RowFigures.ToReport([Figures([failed, failed], [late])]));
        Assert.Equal(
            new ReportRow("mutex", null, "native", 1, null, null, null, "Go: failed: exit code 2: oops; ours: timeout"), row);

        row = Assert.Single(RowFigures.ToReport([Figures([Time(1), failed, Time(3)], [])]));
        Assert.Equal(new Summary(2, 1, 3, 2), row.Go);
        Assert.Equal("Go: failed: exit code 2: oops (1 of 3 runs)", row.Note);
    }

    [Fact]
    public void A_side_without_a_program_is_missing()
    {
        var figures = new RowFigures("native", "mutex", 1) { Go = new SideFigures { Missing = true } };
        figures[Side.Ours].Add(Time(1));
        ReportRow row = Assert.Single(RowFigures.ToReport([figures]));
        Assert.Equal(("Go: missing", null, 1.0), (row.Note, row.Go, row.Ours!.Median));
        Assert.True(figures[Side.Go].Decided);
    }

    [Fact]
    public void Skipped_or_timed_out_is_not_tried_again()
    {
        var side = new SideFigures();
        side.Add(new RunResult(Outcome.Failed, "once", []));
        Assert.False(side.Decided);
        side.Add(new RunResult(Outcome.TimedOut, "timeout", []));
        Assert.True(side.Decided);
    }

    [Fact]
    public void The_json_has_the_names_that_others_read()
    {
        using JsonDocument json = JsonDocument.Parse(Sample().ToJson());
        static string[] Names(JsonElement e) => [.. e.EnumerateObject().Select(p => p.Name)];

        JsonElement root = json.RootElement;
        Assert.Equal(["date", "versions", "cpu", "machine", "rows", "remarks"], Names(root));
        Assert.Equal(["commit", "go", "dotnet", "ilc", "qemu", "guest_linux"], Names(root.GetProperty("versions")));
        Assert.Equal(["cores", "kernel", "accelerator"], Names(root.GetProperty("machine")));
        JsonElement[] rows = [.. root.GetProperty("rows").EnumerateArray()];
        Assert.All(rows, r => Assert.Equal(["name", "unit", "target", "procs", "go", "ours", "ratio", "note"], Names(r)));
        Assert.Equal(["median", "min", "max", "n"], Names(rows[0].GetProperty("go")));
        Assert.Equal(0.6, rows[0].GetProperty("ratio").GetDouble());
        Assert.Equal(JsonValueKind.Null, rows[1].GetProperty("ours").ValueKind);
        Assert.Equal(JsonValueKind.Null, rows[1].GetProperty("ratio").ValueKind);
        Assert.Equal("ours: no GC yet", rows[1].GetProperty("note").GetString());
        Assert.Equal("QEMU only", rows[2].GetProperty("note").GetString());
    }

    [Fact]
    public void A_saved_report_is_read_back()
    {
        string json = Sample().ToJson();
        Assert.Equal(json, Report.FromJson(json).ToJson());
        foreach (string bad in (string[])["", "null", "[]", "{}", "{\"date\": 1}"])
        {
            Assert.Throws<InvalidDataException>(() => Report.FromJson(bad));
        }
    }

    [Fact]
    public void Markdown_keeps_its_columns()
    {
        string[] lines = MarkdownTable.Write(Sample()).Split('\n');
        Assert.Equal("| mutex | native | 1 | ns | 100 (90.0–110) | 60.0 (50.0–70.0) | 0.60 |  |", lines[2]);
        Assert.Contains(lines, l => l.Contains("Some \\| CPU", System.StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(0.01234, "0.0123")]
    [InlineData(9.994, "9.99")]
    [InlineData(9.996, "10.0")]
    [InlineData(99.96, "100")]
    [InlineData(67108864, "67,108,864")]
    public void Numbers_are_short(double value, string text) => Assert.Equal(text, TableText.Number(value));

    [Theory]
    [InlineData(".svg", "<?xml")]
    [InlineData(".png", "\u0089PNG")]
    public void The_plot_is_a_picture(string extension, string start)
    {
        string file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + extension);
        try
        {
            Assert.True(RatioPlot.Write(Sample(), file));
            Assert.StartsWith(start, System.Text.Encoding.Latin1.GetString(File.ReadAllBytes(file)));
        }
        finally
        {
            File.Delete(file);
        }

        Assert.False(RatioPlot.Write(Sample() with { Rows = [] }, file));
        Assert.False(File.Exists(file));
    }
}
