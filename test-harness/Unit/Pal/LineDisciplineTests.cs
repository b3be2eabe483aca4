// The console's line discipline: bytes in, lines and echo out (runtime/Pal/LineDiscipline.cs, LD1 to LD4).
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using CsCheck;
using Unikernel.Runtime.Pal;
using Xunit;

namespace Unikernel.Tests.Pal;

public class LineDisciplineTests
{
    private const byte CtrlC = 3;
    private const byte CtrlD = 4;
    private const byte Backspace = 8;
    private const byte CtrlU = 21;
    private const byte CtrlW = 23;
    private const byte Delete = 127;

    private static readonly byte[] s_editingKeys =
        [CtrlC, CtrlD, Backspace, CtrlU, CtrlW, Delete];

    private sealed class Screen : IEcho
    {
        internal List<byte> Shown { get; } = [];

        public void Echo(ReadOnlySpan<byte> text) => Shown.AddRange(text.ToArray());
    }

    private sealed class Session
    {
        internal Screen Screen { get; } = new();

        internal List<byte[]> Reads { get; } = [];      // an empty one is the end of input

        internal List<TtyEvent> Events { get; } = [];

        internal Session(int capacity, int readBytes, IEnumerable<byte> typed)
        {
            var lines = new LineDiscipline<Screen>(Screen, capacity);
            var buffer = new byte[readBytes];
            foreach (byte b in typed)
            {
                Assert.False(lines.IsReady);
                TtyEvent e = lines.Type(b);
                if (e != TtyEvent.None)
                {
                    Events.Add(e);
                }
                while (lines.IsReady)
                {
                    int n = lines.Take(buffer);
                    Reads.Add(buffer[..n]);
                }
            }
        }

        internal byte[] AllBytes => [.. Reads.SelectMany(r => r)];

        internal string Text => Encoding.Latin1.GetString(AllBytes);

        internal string Echo => Encoding.Latin1.GetString([.. Screen.Shown]);
    }

    private static Session Typed(string text) => new(100, 100, Encoding.Latin1.GetBytes(text));

    [Theory]
    [InlineData("hello\r", "hello\n", "hello\n")]
    [InlineData("hello\n", "hello\n", "hello\n")]
    [InlineData("ab\u007fc\r", "ac\n", "ab\b \bc\n")]
    [InlineData("ab\bc\r", "ac\n", "ab\b \bc\n")]
    [InlineData("\b\r", "\n", "\n")]
    [InlineData("abc\u0015x\r", "x\n", "abc\b \b\b \b\b \bx\n")]
    [InlineData("two words  \u0017x\r", "two x\n", null)]
    [InlineData("a\tb\u0017c\r", "a\tc\n", null)]
    [InlineData("gone\u0003kept\r", "kept\n", "gone^C\nkept\n")]
    [InlineData("a\0b\u001bc\r", "a\0b\u001bc\n", "a^@b^[c\n")]
    [InlineData("\u0001\b\r", "\n", "^A\b \b\b \b\n")]
    [InlineData("a\tb\r", "a\tb\n", "a b\n")]
    [InlineData("unfinished", "", "unfinished")]
    public void Keys(string typed, string read, string? echo)
    {
        Session s = Typed(typed);
        Assert.Equal(read, s.Text);
        if (echo != null)
        {
            Assert.Equal(echo, s.Echo);
        }
    }

    [Fact]
    public void CtrlD_ends_the_input_once_on_an_empty_line_and_flushes_otherwise()
    {
        Session s = Typed("\u0004ab\u0004\u0004c\r");
        Assert.Equal(["", "ab", "", "c\n"], s.Reads.Select(Encoding.Latin1.GetString));
    }

    [Fact]
    public void CtrlC_is_an_event_and_throws_the_line_away()
    {
        Session s = Typed("a\u0003bc\r");
        Assert.Equal([TtyEvent.Interrupt], s.Events);
        Assert.Equal("bc\n", s.Text);
    }

    [Fact]
    public void Backspace_takes_a_whole_utf8_sequence()
    {
        byte[] typed = [.. "aé€😀"u8, Delete, .. "x"u8, Delete, Delete, (byte)'\r'];
        Assert.Equal([.. "aé\n"u8], new Session(100, 100, typed).AllBytes);
    }

    [Fact]
    public void Backspace_takes_stray_continuation_bytes_one_at_a_time()
    {
        byte[] typed = [(byte)'a', 0x80, 0x81, 0x82, 0x83, 0x84, Delete, (byte)'\r'];
        Assert.Equal([(byte)'a', 0x80, 0x81, 0x82, 0x83, (byte)'\n'], new Session(100, 100, typed).AllBytes);
    }

    [Fact]
    public void A_line_longer_than_the_buffer_comes_in_pieces()
    {
        var s = new Session(4, 100, "abcdefghij\r"u8.ToArray());
        Assert.Equal(["abcd", "efgh", "ij\n"], s.Reads.Select(Encoding.Latin1.GetString));
    }

    private static readonly Gen<(byte[] Typed, int Capacity, int ReadBytes)> s_sessions = Gen.Select(
        Gen.OneOf(Gen.Byte, Gen.OneOfConst(s_editingKeys), Gen.OneOfConst<byte>((byte)'\r', (byte)' ', (byte)'a', 0xC3, 0xA9)).Array[0, 300],
        Gen.Int[1, 40],
        Gen.Int[1, 50]);

    private static byte[] Lines(IEnumerable<byte> typed) => [.. typed.Select(b => b == '\r' ? (byte)'\n' : b)];

    [Fact]
    public void Without_editing_keys_every_byte_comes_out_once_in_order() =>
        s_sessions.Sample(t =>
        {
            byte[] typed = [.. t.Typed.Where(b => !s_editingKeys.Contains(b)), (byte)'\n'];
            Assert.Equal(Lines(typed), new Session(t.Capacity, t.ReadBytes, typed).AllBytes);
        });

    [Fact]
    public void Nothing_is_invented_and_pieces_are_bounded() =>
        s_sessions.Sample(t =>
        {
            var s = new Session(t.Capacity, t.ReadBytes, t.Typed);
            Assert.All(s.Reads, r => Assert.InRange(r.Length, 0, Math.Min(t.Capacity, t.ReadBytes)));
            byte[] typed = Lines(t.Typed.Where(b => !s_editingKeys.Contains(b)));
            int at = 0;
            foreach (byte b in s.AllBytes)          // what is read is a subsequence of what was typed
            {
                while (at < typed.Length && typed[at] != b)
                {
                    at++;
                }
                Assert.True(at < typed.Length);
                at++;
            }
        });

    // An independent model: a line as a list, for text without multi-byte sequences and lines that fit.
    [Fact]
    public void Editing_agrees_with_a_model() =>
        s_sessions.Sample(t =>
        {
            byte[] typed = [.. t.Typed.Where(b => b < 0x80), (byte)'\r'];
            var expected = new List<byte>();
            string line = "";
            foreach (byte b in typed)
            {
                switch (b)
                {
                    case (byte)'\r' or (byte)'\n':
                        expected.AddRange(Encoding.Latin1.GetBytes(line + "\n"));
                        line = "";
                        break;
                    case CtrlD:
                        expected.AddRange(Encoding.Latin1.GetBytes(line));
                        line = "";
                        break;
                    case CtrlC or CtrlU:
                        line = "";
                        break;
                    case Backspace or Delete:
                        line = line.Length == 0 ? "" : line[..^1];
                        break;
                    case CtrlW:
                        string kept = line.TrimEnd(' ', '\t');
                        line = kept[..(kept.LastIndexOfAny([' ', '\t']) + 1)];
                        break;
                    default:
                        line += (char)b;
                        break;
                }
            }
            Assert.Equal(expected, new Session(1000, t.ReadBytes, typed).AllBytes);
        });
}
