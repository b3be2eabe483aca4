// A 64-bit little-endian ELF file: section headers and the symbols that lie in code.
// Reference: System V ABI, ELF-64 object file format.

namespace Unikernel.Iso.Symbols;

/// <summary>One symbol in an executable section. SectionEnd bounds a symbol without a size.</summary>
internal readonly record struct ElfSymbol(ulong Address, ulong Size, ulong SectionEnd, string Name, bool IsFunction, bool IsGlobal);

internal sealed class ElfFile
{
    private const ulong FlagWritable = 1;
    private const ulong FlagAllocated = 2;
    private const ulong FlagExecutable = 4;
    private const ulong FlagCompressed = 0x800;
    private const uint TypeSymbols = 2;
    private const uint TypeNoBits = 8;

    private sealed record Section(string Name, uint Type, ulong Flags, ulong Address, ulong Offset, ulong Size, uint Link);

    private readonly byte[] _image;
    private readonly List<Section> _sections = [];

    public ElfFile(byte[] image)
    {
        _image = image;
        ReadSections();
    }

    /// <summary>The contents of the named section; empty when there is none.</summary>
    public ReadOnlySpan<byte> Contents(string name)
    {
        foreach (var section in _sections)
        {
            if (section.Name == name)
            {
                return (section.Flags & FlagCompressed) == 0
                    ? Contents(section)
                    : throw new InvalidDataException($"section {name} is compressed; link without --compress-debug-sections");
            }
        }

        return default;
    }

    public bool IsCode(ulong address)
    {
        foreach (var section in _sections)
        {
            if ((section.Flags & FlagExecutable) != 0 && address >= section.Address && address - section.Address < section.Size)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Name of the section an address lies in; "" when in none.</summary>
    public string SectionOf(ulong address) => At(address, 1)?.Name ?? "";

    /// <summary>Bytes of the image at an address; empty when no section of the file holds all of them.</summary>
    public ReadOnlySpan<byte> Code(ulong address, int size) =>
        At(address, (uint)size) is { } section ? Contents(section) is { Length: > 0 } bytes ? bytes.Slice((int)(address - section.Address), size) : default : default;

    /// <summary>The 64-bit word at an address, as the file has it.</summary>
    public ulong? Word(ulong address) =>
        Code(address, 8) is { Length: 8 } bytes ? System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(bytes) : null;

    /// <summary>The same if nothing can write there.</summary>
    public ulong? Constant(ulong address) => At(address, 8) is { } section && (section.Flags & FlagWritable) == 0 ? Word(address) : null;

    private Section? At(ulong address, uint size)
    {
        foreach (var section in _sections)
        {
            if ((section.Flags & FlagAllocated) != 0 && address >= section.Address && address - section.Address + size <= section.Size)
            {
                return section;
            }
        }

        return null;
    }

    /// <summary>Function symbols, and untyped ones (assembly labels), of executable sections; in file order.</summary>
    public List<ElfSymbol> CodeSymbols()
    {
        var symbols = new List<ElfSymbol>();
        foreach (var table in _sections)
        {
            if (table.Type != TypeSymbols)
            {
                continue;
            }

            if (table.Link >= (uint)_sections.Count)
            {
                throw new InvalidDataException("symbol table without a string table");
            }

            var strings = Contents(_sections[(int)table.Link]);
            var reader = new ByteReader(Contents(table));
            for (var left = table.Size / 24; left > 0; left--)
            {
                var name = reader.U32();
                var info = reader.U8();
                reader.U8();
                var index = reader.U16();
                var address = reader.U64();
                var size = reader.U64();
                var type = info & 15;
                if (name == 0 || type is not (0 or 2) || index == 0 || index >= _sections.Count)
                {
                    continue;
                }

                var section = _sections[index];
                if ((section.Flags & FlagExecutable) == 0 || address < section.Address || address - section.Address >= section.Size)
                {
                    continue;
                }

                var end = section.Address + section.Size;
                symbols.Add(new ElfSymbol(address, Math.Min(size, end - address), end, ByteReader.StringAt(strings, name), type == 2, info >> 4 != 0));
            }
        }

        return symbols;
    }

    private ReadOnlySpan<byte> Contents(Section section)
    {
        if (section.Type == TypeNoBits)
        {
            return default;
        }

        return section.Offset <= (ulong)_image.Length && section.Size <= (ulong)_image.Length - section.Offset
            ? _image.AsSpan((int)section.Offset, (int)section.Size)
            : throw new InvalidDataException($"truncated: section {section.Name} lies outside the file");
    }

    private void ReadSections()
    {
        ReadOnlySpan<byte> image = _image;
        if (image.Length < 64 || !image.StartsWith("\u007fELF"u8))
        {
            throw new InvalidDataException("not an ELF file");
        }

        if (image[4] != 2 || image[5] != 1)
        {
            throw new InvalidDataException("not a 64-bit little-endian ELF file");
        }

        var header = new ByteReader(image, 40);
        var offset = header.U64();
        header.Skip(10);
        var entrySize = header.U16();
        var count = header.U16();
        var nameIndex = header.U16();
        if (entrySize != 64 || count == 0 || nameIndex >= count)
        {
            throw new InvalidDataException("no section headers");
        }

        if (offset > (ulong)image.Length || (ulong)count * 64 > (ulong)image.Length - offset)
        {
            throw new InvalidDataException("truncated: section headers lie outside the file");
        }

        var reader = new ByteReader(image, (int)offset);
        var names = new uint[count];
        for (var i = 0; i < count; i++)
        {
            names[i] = reader.U32();
            var type = reader.U32();
            var flags = reader.U64();
            var address = reader.U64();
            var fileOffset = reader.U64();
            var size = reader.U64();
            var link = reader.U32();
            reader.Skip(20);
            if (address + size < address)
            {
                throw new InvalidDataException("section address out of range");
            }

            _sections.Add(new Section("", type, flags, address, fileOffset, size, link));
        }

        var strings = Contents(_sections[nameIndex]);
        for (var i = 0; i < count; i++)
        {
            _sections[i] = _sections[i] with { Name = ByteReader.StringAt(strings, names[i]) };
        }
    }
}
