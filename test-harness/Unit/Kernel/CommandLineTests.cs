// The kernel's options in a command line.
using System;
using System.Text;
using CsCheck;
using Unikernel.Kernel;
using Xunit;

namespace Unikernel.Tests.Kernel;

public unsafe class CommandLineTests
{
    private static string? Get(string line, string key)
    {
        byte[] text = Encoding.UTF8.GetBytes(line);
        byte[] name = Encoding.UTF8.GetBytes(key);
        using var buffer = new GuardedBuffer(text);
        fixed (byte* k = name)
        {
            return CommandLineParser.TryGet(buffer.Start, text.Length, k, name.Length, out byte* value, out int length)
                ? Encoding.UTF8.GetString(value, length)
                : null;
        }
    }

    [Theory]
    [InlineData("tty=0", "tty", "0")]
    [InlineData("  a b=2\tc=3 ", "b", "2")]
    [InlineData("bootchart", "bootchart", "")]
    [InlineData("x=1 x=2", "x", "2")]
    [InlineData("x=1 x", "x", "")]
    [InlineData("name=\"two words\" z", "name", "two words")]
    [InlineData("name=\"open to the end", "name", "\"open to the end")]
    [InlineData("xy=1", "x", null)]
    [InlineData("x", "xy", null)]
    [InlineData("a=b=c", "a", "b=c")]
    [InlineData("a=", "a", "")]
    [InlineData("\"a=1 x=2\"", "x", null)]
    [InlineData("", "x", null)]
    public void Options(string line, string key, string? value) => Assert.Equal(value, Get(line, key));

    [Fact]
    public void AnyTextIsSurvived() =>
        Gen.Select(Gen.String[Gen.Char["ab=\" \t"], 0, 30], Gen.OneOfConst("a", "b", "ab")).Sample((line, key) => Get(line, key));

    [Fact]
    public void AnOptionSetIsFound() =>
        Gen.Select(Gen.String[Gen.Char["xyz0="], 0, 8], Gen.String[Gen.Char["cd= "], 0, 20])
            .Sample((value, noise) => Get(noise + " a=" + value + " " + noise, "a") == value);

    [Theory]
    [InlineData("tty=0", true)]
    [InlineData("tty=1", true)]
    [InlineData("tty=", false)]
    [InlineData("tty=00", false)]
    [InlineData("bootchart", true)]
    [InlineData("bootcharts", false)]
    [InlineData("mark=1", true)]
    [InlineData("GODEBUG=x", true)]
    [InlineData("A1_=", true)]
    [InlineData("1A=x", false)]
    [InlineData("path=x", false)]
    [InlineData("sieve", false)]
    [InlineData("", false)]
    public void WordsForTheKernel(string word, bool expected)
    {
        using var buffer = new GuardedBuffer(Encoding.UTF8.GetBytes(word + "\0"));
        Assert.Equal(expected, CommandLineParser.IsForKernel(buffer.Start));
    }
}
