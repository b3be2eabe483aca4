// The kernel arguments GOGC and GOMEMLIMIT: their grammar.
//
// GA1  GOGC: nothing (the default), "off", or a decimal number of 32 bits; a negative one is "off".
// GA2  GOMEMLIMIT: nothing or "off" (no limit), or [0-9]+(([KMGT]i)?B)? of at most 2^63 - 1 bytes.
// GA3  What does not match is refused and gives the default: the caller says so in one line. Letters count as written.
// Context: anywhere; pure. Allocates nothing. Reference: Go's readGOGC, readGOMEMLIMIT, parseByteCount.
namespace Unikernel.Runtime.Mem;

internal static unsafe class GcArguments
{
    internal const int DefaultGcPercent = 100;
    internal const int GcOff = -1;
    internal const long NoMemoryLimit = long.MaxValue;

    /// <summary>GA1; false when it does not match.</summary>
    internal static bool TryGcPercent(byte* text, int length, out int gcPercent)
    {
        gcPercent = DefaultGcPercent;
        if (length == 0)
        {
            return true;
        }
        if (IsOff(text, length))
        {
            gcPercent = GcOff;
            return true;
        }
        bool isNegative = *text == '-';
        int digits = isNegative ? 1 : 0;
        if (!TryNumber(text + digits, length - digits, out long value) || value > int.MaxValue + (isNegative ? 1L : 0))
        {
            return false;
        }
        gcPercent = isNegative && value != 0 ? GcOff : (int)value;
        return true;
    }

    /// <summary>GA2, in bytes; false when it does not match.</summary>
    internal static bool TryMemoryLimit(byte* text, int length, out long bytes)
    {
        bytes = NoMemoryLimit;
        if (length == 0 || IsOff(text, length))
        {
            return true;
        }
        int digits = length;
        int shift = 0;
        if (text[digits - 1] == 'B')
        {
            digits--;
            if (digits > 0 && text[digits - 1] == 'i')
            {
                shift = digits > 1 ? ShiftOf(text[digits - 2]) : 0;
                digits -= 2;
                if (shift == 0)
                {
                    return false;
                }
            }
        }
        if (!TryNumber(text, digits, out long value) || value > long.MaxValue >> shift)
        {
            return false;
        }
        bytes = value << shift;
        return true;
    }

    private static int ShiftOf(byte unit) => unit switch
    {
        (byte)'K' => 10,
        (byte)'M' => 20,
        (byte)'G' => 30,
        (byte)'T' => 40,
        _ => 0,
    };

    private static bool IsOff(byte* text, int length) =>
        length == 3 && text[0] == 'o' && text[1] == 'f' && text[2] == 'f';

    private static bool TryNumber(byte* text, int length, out long value)
    {
        value = 0;
        for (int i = 0; i < length; i++)
        {
            int digit = text[i] - '0';
            if (digit is < 0 or > 9 || value > (long.MaxValue - digit) / 10)
            {
                return false;
            }
            value = (value * 10) + digit;
        }
        return length > 0;
    }
}
