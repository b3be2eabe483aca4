// The test protocol: frames on the guest's second serial port.
//
// FR1  A frame is A5 5A, type, sequence (2 bytes), length (2), payload, CRC-32C of everything after the two marks;
//      numbers are little-endian. Sequence numbers count from 0: a gap is a lost frame.
// FR2  The decoder is total: bytes that make no valid frame are skipped to the next mark and counted. A corrupt frame is
//      reported, never delivered.
using System;
using System.Collections.Generic;
using System.Numerics;
using System.Text;

namespace Unikernel.TestProtocol;

/// <summary>What a frame says.</summary>
public enum FrameType : byte
{
    /// <summary>The run begins; payload: number of tests as text.</summary>
    Hello = 1,

    /// <summary>A test begins; payload: its name.</summary>
    Start = 2,

    /// <summary>The test passed; payload: its name.</summary>
    Pass = 3,

    /// <summary>The test failed; payload: its name, a NUL, the failure's text.</summary>
    Fail = 4,

    /// <summary>The run is over.</summary>
    Bye = 5,
}

/// <summary>One valid frame.</summary>
public readonly record struct Frame(FrameType Type, ushort Sequence, string Text);

/// <summary>Encoding of frames.</summary>
public static class FrameEncoder
{
    internal const int HeaderBytes = 7;
    internal const int OverheadBytes = HeaderBytes + 4;
    internal const byte Mark1 = 0xA5;
    internal const byte Mark2 = 0x5A;

    /// <summary>The bytes of a frame; text beyond what a frame holds is cut.</summary>
    public static byte[] Encode(FrameType type, ushort sequence, string text)
    {
        byte[] payload = Encoding.UTF8.GetBytes(text);
        int n = Math.Min(payload.Length, ushort.MaxValue);
        byte[] frame = new byte[OverheadBytes + n];
        frame[0] = Mark1;
        frame[1] = Mark2;
        frame[2] = (byte)type;
        frame[3] = (byte)sequence;
        frame[4] = (byte)(sequence >> 8);
        frame[5] = (byte)n;
        frame[6] = (byte)(n >> 8);
        payload.AsSpan(0, n).CopyTo(frame.AsSpan(HeaderBytes));
        uint crc = Crc(frame.AsSpan(2, HeaderBytes - 2 + n));
        BitConverter.TryWriteBytes(frame.AsSpan(HeaderBytes + n), crc);
        return frame;
    }

    internal static uint Crc(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte b in bytes)
        {
            crc = BitOperations.Crc32C(crc, b);
        }
        return ~crc;
    }
}

/// <summary>Decodes a stream of frames, however it is cut into pieces.</summary>
public sealed class FrameDecoder
{
    private readonly List<byte> _buffer = [];
    private int _expected;

    /// <summary>Bytes skipped because they were part of no valid frame.</summary>
    public int SkippedBytes { get; private set; }

    /// <summary>Places where something that looked like a frame was not valid, or a sequence number was missing.</summary>
    public int CorruptFrames { get; private set; }

    /// <summary>Takes bytes; returns the frames they complete.</summary>
    public IReadOnlyList<Frame> Add(ReadOnlySpan<byte> bytes)
    {
        _buffer.AddRange(bytes);
        List<Frame> frames = [];
        int at = 0;
        while (_buffer.Count - at >= FrameEncoder.OverheadBytes)
        {
            if (_buffer[at] != FrameEncoder.Mark1 || _buffer[at + 1] != FrameEncoder.Mark2)
            {
                at++;
                SkippedBytes++;
                continue;
            }
            int length = _buffer[at + 5] | (_buffer[at + 6] << 8);
            int total = FrameEncoder.OverheadBytes + length;
            if (_buffer.Count - at < total)
            {
                break;
            }
            byte[] frame = [.. _buffer.GetRange(at, total)];
            uint crc = BitConverter.ToUInt32(frame, total - 4);
            if (crc != FrameEncoder.Crc(frame.AsSpan(2, total - 6)) || !Enum.IsDefined((FrameType)frame[2]))
            {
                CorruptFrames++;
                at++;
                SkippedBytes++;
                continue;
            }
            int sequence = frame[3] | (frame[4] << 8);
            if (sequence != _expected)
            {
                CorruptFrames++;
            }
            _expected = (sequence + 1) & 0xFFFF;
            frames.Add(new Frame((FrameType)frame[2], (ushort)sequence, Encoding.UTF8.GetString(frame, FrameEncoder.HeaderBytes, length)));
            at += total;
        }
        _buffer.RemoveRange(0, at);
        return frames;
    }

    /// <summary>The stream has ended: what is left is corrupt.</summary>
    public void End()
    {
        if (_buffer.Count > 0)
        {
            CorruptFrames++;
            SkippedBytes += _buffer.Count;
            _buffer.Clear();
        }
    }
}
