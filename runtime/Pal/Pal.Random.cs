// Random bytes and the little of OpenSSL that can be answered.
//
// PR1  All randomness is Machine.Random64: RDRAND, or without it a mix of the TSC, which is not fit for secrets.
// PR2  RandomNumberGenerator works: the three CryptoNative functions its start needs are real. Hashing and ciphers of
//      System.Security.Cryptography are not here: an application that uses them fails to link, by symbol name.
// Context: goroutine. Allocates: exceptions.
using System.Runtime;
using Unikernel.Kernel;

namespace Unikernel.Runtime.Pal;

internal static unsafe class RandomBytes
{
    private const int MaxMessageDigestBytes = 64;       // SHA-512; OpenSSL's EVP_MAX_MD_SIZE

    [RuntimeExport("SystemNative_GetNonCryptographicallySecureRandomBytes")]
    internal static void Fill(byte* p, int n)
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
    internal static int FillSecure(byte* p, int n)
    {
        Fill(p, n);
        return 0;
    }

    [RuntimeExport("CryptoNative_GetRandomBytes")]
    internal static int CryptoGetRandomBytes(byte* p, int n)
    {
        Fill(p, n);
        return 1;
    }

    // 0: initialised. The class constructor in front of every CryptoNative function asks, GetRandomBytes included.
    [RuntimeExport("CryptoNative_EnsureOpenSslInitialized")]
    internal static int EnsureInitialized() => 0;

    [RuntimeExport("CryptoNative_GetMaxMdSize")]
    internal static int GetMaxMdSize() => MaxMessageDigestBytes;

    [RuntimeExport("CryptoNative_ErrGetExceptionError")]
    internal static ulong ErrGetExceptionError(int* isAllocationFailure) => throw Unsupported.Crypto();

    [RuntimeExport("CryptoNative_ErrErrorStringN")]
    internal static void ErrErrorString(ulong error, byte* buffer, int length) => throw Unsupported.Crypto();

    [RuntimeExport("CryptoNative_ErrClearError")]
    internal static ulong ErrClearError() => throw Unsupported.Crypto();
}
