// A cursor over bytes whose every read is checked: running off the end is InvalidDataException, never a wild read.

using System.Buffers.Binary;
using System.Text;

namespace Unikernel.Iso.Symbols;

internal ref struct ByteReader(ReadOnlySpan<byte> data, int position = 0)
{
    private readonly ReadOnlySpan<byte> _data = data;

    public int Position = position;

    public readonly bool AtEnd => Position >= _data.Length;

    public ReadOnlySpan<byte> Take(ulong count)
    {
        if (Position < 0 || Position > _data.Length || count > (ulong)(_data.Length - Position))
        {
            throw new InvalidDataException("truncated data");
        }

        var taken = _data.Slice(Position, (int)count);
        Position += (int)count;
        return taken;
    }

    public void Skip(ulong count) => Take(count);

    public byte U8() => Take(1)[0];

    public ushort U16() => BinaryPrimitives.ReadUInt16LittleEndian(Take(2));

    public uint U32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    public ulong U64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));

    /// <summary>A section offset: 4 bytes, or 8 in 64-bit DWARF.</summary>
    public ulong Offset(bool wide) => wide ? U64() : U32();

    public ulong Uleb()
    {
        ulong value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var b = U8();
            if (shift < 64)
            {
                value |= (ulong)(b & 0x7f) << shift;
            }

            if (b < 0x80)
            {
                return value;
            }
        }
    }

    public long Sleb()
    {
        long value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var b = U8();
            if (shift < 64)
            {
                value |= (long)(b & 0x7f) << shift;
            }

            if (b < 0x80)
            {
                return (b & 0x40) != 0 && shift + 7 < 64 ? value | (-1L << (shift + 7)) : value;
            }
        }
    }

    /// <summary>The bytes up to a NUL, which is consumed.</summary>
    public ReadOnlySpan<byte> CString()
    {
        if ((uint)Position > (uint)_data.Length)
        {
            throw new InvalidDataException("string offset outside its section");
        }

        var length = _data[Position..].IndexOf((byte)0);
        if (length < 0)
        {
            throw new InvalidDataException("unterminated string");
        }

        var text = _data.Slice(Position, length);
        Position += length + 1;
        return text;
    }

    public static string StringAt(ReadOnlySpan<byte> section, ulong offset)
    {
        if (offset >= (ulong)section.Length)
        {
            throw new InvalidDataException("string offset outside its section");
        }

        return Encoding.UTF8.GetString(new ByteReader(section, (int)offset).CString());
    }
}
