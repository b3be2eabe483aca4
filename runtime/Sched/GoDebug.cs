// The kernel argument GODEBUG=key=value,key=value: the runtime's switches.
//
// GD1  A new key is a field of GoDebugSettings and a row of Find.
// GD2  The last occurrence of a key wins. What is not understood (no '=', an unknown key, a value that is no number of
//      the row's range) is named in one line and changes nothing; empty fields are passed over.
// Context: boot, before the first goroutine; pure but for Init. Allocates nothing. Reference: Go's runtime1.go.
using System;
using System.Runtime.CompilerServices;
using Unikernel.Kernel;

namespace Unikernel.Runtime.Sched;

/// <summary>The switches, 0 = off; immutable after <see cref="GoDebug.Init"/>.</summary>
internal struct GoDebugSettings
{
    internal int SchedTrace;            // print the scheduler's state every so many milliseconds
    internal int SchedDetail;           // 1: with every P, M and G
    internal int GcTrace;               // 1: a line for every collection
    internal int GcPauses;              // 1: how long collections stopped the world, when the program ends
    internal int GcStopTheWorld;        // 1: collections are not concurrent
    internal int GcTorture;             // a collection at every so many-th allocation
    internal int GcCheckMark;           // 1: marking is checked by a second one with the world stopped
    internal int GcNoBarrier;           // 1: a fault for tests: compiled stores are not watched, so objects get lost
    internal int ClobberFree;           // 1: freed memory is overwritten
}

internal static unsafe class GoDebug
{
    private const int MaxShown = 40;    // characters of a field that a complaint repeats

    internal static GoDebugSettings Settings;

    /// <summary>Reads the kernel's command line.</summary>
    internal static void Init()
    {
        if (Machine.TryGetArg("GODEBUG"u8, out byte* text, out int length))
        {
            TraceWriter w = default;
            Parse(text, length, ref Settings, &w);
        }
    }

    // GD1. Where the key's value goes and the largest it may have; null: there is no such key.
    private static int* Find(Text key, ref GoDebugSettings s, out int most)
    {
        most = int.MaxValue;
        if (key.Is("schedtrace"u8)) { return Slot(ref s.SchedTrace); }
        if (key.Is("scheddetail"u8)) { most = 1; return Slot(ref s.SchedDetail); }
        if (key.Is("gctrace"u8)) { most = 1; return Slot(ref s.GcTrace); }
        if (key.Is("gcpauses"u8)) { most = 1; return Slot(ref s.GcPauses); }
        if (key.Is("gcstoptheworld"u8)) { most = 2; return Slot(ref s.GcStopTheWorld); }
        if (key.Is("gctorture"u8)) { return Slot(ref s.GcTorture); }
        if (key.Is("gccheckmark"u8)) { most = 1; return Slot(ref s.GcCheckMark); }
        if (key.Is("gcnobarrier"u8)) { most = 1; return Slot(ref s.GcNoBarrier); }
        if (key.Is("clobberfree"u8)) { most = 1; return Slot(ref s.ClobberFree); }
        return null;
    }

    internal static void Parse(byte* text, int length, ref GoDebugSettings s, TraceWriter* complaints)
    {
        for (int start = 0, at = 0; at <= length; at++)
        {
            if (at == length || text[at] == ',')
            {
                ParseField(new Text(text + start, at - start), ref s, complaints);
                start = at + 1;
            }
        }
    }

    private static void ParseField(Text field, ref GoDebugSettings s, TraceWriter* w)
    {
        if (field.Length == 0)
        {
            return;
        }
        int equals = 0;
        while (equals < field.Length && field.Start[equals] != '=')
        {
            equals++;
        }
        if (equals == field.Length)
        {
            Complain(w, field, " is not key=value"u8);
            return;
        }
        int* slot = Find(new Text(field.Start, equals), ref s, out int most);
        if (slot == null)
        {
            Complain(w, field, " is not a key of this kernel"u8);
            return;
        }
        if (!TryNumber(new Text(field.Start + equals + 1, field.Length - equals - 1), most, out int value))
        {
            Begin(w, field);
            w->Write(" wants a number from 0 to "u8);
            w->Write(most);
            w->Write(": ignored\n"u8);
            return;
        }
        *slot = value;
    }

    private static bool TryNumber(Text text, int most, out int value)
    {
        long n = 0;
        bool isNumber = text.Length is > 0 and <= 10;
        for (int i = 0; i < text.Length && isNumber; i++)
        {
            isNumber = text.Start[i] is >= (byte)'0' and <= (byte)'9';
            n = (n * 10) + text.Start[i] - '0';
        }
        value = (int)n;
        return isNumber && n <= most;
    }

    private static void Complain(TraceWriter* w, Text field, ReadOnlySpan<byte> text)
    {
        Begin(w, field);
        w->Write(text);
        w->Write(": ignored\n"u8);
    }

    private static void Begin(TraceWriter* w, Text field)
    {
        w->Write("unikernel: GODEBUG: "u8);
        for (int i = 0; i < field.Length && i < MaxShown; i++)
        {
            byte b = field.Start[i] is >= (byte)' ' and < 127 ? field.Start[i] : (byte)'?';
            w->Write(&b, 1);
        }
        if (field.Length > MaxShown)
        {
            w->Write("..."u8);
        }
    }

    // The settings are static or a caller's: they do not move.
    private static int* Slot(ref int field) => (int*)Unsafe.AsPointer(ref field);

    private readonly struct Text(byte* start, int length)
    {
        internal readonly byte* Start = start;
        internal readonly int Length = length;

        internal bool Is(ReadOnlySpan<byte> other)
        {
            bool same = Length == other.Length;
            fixed (byte* text = other)              // no check of bounds, which would throw
            {
                for (int i = 0; i < Length && same; i++)
                {
                    same = Start[i] == text[i];
                }
            }
            return same;
        }
    }
}
