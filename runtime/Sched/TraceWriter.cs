// Where a trace goes: the console, or a buffer that may be too small.
// Context: anywhere. Allocates nothing.
using System;
using Unikernel.Kernel;

namespace Unikernel.Runtime.Sched;

internal unsafe struct TraceWriter(byte* buffer, nuint capacity)
{
    private const int MaxDigits = 20;

    internal readonly bool IsConsole => buffer == null;

    /// <summary>Bytes written, or that would have been with more room.</summary>
    internal nuint Length { get; private set; }

    internal void Write(byte* text, nuint length)
    {
        if (buffer == null)
        {
            Machine.Print(text, length);
        }
        else
        {
            for (nuint i = 0; i < length && Length + i < capacity; i++)
            {
                buffer[Length + i] = text[i];
            }
        }
        Length += length;
    }

    internal void Write(ReadOnlySpan<byte> text)
    {
        fixed (byte* p = text)
        {
            Write(p, (nuint)text.Length);
        }
    }

    internal void Write(long value)
    {
        byte* digits = stackalloc byte[MaxDigits];
        int at = MaxDigits;
        ulong rest = value < 0 ? (ulong)-value : (ulong)value;
        do
        {
            digits[--at] = (byte)('0' + (rest % 10));
            rest /= 10;
        }
        while (rest != 0);
        if (value < 0)
        {
            Write("-"u8);
        }
        Write(digits + at, (nuint)(MaxDigits - at));
    }

    /// <summary>UTF-16 as UTF-8; a lone surrogate becomes a question mark.</summary>
    internal void Write(string? text)
    {
        fixed (char* p = text)                  // an index into the string is checked, and the check would throw
        {
            Write(p, text == null ? 0 : text.Length);
        }
    }

    private void Write(char* text, int length)
    {
        byte* utf8 = stackalloc byte[4];
        for (int i = 0; i < length; i++)
        {
            uint c = text[i];
            bool isPair = c is >= 0xD800 and < 0xDC00 && i + 1 < length && text[i + 1] is >= '\uDC00' and < '\uE000';
            if (isPair)
            {
                c = 0x10000 + ((c - 0xD800) << 10) + (text[++i] - 0xDC00u);
            }
            else if (c is >= 0xD800 and < 0xE000)
            {
                c = '?';
            }
            nuint n = 1;
            if (c < 0x80)
            {
                utf8[0] = (byte)c;
            }
            else if (c < 0x800)
            {
                utf8[0] = (byte)(0xC0 | (c >> 6));
                utf8[1] = (byte)(0x80 | (c & 0x3F));
                n = 2;
            }
            else if (c < 0x10000)
            {
                utf8[0] = (byte)(0xE0 | (c >> 12));
                utf8[1] = (byte)(0x80 | ((c >> 6) & 0x3F));
                utf8[2] = (byte)(0x80 | (c & 0x3F));
                n = 3;
            }
            else
            {
                utf8[0] = (byte)(0xF0 | (c >> 18));
                utf8[1] = (byte)(0x80 | ((c >> 12) & 0x3F));
                utf8[2] = (byte)(0x80 | ((c >> 6) & 0x3F));
                utf8[3] = (byte)(0x80 | (c & 0x3F));
                n = 4;
            }
            Write(utf8, n);
        }
    }
}
