// The shell's line editor: bytes from a terminal in; a finished line, and bytes for the screen, out. It does
// no input or output of its own and keeps no clock, so a test drives it byte by byte.
//
//   LE1  0 <= _cursor <= _length <= MaxChars; _cursor never stands inside a surrogate pair.
//   LE2  Every byte is used at once or held in one of two bounded places: an unfinished UTF-8 sequence
//        (3 bytes) or an unfinished escape sequence (MaxEscape bytes).
//   LE3  After Refresh the screen row shows the prompt, the visible part of the line, and the cursor.
//
// A line wider than the screen scrolls sideways. Every character is taken to be one column wide.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace Unikernel.Samples;

/// <summary>What one byte led to.</summary>
internal enum EditorEvent
{
    /// <summary>Nothing but editing.</summary>
    None,

    /// <summary>Enter: <see cref="LineEditor.Line"/> holds the line.</summary>
    Line,

    /// <summary>Enter on a line longer than <see cref="LineEditor.MaxChars"/>: it is dropped.</summary>
    LineTooLong,

    /// <summary>Ctrl-C: the line is dropped.</summary>
    Interrupted,

    /// <summary>Ctrl-D on an empty line.</summary>
    EndOfInput,
}

/// <summary>Edits one line at a time, with history and completion.</summary>
internal sealed class LineEditor
{
    /// <summary>The longest line, in UTF-16 units.</summary>
    public const int MaxChars = 64 * 1024;

    /// <summary>How many lines the history keeps.</summary>
    public const int MaxHistory = 100;

    private const int MaxEscape = 16;

    private enum State
    {
        Ground,
        Escape,
        ControlSequence,
        SingleShift,
    }

    private readonly string _prompt;
    private readonly int _columns;
    private readonly Func<string, IReadOnlyList<string>> _complete;
    private readonly List<string> _history = [];
    private readonly ScreenBuffer _screen = new();

    private char[] _text = new char[256];
    private int _length;
    private int _cursor;
    private int _first;             // first visible unit, when the line is wider than the screen
    private bool _dirty;
    private bool _overflowed;
    private bool _afterReturn;      // the last byte was CR: a LF now is its second half
    private int _historyIndex;
    private string _draft = "";     // the line as it was before the history was entered

    private State _state;
    private readonly byte[] _escape = new byte[MaxEscape];
    private int _escapeLength;
    private readonly byte[] _utf8 = new byte[4];
    private int _utf8Length;

    /// <summary>Makes an editor.</summary>
    /// <param name="prompt">Stands before each line.</param>
    /// <param name="complete">Gets the line up to the cursor; returns the words the last word may become.</param>
    /// <param name="columns">The width of the screen.</param>
    public LineEditor(string prompt, Func<string, IReadOnlyList<string>> complete, int columns = 80)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(columns, prompt.Length + 8);
        _prompt = prompt;
        _complete = complete;
        _columns = columns;
    }

    /// <summary>The line that ended with <see cref="EditorEvent.Line"/>.</summary>
    public string Line { get; private set; } = "";

    /// <summary>What the screen is to be sent; <see cref="ClearOutput"/> says that it was.</summary>
    public ReadOnlySpan<byte> Output => _screen.Bytes;

    /// <summary>Forgets the output so far.</summary>
    public void ClearOutput() => _screen.Clear();

    /// <summary>Starts a new, empty line behind a fresh prompt.</summary>
    public void Begin()
    {
        Clear();
        _historyIndex = _history.Count;
        _draft = "";
        _dirty = true;
        Refresh();
    }

    /// <summary>Takes one byte from the terminal.</summary>
    public EditorEvent Feed(byte b)
    {
        bool afterReturn = _afterReturn;
        _afterReturn = false;
        if (_state != State.Ground && FeedEscape(b))
        {
            return EditorEvent.None;
        }

        if (b >= 0x80 || _utf8Length != 0)
        {
            if (FeedUtf8(b))
            {
                return EditorEvent.None;
            }
        }

        if (b is >= 0x20 and < 0x7F)
        {
            Insert((char)b);
            return EditorEvent.None;
        }

        switch (b)
        {
            case 0x01: MoveTo(0); break;                                // Ctrl-A
            case 0x02: MoveTo(Before(_cursor)); break;                  // Ctrl-B
            case 0x03: return Interrupt();                              // Ctrl-C
            case 0x04:                                                  // Ctrl-D
                if (_length == 0 && !_overflowed)
                {
                    return EditorEvent.EndOfInput;
                }

                Remove(_cursor, After(_cursor));
                break;
            case 0x05: MoveTo(_length); break;                          // Ctrl-E
            case 0x06: MoveTo(After(_cursor)); break;                   // Ctrl-F
            case 0x08 or 0x7F: Remove(Before(_cursor), _cursor); break; // Backspace
            case 0x09: Complete(); break;                               // Tab
            case 0x0A when afterReturn: break;                          // LF of CR LF
            case 0x0A or 0x0D:                                          // Enter
                _afterReturn = b == 0x0D;
                return Enter();
            case 0x0B: Remove(_cursor, _length); break;                 // Ctrl-K
            case 0x0C: _screen.Add("\e[H\e[2J"); _dirty = true; break;  // Ctrl-L
            case 0x0E: Recall(_historyIndex + 1); break;                // Ctrl-N
            case 0x10: Recall(_historyIndex - 1); break;                // Ctrl-P
            case 0x15: Remove(0, _cursor); break;                       // Ctrl-U
            case 0x17: Remove(WordStart(), _cursor); break;             // Ctrl-W
            case 0x1B: _state = State.Escape; _escapeLength = 0; break;
            default: Bell(); break;
        }

        return EditorEvent.None;
    }

    /// <summary>Draws what changed. Call it when no more input is waiting, so that a paste is drawn once.</summary>
    public void Refresh()
    {
        if (!_dirty)
        {
            return;
        }

        _dirty = false;
        int room = _columns - _prompt.Length - 1;
        if (_cursor < _first)
        {
            _first = _cursor;
        }
        else if (Columns(_first, _cursor) > room)
        {
            // The cursor left the screen on the right: put it at two thirds, so that not every key scrolls.
            _first = _cursor;
            for (int i = 0; i < room * 2 / 3 && _first > 0; i++)
            {
                _first = Before(_first);
            }
        }

        int end = _first;
        for (int shown = 0; shown < room && end < _length; shown++)
        {
            end = After(end);
        }

        _screen.Add("\r");
        _screen.Add(_prompt);
        _screen.Add(_text.AsSpan(_first, end - _first));
        _screen.Add("\e[K");
        int back = Columns(_cursor, end);
        if (back != 0)
        {
            _screen.Add(string.Create(CultureInfo.InvariantCulture, $"\e[{back}D"));
        }
    }

    private EditorEvent Enter()
    {
        MoveTo(_length);
        Refresh();
        _screen.Add("\n");
        if (_overflowed)
        {
            Clear();
            return EditorEvent.LineTooLong;
        }

        Line = new string(_text, 0, _length);
        Clear();
        Remember(Line);
        return EditorEvent.Line;
    }

    private EditorEvent Interrupt()
    {
        MoveTo(_length);
        Refresh();
        _screen.Add("^C\n");
        Clear();
        return EditorEvent.Interrupted;
    }

    private void Clear()
    {
        _length = 0;
        _cursor = 0;
        _first = 0;
        _overflowed = false;
        _dirty = false;
        _state = State.Ground;
        _utf8Length = 0;
    }

    // ---- history ----

    private void Remember(string line)
    {
        if (string.IsNullOrWhiteSpace(line) || (_history.Count > 0 && _history[^1] == line))
        {
            return;
        }

        if (_history.Count == MaxHistory)
        {
            _history.RemoveAt(0);
        }

        _history.Add(line);
    }

    private void Recall(int index)
    {
        if (index < 0 || index > _history.Count)
        {
            Bell();
            return;
        }

        if (_historyIndex == _history.Count)
        {
            _draft = new string(_text, 0, _length);
        }

        _historyIndex = index;
        string line = index == _history.Count ? _draft : _history[index];
        _length = 0;
        _cursor = 0;
        _first = 0;
        _dirty = true;
        Insert(line);
    }

    // ---- completion ----

    private void Complete()
    {
        string head = new(_text, 0, _cursor);
        string typed = head[(head.LastIndexOf(' ') + 1)..];
        IReadOnlyList<string> candidates = _complete(head);
        if (candidates.Count == 0)
        {
            Bell();
            return;
        }

        string common = candidates[0];
        foreach (string candidate in candidates)
        {
            int same = 0;
            while (same < common.Length && same < candidate.Length && common[same] == candidate[same])
            {
                same++;
            }

            common = common[..same];
        }

        if (candidates.Count == 1)
        {
            common += " ";
        }

        if (common.Length > typed.Length && common.StartsWith(typed, StringComparison.Ordinal))
        {
            Insert(common.AsSpan(typed.Length));
            return;
        }

        // Nothing to add for sure: show the choice on a row of its own.
        int cursor = _cursor;
        MoveTo(_length);
        Refresh();
        _screen.Add("\n");
        _screen.Add(string.Join("  ", candidates));
        _screen.Add("\n");
        MoveTo(cursor);
        _dirty = true;
    }

    // ---- the line ----

    private void Insert(char c) => Insert(new ReadOnlySpan<char>(in c));

    private void Insert(ReadOnlySpan<char> text)
    {
        if (text.Length > MaxChars - _length)
        {
            if (!_overflowed)
            {
                _overflowed = true;
                Bell();
            }

            return;
        }

        if (_length + text.Length > _text.Length)
        {
            Array.Resize(ref _text, Math.Min(MaxChars, Math.Max(_length + text.Length, 2 * _text.Length)));
        }

        bool atEnd = _cursor == _length;
        Array.Copy(_text, _cursor, _text, _cursor + text.Length, _length - _cursor);
        text.CopyTo(_text.AsSpan(_cursor));
        _cursor += text.Length;
        _length += text.Length;

        // The common case, typing at the end of a short line, needs no redrawing.
        if (atEnd && !_dirty && Columns(_first, _length) < _columns - _prompt.Length - 1)
        {
            _screen.Add(text);
        }
        else
        {
            _dirty = true;
        }
    }

    private void Remove(int from, int to)
    {
        if (from == to)
        {
            Bell();
            return;
        }

        Array.Copy(_text, to, _text, from, _length - to);
        _length -= to - from;
        _cursor = from;
        _dirty = true;
    }

    private void MoveTo(int position)
    {
        _dirty |= position != _cursor;
        _cursor = position;
    }

    private int Before(int position) =>
        position == 0 ? 0 : position - (position > 1 && char.IsSurrogatePair(_text[position - 2], _text[position - 1]) ? 2 : 1);

    private int After(int position) =>
        position == _length ? _length : position + (position + 1 < _length && char.IsSurrogatePair(_text[position], _text[position + 1]) ? 2 : 1);

    private int WordStart()
    {
        int position = _cursor;
        while (position > 0 && _text[position - 1] == ' ')
        {
            position--;
        }

        while (position > 0 && _text[position - 1] != ' ')
        {
            position--;
        }

        return position;
    }

    private int WordEnd()
    {
        int position = _cursor;
        while (position < _length && _text[position] == ' ')
        {
            position++;
        }

        while (position < _length && _text[position] != ' ')
        {
            position++;
        }

        return position;
    }

    private int Columns(int from, int to)
    {
        int columns = 0;
        for (int i = from; i < to; i = After(i))
        {
            columns++;
        }

        return columns;
    }

    private void Bell() => _screen.Add("\a");

    // ---- bytes to keys ----

    /// <summary>Takes a byte of an escape sequence; false when it ended the sequence and is itself a key.</summary>
    private bool FeedEscape(byte b)
    {
        if (b is < 0x20 or > 0x7E)
        {
            _state = State.Ground;
            return false;
        }

        switch (_state)
        {
            case State.Escape when b == (byte)'[':
                _state = State.ControlSequence;
                return true;
            case State.Escape when b == (byte)'O':
                _state = State.SingleShift;
                return true;
            case State.Escape:
                _state = State.Ground;
                Key(b == (byte)'b' ? "1;5D"u8 : b == (byte)'f' ? "1;5C"u8 : default);
                return true;
            case State.SingleShift:
                _state = State.Ground;
                Key([b]);
                return true;
            default:
                if (_escapeLength == MaxEscape)
                {
                    _state = State.Ground;
                    return false;
                }

                _escape[_escapeLength++] = b;
                if (b >= 0x40)
                {
                    _state = State.Ground;
                    Key(_escape.AsSpan(0, _escapeLength));
                }

                return true;
        }
    }

    private void Key(ReadOnlySpan<byte> sequence)
    {
        switch (Encoding.ASCII.GetString(sequence))
        {
            case "A": Recall(_historyIndex - 1); break;
            case "B": Recall(_historyIndex + 1); break;
            case "C": MoveTo(After(_cursor)); break;
            case "D": MoveTo(Before(_cursor)); break;
            case "H" or "1~" or "7~": MoveTo(0); break;
            case "F" or "4~" or "8~": MoveTo(_length); break;
            case "3~": Remove(_cursor, After(_cursor)); break;
            case "1;5C": MoveTo(WordEnd()); break;
            case "1;5D": MoveTo(WordStart()); break;
            default: break;
        }
    }

    /// <summary>Takes a byte of a UTF-8 sequence; false when it broke the sequence off and is itself a key.</summary>
    private bool FeedUtf8(byte b)
    {
        if (b < 0x80)
        {
            _utf8Length = 0;
            Insert('\uFFFD');
            return false;
        }

        _utf8[_utf8Length++] = b;
        Span<char> units = stackalloc char[2];
        while (_utf8Length > 0)
        {
            var status = Rune.DecodeFromUtf8(_utf8.AsSpan(0, _utf8Length), out Rune rune, out int used);
            if (status == System.Buffers.OperationStatus.NeedMoreData)
            {
                break;
            }

            Insert(units[..rune.EncodeToUtf16(units)]);
            Array.Copy(_utf8, used, _utf8, 0, _utf8Length - used);
            _utf8Length -= used;
        }

        return true;
    }

    /// <summary>Bytes on their way to the screen.</summary>
    private sealed class ScreenBuffer
    {
        private byte[] _bytes = new byte[256];
        private int _length;

        public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _length);

        public void Clear() => _length = 0;

        public void Add(ReadOnlySpan<char> text)
        {
            int most = Encoding.UTF8.GetMaxByteCount(text.Length);
            if (_length + most > _bytes.Length)
            {
                Array.Resize(ref _bytes, Math.Max(_length + most, 2 * _bytes.Length));
            }

            _length += Encoding.UTF8.GetBytes(text, _bytes.AsSpan(_length));
        }
    }
}
