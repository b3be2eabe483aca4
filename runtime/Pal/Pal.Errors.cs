// Error numbers: Linux's inside, the class library's own enumeration at its border.
//
// PE1  errno belongs to the goroutine.
// PE2  Only numbers this Pal itself produces are translated; any other is ENONSTANDARD.
// Context: goroutine. Allocates: no. Reference: Interop.Errors.cs of the class library (the values of its enum).
using System;
using System.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Pal;

internal static unsafe class Errno
{
    internal const int Enoent = 2;
    internal const int Ebadf = 9;
    internal const int Enomem = 12;
    internal const int Einval = 22;
    internal const int Enotty = 25;
    internal const int Espipe = 29;
    internal const int Erange = 34;

    private const int PalNonStandard = 0x1FFFF;

    // (Linux number, class library number)
    private static ReadOnlySpan<int> Table =>
    [
        0, 0, Enoent, 0x1002D, Ebadf, 0x10008, Enomem, 0x10031, Einval, 0x1001C, Enotty, 0x1003E, Espipe, 0x10049, Erange, 0x10047,
    ];

    internal static int Fail(int error)
    {
        Proc.GetG()->Errno = error;
        return -1;
    }

    [RuntimeExport("SystemNative_GetErrNo")]
    internal static int Get() => Proc.GetG()->Errno;

    [RuntimeExport("SystemNative_SetErrNo")]
    internal static void Set(int error) => Proc.GetG()->Errno = error;

    [RuntimeExport("SystemNative_ConvertErrorPlatformToPal")]
    internal static int ToPal(int platform)
    {
        ReadOnlySpan<int> t = Table;
        for (int i = 0; i + 1 < t.Length; i += 2)
        {
            if (t[i] == platform)
            {
                return t[i + 1];
            }
        }
        return PalNonStandard;
    }

    [RuntimeExport("SystemNative_ConvertErrorPalToPlatform")]
    internal static int ToPlatform(int pal)
    {
        ReadOnlySpan<int> t = Table;
        for (int i = 0; i + 1 < t.Length; i += 2)
        {
            if (t[i + 1] == pal)
            {
                return t[i];
            }
        }
        return -1;
    }

    [RuntimeExport("SystemNative_StrErrorR")]
    internal static byte* Text(int error, byte* buffer, int length)
    {
        ReadOnlySpan<byte> text = error switch
        {
            0 => "Success"u8,
            Enoent => "No such file or directory"u8,
            Ebadf => "Bad file descriptor"u8,
            Enomem => "Cannot allocate memory"u8,
            Einval => "Invalid argument"u8,
            Enotty => "Inappropriate ioctl for device"u8,
            Espipe => "Illegal seek"u8,
            Erange => "Numerical result out of range"u8,
            _ => "Unknown error"u8,
        };
        int n = Math.Min(text.Length, length - 1);
        if (n < 0)
        {
            return null;
        }
        text[..n].CopyTo(new Span<byte>(buffer, n));
        buffer[n] = 0;
        return buffer;
    }
}

/// <summary>The one way to refuse what a unikernel does not have.</summary>
internal static class Unsupported
{
    internal static PlatformNotSupportedException Files() => new("There is no file system.");

    internal static PlatformNotSupportedException Processes() => new("There are no processes.");

    internal static PlatformNotSupportedException Users() => new("There are no users.");

    internal static PlatformNotSupportedException Crypto() => new("There is no OpenSSL.");
}
