// Ticks to nanoseconds by one multiplication. Pure.
// TS1  ns = ticks * multiplier >> 32 with a 128-bit product: exact to a nanosecond per 4 s, no overflow in 500 years.
namespace Unikernel.Kernel;

/// <summary>A clock: at tick BaseTicks it was BaseNs. It shows nothing earlier.</summary>
internal struct TimeScale
{
    internal ulong BaseTicks;
    internal ulong BaseNs;
    internal ulong Multiplier;          // nanoseconds a tick, 32 fractional bits

    internal readonly ulong ToNs(ulong ticks) => ticks < BaseTicks ? BaseNs : BaseNs + Scale(ticks - BaseTicks, Multiplier);

    internal static ulong Scale(ulong ticks, ulong multiplier)
    {
        var high = Math.BigMul(ticks, multiplier, out var low);
        return (high << 32) | (low >> 32);
    }

    /// <summary>The multiplier by which ticks make ns; 0 when the rate is not between 100 MHz and 16 GHz. ns is below 2^32.</summary>
    internal static ulong MultiplierFor(ulong ticks, ulong ns)
    {
        if (ticks == 0 || ns >= 1UL << 32 || ticks >= ns * 16 || ticks < ns / 10)
        {
            return 0;
        }
        return (ns << 32) / ticks;
    }

    /// <summary>Ticks per second.</summary>
    internal static ulong RateOf(ulong multiplier) => multiplier == 0 ? 0 : (1_000_000_000UL << 32) / multiplier;
}
