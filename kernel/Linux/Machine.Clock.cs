// Time: CLOCK_MONOTONIC and CLOCK_REALTIME through the vDSO, without a system call where Linux has it so.
// Context: anywhere after InitBootInfo. Allocates nothing. Reference: vdso(7), ELF-64 1.5.
namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private const int ClockRealtime = 0;
    private const int ClockMonotonic = 1;

    private static delegate* unmanaged[SuppressGCTransition]<int, long*, int> s_vdsoClock;  // null: by system call

    /// <summary>Nanoseconds since boot, monotonic.</summary>
    public static long NanoTime() => ClockNs(ClockMonotonic) - s_bootNs;

    /// <summary>Nanoseconds since 1970-01-01 UTC.</summary>
    public static long WallClockNs() => ClockNs(ClockRealtime);

    /// <summary>Nothing to measure: Linux has.</summary>
    public static void InitClock() => BootStep("clock"u8);

    private static long ClockNs(int clock)
    {
        var t = stackalloc long[2];
        if (s_vdsoClock != null)
        {
            s_vdsoClock(clock, t);
        }
        else
        {
            Linux.Syscall(Linux.ClockGetTime, clock, (nint)t);
        }
        return (t[0] * 1_000_000_000) + t[1];
    }

    // Looks "__vdso_clock_gettime" up in the dynamic symbols of the image Linux maps into every process.
    private static void FindVdsoClock(byte* image)
    {
        const int programLoad = 1, programDynamic = 2;
        const ulong dynamicStrings = 5, dynamicSymbols = 6, dynamicHash = 4;
        var headers = image + *(ulong*)(image + 32);
        var size = *(ushort*)(image + 54);
        ulong* dynamic = null;
        byte* loadBase = null;
        for (var i = 0; i < *(ushort*)(image + 56); i++)
        {
            var h = headers + (i * size);
            if (*(uint*)h == programLoad && loadBase == null)
            {
                loadBase = image + *(ulong*)(h + 8) - *(ulong*)(h + 16);
            }
            else if (*(uint*)h == programDynamic)
            {
                dynamic = (ulong*)(image + *(ulong*)(h + 8));
            }
        }
        if (loadBase == null || dynamic == null)
        {
            return;
        }
        byte* strings = null;
        byte* symbols = null;
        uint* hash = null;
        for (; dynamic[0] != 0; dynamic += 2)
        {
            switch (dynamic[0])
            {
                case dynamicStrings:
                    strings = loadBase + dynamic[1];
                    break;
                case dynamicSymbols:
                    symbols = loadBase + dynamic[1];
                    break;
                case dynamicHash:
                    hash = (uint*)(loadBase + dynamic[1]);
                    break;
            }
        }
        for (uint i = 0; strings != null && symbols != null && hash != null && i < hash[1]; i++)
        {
            var symbol = symbols + (i * 24);
            if (*(ushort*)(symbol + 6) != 0 && IsClockGetTime(strings + *(uint*)symbol))
            {
                s_vdsoClock = (delegate* unmanaged[SuppressGCTransition]<int, long*, int>)(loadBase + *(ulong*)(symbol + 8));
                return;
            }
        }
    }

    private static bool IsClockGetTime(byte* name)
    {
        var wanted = "__vdso_clock_gettime"u8;
        for (var i = 0; i < wanted.Length; i++)
        {
            if (name[i] != wanted[i])
            {
                return false;
            }
        }
        return name[wanted.Length] == 0;
    }
}
