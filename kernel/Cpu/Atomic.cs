// Atomic steps. Everything that cores share without a lock goes through here.
// AT1  All but Load and Store are full fences; Load acquires, Store releases.
// Context: anywhere. Allocates nothing.
namespace Unikernel.Kernel;

public static unsafe class Atomic
{
    public static int Load(ref int word) => Volatile.Read(ref word);

    public static uint Load(ref uint word) => Volatile.Read(ref word);

    public static long Load(ref long word) => Volatile.Read(ref word);

    public static ulong Load(ref ulong word) => Volatile.Read(ref word);

    public static void Store(ref int word, int value) => Volatile.Write(ref word, value);

    public static void Store(ref uint word, uint value) => Volatile.Write(ref word, value);

    public static void Store(ref long word, long value) => Volatile.Write(ref word, value);

    public static void Store(ref ulong word, ulong value) => Volatile.Write(ref word, value);

    /// <summary>What was stored before it is seen by all cores before anything after it is loaded.</summary>
    public static void Fence() => Interlocked.MemoryBarrier();

    /// <summary>Stores <paramref name="value"/> if the word is <paramref name="expected"/>; whether it did.</summary>
    public static bool Swap(ref int word, int expected, int value) => Interlocked.CompareExchange(ref word, value, expected) == expected;

    public static bool Swap(ref uint word, uint expected, uint value) => Interlocked.CompareExchange(ref word, value, expected) == expected;

    public static bool Swap(ref ulong word, ulong expected, ulong value) => Interlocked.CompareExchange(ref word, value, expected) == expected;

    public static bool Swap(ref long word, long expected, long value) => Interlocked.CompareExchange(ref word, value, expected) == expected;

    public static int Exchange(ref int word, int value) => Interlocked.Exchange(ref word, value);

    public static ulong Exchange(ref ulong word, ulong value) => Interlocked.Exchange(ref word, value);

    /// <summary>Adds; the new value.</summary>
    public static int Add(ref int word, int value) => Interlocked.Add(ref word, value);

    public static long Add(ref long word, long value) => Interlocked.Add(ref word, value);

    /// <summary>Sets bits; the value before.</summary>
    public static int Or(ref int word, int bits) => Interlocked.Or(ref word, bits);

    public static ulong Or(ref ulong word, ulong bits) => Interlocked.Or(ref word, bits);

    /// <summary>Keeps only these bits; the value before.</summary>
    public static ulong And(ref ulong word, ulong bits) => Interlocked.And(ref word, bits);
}
