// The table for a README.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Unikernel.Bench.Runner.Results;

namespace Unikernel.Bench.Runner.Reports;

internal static class MarkdownTable
{
    public static string Write(Report report)
    {
        var text = new StringBuilder();
        Line(text, TableText.Heads);
        Line(text, TableText.Heads.Select((_, i) => TableText.IsFigure(i) ? "---:" : "---"));
        foreach (ReportRow row in report.Rows)
        {
            Line(text, TableText.Cells(row).Select(Escape));
        }

        text.Append('\n');
        foreach (string fact in TableText.Facts(report))
        {
            text.Append("- ").Append(Escape(fact)).Append('\n');
        }

        return text.ToString();
    }

    private static void Line(StringBuilder text, IEnumerable<string> cells) => text.Append("| ").AppendJoin(" | ", cells).Append(" |\n");

    // What would break the table or make a tag.
    private static string Escape(string text) =>
        text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("|", "\\|", StringComparison.Ordinal)
            .Replace("<", "&lt;", StringComparison.Ordinal);
}
