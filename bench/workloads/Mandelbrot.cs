// The benchmarks game's mandelbrot: a bitmap of the set, a bit per point.
using System;
using System.Diagnostics;
using System.Globalization;

namespace Unikernel.Bench;

internal static class Mandelbrot
{
    private const int Size = 1000;
    private const int Iterations = 50;
    private const string Checksum = "4b6965eff28b4aac";
    private const ulong FnvOffset = 14695981039346656037;
    private const ulong FnvPrime = 1099511628211;

    internal static void Run()
    {
        long start = Stopwatch.GetTimestamp();
        byte[] bitmap = new byte[Size * Size / 8];
        for (int y = 0; y < Size; y++)
        {
            Row(y, bitmap.AsSpan(y * Size / 8, Size / 8));
        }
        Report.Row("-", "time", "ms", Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        ulong hash = FnvOffset;
        foreach (byte b in bitmap)
        {
            hash = (hash ^ b) * FnvPrime;
        }
        Report.CheckText("checksum", hash.ToString("x16", CultureInfo.InvariantCulture), Checksum);
    }

    private static void Row(int y, Span<byte> row)
    {
        double ci = (2 * (double)y / Size) - 1;
        for (int at = 0; at < row.Length; at++)
        {
            int bits = 0;
            for (int bit = 0; bit < 8; bit++)
            {
                double cr = (2 * (double)((at * 8) + bit) / Size) - 1.5;
                bits <<= 1;
                if (IsInside(cr, ci))
                {
                    bits |= 1;
                }
            }
            row[at] = (byte)bits;
        }
    }

    private static bool IsInside(double cr, double ci)
    {
        double zr = 0, zi = 0, rr = 0, ii = 0;
        for (int i = 0; i < Iterations; i++)
        {
            zi = (2 * zr * zi) + ci;
            zr = rr - ii + cr;
            rr = zr * zr;
            ii = zi * zi;
            if (rr + ii > 4)
            {
                return false;
            }
        }
        return true;
    }
}
