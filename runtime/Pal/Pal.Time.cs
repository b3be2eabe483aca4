// Clocks. The unit of time stamps is the nanosecond; the time zone is UTC (no zone files: Pal.Files.cs).
// Context: anywhere. Allocates: no.
using System.Runtime;
using Unikernel.Kernel;

namespace Unikernel.Runtime.Pal;

internal static unsafe class Clocks
{
    private const int NsPerMs = 1_000_000;
    private const int NsPerTick = 100;

    [RuntimeExport("SystemNative_GetTimestamp")]
    internal static long GetTimestamp() => Machine.NanoTime();

    [RuntimeExport("SystemNative_GetLowResolutionTimestamp")]
    internal static long GetLowResolutionTimestamp() => Machine.NanoTime() / NsPerMs;

    [RuntimeExport("SystemNative_GetSystemTimeAsTicks")]
    internal static long GetSystemTimeAsTicks() => Machine.WallClockNs() / NsPerTick;

    [RuntimeExport("SystemNative_GetBootTimeTicks")]
    internal static long GetBootTimeTicks() => (Machine.WallClockNs() - Machine.NanoTime()) / NsPerTick;

    // Asked by the thread pool when it thinks about more threads. There is no account of the time halted yet.
    [RuntimeExport("SystemNative_GetCpuUtilization")]
    internal static double GetCpuUtilization(void* previous) => 0;
}
