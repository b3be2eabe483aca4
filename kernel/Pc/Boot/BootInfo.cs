// What the loader tells, in our own form, and the two parsers that fill it. Pure but for the memory they are handed.
//
// BI1  A parser reads only inside [p, p + length); lengths found in the data are checked against that first.
// BI2  Tables too long for BootInfo are cut: the command line with a flag, memory entries and modules by count.
//      A cut memory map loses memory; since a lost entry might have said "reserved", the map is then refused by the caller.
// May not allocate. Reference: Xen PVH start_info (version 1), multiboot2 1.6 section 3.6.

using System.Runtime.InteropServices;

namespace Unikernel.Kernel;

internal enum BootError
{
    None = 0,
    BadMagic,
    Truncated,
    NoMemoryMap,
    TooManyEntries,
}

internal unsafe struct BootInfo
{
    public const int MaxEntries = 256;
    public const int MaxModules = 16;
    public const int MaxCommandLine = 4096;

    public int EntryCount;
    public int ModuleCount;
    public int CommandLineLength;
    public bool CommandLineCut;
    public bool HasRsdp;            // Rsdp holds a copy of the structure (multiboot2)
    public ulong RsdpAddress;       // physical, 0 = not told
    public fixed ulong EntryWords[MaxEntries * 3];
    public fixed ulong ModuleWords[MaxModules * 2];
    public fixed byte Rsdp[36];
    public fixed byte CommandLine[MaxCommandLine];

    /// <summary>Appends text up to its NUL or length, after a space when there is something already.</summary>
    public void AppendCommandLine(byte* text, nuint length)
    {
        fixed (byte* line = CommandLine)
        {
            var at = CommandLineLength;
            for (nuint i = 0; i < length && text[i] != 0; i++)
            {
                if (i == 0 && at > 0 && at < MaxCommandLine - 1)
                {
                    line[at++] = (byte)' ';
                }
                if (at >= MaxCommandLine - 1)
                {
                    CommandLineCut = true;
                    break;
                }
                line[at++] = text[i];
            }
            line[at] = 0;
            CommandLineLength = at;
        }
    }

    public bool AddEntry(ulong start, ulong length, uint type)
    {
        if (EntryCount == MaxEntries)
        {
            return false;
        }
        fixed (ulong* words = EntryWords)
        {
            var entry = (MemoryMapEntry*)words + EntryCount++;
            entry->Base = start;
            entry->Length = length;
            entry->Type = type;
            entry->Reserved = 0;
        }
        return true;
    }

    public bool AddModule(ulong start, ulong end)
    {
        if (ModuleCount == MaxModules)
        {
            return false;
        }
        if (end > start)
        {
            ModuleWords[ModuleCount * 2] = start;
            ModuleWords[ModuleCount * 2 + 1] = end;
            ModuleCount++;
        }
        return true;
    }
}

/// <summary>hvm_start_info and the tables it points at.</summary>
internal static unsafe class PvhInfo
{
    public const uint Magic = 0x336ec578;
    private const int HeaderV0 = 40, HeaderV1 = 56;

    [StructLayout(LayoutKind.Sequential)]
    private struct StartInfo
    {
        public uint MagicValue, Version, Flags, ModuleCount;
        public ulong ModuleList, CommandLine, Rsdp, MemoryMap;
        public uint MemoryMapEntries, Reserved;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct ModuleEntry
    {
        public ulong Address, Size, CommandLine, Reserved;
    }

    /// <summary>
    /// Parses start_info at physical address info. memory[0 .. memorySize) is physical memory from 0, as the caller
    /// sees it: every address in the tables is checked against it.
    /// </summary>
    public static BootError Parse(byte* memory, ulong memorySize, ulong info, BootInfo* output)
    {
        if (!Inside(info, HeaderV0, memorySize) || (info & 3) != 0)
        {
            return BootError.Truncated;
        }
        var start = (StartInfo*)(memory + info);
        if (start->MagicValue != Magic)
        {
            return BootError.BadMagic;
        }
        if (start->Version == 0 || !Inside(info, HeaderV1, memorySize))
        {
            return BootError.NoMemoryMap;
        }
        output->RsdpAddress = start->Rsdp;
        if (start->CommandLine != 0 && start->CommandLine < memorySize)
        {
            output->AppendCommandLine(memory + start->CommandLine, (nuint)(memorySize - start->CommandLine));
        }
        if (start->MemoryMapEntries == 0 || start->MemoryMap == 0)
        {
            return BootError.NoMemoryMap;
        }
        if (!Inside(start->MemoryMap, start->MemoryMapEntries * 24UL, memorySize))
        {
            return BootError.Truncated;
        }
        var entry = (MemoryMapEntry*)(memory + start->MemoryMap);
        for (uint i = 0; i < start->MemoryMapEntries; i++, entry++)
        {
            if (!output->AddEntry(entry->Base, entry->Length, entry->Type))
            {
                return BootError.TooManyEntries;
            }
        }
        if (start->ModuleCount != 0)
        {
            if (!Inside(start->ModuleList, start->ModuleCount * 32UL, memorySize))
            {
                return BootError.Truncated;
            }
            var module = (ModuleEntry*)(memory + start->ModuleList);
            for (uint i = 0; i < start->ModuleCount; i++, module++)
            {
                if (!output->AddModule(module->Address, module->Address + module->Size))
                {
                    return BootError.TooManyEntries;
                }
            }
        }
        return BootError.None;
    }

    private static bool Inside(ulong address, ulong length, ulong size) => length <= size && address <= size - length;
}

/// <summary>The multiboot2 information structure: a total size, then tags.</summary>
internal static unsafe class Multiboot2Info
{
    private const uint TagEnd = 0, TagCommandLine = 1, TagModule = 3, TagMemoryMap = 6, TagRsdp1 = 14, TagRsdp2 = 15;

    /// <summary>Parses p[0 .. length); the structure says its own size, which must fit.</summary>
    public static BootError Parse(byte* p, ulong length, BootInfo* output)
    {
        if (length < 16)
        {
            return BootError.Truncated;
        }
        ulong total = *(uint*)p;
        if (total < 16 || total > length)
        {
            return BootError.Truncated;
        }
        ulong at = 8;
        while (true)
        {
            if (total - at < 8)
            {
                return BootError.Truncated;
            }
            var tag = p + at;
            var type = *(uint*)tag;
            ulong size = *(uint*)(tag + 4);
            if (size < 8 || size > total - at)
            {
                return BootError.Truncated;
            }
            if (type == TagEnd)
            {
                break;
            }
            var error = ParseTag(type, tag, size, output);
            if (error != BootError.None)
            {
                return error;
            }
            at += (size + 7) & ~7UL;
            if (at > total)
            {
                return BootError.Truncated;
            }
        }
        return output->EntryCount == 0 ? BootError.NoMemoryMap : BootError.None;
    }

    private static BootError ParseTag(uint type, byte* tag, ulong size, BootInfo* output)
    {
        if (type == TagCommandLine)
        {
            output->AppendCommandLine(tag + 8, (nuint)(size - 8));
        }
        else if (type == TagModule && size >= 16)
        {
            if (!output->AddModule(*(uint*)(tag + 8), *(uint*)(tag + 12)))
            {
                return BootError.TooManyEntries;
            }
        }
        else if (type == TagMemoryMap && size >= 16)
        {
            ulong entrySize = *(uint*)(tag + 8);
            if (entrySize < 24)
            {
                return BootError.NoMemoryMap;
            }
            for (ulong at = 16; entrySize <= size - at; at += entrySize)
            {
                var entry = (MemoryMapEntry*)(tag + at);
                if (!output->AddEntry(entry->Base, entry->Length, entry->Type))
                {
                    return BootError.TooManyEntries;
                }
            }
        }
        else if ((type == TagRsdp1 && size >= 8 + 20 && !output->HasRsdp) || (type == TagRsdp2 && size >= 8 + 36))
        {
            var n = type == TagRsdp1 ? 20 : 36;
            for (var i = 0; i < 36; i++)
            {
                output->Rsdp[i] = i < n ? tag[8 + i] : (byte)0;
            }
            output->HasRsdp = true;
        }
        return BootError.None;
    }
}
