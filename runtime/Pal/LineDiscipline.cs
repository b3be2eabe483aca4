// The console's line discipline: typed bytes in, finished lines and echo out. No I/O in here.
//
// LD1  Every byte that is not an editing key comes out exactly once, in order; CR and LF come out as LF. Bytes are
//      erased only by an editing key, and only from the line being typed.
// LD2  Memory is bounded: a line that fills the buffer is passed on as it is, and goes on in the next piece.
// LD3  Ctrl-D gives what is typed so far; with nothing typed it is the end of the input, once.
// LD4  Any byte value may be typed; nothing is decoded. Erasing takes a whole UTF-8 sequence where there is one.
// Context: goroutine. Allocates: its buffer, at construction. Reference: termios(3), canonical mode.
using System;

namespace Unikernel.Runtime.Pal;

/// <summary>Where the echo is shown.</summary>
internal interface IEcho
{
    void Echo(ReadOnlySpan<byte> text);
}

/// <summary>What a typed byte asks for beyond editing.</summary>
internal enum TtyEvent
{
    None,

    /// <summary>Ctrl-C: the line has been thrown away.</summary>
    Interrupt,
}

internal sealed class LineDiscipline<TEcho>(TEcho echo, int capacity = LineDiscipline<TEcho>.DefaultCapacity)
    where TEcho : IEcho
{
    internal const int DefaultCapacity = 64 * 1024;

    private const byte CtrlC = 3;
    private const byte CtrlD = 4;
    private const byte Backspace = 8;
    private const byte Tab = 9;
    private const byte CtrlU = 21;
    private const byte CtrlW = 23;
    private const byte Space = 32;
    private const byte Delete = 127;
    private const int MaxContinuation = 3;          // bytes of a UTF-8 sequence after its first

    private readonly byte[] _line = new byte[capacity];
    private int _length;            // bytes of the line being typed
    private int _ready;             // of these, finished ones
    private int _read;              // of these, taken ones
    private bool _isEnd;

    /// <summary>Whether Take has something to give: bytes, or the end of input.</summary>
    internal bool IsReady => _isEnd || _ready > 0;

    /// <summary>One typed byte. Call only while nothing is ready: what is finished must be taken first.</summary>
    internal TtyEvent Type(byte b)
    {
        switch (b)
        {
            case (byte)'\r' or (byte)'\n':
                _line[_length++] = (byte)'\n';
                echo.Echo("\n"u8);
                _ready = _length;
                return TtyEvent.None;
            case CtrlD:
                _ready = _length;
                _isEnd = _length == 0;
                return TtyEvent.None;
            case CtrlC:
                echo.Echo("^C\n"u8);
                _length = 0;
                return TtyEvent.Interrupt;
            case Backspace or Delete:
                Erase(CharacterStart());
                return TtyEvent.None;
            case CtrlU:
                Erase(0);
                return TtyEvent.None;
            case CtrlW:
                Erase(WordStart());
                return TtyEvent.None;
            default:
                _line[_length++] = b;
                EchoTyped(b);
                if (_length == _line.Length)
                {
                    _ready = _length;       // LD2
                }
                return TtyEvent.None;
        }
    }

    /// <summary>Takes finished input; 0 bytes into a non-empty span is the end of input.</summary>
    internal int Take(Span<byte> to)
    {
        if (_isEnd)
        {
            _isEnd = false;
            return 0;
        }
        int n = Math.Min(to.Length, _ready - _read);
        _line.AsSpan(_read, n).CopyTo(to);
        _read += n;
        if (_read == _ready)
        {
            _read = _ready = _length = 0;
        }
        return n;
    }

    // A tab is shown as one blank: how wide it would be depends on a prompt that is not known here.
    private void EchoTyped(byte b)
    {
        if (b >= Space)
        {
            echo.Echo([b]);
        }
        else if (b == Tab)
        {
            echo.Echo(" "u8);
        }
        else
        {
            echo.Echo([(byte)'^', (byte)(b + 64)]);
        }
    }

    private int CharacterStart()
    {
        if (_length == 0)
        {
            return 0;
        }
        int at = _length - 1;
        for (int n = 0; n < MaxContinuation && at > 0 && (_line[at] & 0xC0) == 0x80; n++)
        {
            at--;
        }
        // Stray continuation bytes go one at a time.
        return (_line[at] & 0xC0) == 0xC0 || at == _length - 1 ? at : _length - 1;
    }

    private int WordStart()
    {
        int at = _length;
        while (at > 0 && _line[at - 1] is (Space or Tab))
        {
            at--;
        }
        while (at > 0 && _line[at - 1] is not (Space or Tab))
        {
            at--;
        }
        return at;
    }

    private void Erase(int to)
    {
        while (_length > to)
        {
            int start = CharacterStart();
            bool isTwoWide = _line[start] is < Space and not Tab;
            echo.Echo(isTwoWide ? "\b \b\b \b"u8 : "\b \b"u8);
            _length = start;
        }
    }
}
