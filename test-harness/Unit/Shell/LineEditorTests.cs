// The shell's line editor, driven byte by byte; a one-row terminal model checks what the screen shows.
using System;
using System.Collections.Generic;
using System.Text;
using Unikernel.Samples;
using Xunit;

namespace Unikernel.Tests.Shell;

public class LineEditorTests
{
    private const string Left = "\e[D";
    private const string Right = "\e[C";
    private const string Up = "\e[A";
    private const string Down = "\e[B";

    [Theory]
    [InlineData("hello\r", "hello")]
    [InlineData("hello\n", "hello")]
    [InlineData("\r", "")]
    [InlineData("ac" + Left + "b\r", "abc")]
    [InlineData("bc\x01" + "a\r", "abc")]                       // Ctrl-A
    [InlineData("bc\e[Ha\r", "abc")]                            // Home, three ways
    [InlineData("bc\eOHa\r", "abc")]
    [InlineData("bc\e[1~a\r", "abc")]
    [InlineData("ab\x01\x05" + "c\r", "abc")]                   // Ctrl-E
    [InlineData("ab\x01\e[Fc\r", "abc")]                        // End
    [InlineData("abx\x7f" + "c\r", "abc")]                      // Backspace, both codes
    [InlineData("abx\bc\r", "abc")]
    [InlineData("\x7f" + "a\r", "a")]                           // nothing to take away
    [InlineData("xabc\x01\e[3~\r", "abc")]                      // Delete
    [InlineData("xabc\x01\x04\r", "abc")]                       // Ctrl-D inside a line
    [InlineData("abcxyz" + Left + Left + Left + "\x0b\r", "abc")]    // Ctrl-K
    [InlineData("xyzabc" + Left + Left + Left + "\x15\r", "abc")]    // Ctrl-U
    [InlineData("one two  \x17\r", "one ")]                     // Ctrl-W
    [InlineData("one two\x17\x17\r", "")]
    [InlineData("one two\e[1;5D" + "x\r", "one xtwo")]          // Ctrl-Left
    [InlineData("two\x01\e[1;5Cx\r", "twox")]                   // Ctrl-Right
    [InlineData("abc" + Right + "d\r", "abcd")]                 // cannot leave the line
    [InlineData("ab\x0c" + "c\r", "abc")]                       // Ctrl-L keeps the line
    [InlineData("a\x00\x1f" + "b\r", "ab")]                     // unused control codes
    [InlineData("a\e[99;99Zb\r", "ab")]                         // unknown sequence
    [InlineData("a\e[\x01" + "b\r", "ba")]                      // broken-off sequence: Ctrl-A still counts
    [InlineData("é€😀\x7f\x7fx\r", "éx")]                        // a character is one step, whatever its bytes
    [InlineData("😀" + Left + "a\r", "a😀")]
    public void Keys(string typed, string expected)
    {
        var session = new Session();
        Assert.Equal(EditorEvent.Line, session.Type(typed));
        Assert.Equal(expected, session.Editor.Line);
    }

    [Fact]
    public void CrLfIsOneLineEnd()
    {
        var session = new Session();
        Assert.Equal(EditorEvent.Line, session.Type("a\r"));
        Assert.Equal(EditorEvent.None, session.Type("\n"));
        Assert.Equal(EditorEvent.Line, session.Type("b\n"));
        Assert.Equal("b", session.Editor.Line);
        Assert.Equal(EditorEvent.Line, session.Type("\n"));
        Assert.Equal("", session.Editor.Line);
    }

    [Fact]
    public void CtrlDEndsOnlyAnEmptyLine()
    {
        var session = new Session();
        Assert.Equal(EditorEvent.None, session.Type("a\x04"));
        Assert.Equal(EditorEvent.EndOfInput, session.Type("\x7f\x04"));
    }

    [Fact]
    public void CtrlCDropsTheLine()
    {
        var session = new Session();
        Assert.Equal(EditorEvent.Interrupted, session.Type("abc" + Left + "\x03"));
        Assert.Contains("> abc^C", session.Screen.Rows);
        session.Editor.Begin();
        Assert.Equal(EditorEvent.Line, session.Type("\r"));
        Assert.Equal("", session.Editor.Line);
    }

    [Fact]
    public void HistoryGoesUpAndDownAndKeepsTheDraft()
    {
        var session = new Session();
        foreach (string line in new[] { "one", "two", "two", " ", "three" })
        {
            session.Type(line + "\r");
        }

        session.Type("draft" + Up);
        Assert.Equal("> three", session.Screen.Row);
        session.Type(Up);
        Assert.Equal("> two", session.Screen.Row);
        session.Type(Up);
        Assert.Equal("> one", session.Screen.Row);
        session.Type(Up);                                       // the top: a bell
        Assert.Equal("> one", session.Screen.Row);
        session.Type(Down + "\x0e");                            // Ctrl-N is Down too
        Assert.Equal("> three", session.Screen.Row);
        session.Type(Down);
        Assert.Equal("> draft", session.Screen.Row);
        session.Type(Down);
        Assert.Equal(EditorEvent.Line, session.Type("\x10!\r"));
        Assert.Equal("three!", session.Editor.Line);
    }

    [Fact]
    public void HistoryIsBounded()
    {
        var session = new Session();
        for (int i = 0; i < LineEditor.MaxHistory + 50; i++)
        {
            session.Type($"line {i}\r");
        }

        for (int i = 0; i < LineEditor.MaxHistory + 10; i++)
        {
            session.Type(Up);
        }

        Assert.Equal("> line 50", session.Screen.Row);
    }

    [Theory]
    [InlineData("h\t", "> hel")]                // two words share it
    [InlineData("hell\t", "> hello ")]          // one word: and a blank
    [InlineData("x\t", "> x")]                  // none
    [InlineData("say he\t", "> say hel")]       // inside a line
    public void Tab(string typed, string row)
    {
        var session = new Session();
        session.Type(typed);
        Assert.Equal(row, session.Screen.Row);
    }

    [Fact]
    public void TabShowsTheChoiceWhenThereIsNothingToAdd()
    {
        var session = new Session();
        session.Type("hel\t");
        Assert.Equal(["> hel", "hello  help", "> hel"], session.Screen.Rows);
    }

    [Fact]
    public void ALineTooLongIsDroppedWholeAndTheNextOneIsFine()
    {
        var session = new Session();
        session.Type(new string('a', LineEditor.MaxChars));
        session.Type("b");
        Assert.Equal(EditorEvent.LineTooLong, session.Type("\r"));
        session.Editor.Begin();
        Assert.Equal(EditorEvent.Line, session.Type("next\r"));
        Assert.Equal("next", session.Editor.Line);
    }

    [Fact]
    public void AMebibyteWithoutALineEndIsBounded()
    {
        var session = new Session();
        for (int i = 0; i < 1024 * 1024; i++)
        {
            Assert.Equal(EditorEvent.None, session.Editor.Feed((byte)(0x20 + i % 90)));
            session.Editor.ClearOutput();
        }

        Assert.Equal(EditorEvent.LineTooLong, session.Type("\r"));
        session.Editor.Begin();
        Assert.Equal(EditorEvent.Line, session.Type("ok\r"));
        Assert.Equal("ok", session.Editor.Line);
    }

    [Theory]
    [InlineData(new byte[] { 0xFF, (byte)'a' }, "\uFFFDa")]
    [InlineData(new byte[] { 0xC3, (byte)'a' }, "\uFFFDa")]                 // cut short
    [InlineData(new byte[] { 0xF0, 0x9F, 0xC3, 0xA9 }, "\uFFFDé")]          // cut short by another sequence
    [InlineData(new byte[] { 0x80, 0x80 }, "\uFFFD\uFFFD")]
    public void BytesThatAreNoUtf8ShowAsReplacements(byte[] typed, string expected)
    {
        var session = new Session();
        foreach (byte b in typed)
        {
            session.Editor.Feed(b);
        }

        Assert.Equal(EditorEvent.Line, session.Type("\r"));
        Assert.Equal(expected, session.Editor.Line);
    }

    [Fact]
    public void ALongLineScrollsSidewaysAndTheCursorStaysOnTheScreen()
    {
        var session = new Session(columns: 20);
        session.Type("0123456789abcdefghijklmnop");
        Assert.True(session.Screen.Row.Length < 20);
        Assert.EndsWith("mnop", session.Screen.Row, StringComparison.Ordinal);
        session.Type("\x01");
        Assert.Equal("> 0123456789abcdefg", session.Screen.Row);
        Assert.Equal(2, session.Screen.Column);
        session.Type("X");
        Assert.Equal("> X0123456789abcdef", session.Screen.Row);
        Assert.Equal(EditorEvent.Line, session.Type("\r"));
        Assert.Equal("X0123456789abcdefghijklmnop", session.Editor.Line);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void AnyBytesKeepTheScreenInStepWithTheLine(int seed)
    {
        var random = new Random(seed);
        string[] keys = [Left, Right, Up, Down, "\e[3~", "\e[H", "\e[F", "\x01", "\x05", "\x0b", "\x15", "\x17", "\x7f", "\t", "\e", "[", "x", " ", "hel", "é", "😀"];
        var session = new Session(columns: 16);
        for (int i = 0; i < 5000; i++)
        {
            session.Type(random.Next(40) == 0 ? "\r" : keys[random.Next(keys.Length)]);
            Assert.StartsWith("> ", session.Screen.Row, StringComparison.Ordinal);
            Assert.InRange(session.Screen.Column, 2, 15);
        }

        // What the screen shows at the end is what Enter gives.
        session.Type("\e[ \x05\x15" + "end" + Left + "\x17" + "the ");
        Assert.Equal("> the d", session.Screen.Row);
        Assert.Equal(6, session.Screen.Column);
        Assert.Equal(EditorEvent.Line, session.Type("\r"));
        Assert.Equal("the d", session.Editor.Line);
    }

    /// <summary>An editor with its screen; after a finished line it begins the next.</summary>
    private sealed class Session
    {
        public Session(int columns = 80)
        {
            Editor = new LineEditor("> ", Complete, columns);
            Editor.Begin();
            Show();
        }

        public LineEditor Editor { get; }

        public OneRowScreen Screen { get; } = new();

        public EditorEvent Type(string keys)
        {
            var last = EditorEvent.None;
            foreach (byte b in Encoding.UTF8.GetBytes(keys))
            {
                last = Editor.Feed(b);
                if (last == EditorEvent.Line)
                {
                    Editor.Begin();
                }

                Editor.Refresh();
                Show();
            }

            return last;
        }

        private void Show()
        {
            Screen.Write(Encoding.UTF8.GetString(Editor.Output));
            Editor.ClearOutput();
        }

        private static List<string> Complete(string head)
        {
            string typed = head[(head.LastIndexOf(' ') + 1)..];
            return new List<string> { "hello", "help", "sieve" }.FindAll(word => word.StartsWith(typed, StringComparison.Ordinal));
        }
    }

    /// <summary>Understands what the editor sends: text, CR, LF, bell, erase to the end, cursor left, clear.</summary>
    private sealed class OneRowScreen
    {
        private readonly List<string> _above = [];
        private readonly List<Rune> _row = [];

        public int Column { get; private set; }

        public string Row => string.Concat(_row);

        public string[] Rows => [.. _above, Row];

        public void Write(string text)
        {
            for (int i = 0; i < text.Length; i++)
            {
                switch (text[i])
                {
                    case '\r':
                        Column = 0;
                        break;
                    case '\n':
                        _above.Add(Row);
                        _row.Clear();
                        Column = 0;
                        break;
                    case '\a':
                        break;
                    case '\e':
                        int end = i + 2;
                        while (!char.IsAsciiLetter(text[end]))
                        {
                            end++;
                        }

                        Control(text[end], text[(i + 2)..end]);
                        i = end;
                        break;
                    default:
                        var rune = Rune.GetRuneAt(text, i);
                        i += rune.Utf16SequenceLength - 1;
                        if (Column < _row.Count)
                        {
                            _row[Column] = rune;
                        }
                        else
                        {
                            _row.Add(rune);
                        }

                        Column++;
                        break;
                }
            }
        }

        private void Control(char what, string parameter)
        {
            switch (what)
            {
                case 'K':
                    _row.RemoveRange(Column, _row.Count - Column);
                    break;
                case 'D':
                    Column -= int.Parse(parameter, System.Globalization.CultureInfo.InvariantCulture);
                    break;
                case 'H' or 'J':
                    _row.Clear();
                    Column = 0;
                    break;
                default:
                    throw new InvalidOperationException($"unknown control sequence {what}");
            }
        }
    }
}
