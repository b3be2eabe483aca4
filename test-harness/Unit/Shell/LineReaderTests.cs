// The shell's line reader for piped input: lines come out whole and in order, whatever the bytes.
using System.Collections.Generic;
using System.Text;
using Unikernel.Samples;
using Xunit;

namespace Unikernel.Tests.Shell;

public class LineReaderTests
{
    [Theory]
    [InlineData("a\nb\n", "a", "b")]
    [InlineData("a\r\nb", "a", "b")]
    [InlineData("\n\na\n", "", "", "a")]
    [InlineData("", new string[0])]
    [InlineData("é\n", "é")]
    [InlineData("a\0b\n", "a\0b")]
    public void Lines(string text, params string[] expected) => Assert.Equal(expected, Read(Encoding.UTF8.GetBytes(text)));

    [Fact]
    public void BytesThatAreNoUtf8ShowAsReplacements() => Assert.Equal(["\uFFFDa"], Read([0xFF, (byte)'a', (byte)'\n']));

    [Fact]
    public void TheLongestLinePasses()
    {
        string longest = new('x', LineReader.MaxBytes);
        Assert.Equal([longest, "next"], Read(Encoding.UTF8.GetBytes(longest + "\nnext\n")));
    }

    [Fact]
    public void ALongerLineIsReportedAndTheNextOneIsFine()
    {
        string long1 = new('x', LineReader.MaxBytes + 1);
        string long2 = new('y', 1024 * 1024);
        Assert.Equal(["!65537", "next", "!1048576", "last"], Read(Encoding.UTF8.GetBytes(long1 + "\nnext\n" + long2 + "\nlast")));
    }

    private static List<string> Read(byte[] bytes)
    {
        var reader = new LineReader();
        var lines = new List<string>();
        foreach (byte b in bytes)
        {
            Take(reader.Feed(b));
        }

        Take(reader.Finish());
        return lines;

        void Take(LineEvent what)
        {
            switch (what)
            {
                case LineEvent.Line:
                    lines.Add(reader.Line);
                    break;
                case LineEvent.LineTooLong:
                    lines.Add($"!{reader.LineBytes}");
                    break;
                default:
                    break;
            }
        }
    }
}
