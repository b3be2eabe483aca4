// The two boot protocols: what is there is read, what is damaged is refused, nothing outside is touched.
using System;
using System.Buffers.Binary;
using System.Text;
using CsCheck;
using Unikernel.Kernel;
using Xunit;

namespace Unikernel.Tests.Kernel;

public unsafe class BootInfoTests
{
    // Physical memory from 0: start_info at 64, memory map at 256, command line at 512, modules at 700.
    private static byte[] Pvh(string line = "a=1 b", uint version = 1, uint entries = 2, uint modules = 1)
    {
        var m = new byte[1024];
        Put(m, 64, PvhInfo.Magic);
        Put(m, 68, version);
        Put(m, 76, modules);
        Put(m, 80, 700);
        Put(m, 88, 512);
        Put(m, 96, 0xf5a0);
        Put(m, 104, 256);
        Put(m, 112, entries);
        Put(m, 256 + 8, 0x9fc00);
        Put(m, 256 + 16, 1);
        Put(m, 280, 0x100000);
        Put(m, 280 + 8, 0x7ee0000);
        Put(m, 280 + 16, 1);
        Encoding.UTF8.GetBytes(line).CopyTo(m, 512);
        Put(m, 700, 0x400000);
        Put(m, 708, 0x1234);
        return m;
    }

    private static void Put(byte[] m, int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(m.AsSpan(at), value);

    private static BootError ParsePvh(byte[] memory, out BootInfo info, ulong at = 64)
    {
        info = default;
        using var buffer = new GuardedBuffer(memory, 8);
        fixed (BootInfo* p = &info)
        {
            return PvhInfo.Parse(buffer.Start, (ulong)memory.Length, at, p);
        }
    }

    private static BootError ParseMultiboot2(byte[] data, out BootInfo info)
    {
        info = default;
        using var buffer = new GuardedBuffer(data, 8);
        fixed (BootInfo* p = &info)
        {
            return Multiboot2Info.Parse(buffer.Start, (ulong)data.Length, p);
        }
    }

    private static string Line(BootInfo info) => Encoding.UTF8.GetString(info.CommandLine, info.CommandLineLength);

    [Fact]
    public void PvhIsRead()
    {
        Assert.Equal(BootError.None, ParsePvh(Pvh(), out BootInfo info));
        Assert.Equal("a=1 b", Line(info));
        Assert.Equal(2, info.EntryCount);
        Assert.Equal(0x100000UL, info.EntryWords[3]);
        Assert.Equal(0x7ee0000UL, info.EntryWords[4]);
        Assert.Equal(0xf5a0UL, info.RsdpAddress);
        Assert.Equal(1, info.ModuleCount);
        Assert.Equal(0x401234UL, info.ModuleWords[1]);
    }

    [Theory]
    [InlineData(64, 0u, BootError.BadMagic)]
    [InlineData(68, 0u, BootError.NoMemoryMap)]
    [InlineData(112, 0u, BootError.NoMemoryMap)]
    [InlineData(112, 0xffffffffu, BootError.Truncated)]
    [InlineData(104, 1020u, BootError.Truncated)]
    [InlineData(76, 0xffffffffu, BootError.Truncated)]
    [InlineData(80, 1000u, BootError.Truncated)]
    [InlineData(84, 1u, BootError.Truncated)]
    public void DamagedPvhIsRefused(int at, uint value, object error)
    {
        byte[] m = Pvh();
        Put(m, at, value);
        Assert.Equal((BootError)error, ParsePvh(m, out _));
    }

    [Fact]
    public void APvhCommandLineOutsideMemoryIsLeftOut()
    {
        byte[] m = Pvh();
        Put(m, 92, 1);
        Assert.Equal(BootError.None, ParsePvh(m, out BootInfo info));
        Assert.Equal("", Line(info));
    }

    [Fact]
    public void ACommandLineWithoutEndStopsAtTheEndOfMemory()
    {
        byte[] m = Pvh();
        Array.Fill(m, (byte)'x', 1000, 24);
        Put(m, 88, 1000);
        Assert.Equal(BootError.None, ParsePvh(m, out BootInfo info));
        Assert.Equal(new string('x', 24), Line(info));
    }

    [Fact]
    public void ALongCommandLineIsCutAndMarked()
    {
        var info = default(BootInfo);
        byte[] text = Encoding.UTF8.GetBytes(new string('y', 5000));
        fixed (byte* p = text)
        {
            info.AppendCommandLine(p, 10);
            Assert.False(info.CommandLineCut);
            info.AppendCommandLine(p, 5000);
        }
        Assert.True(info.CommandLineCut);
        Assert.Equal(BootInfo.MaxCommandLine - 1, info.CommandLineLength);
        Assert.Equal(0, info.CommandLine[BootInfo.MaxCommandLine - 1]);
        Assert.Equal((byte)' ', info.CommandLine[10]);
    }

    private static byte[] Tag(uint type, byte[] body)
    {
        var tag = new byte[(8 + body.Length + 7) & ~7];
        Put(tag, 0, type);
        Put(tag, 4, (uint)(8 + body.Length));
        body.CopyTo(tag, 8);
        return tag;
    }

    private static byte[] Info(params byte[][] tags)
    {
        int total = 8;
        foreach (byte[] tag in tags)
        {
            total += tag.Length;
        }
        var info = new byte[total];
        Put(info, 0, (uint)total);
        int at = 8;
        foreach (byte[] tag in tags)
        {
            tag.CopyTo(info, at);
            at += tag.Length;
        }
        return info;
    }

    private static byte[] MemoryTag(uint entrySize = 24)
    {
        var body = new byte[8 + 48];
        Put(body, 0, entrySize);
        Put(body, 8, 0x100000);
        Put(body, 16, 0x700000);
        Put(body, 24, 1);
        Put(body, 32, 0x800000);
        Put(body, 40, 0x1000);
        Put(body, 48, 4);
        return Tag(6, body);
    }

    [Fact]
    public void Multiboot2IsRead()
    {
        byte[] rsdp2 = new byte[36];
        rsdp2[15] = 2;
        byte[] module = new byte[12];
        Put(module, 0, 0x900000);
        Put(module, 4, 0x901000);
        byte[] data = Info(Tag(1, "x=1 y\0"u8.ToArray()), Tag(15, rsdp2), Tag(14, new byte[20]), Tag(3, module), Tag(77, new byte[5]), MemoryTag(), Tag(0, []));
        Assert.Equal(BootError.None, ParseMultiboot2(data, out BootInfo info));
        Assert.Equal("x=1 y", Line(info));
        Assert.True(info.HasRsdp);
        Assert.Equal(2, info.Rsdp[15]);
        Assert.Equal(2, info.EntryCount);
        Assert.Equal(1, info.ModuleCount);
        Assert.Equal(0x700000UL, info.EntryWords[1]);
    }

    [Fact]
    public void DamagedMultiboot2IsRefused()
    {
        byte[] good = Info(MemoryTag(), Tag(0, []));
        Assert.Equal(BootError.None, ParseMultiboot2(good, out _));
        Assert.Equal(BootError.Truncated, ParseMultiboot2(Info(MemoryTag()), out _));           // no end tag
        Assert.Equal(BootError.NoMemoryMap, ParseMultiboot2(Info(Tag(0, [])), out _));
        Assert.Equal(BootError.NoMemoryMap, ParseMultiboot2(Info(MemoryTag(16), Tag(0, [])), out _));
        Assert.Equal(BootError.Truncated, ParseMultiboot2(good[..8], out _));
        byte[] longer = (byte[])good.Clone();
        Put(longer, 0, (uint)good.Length + 8);
        Assert.Equal(BootError.Truncated, ParseMultiboot2(longer, out _));
        byte[] tiny = (byte[])good.Clone();
        Put(tiny, 12, 7);
        Assert.Equal(BootError.Truncated, ParseMultiboot2(tiny, out _));
        byte[] huge = (byte[])good.Clone();
        Put(huge, 12, 0xfffffff9);
        Assert.Equal(BootError.Truncated, ParseMultiboot2(huge, out _));
    }

    [Fact]
    public void TooManyEntriesAreRefused()
    {
        var body = new byte[8 + (24 * (BootInfo.MaxEntries + 1))];
        Put(body, 0, 24);
        Assert.Equal(BootError.TooManyEntries, ParseMultiboot2(Info(Tag(6, body), Tag(0, [])), out _));
    }

    [Fact]
    public void RandomBytesAreNeverReadBeyond() =>
        Gen.Byte.Array[0, 200].Sample(bytes =>
        {
            ParseMultiboot2(bytes, out _);
            if (bytes.Length >= 4)
            {
                Put(bytes, 0, (uint)bytes.Length);
                ParseMultiboot2(bytes, out _);
            }
        });

    [Fact]
    public void DamageAnywhereIsSurvived() =>
        Gen.Select(Gen.Int[0, 900], Gen.UInt, Gen.Int[0, 80], Gen.UInt[0, 400]).Sample((at, value, tagAt, small) =>
        {
            byte[] m = Pvh();
            Put(m, at, value);
            ParsePvh(m, out _);
            byte[] data = Info(Tag(1, "x=1"u8.ToArray()), MemoryTag(), Tag(15, new byte[36]), Tag(0, []));
            Put(data, tagAt, small);
            ParseMultiboot2(data, out _);
        });
}
