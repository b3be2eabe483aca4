// Runs the line-number programs of .debug_line, DWARF 2 to 5.
// Reference: DWARF 5 section 6.2; DWARF 4 section 6.2 for the older file table.

using System.Text;

namespace Unikernel.Iso.Symbols;

/// <summary>From Address on, code comes from Line of File (an index into LineTable.Files). Line 0: unknown; File -1: end of a sequence.</summary>
internal readonly record struct LineRow(ulong Address, int File, uint Line, int Order);

internal sealed class LineTable
{
    private const uint FirstHiddenLine = 0xf00000;  // 0xfeefee and 0xf00f00 mark compiler-made code

    private readonly Dictionary<string, int> _fileIndex = [];

    /// <summary>Folder and name only: a build path never leaves the build.</summary>
    public List<string> Files { get; } = [];

    /// <summary>Sorted by address; of rows at one address the last one counts and only it is kept.</summary>
    public List<LineRow> Rows { get; private set; } = [];

    public static LineTable Read(ElfFile elf)
    {
        var table = new LineTable();
        var lines = elf.Contents(".debug_line");
        var strings = elf.Contents(".debug_str");
        var lineStrings = elf.Contents(".debug_line_str");
        var reader = new ByteReader(lines);
        while (!reader.AtEnd)
        {
            ulong length = reader.U32();
            var wide = length == 0xffffffff;
            if (wide)
            {
                length = reader.U64();
            }

            table.ReadUnit(reader.Take(length), wide, elf, strings, lineStrings);
        }

        table.SortRows();
        return table;
    }

    /// <summary>Index of the last row at or before the address; -1 when there is none.</summary>
    public int FindRow(ulong address)
    {
        int low = 0, high = Rows.Count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (Rows[middle].Address <= address)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low - 1;
    }

    private void ReadUnit(ReadOnlySpan<byte> unit, bool wide, ElfFile elf, ReadOnlySpan<byte> strings, ReadOnlySpan<byte> lineStrings)
    {
        var reader = new ByteReader(unit);
        var version = reader.U16();
        if (version is < 2 or > 5)
        {
            throw new InvalidDataException($"DWARF line table version {version} is not supported");
        }

        if (version == 5)
        {
            reader.Skip(2);
        }

        var programOffset = reader.Offset(wide);
        var programStart = (ulong)reader.Position + programOffset;
        if (programStart > (ulong)unit.Length)
        {
            throw new InvalidDataException("DWARF line table header out of range");
        }

        var minimum = reader.U8();
        var operationsPerInstruction = version >= 4 ? reader.U8() : (byte)1;
        if (operationsPerInstruction > 1)
        {
            throw new InvalidDataException("DWARF line table of a VLIW machine");
        }

        reader.U8();
        var lineBase = (sbyte)reader.U8();
        var lineRange = reader.U8();
        var opcodeBase = reader.U8();
        if (lineRange == 0 || opcodeBase == 0)
        {
            throw new InvalidDataException("DWARF line table header out of range");
        }

        var operands = reader.Take((ulong)opcodeBase - 1);
        var files = version == 5 ? ReadFiles5(ref reader, wide, strings, lineStrings) : ReadFiles4(ref reader);
        reader.Position = (int)programStart;
        Run(ref reader, operands, files, minimum, lineBase, lineRange, opcodeBase, elf);
    }

    private List<int> ReadFiles4(ref ByteReader reader)
    {
        var folders = new List<string> { "" };
        while (reader.CString() is { IsEmpty: false } folder)
        {
            folders.Add(Encoding.UTF8.GetString(folder));
        }

        var files = new List<int> { AddFile("", "") };
        while (reader.CString() is { IsEmpty: false } name)
        {
            var folder = reader.Uleb();
            reader.Uleb();
            reader.Uleb();
            files.Add(AddFile(folder < (ulong)folders.Count ? folders[(int)folder] : "", Encoding.UTF8.GetString(name)));
        }

        return files;
    }

    private List<int> ReadFiles5(ref ByteReader reader, bool wide, ReadOnlySpan<byte> strings, ReadOnlySpan<byte> lineStrings)
    {
        var folders = new List<string>();
        foreach (var (name, _) in ReadEntries(ref reader, wide, strings, lineStrings))
        {
            folders.Add(name);
        }

        var files = new List<int>();
        foreach (var (name, folder) in ReadEntries(ref reader, wide, strings, lineStrings))
        {
            files.Add(AddFile(folder < (ulong)folders.Count ? folders[(int)folder] : "", name));
        }

        return files;
    }

    private static List<(string Name, ulong Folder)> ReadEntries(ref ByteReader reader, bool wide, ReadOnlySpan<byte> strings, ReadOnlySpan<byte> lineStrings)
    {
        var formats = new (ulong Content, ulong Form)[reader.U8()];
        for (var i = 0; i < formats.Length; i++)
        {
            formats[i] = (reader.Uleb(), reader.Uleb());
        }

        var entries = new List<(string, ulong)>();
        for (var left = formats.Length == 0 ? 0 : reader.Uleb(); left > 0; left--)
        {
            var name = "";
            ulong folder = 0;
            foreach (var (content, form) in formats)
            {
                ulong number = 0;
                var text = "";
                switch (form)
                {
                    case 0x08: text = Encoding.UTF8.GetString(reader.CString()); break;
                    case 0x0e: text = ByteReader.StringAt(strings, reader.Offset(wide)); break;
                    case 0x1f: text = ByteReader.StringAt(lineStrings, reader.Offset(wide)); break;
                    case 0x0b: number = reader.U8(); break;
                    case 0x05: number = reader.U16(); break;
                    case 0x06: number = reader.U32(); break;
                    case 0x07: number = reader.U64(); break;
                    case 0x0f: number = reader.Uleb(); break;
                    case 0x1e: reader.Skip(16); break;
                    case 0x09: reader.Skip(reader.Uleb()); break;
                    default: throw new InvalidDataException($"DWARF form {form:x} in a file table is not supported");
                }

                if (content == 1)
                {
                    name = text;
                }
                else if (content == 2)
                {
                    folder = number;
                }
            }

            entries.Add((name, folder));
        }

        if (formats.Length == 0)
        {
            reader.Uleb();
        }

        return entries;
    }

    private int AddFile(string folder, string name)
    {
        var path = (name.StartsWith('/') || folder.Length == 0 ? name : folder + "/" + name).Replace('\\', '/');
        var last = path.LastIndexOf('/');
        var previous = last > 0 ? path.LastIndexOf('/', last - 1) : -1;
        var shown = last == 0 ? path[1..] : path[(previous + 1)..];
        if (!_fileIndex.TryGetValue(shown, out var index))
        {
            index = Files.Count;
            Files.Add(shown);
            _fileIndex.Add(shown, index);
        }

        return index;
    }

    private void Run(ref ByteReader reader, ReadOnlySpan<byte> operands, List<int> files, byte minimum, int lineBase, int lineRange, int opcodeBase, ElfFile elf)
    {
        ulong address = 0, file = 1;
        long line = 1;
        var sequenceStart = Rows.Count;
        while (!reader.AtEnd)
        {
            int opcode = reader.U8();
            if (opcode >= opcodeBase)
            {
                opcode -= opcodeBase;
                address += (ulong)(opcode / lineRange) * minimum;
                line += lineBase + (opcode % lineRange);
                Emit();
                continue;
            }

            switch (opcode)
            {
                case 0:
                    var length = reader.Uleb();
                    var extended = new ByteReader(reader.Take(length));
                    switch (length == 0 ? 0 : extended.U8())
                    {
                        case 1:
                            Rows.Add(new LineRow(address, -1, 0, Rows.Count));
                            // The linker leaves the lines of code it discarded at address 0.
                            if (!elf.IsCode(Rows[sequenceStart].Address))
                            {
                                Rows.RemoveRange(sequenceStart, Rows.Count - sequenceStart);
                            }

                            (address, file, line, sequenceStart) = (0, 1, 1, Rows.Count);
                            break;
                        case 2: address = extended.U64(); break;
                        default: break;
                    }

                    break;
                case 1: Emit(); break;
                case 2: address += reader.Uleb() * minimum; break;
                case 3: line += reader.Sleb(); break;
                case 4: file = reader.Uleb(); break;
                case 8: address += (ulong)((255 - opcodeBase) / lineRange) * minimum; break;
                case 9: address += reader.U16(); break;
                default:
                    for (var i = operands[opcode - 1]; i > 0; i--)
                    {
                        reader.Uleb();
                    }

                    break;
            }
        }

        if (Rows.Count != sequenceStart)
        {
            throw new InvalidDataException("DWARF line program without an end");
        }

        void Emit()
        {
            var hidden = line is <= 0 or >= FirstHiddenLine || file >= (ulong)files.Count;
            Rows.Add(new LineRow(address, hidden ? 0 : files[(int)file], hidden ? 0 : (uint)line, Rows.Count));
        }
    }

    private void SortRows()
    {
        // The end of one sequence at the start of another gives way to the start; otherwise the later row counts.
        Rows.Sort(static (a, b) => a.Address != b.Address ? a.Address.CompareTo(b.Address)
            : (a.File < 0) != (b.File < 0) ? a.File < 0 ? -1 : 1
            : a.Order.CompareTo(b.Order));
        var kept = new List<LineRow>(Rows.Count);
        foreach (var row in Rows)
        {
            if (kept.Count > 0 && kept[^1].Address == row.Address)
            {
                kept[^1] = row;
            }
            else
            {
                kept.Add(row);
            }
        }

        Rows = kept;
    }
}
