// Error numbers: Linux's inside, the class library's own enumeration at its border.
//
// PE1  errno belongs to the goroutine (a field of G: reading it never allocates).
// PE2  A Linux number with no counterpart is ENONSTANDARD outward; a counterpart with no Linux number is -1 inward.
// Context: goroutine. Allocates: no.
// Reference: errno(3); Interop.Errors.cs of the class library (the values of its enumeration).
using System;
using System.Runtime;
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
    internal const int Erofs = 30;
    internal const int Erange = 34;

    private const int PalNonStandard = 0x1FFFF;
    private const int PalBase = 0x10000;

    // Index: Linux's number. Value: the class library's, less PalBase; 0 = it has none.
    private static ReadOnlySpan<byte> ToPalTable =>
    [
        0x00, 0x42, 0x2D, 0x4A, 0x1B, 0x1D, 0x3F, 0x01, 0x2E, 0x08, 0x0C, 0x06, 0x31, 0x02, 0x15, 0x00,    // EPERM 1 … EFAULT 14
        0x0A, 0x14, 0x4F, 0x2C, 0x39, 0x1F, 0x1C, 0x29, 0x21, 0x3E, 0x4E, 0x16, 0x34, 0x49, 0x48, 0x22,    // EBUSY 16 … EMLINK 31
        0x43, 0x12, 0x47, 0x10, 0x25, 0x2F, 0x37, 0x3A, 0x20, 0x00, 0x32, 0x18, 0x00, 0x00, 0x00, 0x00,    // EPIPE 32 … EIDRM 43
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x71, 0x00, 0x00,    // ENODATA 61
        0x00, 0x00, 0x00, 0x30, 0x00, 0x00, 0x00, 0x44, 0x24, 0x00, 0x09, 0x40, 0x00, 0x00, 0x00, 0x00,    // ENOLINK 67 … EOVERFLOW 75
        0x00, 0x00, 0x00, 0x00, 0x19, 0x00, 0x00, 0x00, 0x3C, 0x11, 0x23, 0x46, 0x33, 0x45, 0x5E, 0x3D,    // EILSEQ 84, ENOTSOCK 88 … EOPNOTSUPP 95
        0x60, 0x05, 0x03, 0x04, 0x26, 0x28, 0x27, 0x0D, 0x0F, 0x2A, 0x1E, 0x38, 0x6C, 0x00, 0x4D, 0x0E,    // EPFNOSUPPORT 96 … ECONNREFUSED 111
        0x70, 0x17, 0x07, 0x1A, 0x4B, 0x00, 0x00, 0x00, 0x00, 0x00, 0x13, 0x00, 0x00, 0x0B, 0x00, 0x00,    // EHOSTDOWN 112 … ECANCELED 125
        0x00, 0x00, 0x41, 0x3B,                                                                            // EOWNERDEAD 130, ENOTRECOVERABLE 131
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
        if (platform == 0)
        {
            return 0;
        }
        ReadOnlySpan<byte> table = ToPalTable;
        int pal = (uint)platform < (uint)table.Length ? table[platform] : 0;
        return pal == 0 ? PalNonStandard : PalBase + pal;
    }

    [RuntimeExport("SystemNative_ConvertErrorPalToPlatform")]
    internal static int ToPlatform(int pal)
    {
        if (pal == 0)
        {
            return 0;
        }
        ReadOnlySpan<byte> table = ToPalTable;
        for (int i = 1; i < table.Length; i++)
        {
            if (table[i] != 0 && table[i] + PalBase == pal)
            {
                return i;
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
            1 => "Operation not permitted"u8,
            Enoent => "No such file or directory"u8,
            4 => "Interrupted system call"u8,
            5 => "Input/output error"u8,
            Ebadf => "Bad file descriptor"u8,
            11 => "Resource temporarily unavailable"u8,
            Enomem => "Cannot allocate memory"u8,
            13 => "Permission denied"u8,
            17 => "File exists"u8,
            20 => "Not a directory"u8,
            21 => "Is a directory"u8,
            Einval => "Invalid argument"u8,
            Enotty => "Inappropriate ioctl for device"u8,
            28 => "No space left on device"u8,
            Espipe => "Illegal seek"u8,
            Erofs => "Read-only file system"u8,
            32 => "Broken pipe"u8,
            Erange => "Numerical result out of range"u8,
            36 => "File name too long"u8,
            38 => "Function not implemented"u8,
            39 => "Directory not empty"u8,
            95 => "Operation not supported"u8,
            98 => "Address already in use"u8,
            99 => "Cannot assign requested address"u8,
            101 => "Network is unreachable"u8,
            104 => "Connection reset by peer"u8,
            107 => "Transport endpoint is not connected"u8,
            110 => "Connection timed out"u8,
            111 => "Connection refused"u8,
            113 => "No route to host"u8,
            _ => default,
        };
        if (length <= 0)
        {
            return null;
        }
        if (text.IsEmpty)
        {
            return Unknown(error, buffer, length);
        }
        return CText.Copy(text, buffer, length) ? buffer : null;
    }

    private static byte* Unknown(int error, byte* buffer, int length)
    {
        const int digits = 11;                      // "-2147483648"
        ReadOnlySpan<byte> text = "Unknown error "u8;
        byte* line = stackalloc byte[32];
        byte* at = line + 32;
        uint rest = error < 0 ? 0u - (uint)error : (uint)error;
        do
        {
            *--at = (byte)('0' + (rest % 10));
            rest /= 10;
        }
        while (rest != 0);
        if (error < 0)
        {
            *--at = (byte)'-';
        }
        int n = (int)(line + 32 - at);
        if (n > digits || text.Length + n >= length)
        {
            buffer[0] = 0;
            return null;
        }
        text.CopyTo(new Span<byte>(buffer, text.Length));
        new ReadOnlySpan<byte>(at, n).CopyTo(new Span<byte>(buffer + text.Length, n));
        buffer[text.Length + n] = 0;
        return buffer;
    }
}

/// <summary>NUL-terminated text, the form in which the class library gives and takes it here.</summary>
internal static unsafe class CText
{
    /// <summary>Copies as much as fits, always terminated; false when it did not fit.</summary>
    internal static bool Copy(ReadOnlySpan<byte> text, byte* buffer, int length)
    {
        if (length <= 0)
        {
            return false;
        }
        int n = Math.Min(text.Length, length - 1);
        text[..n].CopyTo(new Span<byte>(buffer, n));
        buffer[n] = 0;
        return n == text.Length;
    }

    /// <summary>A copy that the class library gives back with SystemNative_Free; null when memory is out.</summary>
    internal static byte* Allocate(ReadOnlySpan<byte> text)
    {
        byte* p = (byte*)Memory.Malloc((nuint)text.Length + 1);
        if (p != null)
        {
            Copy(text, p, text.Length + 1);
        }
        return p;
    }

    internal static ReadOnlySpan<byte> Of(byte* text)
    {
        int n = 0;
        while (text[n] != 0)
        {
            n++;
        }
        return new ReadOnlySpan<byte>(text, n);
    }
}

/// <summary>The one way to refuse what a unikernel does not have.</summary>
internal static class Unsupported
{
    internal static PlatformNotSupportedException Files() => new("There is no file system.");

    internal static PlatformNotSupportedException Processes() => new("There are no processes.");

    internal static PlatformNotSupportedException Users() => new("There are no users.");

    internal static PlatformNotSupportedException Pipes() => new("There are no pipes: goroutines talk over channels.");

    internal static PlatformNotSupportedException Network() => new("There is no network stack.");

    internal static PlatformNotSupportedException Crypto() => new("There is no OpenSSL.");
}
