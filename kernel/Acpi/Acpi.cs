// ACPI tables: the few facts this kernel needs. Parsing is total over (pointer, length).
//
// AC1  A table counts only with the right signature, a length that holds its fields, and checksum zero.
// Context: boot. Allocates nothing. Reference: ACPI 6.5 sections 5.2.5 to 5.2.12, 19.6.99 (\_S5).
namespace Unikernel.Kernel;

internal static unsafe class Acpi
{
    internal const int HeaderBytes = 36;
    internal const uint MaxTableBytes = 16 << 20;

    internal static bool IsSumZero(byte* p, uint n)
    {
        byte sum = 0;
        for (uint i = 0; i < n; i++)
        {
            sum += p[i];
        }
        return sum == 0;
    }

    /// <summary>Whether a root pointer is valid; gives the address of its table and whether entries are 8 bytes.</summary>
    internal static bool TryReadRoot(byte* rsdp, out ulong table, out bool isExtended)
    {
        table = 0;
        isExtended = false;
        if (!new ReadOnlySpan<byte>(rsdp, 8).SequenceEqual("RSD PTR "u8) || !IsSumZero(rsdp, 20))
        {
            return false;
        }
        table = *(uint*)(rsdp + 16);
        if (rsdp[15] >= 2 && *(uint*)(rsdp + 20) >= 36 && IsSumZero(rsdp, 36) && *(ulong*)(rsdp + 24) != 0)
        {
            table = *(ulong*)(rsdp + 24);
            isExtended = true;
        }
        return table != 0;
    }

    /// <summary>Whether a table is whole.</summary>
    internal static bool IsTable(byte* table, ReadOnlySpan<byte> signature, uint leastBytes)
    {
        uint length = *(uint*)(table + 4);
        return new ReadOnlySpan<byte>(table, 4).SequenceEqual(signature)
            && length >= leastBytes && length <= MaxTableBytes && IsSumZero(table, length);
    }

    /// <summary>Finds the sleep types of \_S5 in AML: NameOp "_S5_" PackageOp length count value value.</summary>
    internal static bool TryFindS5(byte* aml, uint n, out byte typeA, out byte typeB)
    {
        typeA = typeB = 0;
        for (uint i = 0; i + 12 < n; i++)
        {
            if (!new ReadOnlySpan<byte>(aml + i, 4).SequenceEqual("_S5_"u8) || aml[i + 4] != 0x12)
            {
                continue;
            }
            uint at = i + 5;
            at += 1 + (uint)(aml[at] >> 6);     // package length
            at += 1;                            // element count
            return TryReadByte(aml, n, ref at, out typeA) && TryReadByte(aml, n, ref at, out typeB);
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
        byte op = aml[at++];
        switch (op)
        {
            case 0:
            case 1:
                value = op;
                return true;
            case 0x0a when at < n:
                value = aml[at++];
                return true;
            default:
                return false;
        }
    }
}
