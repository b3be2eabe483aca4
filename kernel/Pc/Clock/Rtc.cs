// The CMOS clock: decoding is pure, reading is two port accesses a register.
//
// RT1  Decode is total: fields out of range make it fail.
// Reference: MC146818 data sheet; register 0x32 (or the FADT's) for the century.
namespace Unikernel.Kernel;

/// <summary>The registers of the clock, as read.</summary>
internal struct RtcRegisters
{
    internal byte Second;
    internal byte Minute;
    internal byte Hour;
    internal byte Day;
    internal byte Month;
    internal byte Year;
    internal byte Century;
    internal byte StatusB;
}

internal static class Rtc
{
    private const byte Is24Hour = 2;
    private const byte IsBinary = 4;
    private const byte Afternoon = 0x80;

    /// <summary>Seconds since 1970; false when the registers make no date.</summary>
    internal static bool TryDecode(in RtcRegisters r, out long unixSeconds)
    {
        unixSeconds = 0;
        bool binary = (r.StatusB & IsBinary) != 0;
        bool afternoon = (r.StatusB & Is24Hour) == 0 && (r.Hour & Afternoon) != 0;
        byte rawHour = (r.StatusB & Is24Hour) == 0 ? (byte)(r.Hour & ~Afternoon) : r.Hour;
        if (!Number(r.Second, binary, out int second) || !Number(r.Minute, binary, out int minute)
            || !Number(rawHour, binary, out int hour) || !Number(r.Day, binary, out int day)
            || !Number(r.Month, binary, out int month) || !Number(r.Year, binary, out int year))
        {
            return false;
        }
        if ((r.StatusB & Is24Hour) == 0)
        {
            if (hour is < 1 or > 12)
            {
                return false;
            }
            hour = (hour % 12) + (afternoon ? 12 : 0);
        }
        int century = Number(r.Century, binary, out int c) && c is >= 19 and <= 21 ? c : year >= 70 ? 19 : 20;
        year += century * 100;
        if (second > 59 || minute > 59 || hour > 23 || month is < 1 or > 12 || day < 1 || day > DaysIn(year, month))
        {
            return false;
        }
        unixSeconds = (DaysSince1970(year, month, day) * 86400) + (hour * 3600) + (minute * 60) + second;
        return true;
    }

    private static bool Number(byte raw, bool binary, out int value)
    {
        value = binary ? raw : ((raw >> 4) * 10) + (raw & 15);
        return binary ? raw < 100 : (raw & 15) < 10 && raw >> 4 < 10;
    }

    private static bool IsLeap(int year) => (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    private static int DaysIn(int year, int month) => month switch
    {
        2 => IsLeap(year) ? 29 : 28,
        4 or 6 or 9 or 11 => 30,
        _ => 31,
    };

    private static long DaysSince1970(int year, int month, int day)
    {
        long days = day - 1;
        for (int m = 1; m < month; m++)
        {
            days += DaysIn(year, m);
        }
        for (int y = 1970; y < year; y++)
        {
            days += IsLeap(y) ? 366 : 365;
        }
        return days;
    }
}
