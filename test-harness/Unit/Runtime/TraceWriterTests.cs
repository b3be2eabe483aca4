using System.Text;
using CsCheck;
using Unikernel.Runtime.Sched;
using Xunit;

namespace Unikernel.Tests.Runtime;

public unsafe class TraceWriterTests
{
    private static string Written(string text, int capacity, out long length)
    {
        byte[] buffer = new byte[capacity + 1];
        buffer[capacity] = 0xEE;
        fixed (byte* p = buffer)
        {
            TraceWriter w = new(p, (nuint)capacity);
            w.Write(text);
            length = (long)w.Length;
        }
        Assert.Equal(0xEE, buffer[capacity]);
        return Encoding.UTF8.GetString(buffer, 0, (int)long.Min(length, capacity));
    }

    [Fact]
    public void Text_becomes_UTF8()
    {
        Gen.String.Sample(text =>
        {
            string expected = Encoding.UTF8.GetString(Encoding.GetEncoding(
                "utf-8", new EncoderReplacementFallback("?"), DecoderFallback.ReplacementFallback).GetBytes(text));
            return Written(text, (text.Length * 3) + 1, out _) == expected;
        });
        Assert.Equal("aäन🙂", Written("aäन🙂", 100, out _));
        Assert.Equal("a?b", Written("a\uD800b", 100, out _));
    }

    [Fact]
    public void Small_buffer_is_not_overrun_and_the_length_is_told()
    {
        Assert.Equal("abc", Written("abcdef", 3, out long length));
        Assert.Equal(6, length);
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(-7, "-7")]
    [InlineData(long.MaxValue, "9223372036854775807")]
    [InlineData(long.MinValue, "-9223372036854775808")]
    public void Numbers(long value, string expected)
    {
        byte* buffer = stackalloc byte[32];
        TraceWriter w = new(buffer, 32);
        w.Write(value);
        Assert.Equal(expected, Encoding.UTF8.GetString(buffer, (int)w.Length));
    }

    [Theory]
    [InlineData(1, "chan receive")]
    [InlineData(2, "chan send")]
    [InlineData(3, "chan receive (nil chan)")]
    [InlineData(4, "chan send (nil chan)")]
    [InlineData(5, "sleep")]
    [InlineData(6, "IO wait")]
    [InlineData(7, "sync.Mutex.Lock")]
    [InlineData(8, "sync.Cond.Wait")]
    [InlineData(9, "sync.WaitGroup.Wait")]
    public void Wait_reasons_are_in_the_words_of_Go(int reason, string expected) =>
        Assert.Equal(expected, Encoding.UTF8.GetString(WaitReasons.Text((WaitReason)reason)));
}
