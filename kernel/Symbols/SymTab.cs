// Function names and source lines for addresses of code, from the blob iso/SymTab wrote at build time (format: iso/SymTab/BlobWriter.cs).
// ST1  Every access lies inside the blob: s_blob is set only when the header's ranges do, and all later positions are checked.
// ST2  A damaged blob makes answers wrong or missing, never a wild read; loops are bounded by the blob's length.
// Context: anywhere, also while the machine is failing. Takes no lock. Allocates nothing.

namespace Unikernel.Kernel;

/// <summary>One function of the image.</summary>
public struct Symbol
{
    public nuint Start;
    public nuint Size;

    /// <summary>Where its name and its lines are in the blob.</summary>
    internal uint Name;
    internal uint Rows;
}

public static unsafe class SymTab
{
    private const uint Magic = 0x4d595355;  // "USYM"
    private const uint Version = 1;
    private const uint HeaderSize = 48;
    private const uint FunctionSize = 16;
    private const uint NoRows = 0xffffffff;

    // Set once by Init.
    private static byte* s_blob;
    private static nuint s_base;
    private static uint s_functionCount;
    private static uint s_functionsAt;
    private static uint s_namesAt;
    private static uint s_namesEnd;
    private static uint s_filesAt;
    private static uint s_fileCount;
    private static uint s_rowsAt;
    private static uint s_rowsEnd;

    /// <summary>Takes the blob into use; false, and then nothing is ever found, when it is not one.</summary>
    public static bool Init(byte* start, byte* end)
    {
        s_blob = null;
        if (start == null || end < start || (nuint)(end - start) < HeaderSize || Word(start) != Magic || Word(start + 4) != Version)
        {
            return false;
        }

        var length = Word(start + 8);
        if (length < HeaderSize || length > (nuint)(end - start))
        {
            return false;
        }

        s_functionCount = Word(start + 12);
        s_base = (nuint)(Word(start + 16) | ((ulong)Word(start + 20) << 32));
        s_functionsAt = Word(start + 24);
        s_namesAt = Word(start + 28);
        s_filesAt = Word(start + 32);
        s_fileCount = Word(start + 36);
        s_rowsAt = Word(start + 40);
        s_namesEnd = s_rowsAt;
        s_rowsEnd = length;
        if (!Fits(s_functionsAt, s_functionCount, FunctionSize, length) || !Fits(s_filesAt, s_fileCount, 4, length)
            || s_namesAt > s_namesEnd || s_rowsAt > s_rowsEnd)
        {
            return false;
        }

        s_blob = start;
        return true;
    }

    /// <summary>The function the address lies in.</summary>
    public static bool TryFind(nuint pc, Symbol* symbol)
    {
        if (s_blob == null || pc < s_base || pc - s_base > uint.MaxValue)
        {
            return false;
        }

        var offset = (uint)(pc - s_base);
        uint low = 0;
        var high = s_functionCount;
        while (low < high)
        {
            var middle = low + ((high - low) / 2);
            if (Word(Function(middle)) <= offset)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        if (low == 0)
        {
            return false;
        }

        var found = Function(low - 1);
        var start = Word(found);
        var size = Word(found + 4);
        if (offset < start || offset - start >= size)
        {
            return false;
        }

        symbol->Start = s_base + start;
        symbol->Size = size;
        symbol->Name = Word(found + 8);
        symbol->Rows = Word(found + 12);
        return true;
    }

    /// <summary>Writes Namespace.Type.Method, cut to the capacity; returns the length, 0 when unknown. A return address counts to the call before it.</summary>
    public static int Format(nuint pc, bool isReturnAddress, byte* buffer, int capacity)
    {
        Symbol symbol;
        if (!TryFind(isReturnAddress ? pc - 1 : pc, &symbol))
        {
            return 0;
        }

        return PutName(symbol.Name, buffer, 0, capacity);
    }

    /// <summary>Writes folder/File.cs:line, cut to the capacity; returns the length, 0 when unknown.</summary>
    public static int FormatLocation(nuint pc, bool isReturnAddress, byte* buffer, int capacity)
    {
        if (isReturnAddress)
        {
            pc--;
        }

        Symbol symbol;
        uint file, line;
        if (!TryFind(pc, &symbol) || !TryFindLine(&symbol, pc, &file, &line) || file >= s_fileCount)
        {
            return 0;
        }

        var length = PutName(Word(s_blob + s_filesAt + (file * 4)), buffer, 0, capacity);
        if (length == 0)
        {
            return 0;
        }

        length = Put((byte)':', buffer, length, capacity);
        uint unit = 1;
        while (line / unit >= 10)
        {
            unit *= 10;
        }

        for (; unit > 0; unit /= 10)
        {
            length = Put((byte)('0' + (line / unit % 10)), buffer, length, capacity);
        }

        return length;
    }

    private static bool TryFindLine(Symbol* symbol, nuint pc, uint* file, uint* line)
    {
        *file = 0;
        *line = 0;
        if (symbol->Rows == NoRows || symbol->Rows >= s_rowsEnd - s_rowsAt)
        {
            return false;
        }

        var at = s_rowsAt + symbol->Rows;
        ulong count, step, change, index = 0;
        if (!TryVarint(&at, s_rowsEnd, &count))
        {
            return false;
        }

        ulong wanted = pc - symbol->Start;
        ulong offset = 0, currentFile = 0;
        long currentLine = 0;
        for (; count > 0; count--)
        {
            if (!TryVarint(&at, s_rowsEnd, &step) || !TryVarint(&at, s_rowsEnd, &change)
                || ((step & 1) != 0 && !TryVarint(&at, s_rowsEnd, &index)))
            {
                return false;
            }

            offset += step >> 1;
            if (offset > wanted)
            {
                break;
            }

            currentLine += (long)(change >> 1) ^ -(long)(change & 1);
            currentFile = (step & 1) != 0 ? index : currentFile;
        }

        if (currentLine <= 0 || currentLine > uint.MaxValue || currentFile >= s_fileCount)
        {
            return false;
        }

        *file = (uint)currentFile;
        *line = (uint)currentLine;
        return true;
    }

    /// <summary>Appends a name and, before it, its prefix. Returns the new length.</summary>
    private static int PutName(uint name, byte* buffer, int length, int capacity)
    {
        uint at, prefixAt, ignored;
        uint count, prefixCount, prefix;
        if (!TryName(name, &prefix, &at, &count))
        {
            return length;
        }

        if (prefix != 0 && TryName(prefix - 1, &ignored, &prefixAt, &prefixCount))
        {
            length = PutBytes(prefixAt, prefixCount, buffer, length, capacity);
            if (count > 0 && s_blob[at] != '.')
            {
                length = Put((byte)'.', buffer, length, capacity);
            }
        }

        return PutBytes(at, count, buffer, length, capacity);
    }

    private static bool TryName(uint name, uint* prefix, uint* at, uint* count)
    {
        if (name >= s_namesEnd - s_namesAt)
        {
            return false;
        }

        var position = s_namesAt + name;
        ulong before, length;
        if (!TryVarint(&position, s_namesEnd, &before) || !TryVarint(&position, s_namesEnd, &length)
            || before > uint.MaxValue || length > s_namesEnd - position)
        {
            return false;
        }

        *prefix = (uint)before;
        *at = position;
        *count = (uint)length;
        return true;
    }

    private static int PutBytes(uint at, uint count, byte* buffer, int length, int capacity)
    {
        for (uint i = 0; i < count && length < capacity; i++)
        {
            length = Put(s_blob[at + i], buffer, length, capacity);
        }

        return length;
    }

    /// <summary>Appends one byte if there is room; a control byte (only a damaged blob has any) as '?'.</summary>
    private static int Put(byte value, byte* buffer, int length, int capacity)
    {
        if (length >= capacity)
        {
            return length;
        }

        buffer[length] = value is < 0x20 or 0x7f ? (byte)'?' : value;
        return length + 1;
    }

    /// <summary>Reads a variable-length number and moves past it; false at the end of its table.</summary>
    private static bool TryVarint(uint* at, uint end, ulong* value)
    {
        *value = 0;
        for (var shift = 0; shift < 64 && *at < end; shift += 7)
        {
            var part = s_blob[*at];
            (*at)++;
            *value |= (ulong)(part & 0x7f) << shift;
            if (part < 0x80)
            {
                return true;
            }
        }

        return false;
    }

    private static bool Fits(uint at, uint count, uint size, uint length) => at <= length && (ulong)count * size <= length - at;

    private static byte* Function(uint index) => s_blob + s_functionsAt + ((nuint)index * FunctionSize);

    /// <summary>Byte by byte: nothing in the blob needs to be aligned.</summary>
    private static uint Word(byte* at) => at[0] | ((uint)at[1] << 8) | ((uint)at[2] << 16) | ((uint)at[3] << 24);
}
