// The functions of an image, each with its source lines: what the blob and the map are written from.

namespace Unikernel.Iso.Symbols;

/// <summary>Lines from this byte of the function on; Line 0 is unknown.</summary>
internal readonly record struct FunctionRow(uint Offset, uint Line, int File);

internal sealed record Function(ulong Address, uint Size, string Type, string Method, List<FunctionRow> Rows)
{
    public string Name => Type.Length == 0 ? Method : Type + (Method.StartsWith('.') ? "" : ".") + Method;
}

internal sealed class SymbolModel
{
    private SymbolModel(List<Function> functions, List<string> files) => (Functions, Files) = (functions, files);

    /// <summary>Sorted by address, not overlapping.</summary>
    public List<Function> Functions { get; }

    public List<string> Files { get; }

    /// <summary>Without the functions that lie further below the last one than a 32-bit offset reaches.</summary>
    public SymbolModel Within4GiBOfTheEnd()
    {
        var end = Functions[^1].Address;
        return new SymbolModel(Functions.FindAll(f => end - f.Address <= uint.MaxValue), Files);
    }

    public static SymbolModel Read(byte[] image)
    {
        var elf = new ElfFile(image);
        var lines = LineTable.Read(elf);
        var info = DebugInfo.Read(elf);
        var symbols = elf.CodeSymbols();
        var names = new NameReader(info, Names(symbols));
        symbols.Sort((a, b) => a.Address != b.Address ? a.Address.CompareTo(b.Address) : Rank(b, info).CompareTo(Rank(a, info)) is not 0 and var rank ? rank : string.CompareOrdinal(a.Name, b.Name));

        var functions = new List<Function>();
        ulong taken = 0;
        for (var i = 0; i < symbols.Count; i++)
        {
            var symbol = symbols[i];
            if ((i > 0 && symbol.Address == symbols[i - 1].Address) || (!symbol.IsFunction && (symbol.Address < taken || IsMarker(symbol.Name))))
            {
                continue;
            }

            var next = i + 1;
            while (next < symbols.Count && (symbols[next].Address == symbol.Address || (symbol.Size == 0 && IsMarker(symbols[next].Name))
                || (!symbols[next].IsFunction && symbols[next].Address < symbol.Address + symbol.Size)))
            {
                next++;
            }

            var end = symbol.Size > 0 ? symbol.Address + symbol.Size : symbol.SectionEnd;
            end = next < symbols.Count ? Math.Min(end, symbols[next].Address) : end;
            if (end - symbol.Address > uint.MaxValue)
            {
                throw new InvalidDataException($"symbol {symbol.Name} is too large");
            }

            taken = end;
            // Only managed code is mangled, and it always has the type FUNC.
            var (type, method) = symbol.IsFunction ? names.Read(symbol.Name) : ("", symbol.Name);
            functions.Add(new Function(symbol.Address, (uint)(end - symbol.Address), type, method, RowsOf(lines, symbol.Address, end)));
        }

        if (functions.Count == 0)
        {
            throw new InvalidDataException("no function symbols (stripped?)");
        }

        return new SymbolModel(functions, lines.Files);
    }

    private static IEnumerable<string> Names(List<ElfSymbol> symbols)
    {
        foreach (var symbol in symbols)
        {
            yield return symbol.Name;
        }
    }

    /// <summary>Of several symbols at one address the highest rank names the function.</summary>
    private static int Rank(in ElfSymbol symbol, DebugInfo info) =>
        (info.Methods.ContainsKey(symbol.Name) ? 16 : 0) + (symbol.IsFunction ? 8 : 0) + (symbol.Name.StartsWith("__", StringComparison.Ordinal) ? 0 : 4)
        + (symbol.Size > 0 ? 2 : 0) + (symbol.IsGlobal ? 1 : 0);

    /// <summary>A label for the linker, not for people.</summary>
    private static bool IsMarker(string name) => name.StartsWith("__", StringComparison.Ordinal)
        && (name.StartsWith("__start_", StringComparison.Ordinal) || name.StartsWith("__stop_", StringComparison.Ordinal)
            || name.EndsWith("_start", StringComparison.Ordinal) || name.EndsWith("_end", StringComparison.Ordinal));

    private static List<FunctionRow> RowsOf(LineTable lines, ulong start, ulong end)
    {
        var rows = new List<FunctionRow>();
        var at = lines.FindRow(start);
        // A row from before the function covers its start only in assembly, where several labels can share a row. The compiler's
        // sequence runs on through functions without lines, which must not show their neighbour's.
        var starts = at >= 0 && (lines.Rows[at].Address == start || IsAssembly(lines, lines.Rows[at]));
        for (at = starts ? at : at + 1; at < lines.Rows.Count && lines.Rows[at].Address < end; at++)
        {
            var row = lines.Rows[at];
            var line = row.File < 0 ? 0 : row.Line;
            if (line == 0 && row.File >= 0 && rows.Count > 0)
            {
                continue;  // compiler-made code inside a method counts to the line before it
            }

            // What comes before the first row is the prologue of that row's line.
            var offset = rows.Count == 0 ? 0 : (uint)(row.Address - start);
            if (rows.Count == 1 && rows[0].Line == 0)
            {
                (offset, rows) = (0, []);
            }

            if (rows.Count == 0 || rows[^1].Line != line || (line != 0 && rows[^1].File != row.File))
            {
                rows.Add(new FunctionRow(offset, line, line == 0 ? 0 : row.File));
            }
        }

        if (rows.Count == 1 && rows[0].Line == 0)
        {
            rows.Clear();
        }

        return rows;
    }

    private static bool IsAssembly(LineTable lines, in LineRow row) => row.File >= 0 && row.Line != 0 && lines.Files[row.File].EndsWith(".S", StringComparison.OrdinalIgnoreCase);
}
