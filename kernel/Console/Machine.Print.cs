// Text to the serial console, and numbers as text.
// PR1  Print is polled and takes no lock: usable at any point of any failure.
// Context: anywhere. Allocates nothing.

namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    public static void Print(ReadOnlySpan<byte> text)
    {
        fixed (byte* p = text)
        {
            Print(p, (nuint)text.Length);
        }
    }

    public static void PrintHex(ulong value, int minDigits)
    {
        var buffer = stackalloc byte[16];
        var at = 16;
        do
        {
            var digit = (byte)(value & 15);
            buffer[--at] = (byte)(digit < 10 ? '0' + digit : 'a' + digit - 10);
            value >>= 4;
            minDigits--;
        }
        while ((value != 0 || minDigits > 0) && at > 0);
        Print(buffer + at, (nuint)(16 - at));
    }

    public static void PrintDecimal(ulong value) => PrintDecimal(value, 1);

    /// <summary>Decimal, padded with spaces on the left to width (at most 20).</summary>
    public static void PrintDecimal(ulong value, int width)
    {
        var buffer = stackalloc byte[20];
        var at = 20;
        do
        {
            buffer[--at] = (byte)('0' + value % 10);
            value /= 10;
        }
        while (value != 0);
        while (20 - at < width && at > 0)
        {
            buffer[--at] = (byte)' ';
        }
        Print(buffer + at, (nuint)(20 - at));
    }

    /// <summary>One line that says why the machine cannot be used, then exit code 3.</summary>
    private static void RefuseMachine(ReadOnlySpan<byte> reason)
    {
        Print("unikernel: "u8);
        Print(reason);
        Print("\n"u8);
        Exit(3);
    }
}
