// Objects that nothing refers to but a place the collector has to guess: an interior pointer, a register, half a copy.
using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Unikernel.Tests.Guest.Memory;

internal static class OnlyReferences
{
    private const int Length = 64;

    private sealed class Holder
    {
        internal long Before;
        internal long Value;
        internal Pair Inside;
    }

    // Garbage enough to be given the place of whatever was freed.
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void Churn(int rounds)
    {
        for (int i = 0; i < rounds * 8; i++)
        {
            GC.KeepAlive(new Pair[1 + (i % 70)]);
            GC.KeepAlive(new long[1 + (i % 200)]);
            GC.KeepAlive(new Holder());
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Span<Pair> MakeSpan(long id, int from)
    {
        var pairs = new Pair[Length];
        for (int i = 0; i < Length; i++)
        {
            pairs[i] = new Pair { Id = id + i, First = new Node(id + i) };
        }
        return pairs.AsSpan(from);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ref Pair MakeRef(long id) => ref new Holder { Before = id, Value = id, Inside = new Pair { Id = id, First = new Node(id) } }.Inside;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ref long MakeLast(long id)
    {
        long[] array = new long[Length];
        Array.Fill(array, id);
        return ref array[^1];
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ref long MakeEnd(long id)
    {
        long[] array = new long[Length];
        Array.Fill(array, id);
        return ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(array), Length);      // one past the end
    }

    /// <summary>Byrefs and spans, the empty tail and one past the end included, are all there is.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void Spans(long id, int churn)
    {
        Span<Pair> middle = MakeSpan(id, Length / 2);
        Span<Pair> tail = MakeSpan(id, Length);
        ref Pair inside = ref MakeRef(id);
        ref long last = ref MakeLast(id);
        ref long end = ref MakeEnd(id);
        Churn(churn);
        for (int i = 0; i < middle.Length; i++)
        {
            Require(middle[i].Id == id + (Length / 2) + i, "a span's array");
            middle[i].First!.Check(id + (Length / 2) + i);
        }
        Require(tail.Length == 0, "an empty span");
        Require(inside.Id == id, "what a byref to a field refers to");
        inside.First!.Check(id);
        Require(last == id, "an array's last element");
        Require(Unsafe.Subtract(ref end, 1) == id && Unsafe.Subtract(ref end, Length) == id, "the array before a byref one past its end");
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Node MakeRing(long id, int n)
    {
        var first = new Node(id);
        Node at = first;
        for (int i = 1; i < n; i++)
        {
            var next = new Node(id);
            at.SetLeft(next);
            at = next;
        }
        at.SetLeft(first);
        return first;
    }

    /// <summary>A ring of objects that a loop without calls goes round: where it is, is in a register.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void Registers(long id, int steps)
    {
        Node at = MakeRing(id, 7);
        ulong sum = at.Sum;
        bool same = true;
        for (int i = 0; i < steps; i++)
        {
            at = at.Left!;
            same &= at.Sum == sum && at.Id == id;
        }
        Require(same, $"a ring that only a register refers to ({id})");
        at.Check(id);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Quad MakeQuad(long id) => new() { A = new Node(id), B = new Node(id + 1), C = new Node(id + 2), D = new Node(id + 3) };

    /// <summary>Structures of four references that a loop without calls copies to and fro, through vector registers.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void Vectors(long id, int steps)
    {
        Quad a = MakeQuad(id);
        Quad b = MakeQuad(id + 4);
        long wrong = 0;
        for (int i = 0; i < steps; i++)
        {
            Quad t = a;
            a = default;
            a = b;
            b = default;
            b = t;
            wrong |= (a.A!.Id + a.D!.Id) ^ (a.B!.Id + a.C!.Id);
        }
        Require(wrong == 0, $"structures in vector registers ({id})");
        CheckQuad(steps % 2 == 0 ? a : b, id);
        CheckQuad(steps % 2 == 0 ? b : a, id + 4);
    }

    private static void CheckQuad(Quad q, long id)
    {
        q.A!.Check(id);
        q.B!.Check(id + 1);
        q.C!.Check(id + 2);
        q.D!.Check(id + 3);
    }

    private static void Require(bool condition, string what)
    {
        if (!condition)
        {
            throw new LostException($"{what} is not what it was");
        }
    }
}
