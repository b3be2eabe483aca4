// What the boot loader tells, from either protocol, as one structure.
//
// BI1  Parsers are total: lengths are checked before reading; nonsense is ignored or counted, never followed.
// BI2  Physical addresses are read through `map`, so the same code runs on a host buffer.
// Context: boot. Allocates nothing. Reference: Xen PVH boot ABI (hvm_start_info); multiboot2 1.6 section 3.6.
using System.Runtime.InteropServices;

namespace Unikernel.Kernel;

[StructLayout(LayoutKind.Sequential)]
internal struct MemoryRange
{
    internal ulong Start;
    internal ulong End;
}

/// <summary>Usable memory: sorted, page aligned, without overlaps after <see cref="Normalize"/>.</summary>
internal unsafe struct MemoryMap
{
    internal const int Capacity = 64;
    private const ulong PageMask = 4095;

    private fixed ulong _bounds[Capacity * 2];
    internal int Count;

    internal MemoryRange this[int i]
    {
        get => new() { Start = _bounds[i * 2], End = _bounds[(i * 2) + 1] };
        set
        {
            _bounds[i * 2] = value.Start;
            _bounds[(i * 2) + 1] = value.End;
        }
    }

    internal ulong TotalBytes
    {
        get
        {
            ulong n = 0;
            for (int i = 0; i < Count; i++)
            {
                n += this[i].End - this[i].Start;
            }
            return n;
        }
    }

    /// <summary>Adds usable memory, shrunk to whole pages; ranges beyond the capacity are left unused.</summary>
    internal void Add(ulong start, ulong length)
    {
        ulong end = start + length;
        if (end < start || start > ulong.MaxValue - PageMask)
        {
            return;
        }
        start = (start + PageMask) & ~PageMask;
        end &= ~PageMask;
        if (start < end && Count < Capacity)
        {
            this[Count++] = new MemoryRange { Start = start, End = end };
        }
    }

    /// <summary>Takes [start, end) out, widened to whole pages.</summary>
    internal void Remove(ulong start, ulong end)
    {
        start &= ~PageMask;
        end = end > ulong.MaxValue - PageMask ? ulong.MaxValue & ~PageMask : (end + PageMask) & ~PageMask;
        for (int i = Count - 1; i >= 0; i--)
        {
            MemoryRange r = this[i];
            if (r.End <= start || r.Start >= end)
            {
                continue;
            }
            bool left = r.Start < start;
            bool right = r.End > end;
            if (left)
            {
                this[i] = new MemoryRange { Start = r.Start, End = start };
            }
            if (right)
            {
                MemoryRange rest = new() { Start = end, End = r.End };
                if (!left)
                {
                    this[i] = rest;
                }
                else if (Count < Capacity)
                {
                    this[Count++] = rest;
                }
            }
            if (!left && !right)
            {
                this[i] = this[--Count];
            }
        }
    }

    /// <summary>Sorts by address and joins what overlaps or touches.</summary>
    internal void Normalize()
    {
        for (int i = 1; i < Count; i++)
        {
            MemoryRange r = this[i];
            int at = i;
            for (; at > 0 && this[at - 1].Start > r.Start; at--)
            {
                this[at] = this[at - 1];
            }
            this[at] = r;
        }
        int kept = 0;
        for (int i = 0; i < Count; i++)
        {
            MemoryRange r = this[i];
            if (kept > 0 && r.Start <= this[kept - 1].End)
            {
                MemoryRange last = this[kept - 1];
                last.End = r.End > last.End ? r.End : last.End;
                this[kept - 1] = last;
            }
            else
            {
                this[kept++] = r;
            }
        }
        Count = kept;
    }
}

/// <summary>Command line, memory and RSDP from the loader.</summary>
internal unsafe struct BootInfo
{
    internal const int CommandLineBytes = 4096;

    private const uint PvhMagic = 0x336ec578;
    private const int PvhRsdpOffset = 32;
    private const int PvhMemMapOffset = 40;
    private const int PvhEntryBytes = 24;
    private const uint Usable = 1;
    private const ulong LowestUsable = 1 << 20;
    private const uint MaxMultibootBytes = 1 << 20;

    internal fixed byte CommandLine[CommandLineBytes];  // NUL-terminated
    internal int CommandLineLength;
    internal MemoryMap Memory;
    internal ulong HighestAddress;      // end of the highest usable range, before anything is taken out
    internal ulong Rsdp;                // physical; 0 = none
    internal ulong InfoEnd;             // physical end of the loader's own structures, where they are in one piece
    internal ulong InfoStart;

    /// <summary>Reads Xen's hvm_start_info. <paramref name="map"/> is added to physical addresses.</summary>
    internal bool ParsePvh(byte* info, byte* map)
    {
        if (*(uint*)info != PvhMagic)
        {
            return false;
        }
        uint version = *(uint*)(info + 4);
        ulong line = *(ulong*)(info + 24);
        if (line != 0)
        {
            SetCommandLine(map + line, CommandLineBytes);
        }
        Rsdp = *(ulong*)(info + PvhRsdpOffset);
        if (version < 1)
        {
            return false;               // no memory map
        }
        byte* entries = map + *(ulong*)(info + PvhMemMapOffset);
        uint count = *(uint*)(info + PvhMemMapOffset + 8);
        for (uint i = 0; i < count && i < 1024; i++)
        {
            byte* e = entries + (i * PvhEntryBytes);
            if (*(uint*)(e + 16) == Usable)
            {
                AddUsable(*(ulong*)e, *(ulong*)(e + 8));
            }
        }
        return true;
    }

    /// <summary>Reads multiboot2's tags.</summary>
    internal bool ParseMultiboot2(byte* info, ulong physical)
    {
        uint total = *(uint*)info;
        if (total is < 16 or > MaxMultibootBytes)
        {
            return false;
        }
        InfoStart = physical;
        InfoEnd = physical + total;
        for (uint at = 8; at + 8 <= total;)
        {
            uint type = *(uint*)(info + at);
            uint size = *(uint*)(info + at + 4);
            if (type == 0 || size < 8 || size > total - at)
            {
                break;
            }
            byte* body = info + at + 8;
            uint bytes = size - 8;
            switch (type)
            {
                case 1:
                    SetCommandLine(body, (int)bytes);
                    break;
                case 6 when bytes >= 8:
                    ParseMultibootMemory(body + 8, bytes - 8, *(uint*)body);
                    break;
                case 14 or 15 when bytes >= 20:     // copies of the ACPI 1.0 and 2.0 RSDP
                    if (Rsdp == 0 || type == 15)
                    {
                        Rsdp = physical + at + 8;
                    }
                    break;
            }
            at += (size + 7) & ~7u;
        }
        return Memory.Count > 0;
    }

    private void ParseMultibootMemory(byte* entries, uint bytes, uint entryBytes)
    {
        if (entryBytes < 20)
        {
            return;
        }
        for (uint at = 0; at + entryBytes <= bytes; at += entryBytes)
        {
            if (*(uint*)(entries + at + 16) == Usable)
            {
                AddUsable(*(ulong*)(entries + at), *(ulong*)(entries + at + 8));
            }
        }
    }

    // The first MiB stays unused: firmware tables, and later the trampoline of further cores.
    private void AddUsable(ulong start, ulong length)
    {
        ulong end = start + length;
        if (end < start || end <= LowestUsable)
        {
            return;
        }
        if (start < LowestUsable)
        {
            start = LowestUsable;
        }
        Memory.Add(start, end - start);
        HighestAddress = end > HighestAddress ? end : HighestAddress;
    }

    /// <summary>Appends text up to its NUL or <paramref name="max"/> bytes, after a blank.</summary>
    internal void SetCommandLine(byte* text, int max)
    {
        int n = CommandLineLength;
        if (n > 0 && n < CommandLineBytes - 1)
        {
            CommandLine[n++] = (byte)' ';
        }
        for (int i = 0; i < max && text[i] != 0 && n < CommandLineBytes - 1; i++)
        {
            CommandLine[n++] = text[i];
        }
        CommandLine[n] = 0;
        CommandLineLength = n;
    }
}

/// <summary>Looking things up in a command line: blanks separate, KEY=VALUE or a bare KEY.</summary>
internal static unsafe class CommandLines
{
    /// <summary>Finds <paramref name="key"/>; the value is empty for a bare word. The last one wins.</summary>
    internal static bool TryGet(byte* line, ReadOnlySpan<byte> key, out byte* value, out int length)
    {
        value = null;
        length = 0;
        bool found = false;
        for (byte* p = line; *p != 0;)
        {
            while (*p is (byte)' ' or (byte)'\t')
            {
                p++;
            }
            byte* start = p;
            while (*p is not (0 or (byte)' ' or (byte)'\t'))
            {
                p++;
            }
            int bytes = (int)(p - start);
            if (bytes < key.Length || !new ReadOnlySpan<byte>(start, key.Length).SequenceEqual(key))
            {
                continue;
            }
            if (bytes == key.Length)
            {
                found = true;
                value = p;
                length = 0;
            }
            else if (start[key.Length] == (byte)'=')
            {
                found = true;
                value = start + key.Length + 1;
                length = bytes - key.Length - 1;
            }
        }
        return found;
    }

    /// <summary>
    /// Whether a word is for the kernel and not for the program's Main: its own switches, and NAME=value with an
    /// upper-case name, which is an environment variable.
    /// </summary>
    internal static bool IsForKernel(byte* word)
    {
        int n = 0;
        while (word[n] is (>= (byte)'A' and <= (byte)'Z') or (byte)'_' or (>= (byte)'0' and <= (byte)'9'))
        {
            n++;
        }
        if (n > 0 && word[n] == (byte)'=' && word[0] is >= (byte)'A' and <= (byte)'Z')
        {
            return true;
        }
        int length = 0;
        while (word[length] != 0)
        {
            length++;
        }
        ReadOnlySpan<byte> text = new(word, length);
        return text.SequenceEqual("bootchart"u8) || text.SequenceEqual("mark=1"u8)
            || (length == 5 && text[..4].SequenceEqual("tty="u8));
    }
}
