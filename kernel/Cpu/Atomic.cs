// Atomic steps. Everything that cores share without a lock goes through here, so that the simulated machine can put any
// interleaving between two of them.
// AT1  All but Load and Store are full fences; Load acquires, Store releases.
// Context: anywhere. Allocates nothing.
using System.Runtime.CompilerServices;

namespace Unikernel.Kernel;

public static unsafe class Atomic
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Load(ref int word)
    {
        Sim.Point();
        return Volatile.Read(ref word);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Load(ref uint word)
    {
        Sim.Point();
        return Volatile.Read(ref word);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Load(ref long word)
    {
        Sim.Point();
        return Volatile.Read(ref word);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Load(ref ulong word)
    {
        Sim.Point();
        return Volatile.Read(ref word);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(ref int word, int value)
    {
        Sim.Point();
        Volatile.Write(ref word, value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(ref uint word, uint value)
    {
        Sim.Point();
        Volatile.Write(ref word, value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(ref long word, long value)
    {
        Sim.Point();
        Volatile.Write(ref word, value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(ref ulong word, ulong value)
    {
        Sim.Point();
        Volatile.Write(ref word, value);
    }

    /// <summary>Stores <paramref name="value"/> if the word is <paramref name="expected"/>; whether it did.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Swap(ref int word, int expected, int value)
    {
        Sim.Point();
        return Interlocked.CompareExchange(ref word, value, expected) == expected;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Swap(ref uint word, uint expected, uint value)
    {
        Sim.Point();
        return Interlocked.CompareExchange(ref word, value, expected) == expected;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Swap(ref ulong word, ulong expected, ulong value)
    {
        Sim.Point();
        return Interlocked.CompareExchange(ref word, value, expected) == expected;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Exchange(ref int word, int value)
    {
        Sim.Point();
        return Interlocked.Exchange(ref word, value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Exchange(ref ulong word, ulong value)
    {
        Sim.Point();
        return Interlocked.Exchange(ref word, value);
    }

    /// <summary>Adds; the new value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Add(ref int word, int value)
    {
        Sim.Point();
        return Interlocked.Add(ref word, value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Add(ref long word, long value)
    {
        Sim.Point();
        return Interlocked.Add(ref word, value);
    }

    /// <summary>Sets bits; the value before.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Or(ref int word, int bits)
    {
        Sim.Point();
        return Interlocked.Or(ref word, bits);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Or(ref ulong word, ulong bits)
    {
        Sim.Point();
        return Interlocked.Or(ref word, bits);
    }

    /// <summary>Keeps only these bits; the value before.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong And(ref ulong word, ulong bits)
    {
        Sim.Point();
        return Interlocked.And(ref word, bits);
    }
}

/// <summary>Where the simulated machine may switch cores; nothing on a real one.</summary>
public static partial class Sim
{
    [System.Diagnostics.Conditional("SIM")]
    public static void Point() => Turn();

    static partial void Turn();
}
