// The lines a benchmark program prints, and their parser. Total: what is not a line of the protocol is null.
using System;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Unikernel.Bench.Runner.Running;

/// <summary>What a figure is: less time and fewer bytes are better, a higher rate is better.</summary>
internal enum Kind
{
    Time,
    Bytes,
    Rate,
}

internal abstract partial record ProgramLine
{
    /// <summary>The metric of a row that has a single figure.</summary>
    public const string SingleMetric = "-";

    /// <summary>Main has begun.</summary>
    public sealed record Ready : ProgramLine;

    public sealed record Row(string Name, string Metric, Kind Kind, string Unit, double Value) : ProgramLine;

    public sealed record Skip(string Name, string Reason) : ProgramLine;

    public sealed record Fail(string Name, string Reason) : ProgramLine;

    /// <summary>A row asked of a program that serves many is done; the code is what its process ended with.</summary>
    public sealed record End(int Code) : ProgramLine;

    public static ProgramLine? Parse(string text)
    {
        string line = Clean(text);
        if (!line.StartsWith('@'))
        {
            return null;
        }

        string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words switch
        {
            ["@ready"] => new Ready(),
            ["@row", string name, string metric, string kind, string unit, string value] => ParseRow(name, metric, kind, unit, value),
            ["@skip", string name, .. string[] reason] => new Skip(name, string.Join(' ', reason)),
            ["@end", string code] when int.TryParse(code, NumberStyles.None, CultureInfo.InvariantCulture, out int c) => new End(c),
            ["@fail", string name, .. string[] reason] => new Fail(name, string.Join(' ', reason)),
            _ => null,
        };
    }

    /// <summary>Without what a serial console adds: carriage returns, and the escape sequences of firmware.</summary>
    public static string Clean(string text) => Noise().Replace(text, "").Trim();

    private static Row? ParseRow(string name, string metric, string kind, string unit, string value)
    {
        Kind? known = kind switch
        {
            "time" => Kind.Time,
            "bytes" => Kind.Bytes,
            "rate" => Kind.Rate,
            _ => null,
        };
        return known is not null
            && double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            && double.IsFinite(number) && number >= 0
            ? new Row(name, metric, known.Value, unit, number)
            : null;
    }

    [GeneratedRegex(@"\e\[[0-9;?=]*[A-Za-z]|\ec|[\x00-\x08\x0b-\x1f\x7f]")]
    private static partial Regex Noise();
}
