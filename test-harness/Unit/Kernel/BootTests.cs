// The boot parsers: memory map, command line, multiboot2, clock registers, ACPI.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;
using CsCheck;
using Unikernel.Kernel;
using Xunit;

namespace Unikernel.Tests.Kernel;

public unsafe class BootTests
{
    private const ulong Page = 4096;

    [Fact]
    public void Memory_map_equals_a_set_of_pages() =>
        Gen.Select(Gen.Select(Gen.Int[0, 60], Gen.Int[0, 20]).Array[0, 12], Gen.Select(Gen.Int[0, 60], Gen.Int[1, 20]).Array[0, 4]).Sample((adds, removes) =>
        {
            MemoryMap map = default;
            var model = new HashSet<ulong>();
            foreach ((int start, int pages) in adds)
            {
                map.Add((ulong)start * Page, (ulong)pages * Page);
                model.UnionWith(Enumerable.Range(start, pages).Select(p => (ulong)p));
            }
            foreach ((int start, int pages) in removes)
            {
                map.Remove((ulong)start * Page, (ulong)(start + pages) * Page);
                model.ExceptWith(Enumerable.Range(start, pages).Select(p => (ulong)p));
            }
            map.Normalize();
            var pagesOf = new List<ulong>();
            for (int i = 0; i < map.Count; i++)
            {
                MemoryRange r = map[i];
                for (ulong p = r.Start / Page; p < r.End / Page; p++)
                {
                    pagesOf.Add(p);
                }
            }
            return pagesOf.SequenceEqual(model.Order());
        });

    [Theory]
    [InlineData("a=1 bb=22 a=3", "a", true, "3")]
    [InlineData("a=1 flag", "flag", true, "")]
    [InlineData("flagged", "flag", false, "")]
    [InlineData("", "x", false, "")]
    [InlineData("  x=  y", "x", true, "")]
    public void Command_line_look_up(string line, string key, bool found, string value)
    {
        fixed (byte* p = Encoding.UTF8.GetBytes(line + "\0"))
        {
            Assert.Equal(found, CommandLines.TryGet(p, Encoding.UTF8.GetBytes(key), out byte* v, out int n));
            Assert.Equal(value, found ? Encoding.UTF8.GetString(v, n) : "");
        }
    }

    [Theory]
    [InlineData("GOGC=100", true)]
    [InlineData("tty=0", true)]
    [InlineData("bootchart", true)]
    [InlineData("1000", false)]
    [InlineData("Name=x", false)]
    public void Words_for_the_kernel(string word, bool isKernels)
    {
        fixed (byte* p = Encoding.UTF8.GetBytes(word + "\0"))
        {
            Assert.Equal(isKernels, CommandLines.IsForKernel(p));
        }
    }

    [Fact]
    public void Multiboot2_tags_are_read_and_random_ones_never_read_past_the_end()
    {
        byte[] line = Encoding.UTF8.GetBytes("sieve 10\0");
        List<byte> tags = [.. BitConverter.GetBytes(1), .. BitConverter.GetBytes(8 + line.Length), .. line];
        while (tags.Count % 8 != 0)
        {
            tags.Add(0);
        }
        tags.AddRange([.. BitConverter.GetBytes(6), .. BitConverter.GetBytes(16 + 24), .. BitConverter.GetBytes(24), .. BitConverter.GetBytes(0),
            .. BitConverter.GetBytes(0x100000UL), .. BitConverter.GetBytes(0x4000000UL), .. BitConverter.GetBytes(1), .. BitConverter.GetBytes(0),
            .. BitConverter.GetBytes(0), .. BitConverter.GetBytes(8)]);
        byte[] info = [.. BitConverter.GetBytes(8 + tags.Count), .. BitConverter.GetBytes(0), .. tags];
        fixed (byte* p = info)
        {
            BootInfo* boot = (BootInfo*)NativeMemory.AllocZeroed((nuint)sizeof(BootInfo));
            Assert.True(boot->ParseMultiboot2(p, 0x8000));
            Assert.Equal("sieve 10", Marshal.PtrToStringUTF8((nint)boot->CommandLine));
            Assert.Equal(0x4000000UL, boot->Memory.TotalBytes);
            NativeMemory.Free(boot);
        }
        Gen.Byte.Array[16, 200].Sample(bytes =>
        {
            BitConverter.TryWriteBytes(bytes, bytes.Length);
            fixed (byte* p = bytes)
            {
                BootInfo* boot = (BootInfo*)NativeMemory.AllocZeroed((nuint)sizeof(BootInfo));
                boot->ParseMultiboot2(p, 0);
                NativeMemory.Free(boot);
            }
        });
    }

    [Fact]
    public void Clock_registers_equal_DateTime() =>
        Gen.DateTime[new DateTime(1970, 1, 1), new DateTime(2099, 12, 31)].Select(Gen.Bool, Gen.Bool).Sample((t, binary, is24) =>
        {
            byte Raw(int v) => (byte)(binary ? v : ((v / 10) << 4) | (v % 10));
            int hour = is24 ? t.Hour : t.Hour % 12 == 0 ? 12 : t.Hour % 12;
            var r = new RtcRegisters
            {
                Second = Raw(t.Second),
                Minute = Raw(t.Minute),
                Hour = (byte)(Raw(hour) | (!is24 && t.Hour >= 12 ? 0x80 : 0)),
                Day = Raw(t.Day),
                Month = Raw(t.Month),
                Year = Raw(t.Year % 100),
                Century = Raw(t.Year / 100),
                StatusB = (byte)((binary ? 4 : 0) | (is24 ? 2 : 0)),
            };
            return Rtc.TryDecode(in r, out long seconds)
                && seconds == (long)(new DateTime(t.Year, t.Month, t.Day, t.Hour, t.Minute, t.Second) - DateTime.UnixEpoch).TotalSeconds;
        });

    [Fact]
    public void Sleep_type_is_found_in_AML_and_damage_is_refused()
    {
        byte[] aml = [0x08, .. "_S5_"u8, 0x12, 0x06, 0x04, 0x0a, 0x05, 0x0a, 0x07, 0x00, 0x00, 0x00, 0x00];
        fixed (byte* p = aml)
        {
            Assert.True(Acpi.TryFindS5(p, (uint)aml.Length, out byte a, out byte b));
            Assert.Equal((5, 7), (a, b));
            Assert.False(Acpi.TryFindS5(p, 8, out _, out _));
        }
        byte[] rsdp = new byte[36];
        "RSD PTR "u8.CopyTo(rsdp);
        fixed (byte* p = rsdp)
        {
            Assert.False(Acpi.TryReadRoot(p, out _, out _));
        }
    }
}
