// The shell's line reader for input that is no terminal (a pipe): bytes in, lines out, nothing echoed.
// A line longer than MaxBytes is dropped whole and counted, never run in part.
using System;
using System.Text;

namespace Unikernel.Samples;

/// <summary>What one byte, or the end of the input, led to.</summary>
internal enum LineEvent
{
    /// <summary>The line goes on.</summary>
    None,

    /// <summary><see cref="LineReader.Line"/> holds a line.</summary>
    Line,

    /// <summary>A line of <see cref="LineReader.LineBytes"/> bytes was dropped.</summary>
    LineTooLong,
}

/// <summary>Collects bytes into lines.</summary>
internal sealed class LineReader
{
    /// <summary>The longest line, in bytes, without its end.</summary>
    public const int MaxBytes = 64 * 1024;

    private byte[] _bytes = new byte[256];

    /// <summary>The line that ended last, without its LF or CR LF; bytes that are no UTF-8 read as U+FFFD.</summary>
    public string Line { get; private set; } = "";

    /// <summary>How long the line is so far, or was when it ended.</summary>
    public long LineBytes { get; private set; }

    private bool _ended = true;

    /// <summary>Takes one byte.</summary>
    public LineEvent Feed(byte b)
    {
        if (_ended)
        {
            _ended = false;
            LineBytes = 0;
        }

        if (b == (byte)'\n')
        {
            return End();
        }

        if (LineBytes < MaxBytes)
        {
            if (LineBytes == _bytes.Length)
            {
                Array.Resize(ref _bytes, Math.Min(MaxBytes, 2 * _bytes.Length));
            }

            _bytes[LineBytes] = b;
        }

        LineBytes++;
        return LineEvent.None;
    }

    /// <summary>Says that the input ended: a last line without its line end counts as a line.</summary>
    public LineEvent Finish() => _ended ? LineEvent.None : End();

    private LineEvent End()
    {
        _ended = true;
        if (LineBytes > MaxBytes)
        {
            return LineEvent.LineTooLong;
        }

        ReadOnlySpan<byte> line = _bytes.AsSpan(0, (int)LineBytes);
        if (line.EndsWith("\r"u8))
        {
            line = line[..^1];
        }

        Line = Encoding.UTF8.GetString(line);
        return LineEvent.Line;
    }
}
