// Wall-clock registers to seconds, ticks to nanoseconds.
using System;
using CsCheck;
using Unikernel.Kernel;
using Xunit;

namespace Unikernel.Tests.Kernel;

public class ClockTests
{
    private const byte Is24Hour = 2, IsBinary = 4;

    private static RtcRegisters Encode(DateTime t, byte statusB)
    {
        byte Number(int value) => (byte)((statusB & IsBinary) != 0 ? value : (value / 10 * 16) + (value % 10));
        byte hour = Number(t.Hour);
        if ((statusB & Is24Hour) == 0)
        {
            hour = (byte)(Number(t.Hour % 12 == 0 ? 12 : t.Hour % 12) | (t.Hour >= 12 ? 0x80 : 0));
        }
        return new RtcRegisters
        {
            Second = Number(t.Second),
            Minute = Number(t.Minute),
            Hour = hour,
            Day = Number(t.Day),
            Month = Number(t.Month),
            Year = Number(t.Year % 100),
            Century = Number(t.Year / 100),
            StatusB = statusB,
        };
    }

    [Fact]
    public void EveryMomentInEveryFormat() =>
        Gen.Select(Gen.Long[0, 4_102_444_799], Gen.OneOfConst((byte)0, Is24Hour, IsBinary, (byte)(Is24Hour | IsBinary))).Sample((seconds, status) =>
        {
            RtcRegisters r = Encode(DateTime.UnixEpoch.AddSeconds(seconds), status);
            Assert.True(Rtc.TryDecode(in r, out long decoded));
            Assert.Equal(seconds, decoded);
        });

    [Fact]
    public void WithoutCenturyTheYearTellsIt()
    {
        RtcRegisters r = Encode(new DateTime(2026, 11, 23, 20, 0, 0, DateTimeKind.Utc), Is24Hour);
        r.Century = 0;
        Assert.True(Rtc.TryDecode(in r, out long seconds));
        Assert.Equal(2026, DateTime.UnixEpoch.AddSeconds(seconds).Year);
    }

    [Fact]
    public void AnyRegistersMakeADateOrNone() =>
        Gen.Byte.Array[8].Sample(b =>
        {
            RtcRegisters r = new() { Second = b[0], Minute = b[1], Hour = b[2], Day = b[3], Month = b[4], Year = b[5], Century = b[6], StatusB = b[7] };
            return !Rtc.TryDecode(in r, out long seconds) || (seconds >= -2_208_988_800 && seconds < 7_258_118_400);
        });

    [Theory]
    [InlineData(0x60, 0x00, 0x00, 0x01, 0x01)]
    [InlineData(0x00, 0x60, 0x00, 0x01, 0x01)]
    [InlineData(0x00, 0x00, 0x24, 0x01, 0x01)]
    [InlineData(0x00, 0x00, 0x00, 0x00, 0x01)]
    [InlineData(0x00, 0x00, 0x00, 0x30, 0x02)]
    [InlineData(0x00, 0x00, 0x00, 0x01, 0x13)]
    [InlineData(0x0a, 0x00, 0x00, 0x01, 0x01)]
    [InlineData(0xff, 0xff, 0xff, 0xff, 0xff)]
    public void ImpossibleRegistersAreRefused(byte second, byte minute, byte hour, byte day, byte month)
    {
        RtcRegisters r = new() { Second = second, Minute = minute, Hour = hour, Day = day, Month = month, Year = 0x26, Century = 0x20, StatusB = Is24Hour };
        Assert.False(Rtc.TryDecode(in r, out _));
    }

    [Fact]
    public void ScaledTimeIsExactAndDoesNotOverflow() =>
        Gen.Select(Gen.ULong[0, 1UL << 62], Gen.ULong[100_000_000, 10_000_000_000]).Sample((ticks, hz) =>
        {
            ulong multiplier = TimeScale.MultiplierFor(hz / 100, 10_000_000);       // a hundredth of a second
            ulong exact = (ulong)((UInt128)ticks * multiplier >> 32);
            Assert.Equal(exact, TimeScale.Scale(ticks, multiplier));
            double error = Math.Abs(TimeScale.RateOf(multiplier) - (double)hz) / hz;
            Assert.True(error < 1e-5, $"{hz}: {error}");
        });

    [Fact]
    public void ScaledTimeNeverGoesBack() =>
        Gen.Select(Gen.ULong[0, 1UL << 62], Gen.ULong[0, 1UL << 40], Gen.ULong[1 << 28, 1UL << 35])
            .Sample((ticks, more, multiplier) => TimeScale.Scale(ticks, multiplier) <= TimeScale.Scale(ticks + more, multiplier));

    [Theory]
    [InlineData(0UL, 2_000_000UL)]
    [InlineData(1UL, 2_000_000UL)]                  // 500 Hz
    [InlineData(1UL << 40, 2_000_000UL)]
    [InlineData(5_000_000UL, 1UL << 32)]
    [InlineData(5_000_000UL, 0UL)]
    public void ImpossibleRatesGiveNone(ulong ticks, ulong ns) => Assert.Equal(0UL, TimeScale.MultiplierFor(ticks, ns));
}
