// The table on standard output.
using System;
using System.Collections.Generic;
using Spectre.Console;
using Unikernel.Bench.Runner.Results;

namespace Unikernel.Bench.Runner.Reports;

internal static class ConsoleTable
{
    private const int WidthOfFile = 200;

    public static void Print(Report report)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Out) });
        if (Console.IsOutputRedirected)
        {
            console.Profile.Width = WidthOfFile;
        }

        var table = new Table { Border = TableBorder.Simple };
        for (int i = 0; i < TableText.Heads.Count; i++)
        {
            var column = new TableColumn(new Text(TableText.Heads[i])) { NoWrap = TableText.IsFigure(i) || i == 0 };
            table.AddColumn(TableText.IsFigure(i) ? column.RightAligned() : column);
        }

        foreach (ReportRow row in report.Rows)
        {
            table.AddRow([.. TableText.Cells(row).ToTexts(row.Ratio)]);
        }

        console.Write(table);
        foreach (string fact in TableText.Facts(report))
        {
            console.WriteLine(fact);
        }
    }

    private static Text[] ToTexts(this IReadOnlyList<string> cells, double? ratio)
    {
        var texts = new Text[cells.Count];
        for (int i = 0; i < cells.Count; i++)
        {
            bool coloured = i == 6 && ratio is not null;
            texts[i] = new Text(cells[i], coloured ? new Style(ratio <= 1 ? Color.Green : Color.Red) : Style.Plain);
        }

        return texts;
    }
}
