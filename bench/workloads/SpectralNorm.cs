// The benchmarks game's spectral-norm: the power method on a matrix that is a formula.
using System;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace Unikernel.Bench;

internal static class SpectralNorm
{
    private const int Size = 500;
    private const int Rounds = 10;
    private const string Result = "1.274224116";

    internal static void Run()
    {
        long start = Stopwatch.GetTimestamp();
        double[] u = new double[Size];
        double[] v = new double[Size];
        double[] t = new double[Size];
        Array.Fill(u, 1);
        for (int i = 0; i < Rounds; i++)
        {
            TimesTransposeTimes(u, v, t);
            TimesTransposeTimes(v, u, t);
        }
        double uv = 0, vv = 0;
        for (int i = 0; i < Size; i++)
        {
            uv += u[i] * v[i];
            vv += v[i] * v[i];
        }
        Report.Row("-", "time", "ms", Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        Report.CheckText("norm", Math.Sqrt(uv / vv).ToString("F9", CultureInfo.InvariantCulture), Result);
    }

    // In 64-bit integers, as Go's int; inlined, as Go's compiler does it unasked.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double Element(long i, long j) => 1 / (double)(((i + j) * (i + j + 1) / 2) + i + 1);

    // Sets the result to (A transposed)(A)v.
    private static void TimesTransposeTimes(double[] v, double[] result, double[] t)
    {
        for (int i = 0; i < t.Length; i++)
        {
            double sum = 0;
            for (int j = 0; j < v.Length; j++)
            {
                sum += Element(i, j) * v[j];
            }
            t[i] = sum;
        }
        for (int i = 0; i < result.Length; i++)
        {
            double sum = 0;
            for (int j = 0; j < t.Length; j++)
            {
                sum += Element(j, i) * t[j];
            }
            result[i] = sum;
        }
    }
}
