// The benchmarks game's fannkuch-redux: permutations in a given order, each reversed by its first element until that is 0.
using System;
using System.Diagnostics;

namespace Unikernel.Bench;

internal static class Fannkuch
{
    private const int Size = 10;
    private const int Checksum = 73196;
    private const int Flips = 38;

    internal static void Run()
    {
        long start = Stopwatch.GetTimestamp();
        (int checksum, int maxFlips) = Compute(Size);
        Report.Row("-", "time", "ms", Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        Report.Check("checksum", checksum, Checksum);
        Report.Check("flips", maxFlips, Flips);
    }

    private static (int Checksum, int MaxFlips) Compute(int n)
    {
        int[] current = new int[n];
        int[] work = new int[n];
        int[] counts = new int[n];
        for (int i = 0; i < n; i++)
        {
            current[i] = i;
        }
        int checksum = 0;
        int maxFlips = 0;
        bool isEven = true;
        int left = n;
        while (true)
        {
            for (; left != 1; left--)
            {
                counts[left - 1] = left;
            }
            if (current[0] != 0)
            {
                current.AsSpan().CopyTo(work);
                int flips = Flip(work);
                maxFlips = Math.Max(maxFlips, flips);
                checksum += isEven ? flips : -flips;
            }
            isEven = !isEven;
            while (true)
            {
                if (left == n)
                {
                    return (checksum, maxFlips);
                }
                int first = current[0];
                for (int i = 0; i < left; i++)
                {
                    current[i] = current[i + 1];
                }
                current[left] = first;
                counts[left]--;
                if (counts[left] > 0)
                {
                    break;
                }
                left++;
            }
        }
    }

    // Reverses the first k+1 elements, k being the first, until that is 0; returns how often.
    private static int Flip(int[] p)
    {
        int flips = 0;
        for (int k = p[0]; k != 0; k = p[0])
        {
            for (int i = 0, j = k; i < j; i++, j--)
            {
                (p[i], p[j]) = (p[j], p[i]);
            }
            flips++;
        }
        return flips;
    }
}
