// Environment variables off the kernel's command line, and error numbers (runtime/Pal).
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using CsCheck;
using Unikernel.Runtime.Pal;
using Xunit;

namespace Unikernel.Tests.Pal;

public unsafe class EnvironmentTests
{
    private const byte Guard = 0xEE;

    private static List<string> Variables(byte[] line, int max = 8)
    {
        var text = new byte[line.Length + 3];
        text[^1] = Guard;
        byte** variables = stackalloc byte*[max + 1];
        var found = new List<string>();
        fixed (byte* p = text)
        {
            int n = EnvironmentBlock.Parse(line, variables, max, p);
            Assert.InRange(n, 0, max);
            Assert.True(variables[n] == null);
            for (int i = 0; i < n; i++)
            {
                Assert.True(variables[i] >= p && variables[i] < p + text.Length - 1);
                found.Add(Encoding.Latin1.GetString(CText.Of(variables[i])));
            }
        }
        Assert.Equal(Guard, text[^1]);
        return found;
    }

    private static string Joined(string line) => string.Join('|', Variables(Encoding.Latin1.GetBytes(line)));

    [Theory]
    [InlineData("", "")]
    [InlineData("   \t ", "")]
    [InlineData("GOGC=50", "GOGC=50")]
    [InlineData("sieve 100 GOGC=off tty=0 A_1=x=y", "GOGC=off|A_1=x=y")]
    [InlineData("GOGC=1 B= GOGC=2", "GOGC=2|B=")]
    [InlineData("HOME lower=1 1A=2 _A=3 =4 A-B=5", "")]
    [InlineData("GREETING=\"hello world\" \"TITLE=a b\"", "GREETING=hello world|TITLE=a b")]
    [InlineData("A=\"never closed B=1", "A=never closed B=1")]
    public void Upper_case_words_are_variables(string line, string expected) => Assert.Equal(expected, Joined(line));

    [Fact]
    public void There_is_room_for_so_many_only() =>
        Assert.Equal(["A=1", "B=2"], Variables(Encoding.Latin1.GetBytes("A=1 B=2 C=3"), 2));

    [Fact]
    public void Any_bytes_are_taken() =>
        Gen.OneOf(Gen.Byte.Where(b => b != 0), Gen.OneOfConst<byte>((byte)'"', (byte)' ', (byte)'=', (byte)'A')).Array[0, 60]
            .Sample(line => Assert.All(Variables(line), v => Assert.Matches("^[A-Z][A-Z0-9_]*=", v)));

    [Theory]
    [InlineData(0, 0)]
    [InlineData(2, 0x1002D)]        // ENOENT
    [InlineData(11, 0x10006)]       // EAGAIN
    [InlineData(38, 0x10037)]       // ENOSYS
    [InlineData(84, 0x10019)]       // EILSEQ
    [InlineData(95, 0x1003D)]       // ENOTSUP
    [InlineData(111, 0x1000E)]      // ECONNREFUSED
    [InlineData(125, 0x1000B)]      // ECANCELED
    [InlineData(131, 0x1003B)]      // ENOTRECOVERABLE
    public void Error_numbers_go_both_ways(int platform, int pal)
    {
        Assert.Equal(pal, Errno.ToPal(platform));
        Assert.Equal(platform, Errno.ToPlatform(pal));
    }

    [Fact]
    public void Error_numbers_without_a_counterpart()
    {
        Assert.Equal(0x1FFFF, Errno.ToPal(-1));
        Assert.Equal(0x1FFFF, Errno.ToPal(41));
        Assert.Equal(0x1FFFF, Errno.ToPal(int.MaxValue));
        Assert.Equal(-1, Errno.ToPlatform(0x1FFFF));
        Assert.Equal(-1, Errno.ToPlatform(0x10000));
        int[] known = [.. Enumerable.Range(1, 200).Where(n => Errno.ToPal(n) != 0x1FFFF)];
        Assert.All(known, n => Assert.Equal(n, Errno.ToPlatform(Errno.ToPal(n))));
        Assert.Equal(80, known.Length);      // the class library's enumeration has 80
    }

    [Theory]
    [InlineData(2, 100, "No such file or directory")]
    [InlineData(2, 8, null)]
    [InlineData(1234, 100, "Unknown error 1234")]
    [InlineData(int.MinValue, 100, "Unknown error -2147483648")]
    [InlineData(1234, 18, null)]
    [InlineData(1234, 0, null)]
    public void Error_texts(int error, int length, string? text)
    {
        var buffer = new byte[128];
        buffer.AsSpan(length).Fill(Guard);
        fixed (byte* p = buffer)
        {
            byte* s = Errno.Text(error, p, length);
            Assert.Equal(text, s == null ? null : Encoding.Latin1.GetString(CText.Of(s)));
        }
        Assert.All(buffer[length..], b => Assert.Equal(Guard, b));
    }
}
