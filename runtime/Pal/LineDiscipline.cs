// The console's line discipline: typed bytes in, lines and echo out. No I/O in here.
//
// LD1  Every byte that is not an editing key comes out exactly once, in order.
// LD2  Memory is bounded: a line longer than the buffer is passed on in pieces.
// LD3  Ctrl-D gives what is typed so far; with nothing typed it is the end of the input, once.
// Context: goroutine. Allocates: the two buffers, at construction. Reference: termios(3), canonical mode.
using System;

namespace Unikernel.Runtime.Pal;

/// <summary>Where finished input goes and the echo is shown.</summary>
internal interface ILineSink
{
    void Echo(ReadOnlySpan<byte> text);
}

internal sealed class LineDiscipline<TSink>(TSink sink, int capacity = LineDiscipline<TSink>.DefaultCapacity)
    where TSink : ILineSink
{
    internal const int DefaultCapacity = 64 * 1024;

    private const byte CtrlC = 3;
    private const byte CtrlD = 4;
    private const byte Backspace = 8;
    private const byte CtrlU = 21;
    private const byte CtrlW = 23;
    private const byte Delete = 127;

    private readonly byte[] _line = new byte[capacity];
    private int _length;            // bytes of the line being typed
    private int _ready;             // of these, finished ones
    private int _read;              // of these, taken ones
    private bool _isEnd;

    /// <summary>Whether Take would give bytes or the end of input.</summary>
    internal bool IsReady => _isEnd || _read < _ready;

    /// <summary>Whether another byte may be typed: finished input must be taken first.</summary>
    internal bool WantsInput => !IsReady;

    /// <summary>One typed byte. Call only while <see cref="WantsInput"/>.</summary>
    internal void Type(byte b)
    {
        switch (b)
        {
            case (byte)'\r':
            case (byte)'\n':
                Add((byte)'\n');
                sink.Echo("\n"u8);
                Finish();
                return;
            case CtrlD:
                if (_length == 0)
                {
                    _isEnd = true;
                }
                else
                {
                    Finish();
                }
                return;
            case CtrlC:
                sink.Echo("^C\n"u8);
                _length = 0;
                return;
            case Backspace:
            case Delete:
                Erase(RuneStart(_length));
                return;
            case CtrlU:
                Erase(0);
                return;
            case CtrlW:
                Erase(WordStart());
                return;
            default:
                Add(b);
                EchoTyped(b);
                if (_length == _line.Length)
                {
                    Finish();       // LD2
                }
                return;
        }
    }

    /// <summary>Takes finished input; 0 bytes is the end of input.</summary>
    internal int Take(Span<byte> to)
    {
        if (_isEnd && _read == _ready)
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

    private void Add(byte b) => _line[_length++] = b;

    private void Finish() => _ready = _length;

    private void EchoTyped(byte b)
    {
        if (b is >= 32 or (byte)'\t')
        {
            sink.Echo([b]);
        }
        else
        {
            sink.Echo([(byte)'^', (byte)(b + 64)]);
        }
    }

    private int RuneStart(int end)
    {
        int at = end;
        while (at > 0 && (_line[at - 1] & 0xC0) == 0x80)
        {
            at--;
        }
        return Math.Max(0, at - 1);
    }

    private int WordStart()
    {
        int at = _length;
        while (at > 0 && _line[at - 1] == ' ')
        {
            at--;
        }
        while (at > 0 && _line[at - 1] != ' ')
        {
            at--;
        }
        return at;
    }

    private void Erase(int to)
    {
        while (_length > to)
        {
            int start = RuneStart(_length);
            byte first = _line[start];
            bool isControl = first < 32 && first != (byte)'\t';
            sink.Echo(isControl ? "\b \b\b \b"u8 : "\b \b"u8);
            _length = start;
        }
    }
}
