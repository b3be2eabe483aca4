// The test protocol: round trips, pieces, and every kind of damage.
using System;
using System.Collections.Generic;
using System.Linq;
using CsCheck;
using Unikernel.TestProtocol;
using Xunit;

namespace Unikernel.Tests.Protocol;

public class FrameTests
{
    private static byte[] Stream(params string[] texts) =>
        [.. texts.SelectMany((t, i) => FrameEncoder.Encode(FrameType.Pass, (ushort)i, t))];

    [Fact]
    public void Frames_survive_being_cut_anywhere() =>
        Gen.Select(Gen.String.Array[0, 8], Gen.Int[1, 40]).Sample((texts, piece) =>
        {
            string[] clean = [.. texts.Select(t => new string([.. t.Where(c => !char.IsSurrogate(c))]))];
            byte[] stream = Stream(clean);
            var decoder = new FrameDecoder();
            List<Frame> frames = [];
            for (int at = 0; at < stream.Length; at += piece)
            {
                frames.AddRange(decoder.Add(stream.AsSpan(at, Math.Min(piece, stream.Length - at))));
            }
            decoder.End();
            return frames.Select(f => f.Text).SequenceEqual(clean) && decoder is { CorruptFrames: 0, SkippedBytes: 0 };
        });

    [Fact]
    public void A_flipped_bit_never_yields_a_wrong_message() =>
        Gen.Select(Gen.Int[0, 199], Gen.Int[0, 7]).Sample((at, bit) =>
        {
            byte[] stream = Stream("alpha", "beta", "gamma", "delta");
            at %= stream.Length;
            stream[at] ^= (byte)(1 << bit);
            var decoder = new FrameDecoder();
            List<Frame> frames = [.. decoder.Add(stream)];
            decoder.End();
            string[] sent = ["alpha", "beta", "gamma", "delta"];
            return frames.All(f => f.Text == sent[f.Sequence]) && frames.Count < 4 && decoder.CorruptFrames + decoder.SkippedBytes > 0;
        });

    [Fact]
    public void Garbage_is_skipped_and_counted_and_the_next_frame_is_heard()
    {
        byte[] garbage = [.. Enumerable.Range(0, 500).Select(i => (byte)(i * 7))];
        var decoder = new FrameDecoder();
        IReadOnlyList<Frame> frames = decoder.Add([.. garbage, .. Stream("heard")]);
        Assert.Equal("heard", Assert.Single(frames).Text);
        Assert.True(decoder.SkippedBytes >= garbage.Length);
    }

    [Fact]
    public void A_lost_frame_and_a_cut_end_count_as_corrupt()
    {
        var decoder = new FrameDecoder();
        Assert.Single(decoder.Add(FrameEncoder.Encode(FrameType.Pass, 3, "x")));
        Assert.Equal(1, decoder.CorruptFrames);
        decoder.Add(FrameEncoder.Encode(FrameType.Pass, 4, "cut").AsSpan(0, 9));
        decoder.End();
        Assert.Equal(2, decoder.CorruptFrames);
    }
}
