// The result of a benchmark: what --json writes, --from reads, and every report is made of.
using System.Collections.Generic;
using System.IO;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Unikernel.Bench.Runner.Results;

/// <param name="Remarks">What holds for the whole result, such as a side that is missing.</param>
internal sealed record Report(
    string Date,
    Versions Versions,
    string Cpu,
    MachineFacts Machine,
    IReadOnlyList<ReportRow> Rows,
    IReadOnlyList<string> Remarks)
{
    private static readonly JsonSerializerOptions s_json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    public string ToJson() => JsonSerializer.Serialize(this, s_json) + "\n";

    /// <exception cref="InvalidDataException">It is not such a report.</exception>
    public static Report FromJson(string json)
    {
        try
        {
            return JsonSerializer.Deserialize<Report>(json, s_json) ?? throw new InvalidDataException("no report");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException(e.Message, e);
        }
    }
}

/// <param name="Commit">Of this repository.</param>
/// <param name="GuestLinux">The kernel below Go's program in QEMU.</param>
internal sealed record Versions(string Commit, string? Go, string Dotnet, string Ilc, string? Qemu, string? GuestLinux);

/// <param name="Accelerator">QEMU's, if it was used.</param>
internal sealed record MachineFacts(int Cores, string Kernel, string? Accelerator);

/// <param name="Name">The row, and <c>_METRIC</c> if the row has several.</param>
/// <param name="Unit">Of both sides; null if there is no figure.</param>
/// <param name="Ratio">A cost: below 1 we are ahead. Null if a side is missing.</param>
internal sealed record ReportRow(
    string Name, string? Unit, string Target, int Procs, Summary? Go, Summary? Ours, double? Ratio, string Note);
