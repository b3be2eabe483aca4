// The blob the guest reads (kernel/Symbols/SymTab.cs), all little-endian:
//   0 u32 magic "USYM"   4 u32 version 1     8 u32 length of the blob   12 u32 functions
//  16 u64 base address  24 u32 functions at 28 u32 names at             32 u32 files at    36 u32 files
//  40 u32 rows at       44 u32 0
// function  u32 offset from the base, u32 size, u32 name, u32 rows (0xffffffff: none); sorted by offset
// name      varint prefix (0: none, else 1 + another name's position), varint length, UTF-8; shown as prefix '.' name
// file      u32 position among the names
// rows      varint count, then per row varint (bytes since the row before << 1 | file changes), zigzag line since the row before,
//           and if the file changes its varint index; before the first row line and file are 0. Line 0: unknown

using System.Buffers.Binary;
using System.Text;

namespace Unikernel.Iso.Symbols;

internal sealed class BlobWriter
{
    public const uint Magic = 0x4d595355;
    public const uint Version = 1;
    public const int HeaderSize = 48;
    public const int FunctionSize = 16;
    public const uint NoRows = 0xffffffff;

    private readonly List<byte> _names = [];
    private readonly List<byte> _rows = [];
    private readonly Dictionary<(uint Prefix, string Text), uint> _nameIndex = [];

    public static byte[] Write(SymbolModel model) => new BlobWriter().Build(model);

    private byte[] Build(SymbolModel model)
    {
        // The 32-bit boot code is linked where it is loaded, far below everything else; it is gone once C# runs.
        model = model.Within4GiBOfTheEnd();
        var start = model.Functions[0].Address;
        var functions = new List<uint>();
        foreach (var function in model.Functions)
        {
            if (function.Address - start > uint.MaxValue)
            {
                throw new InvalidDataException("code spans more than 4 GiB");
            }

            functions.Add((uint)(function.Address - start));
            functions.Add(function.Size);
            functions.Add(AddName(function.Type.Length == 0 ? 0 : AddName(0, function.Type) + 1, function.Method));
            functions.Add(AddRows(function.Rows));
        }

        var files = new List<uint>();
        foreach (var file in model.Files)
        {
            files.Add(AddName(0, file));
        }

        var filesAt = HeaderSize + (functions.Count * 4);
        var namesAt = filesAt + (files.Count * 4);
        var rowsAt = namesAt + _names.Count;
        var blob = new byte[rowsAt + _rows.Count];
        Put(blob, 0, [Magic, Version, (uint)blob.Length, (uint)model.Functions.Count, (uint)start, (uint)(start >> 32),
            HeaderSize, (uint)namesAt, (uint)filesAt, (uint)files.Count, (uint)rowsAt, 0]);
        Put(blob, HeaderSize, functions);
        Put(blob, filesAt, files);
        _names.CopyTo(blob, namesAt);
        _rows.CopyTo(blob, rowsAt);
        return blob;
    }

    private static void Put(byte[] blob, int at, List<uint> words)
    {
        foreach (var word in words)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(blob.AsSpan(at), word);
            at += 4;
        }
    }

    private uint AddName(uint prefix, string text)
    {
        if (!_nameIndex.TryGetValue((prefix, text), out var at))
        {
            at = (uint)_names.Count;
            var bytes = Encoding.UTF8.GetBytes(text);
            AddVarint(_names, prefix);
            AddVarint(_names, (uint)bytes.Length);
            _names.AddRange(bytes);
            _nameIndex.Add((prefix, text), at);
        }

        return at;
    }

    private uint AddRows(List<FunctionRow> rows)
    {
        if (rows.Count == 0)
        {
            return NoRows;
        }

        var at = (uint)_rows.Count;
        AddVarint(_rows, (uint)rows.Count);
        uint offset = 0, line = 0;
        var file = 0;
        foreach (var row in rows)
        {
            AddVarint(_rows, ((ulong)(row.Offset - offset) << 1) | (row.File != file ? 1u : 0));
            var delta = (long)row.Line - line;
            AddVarint(_rows, (ulong)((delta << 1) ^ (delta >> 63)));
            if (row.File != file)
            {
                AddVarint(_rows, (uint)row.File);
            }

            (offset, line, file) = (row.Offset, row.Line, row.File);
        }

        return at;
    }

    private static void AddVarint(List<byte> to, ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            to.Add((byte)(value | 0x80));
        }

        to.Add((byte)value);
    }
}
