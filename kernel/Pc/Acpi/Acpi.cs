// ACPI tables: the few facts this kernel needs. Pure: total over (pointer, length), tested on the host.
//
// AC1  A table counts only with the right signature, a length that holds its fixed fields and fits what is readable,
//      and checksum zero. Everything else reads only inside that length.
// May not allocate. Reference: ACPI 6.5 sections 5.2.5 to 5.2.12, 7.4.2.5 (\_S5); HPET 1.0a section 3.2.4.
using System.Runtime.CompilerServices;

namespace Unikernel.Kernel;

/// <summary>How to power off and reset.</summary>
internal struct FadtInfo
{
    internal ulong Dsdt;
    internal uint SmiCommand;
    internal byte AcpiEnable;
    internal ushort Pm1a;
    internal ushort Pm1b;
    internal ulong SleepControl;        // memory address, with HW_REDUCED; 0 = none
    internal ushort ResetPort;          // 0 = none
    internal byte ResetValue;
}

/// <summary>Cores and interrupt controllers.</summary>
internal unsafe struct MadtInfo
{
    internal const int MaxCores = 64;

    internal int Cores;                         // usable ones, also those beyond MaxCores
    internal ulong LocalApic;
    internal ulong IoApic;                      // the one that serves interrupt 0
    internal uint IoApicBase;
    internal fixed uint ApicIds[MaxCores];
    internal fixed byte IsaPin[16];             // ISA interrupt → I/O APIC input
    internal fixed ushort IsaFlags[16];         // MPS INTI flags: polarity, trigger
}

internal static unsafe class Acpi
{
    internal const uint HeaderBytes = 36;
    internal const uint MaxTableBytes = 1 << 20;

    private const byte ZeroOp = 0, OneOp = 1, BytePrefix = 0x0a, PackageOp = 0x12;

    internal static bool IsSumZero(byte* p, uint n)
    {
        byte sum = 0;
        for (uint i = 0; i < n; i++)
        {
            sum += p[i];
        }
        return sum == 0;
    }

    /// <summary>Whether p[0 .. available) starts with a valid root pointer; gives its table and whether entries are 8 bytes.</summary>
    internal static bool TryReadRoot(byte* p, ulong available, out ulong table, out bool isExtended)
    {
        table = 0;
        isExtended = false;
        if (available < 20 || *(ulong*)p != 0x2052_5450_2044_5352 || !IsSumZero(p, 20))     // "RSD PTR "
        {
            return false;
        }
        table = *(uint*)(p + 16);
        if (p[15] >= 2 && available >= 36 && *(uint*)(p + 20) >= 36 && IsSumZero(p, 36) && *(ulong*)(p + 24) != 0)
        {
            table = *(ulong*)(p + 24);
            isExtended = true;
        }
        return table != 0;
    }

    /// <summary>Length a table's header states, if it is a sensible one; else 0. Needs HeaderBytes.</summary>
    internal static uint LengthOf(byte* table)
    {
        var length = *(uint*)(table + 4);
        return length is >= HeaderBytes and <= MaxTableBytes ? length : 0;
    }

    /// <summary>Signature as in memory, "APIC" and the like.</summary>
    internal static uint SignatureOf(byte* table) => *(uint*)table;

    // No bounds check, which would throw: every caller passes a literal of four bytes.
    internal static uint Signature(ReadOnlySpan<byte> name) => Unsafe.ReadUnaligned<uint>(ref System.Runtime.InteropServices.MemoryMarshal.GetReference(name));

    /// <summary>Address of entry i of a root table; false behind the last.</summary>
    internal static bool TryReadEntry(byte* root, uint length, bool isExtended, uint i, out ulong address)
    {
        var step = isExtended ? 8u : 4u;
        var at = HeaderBytes + (ulong)i * step;
        address = 0;
        if (at + step > length)
        {
            return false;
        }
        address = isExtended ? *(ulong*)(root + at) : *(uint*)(root + at);
        return true;
    }

    internal static bool TryReadFadt(byte* t, uint length, FadtInfo* info)
    {
        *info = default;
        if (length < 76)
        {
            return false;
        }
        info->Dsdt = *(uint*)(t + 40);
        info->SmiCommand = *(uint*)(t + 48);
        info->AcpiEnable = t[52];
        info->Pm1a = (ushort)*(uint*)(t + 64);
        info->Pm1b = (ushort)*(uint*)(t + 68);
        if (length >= 148 && *(ulong*)(t + 140) != 0)
        {
            info->Dsdt = *(ulong*)(t + 140);
        }
        var flags = length >= 116 ? *(uint*)(t + 112) : 0;
        if (length >= 129 && (flags & (1 << 10)) != 0 && t[116] == 1)       // reset register in port space
        {
            info->ResetPort = (ushort)*(ulong*)(t + 120);
            info->ResetValue = t[128];
        }
        if (length >= 256 && (flags & (1 << 20)) != 0 && t[244] == 0)       // HW_REDUCED, register in memory
        {
            info->SleepControl = *(ulong*)(t + 248);
        }
        return true;
    }

    internal static bool TryReadHpet(byte* t, uint length, out ulong address)
    {
        address = 0;
        if (length < 56 || t[40] != 0)      // registers in memory
        {
            return false;
        }
        address = *(ulong*)(t + 44);
        return address != 0;
    }

    internal static bool TryReadMadt(byte* t, uint length, MadtInfo* info)
    {
        *info = default;
        for (var i = 0; i < 16; i++)
        {
            info->IsaPin[i] = (byte)i;
        }
        if (length < 44)
        {
            return false;
        }
        info->LocalApic = *(uint*)(t + 36);
        for (uint at = 44; length - at >= 2;)
        {
            var e = t + at;
            uint size = e[1];
            if (size < 2 || size > length - at)
            {
                break;
            }
            switch (e[0])
            {
                case 0 when size >= 8 && (*(uint*)(e + 4) & 1) != 0:
                    AddCore(info, e[3]);
                    break;
                case 9 when size >= 16 && (*(uint*)(e + 8) & 1) != 0:
                    AddCore(info, *(uint*)(e + 4));
                    break;
                case 1 when size >= 12 && (info->IoApic == 0 || *(uint*)(e + 8) == 0):
                    info->IoApic = *(uint*)(e + 4);
                    info->IoApicBase = *(uint*)(e + 8);
                    break;
                case 2 when size >= 10 && e[3] < 16 && *(uint*)(e + 4) < 240:
                    info->IsaPin[e[3]] = (byte)*(uint*)(e + 4);
                    info->IsaFlags[e[3]] = *(ushort*)(e + 8);
                    break;
                case 5 when size >= 12:
                    info->LocalApic = *(ulong*)(e + 4);
                    break;
            }
            at += size;
        }
        return true;
    }

    private static void AddCore(MadtInfo* info, uint apicId)
    {
        if (info->Cores < MadtInfo.MaxCores)
        {
            info->ApicIds[info->Cores] = apicId;
        }
        info->Cores++;
    }

    /// <summary>Finds the sleep types of \_S5 in AML: NameOp "_S5_" PackageOp length count value value.</summary>
    internal static bool TryFindS5(byte* aml, uint n, out byte typeA, out byte typeB)
    {
        typeA = typeB = 0;
        for (uint i = 0; n - i >= 8 && i < n; i++)
        {
            if (aml[i] != '_' || aml[i + 1] != 'S' || aml[i + 2] != '5' || aml[i + 3] != '_' || aml[i + 4] != PackageOp)
            {
                continue;
            }
            var at = i + 5;
            at += 1 + (uint)(aml[at] >> 6);     // package length
            at += 1;                            // element count
            if (TryReadByte(aml, n, ref at, out typeA) && TryReadByte(aml, n, ref at, out typeB))
            {
                return true;
            }
        }
        return false;
    }

    private static bool TryReadByte(byte* aml, uint n, ref uint at, out byte value)
    {
        value = 0;
        if (at >= n)
        {
            return false;
        }
        var op = aml[at++];
        if (op is ZeroOp or OneOp)
        {
            value = op;
            return true;
        }
        if (op == BytePrefix && at < n)
        {
            value = aml[at++];
            return true;
        }
        return false;
    }
}
