// GODEBUG: what is understood is set, what is not is named in one line and changes nothing.
using System;
using System.Linq;
using System.Text;
using CsCheck;
using Unikernel.Runtime.Sched;
using Unikernel.Tests.Kernel;
using Xunit;

namespace Unikernel.Tests.Runtime;

public unsafe class GoDebugTests
{
    private static string Parse(string text, ref GoDebugSettings s)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        using var guarded = new GuardedBuffer(bytes);
        byte[] said = new byte[64 * 1024];
        fixed (byte* p = said)
        {
            TraceWriter w = new(p, (nuint)said.Length);
            GoDebug.Parse(guarded.Start, bytes.Length, ref s, &w);
            return Encoding.UTF8.GetString(said, 0, (int)w.Length);
        }
    }

    [Theory]
    [InlineData("", 0, 0)]
    [InlineData("schedtrace=1000", 1000, 0)]
    [InlineData("schedtrace=1000,scheddetail=1", 1000, 1)]
    [InlineData("scheddetail=1,,schedtrace=5,", 5, 1)]
    [InlineData("schedtrace=1,schedtrace=2", 2, 0)]
    [InlineData("schedtrace=2147483647", int.MaxValue, 0)]
    [InlineData("schedtrace=0", 0, 0)]
    public void What_is_understood_is_set_without_a_word(string text, int trace, int detail)
    {
        GoDebugSettings s = default;
        Assert.Equal("", Parse(text, ref s));
        Assert.Equal((trace, detail), (s.SchedTrace, s.SchedDetail));
    }

    [Theory]
    [InlineData("schedtrace=abc", "schedtrace=abc wants a number from 0 to 2147483647: ignored")]
    [InlineData("schedtrace=", "schedtrace= wants a number from 0 to 2147483647: ignored")]
    [InlineData("schedtrace=-1", "schedtrace=-1 wants a number from 0 to 2147483647: ignored")]
    [InlineData("schedtrace=2147483648", "schedtrace=2147483648 wants a number from 0 to 2147483647: ignored")]
    [InlineData("schedtrace=99999999999999999999", "schedtrace=99999999999999999999 wants a number from 0 to 2147483647: ignored")]
    [InlineData("schedtrace=1=2", "schedtrace=1=2 wants a number from 0 to 2147483647: ignored")]
    [InlineData("scheddetail=2", "scheddetail=2 wants a number from 0 to 1: ignored")]
    [InlineData("schedtrace", "schedtrace is not key=value: ignored")]
    [InlineData("=5", "=5 is not a key of this kernel: ignored")]
    [InlineData("SchedTrace=5", "SchedTrace=5 is not a key of this kernel: ignored")]
    [InlineData("schedtraces=5", "schedtraces=5 is not a key of this kernel: ignored")]
    [InlineData("sched=5", "sched=5 is not a key of this kernel: ignored")]
    [InlineData("a\u001b[2J=1", "a?[2J=1 is not a key of this kernel: ignored")]
    public void What_is_not_is_one_line_and_changes_nothing(string text, string complaint)
    {
        GoDebugSettings s = default;
        s.SchedTrace = 7;
        Assert.Equal($"unikernel: GODEBUG: {complaint}\n", Parse(text, ref s));
        Assert.Equal((7, 0), (s.SchedTrace, s.SchedDetail));
    }

    [Fact]
    public void A_bad_field_does_not_spoil_its_neighbours()
    {
        GoDebugSettings s = default;
        string said = Parse("scheddetail=1,nonsense=1,schedtrace=30", ref s);
        Assert.Equal("unikernel: GODEBUG: nonsense=1 is not a key of this kernel: ignored\n", said);
        Assert.Equal((30, 1), (s.SchedTrace, s.SchedDetail));
    }

    [Fact]
    public void Any_text_is_read_within_its_bounds_and_complained_of_line_by_line() => Gen.String.Sample(text =>
    {
        GoDebugSettings s = default;
        string said = Parse(text, ref s);
        int fields = text.Split(',').Count(f => f.Length > 0);
        return said.Count(c => c == '\n') <= fields && said.All(c => c is '\n' or (>= ' ' and < '\u007f'));
    });
}
