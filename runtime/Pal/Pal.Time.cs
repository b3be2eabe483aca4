// Clocks and random numbers.
using System;
using System.Runtime;
using Unikernel.Kernel;

namespace Unikernel.Runtime.Pal;

internal static unsafe class Clocks
{
    private const int NsPerMs = 1_000_000;
    private const int NsPerTick = 100;

    [RuntimeExport("SystemNative_GetTimestamp")]
    internal static long GetTimestamp() => Machine.NanoTime();

    [RuntimeExport("SystemNative_GetTimestampResolution")]
    internal static ulong GetTimestampResolution() => 1_000_000_000;

    [RuntimeExport("SystemNative_GetLowResolutionTimestamp")]
    internal static long GetLowResolutionTimestamp() => Machine.NanoTime() / NsPerMs;

    [RuntimeExport("SystemNative_GetSystemTimeAsTicks")]
    internal static long GetSystemTimeAsTicks() => Machine.WallClockNs() / NsPerTick;

    [RuntimeExport("SystemNative_GetBootTimeTicks")]
    internal static long GetBootTimeTicks() => (Machine.WallClockNs() - Machine.NanoTime()) / NsPerTick;

    // One core is busy whenever anything runs; there is no account of the time halted yet.
    [RuntimeExport("SystemNative_GetCpuUtilization")]
    internal static double GetCpuUtilization(void* previous) => 0;

    [RuntimeExport("SystemNative_GetNonCryptographicallySecureRandomBytes")]
    internal static void GetRandomBytes(byte* p, int n)
    {
        for (int i = 0; i < n; i += sizeof(ulong))
        {
            ulong r = Machine.Random64();
            for (int k = i; k < n && k < i + sizeof(ulong); k++)
            {
                p[k] = (byte)r;
                r >>= 8;
            }
        }
    }

    [RuntimeExport("SystemNative_GetCryptographicallySecureRandomBytes")]
    internal static int GetSecureRandomBytes(byte* p, int n)
    {
        GetRandomBytes(p, n);
        return 0;
    }
}
