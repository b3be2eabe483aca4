// Atomic steps of simulated cores: before each one another core may run; what x86 may hold back is held back.
//
// AS1  The same methods as Cpu/Atomic.cs, whose place this file takes.
// AS2  Store may stay in the core's store buffer (StoreBuffers.cs): other cores' Load does not see it yet. All others are
//      full fences.
// AS3  Outside a run (Simulation.cs) these are plain operations.
// Context: anywhere. Allocates nothing.
using System.Runtime.CompilerServices;
using Unikernel.Kernel.Simulated;

namespace Unikernel.Kernel;

public static unsafe class Atomic
{
    public static int Load(ref int word)
    {
        Simulation.Step();
        return (int)Seen(Address(ref word), (uint)word);
    }

    public static uint Load(ref uint word)
    {
        Simulation.Step();
        return (uint)Seen(Address(ref word), word);
    }

    public static long Load(ref long word)
    {
        Simulation.Step();
        return (long)Seen(Address(ref word), (ulong)word);
    }

    public static ulong Load(ref ulong word)
    {
        Simulation.Step();
        return Seen(Address(ref word), word);
    }

    public static void Store(ref int word, int value)
    {
        Simulation.Step();
        BeforeStore(Address(ref word), (uint)word, (ulong)value);
        word = value;
    }

    public static void Store(ref uint word, uint value)
    {
        Simulation.Step();
        BeforeStore(Address(ref word), word, (ulong)value);
        word = value;
    }

    public static void Store(ref long word, long value)
    {
        Simulation.Step();
        BeforeStore(Address(ref word), (ulong)word, (ulong)value);
        word = value;
    }

    public static void Store(ref ulong word, ulong value)
    {
        Simulation.Step();
        BeforeStore(Address(ref word), word, (ulong)value);
        word = value;
    }

    /// <summary>What was stored before it is seen by all cores before anything after it is loaded.</summary>
    public static void Fence() => Fence(null);

    /// <summary>Stores <paramref name="value"/> if the word is <paramref name="expected"/>; whether it did.</summary>
    public static bool Swap(ref int word, int expected, int value)
    {
        Fence(Address(ref word));
        bool isSame = word == expected;
        Trace(isSame ? "swap" : "swap fails", Address(ref word), (ulong)value);
        word = isSame ? value : word;
        return isSame;
    }

    public static bool Swap(ref uint word, uint expected, uint value)
    {
        Fence(Address(ref word));
        bool isSame = word == expected;
        Trace(isSame ? "swap" : "swap fails", Address(ref word), (ulong)value);
        word = isSame ? value : word;
        return isSame;
    }

    public static bool Swap(ref ulong word, ulong expected, ulong value)
    {
        Fence(Address(ref word));
        bool isSame = word == expected;
        Trace(isSame ? "swap" : "swap fails", Address(ref word), (ulong)value);
        word = isSame ? value : word;
        return isSame;
    }

    public static bool Swap(ref long word, long expected, long value)
    {
        Fence(Address(ref word));
        bool isSame = word == expected;
        Trace(isSame ? "swap" : "swap fails", Address(ref word), (ulong)value);
        word = isSame ? value : word;
        return isSame;
    }

    public static int Exchange(ref int word, int value)
    {
        Fence(Address(ref word));
        Trace("exchange", Address(ref word), (ulong)value);
        int old = word;
        word = value;
        return old;
    }

    public static ulong Exchange(ref ulong word, ulong value)
    {
        Fence(Address(ref word));
        Trace("exchange", Address(ref word), (ulong)value);
        ulong old = word;
        word = value;
        return old;
    }

    /// <summary>Adds; the new value.</summary>
    public static int Add(ref int word, int value)
    {
        Fence(Address(ref word));
        Trace("add", Address(ref word), (ulong)value);
        return word += value;
    }

    public static long Add(ref long word, long value)
    {
        Fence(Address(ref word));
        Trace("add", Address(ref word), (ulong)value);
        return word += value;
    }

    /// <summary>Sets bits; the value before.</summary>
    public static int Or(ref int word, int bits)
    {
        Fence(Address(ref word));
        Trace("or", Address(ref word), (ulong)bits);
        int old = word;
        word |= bits;
        return old;
    }

    public static ulong Or(ref ulong word, ulong bits)
    {
        Fence(Address(ref word));
        Trace("or", Address(ref word), (ulong)bits);
        ulong old = word;
        word |= bits;
        return old;
    }

    /// <summary>Keeps only these bits; the value before.</summary>
    public static ulong And(ref ulong word, ulong bits)
    {
        Fence(Address(ref word));
        Trace("and", Address(ref word), bits);
        ulong old = word;
        word &= bits;
        return old;
    }

    private static void Fence(void* word)
    {
        Simulation.Step();
        StoreBuffers.Fence(word);
    }

    private static ulong Seen(void* word, ulong newest)
    {
        ulong seen = StoreBuffers.Read(word, newest);
        Trace(seen == newest ? "load" : "load of old", word, seen);
        return seen;
    }

    private static void BeforeStore(void* word, ulong before, ulong value)
    {
        StoreBuffers.Add(word, before);
        Trace("store", word, value);
    }

    private static void Trace(string what, void* word, ulong value)
    {
        if (TraceLog.IsComplete)
        {
            TraceLog.AddAccess(what, word, value);
        }
    }

    // Off-heap, static, or in an object that no collection moves during a run (SI6).
    private static void* Address<T>(ref T word)
        where T : unmanaged => Unsafe.AsPointer(ref word);
}
