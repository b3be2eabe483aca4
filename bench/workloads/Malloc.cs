// Allocation of small and large objects, all but the last few of them garbage.
namespace Unikernel.Bench;

internal static class Malloc
{
    private const int RingSize = 256;

    private sealed class Two(long a, long b)
    {
        internal readonly long A = a;
        internal readonly long B = b;
    }

    private sealed class Eight
    {
        private Eight? _p0, _p1, _p2, _p3, _p4, _p5, _p6, _p7;

        internal bool IsEmpty => (_p0 ?? _p1 ?? _p2 ?? _p3 ?? _p4 ?? _p5 ?? _p6 ?? _p7) == null;

        internal void Fill() => _p0 = _p1 = _p2 = _p3 = _p4 = _p5 = _p6 = _p7 = this;
    }

    // Where the objects are kept for a while, so that they must be made.
    private static readonly Two?[] s_twos = new Two?[RingSize];
    private static readonly Eight?[] s_eights = new Eight?[RingSize];
    private static readonly byte[]?[] s_blocks = new byte[]?[RingSize];

    internal static void Malloc16() => Report.Timed(static n =>
    {
        Two?[] ring = s_twos;
        for (int i = 0; i < n; i++)
        {
            ring[i % RingSize] = new Two(i, 0);
        }
        Two? last = ring[(n - 1) % RingSize];
        Report.Check("last", last == null ? -1 : last.A + last.B, n - 1);
    });

    internal static void Malloc64Ptr() => Report.Timed(static n =>
    {
        Eight?[] ring = s_eights;
        for (int i = 0; i < n; i++)
        {
            ring[i % RingSize] = new Eight();
        }
        if (ring[(n - 1) % RingSize] is not { IsEmpty: true } last)
        {
            throw new WrongAnswerException("the last object is not there");
        }
        last.Fill();
    });

    internal static void MallocBytes(int size) => Report.Timed(n =>
    {
        byte[]?[] ring = s_blocks;
        for (int i = 0; i < n; i++)
        {
            byte[] block = new byte[size];
            block[0] = (byte)i;
            ring[i % RingSize] = block;
        }
        Report.Check("last", ring[(n - 1) % RingSize]![0], (byte)(n - 1));
    });
}
