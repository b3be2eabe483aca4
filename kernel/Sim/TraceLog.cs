// What a run did: a hash of everything, and the last lines (or all of them) as text.
using System.Collections.Generic;

namespace Unikernel.Kernel.Simulated;

internal static class TraceLog
{
    private const int Kept = 160;

    private readonly record struct Line(int Step, long Ns, int Core, string What, long A, long B);

    private static readonly List<Line> s_lines = [];

    /// <summary>Every line is kept, and one for each atomic access comes between.</summary>
    internal static bool IsComplete { get; private set; }

    /// <summary>What to call an address.</summary>
    internal static Func<nint, string>? NameOf { get; set; }

    /// <summary>Two runs with the same hash did the same.</summary>
    internal static ulong Hash { get; private set; }

    internal static void Reset(bool isComplete)
    {
        s_lines.Clear();
        IsComplete = isComplete;
        Hash = 14695981039346656037;
    }

    internal static void Add(string what, long a, long b)
    {
        Mix((ulong)what[0] << 8 | what[^1]);
        Mix((ulong)a);
        Mix((ulong)b);
        Mix((ulong)Simulation.Now);
        if (!IsComplete && s_lines.Count >= 2 * Kept)
        {
            s_lines.RemoveRange(0, Kept);
        }
        s_lines.Add(new Line(Simulation.Steps, Simulation.Now, Simulation.CoreCount == 0 ? 0 : Simulation.CurrentId, what, a, b));
    }

    /// <summary>An atomic access; not part of the hash.</summary>
    internal static unsafe void AddAccess(string what, void* word, ulong value)
    {
        string name = NameOf?.Invoke((nint)word) ?? "";
        s_lines.Add(new Line(Simulation.Steps, Simulation.Now, Simulation.CurrentId, "    " + what + " " + name, (long)value, 0));
    }

    // FNV-1a, by words
    private static void Mix(ulong value) => Hash = (Hash ^ value) * 1099511628211;

    /// <summary>The lines: step, time, core, what, two numbers.</summary>
    internal static string Text()
    {
        System.Text.StringBuilder text = new();
        for (int i = IsComplete || s_lines.Count < Kept ? 0 : s_lines.Count - Kept; i < s_lines.Count; i++)
        {
            Line l = s_lines[i];
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"{l.Step,8} {l.Ns,10} ns  core {l.Core}  {l.What} {l.A} {l.B}\n");
        }
        return text.ToString();
    }
}
