// What .debug_info adds to mangled symbols: the source names of methods and the mangled names of types.
// Optional: damaged or unknown content ends the reading, and names fall back to the mangled text.
// Reference: DWARF 5 sections 7.5.3 to 7.5.6 (abbreviations, forms).

using System.Text;

namespace Unikernel.Iso.Symbols;

internal sealed class DebugInfo
{
    private readonly record struct Abbreviation(ulong Tag, List<(ulong Attribute, ulong Form)> Attributes);

    /// <summary>Mangled method symbol to the method's name in source.</summary>
    public Dictionary<string, string> Methods { get; } = [];

    /// <summary>Mangled names of types.</summary>
    public HashSet<string> Types { get; } = [];

    public static DebugInfo Read(ElfFile elf)
    {
        var info = new DebugInfo();
        try
        {
            var reader = new ByteReader(elf.Contents(".debug_info"));
            while (!reader.AtEnd)
            {
                ulong length = reader.U32();
                var wide = length == 0xffffffff;
                info.ReadUnit(reader.Take(wide ? reader.U64() : length), wide, elf);
            }
        }
        catch (InvalidDataException)
        {
        }

        return info;
    }

    private void ReadUnit(ReadOnlySpan<byte> unit, bool wide, ElfFile elf)
    {
        var strings = elf.Contents(".debug_str");
        var lineStrings = elf.Contents(".debug_line_str");
        var reader = new ByteReader(unit);
        var version = reader.U16();
        if (version is < 2 or > 5)
        {
            return;
        }

        ulong abbreviationOffset;
        byte addressSize;
        if (version == 5)
        {
            if (reader.U8() != 1)
            {
                return;
            }

            addressSize = reader.U8();
            abbreviationOffset = reader.Offset(wide);
        }
        else
        {
            abbreviationOffset = reader.Offset(wide);
            addressSize = reader.U8();
        }

        var abbreviations = ReadAbbreviations(elf.Contents(".debug_abbrev"), abbreviationOffset);
        while (!reader.AtEnd)
        {
            var code = reader.Uleb();
            if (code == 0)
            {
                continue;
            }

            if (!abbreviations.TryGetValue(code, out var abbreviation))
            {
                throw new InvalidDataException("unknown abbreviation");
            }

            var wanted = abbreviation.Tag is 0x02 or 0x13 or 0x2e;
            string? name = null, linkage = null;
            foreach (var (attribute, form) in abbreviation.Attributes)
            {
                var isName = wanted && attribute == 0x03;
                var text = ReadForm(ref reader, form, wide, addressSize, version, isName || (wanted && attribute is 0x6e or 0x2007), strings, lineStrings);
                if (isName)
                {
                    name = text;
                }
                else if (text != null)
                {
                    linkage = text;
                }
            }

            if (abbreviation.Tag == 0x2e && name != null && linkage != null)
            {
                Methods[linkage] = name;
            }
            else if (wanted && abbreviation.Tag != 0x2e && name != null)
            {
                Types.Add(name);
            }
        }
    }

    private static Dictionary<ulong, Abbreviation> ReadAbbreviations(ReadOnlySpan<byte> section, ulong offset)
    {
        if (offset > (ulong)section.Length)
        {
            throw new InvalidDataException("abbreviations out of range");
        }

        var found = new Dictionary<ulong, Abbreviation>();
        var reader = new ByteReader(section, (int)offset);
        while (reader.Uleb() is not 0 and var code)
        {
            var abbreviation = new Abbreviation(reader.Uleb(), []);
            reader.U8();
            while (true)
            {
                var attribute = reader.Uleb();
                var form = reader.Uleb();
                if (form == 0x21)
                {
                    reader.Sleb();
                }

                if (form == 0)
                {
                    break;
                }

                abbreviation.Attributes.Add((attribute, form));
            }

            found[code] = abbreviation;
        }

        return found;
    }

    private static string? ReadForm(ref ByteReader reader, ulong form, bool wide, byte addressSize, int version, bool wanted, ReadOnlySpan<byte> strings, ReadOnlySpan<byte> lineStrings)
    {
        switch (form)
        {
            case 0x08:
                var inline = reader.CString();
                return wanted ? Encoding.UTF8.GetString(inline) : null;
            case 0x0e or 0x1f:
                var offset = reader.Offset(wide);
                return wanted ? ByteReader.StringAt(form == 0x0e ? strings : lineStrings, offset) : null;
            case 0x01: reader.Skip(addressSize); break;
            case 0x10: reader.Skip(version == 2 ? addressSize : wide ? 8u : 4u); break;
            case 0x17 or 0x1d: reader.Offset(wide); break;
            case 0x0b or 0x0c or 0x11 or 0x25 or 0x29: reader.Skip(1); break;
            case 0x05 or 0x12 or 0x26 or 0x2a: reader.Skip(2); break;
            case 0x27 or 0x2b: reader.Skip(3); break;
            case 0x06 or 0x13 or 0x1c or 0x28 or 0x2c: reader.Skip(4); break;
            case 0x07 or 0x14 or 0x20 or 0x24: reader.Skip(8); break;
            case 0x1e: reader.Skip(16); break;
            case 0x0d or 0x0f or 0x15 or 0x1a or 0x1b or 0x22 or 0x23: reader.Uleb(); break;
            case 0x19 or 0x21: break;
            case 0x09 or 0x18: reader.Skip(reader.Uleb()); break;
            case 0x0a: reader.Skip(reader.U8()); break;
            case 0x03: reader.Skip(reader.U16()); break;
            case 0x04: reader.Skip(reader.U32()); break;
            default: throw new InvalidDataException("unknown form");
        }

        return null;
    }
}
