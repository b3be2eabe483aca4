// ACPI tables: facts found in good ones, no read outside damaged ones.
using System;
using CsCheck;
using Unikernel.Kernel;
using Xunit;

namespace Unikernel.Tests.Kernel;

public unsafe class AcpiTests
{
    private static void Put(byte[] t, int at, ulong value, int bytes)
    {
        for (int i = 0; i < bytes; i++)
        {
            t[at + i] = (byte)(value >> (8 * i));
        }
    }

    private static byte[] Summed(byte[] t, int at, int over)
    {
        t[at] = 0;
        byte sum = 0;
        for (int i = 0; i < over; i++)
        {
            sum += t[i];
        }
        t[at] = (byte)-sum;
        return t;
    }

    private static byte[] Rsdp(byte revision, uint rsdt, ulong xsdt)
    {
        var t = new byte[36];
        "RSD PTR "u8.CopyTo(t);
        t[15] = revision;
        Put(t, 16, rsdt, 4);
        Put(t, 20, 36, 4);
        Put(t, 24, xsdt, 8);
        return Summed(Summed(t, 8, 20), 32, 36);
    }

    private static bool Root(byte[] t, out ulong table, out bool isExtended, int? available = null)
    {
        using var buffer = new GuardedBuffer(t.AsSpan(0, available ?? t.Length), 8);
        return Acpi.TryReadRoot(buffer.Start, (ulong)(available ?? t.Length), out table, out isExtended);
    }

    [Fact]
    public void Roots()
    {
        Assert.True(Root(Rsdp(0, 0x1000, 0), out ulong table, out bool isExtended));
        Assert.Equal((0x1000UL, false), (table, isExtended));
        Assert.True(Root(Rsdp(2, 0x1000, 0x2000), out table, out isExtended));
        Assert.Equal((0x2000UL, true), (table, isExtended));
        Assert.True(Root(Rsdp(2, 0x1000, 0), out table, out isExtended));
        Assert.Equal((0x1000UL, false), (table, isExtended));
        Assert.True(Root(Rsdp(2, 0x1000, 0x2000), out table, out isExtended, 24));      // the rest cannot be read
        Assert.Equal((0x1000UL, false), (table, isExtended));
        Assert.False(Root(Rsdp(0, 0, 0), out _, out _));
        Assert.False(Root(Rsdp(2, 0x1000, 0), out _, out _, 16));
        byte[] damaged = Rsdp(0, 0x1000, 0);
        damaged[9]++;
        Assert.False(Root(damaged, out _, out _));
        damaged = Rsdp(2, 0x1000, 0x2000);
        damaged[30]++;                                                                  // only the extended sum is wrong
        Assert.True(Root(damaged, out table, out isExtended));
        Assert.False(isExtended);
    }

    [Fact]
    public void Madt()
    {
        byte[][] entries =
        [
            [0, 8, 0, 0, 1, 0, 0, 0], [0, 8, 1, 7, 1, 0, 0, 0], [0, 8, 2, 9, 0, 0, 0, 0],
            [1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0],
            [2, 10, 0, 0, 2, 0, 0, 0, 0, 0], [2, 10, 0, 9, 20, 0, 0, 0, 0xf, 0], [2, 10, 0, 99, 5, 0, 0, 0, 0, 0],
            [9, 16, 0, 0, 0, 2, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0],
            [77, 3, 0],
        ];
        byte[] t = new byte[44];
        foreach (byte[] e in entries)
        {
            t = [.. t, .. e];
        }
        Put(t, 36, 0xfee00000, 4);
        MadtInfo info;
        using var buffer = new GuardedBuffer(t, 4);
        Assert.True(Acpi.TryReadMadt(buffer.Start, (uint)t.Length, &info));
        Assert.Equal(3, info.Cores);
        Assert.Equal((0u, 7u, 0x200u), (info.ApicIds[0], info.ApicIds[1], info.ApicIds[2]));
        Assert.Equal(0xfec00000UL, info.IoApic);
        Assert.Equal(0xfee00000UL, info.LocalApic);
        Assert.Equal((2, 4, 20, 0xf), (info.IsaPin[0], info.IsaPin[4], info.IsaPin[9], info.IsaFlags[9]));
    }

    [Fact]
    public void Fadt()
    {
        byte[] t = new byte[268];
        Put(t, 40, 0x1111, 4);
        Put(t, 64, 0x604, 4);
        FadtInfo info;
        Assert.True(Acpi.TryReadFadt(Start(t), 76, &info));
        Assert.Equal((0x1111UL, 0x604, 0UL, 0), (info.Dsdt, info.Pm1a, info.SleepControl, info.ResetPort));
        Put(t, 112, (1 << 20) | (1 << 10), 4);
        t[116] = 1;
        Put(t, 120, 0xcf9, 8);
        t[128] = 6;
        Put(t, 140, 0x1_0000_2222, 8);
        Put(t, 248, 0xfea00200, 8);
        Assert.True(Acpi.TryReadFadt(Start(t), 268, &info));
        Assert.Equal((0x1_0000_2222UL, 0xfea00200UL, 0xcf9, 6), (info.Dsdt, info.SleepControl, info.ResetPort, info.ResetValue));
        Assert.False(Acpi.TryReadFadt(Start(t), 75, &info));
    }

    [Theory]
    [InlineData("085F53355F1206040A050A0700", true, 5, 7)]
    [InlineData("085F53355F120A0400010A0700", true, 0, 1)]
    [InlineData("5F53355F004C085F53355F1206040A050A07", true, 5, 7)]    // a mention before the definition
    [InlineData("085F53355F1246004 0A050A", false, 0, 0)]
    [InlineData("085F53355F12060", false, 0, 0)]
    [InlineData("", false, 0, 0)]
    public void SleepTypes(string hex, bool found, byte a, byte b)
    {
        hex = hex.Replace(" ", "", StringComparison.Ordinal);
        byte[] aml = Convert.FromHexString(hex.Length % 2 == 0 ? hex : hex[..^1]);
        using var buffer = new GuardedBuffer(aml);
        Assert.Equal(found, Acpi.TryFindS5(buffer.Start, (uint)aml.Length, out byte typeA, out byte typeB));
        if (found)
        {
            Assert.Equal((a, b), (typeA, typeB));
        }
    }

    [Fact]
    public void RandomTablesAreNeverReadBeyond() =>
        Gen.Select(Gen.Byte.Array[36, 300], Gen.Bool).Sample((t, isExtended) =>
        {
            using var buffer = new GuardedBuffer(t, 8);
            uint length = (uint)t.Length;
            MadtInfo madt;
            FadtInfo fadt;
            Acpi.TryReadMadt(buffer.Start, length, &madt);
            Acpi.TryReadFadt(buffer.Start, length, &fadt);
            Acpi.TryReadHpet(buffer.Start, length, out _);
            Acpi.TryFindS5(buffer.Start, length, out _, out _);
            uint n = 0;
            while (Acpi.TryReadEntry(buffer.Start, length, isExtended, n, out _))
            {
                n++;
            }
            Assert.Equal((length - 36) / (isExtended ? 8u : 4u), n);
            Assert.False(Acpi.TryReadEntry(buffer.Start, length, isExtended, uint.MaxValue, out _));
        });

    [Fact]
    public void RandomAmlAroundTheNameIsNeverReadBeyond() =>
        Gen.Select(Gen.Byte.Array[0, 12], Gen.Byte.Array[0, 12]).Sample((before, after) =>
        {
            byte[] aml = [.. before, .. "_S5_\u0012"u8, .. after];
            using var buffer = new GuardedBuffer(aml);
            Acpi.TryFindS5(buffer.Start, (uint)aml.Length, out _, out _);
        });

    private static byte* Start(byte[] t)
    {
        // Never freed: the buffer must outlive the call and there are three of them.
        return new GuardedBuffer(t, 8).Start;
    }
}
