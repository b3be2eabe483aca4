// Random changes of an object graph while collections run, against a model: no object may be lost or freed early.
//
// Each goroutine owns holders with nine places for a leaf: fields, elements of an array, and fields of structures in an
// array. The model knows the number of the leaf in each place, and a leaf knows its own, its text and its successor's.
// With GODEBUG=clobberfree=1 a leaf that was freed is not what it was. Without the barrier (gcnobarrier=1) this must fail:
// GcTortureTests on the host side.
using System;
using System.Globalization;
using System.Threading;
using Xunit;

namespace Unikernel.Tests.Memory;

public class GraphTests
{
    private const int Holders = 64;
    private const int Places = 9;
    private const int Goroutines = 4;

    private sealed class Leaf(int id, Leaf? next)
    {
        internal readonly int Id = id;
        internal readonly Leaf? Next = next;
        internal readonly string Text = id.ToString(CultureInfo.InvariantCulture);
    }

#pragma warning disable CS0649      // they are there to lie around the reference
    private struct Pair
    {
        internal long Before;
        internal Leaf? Value;
        internal int After;
    }
#pragma warning restore CS0649

    private sealed class Holder
    {
        internal Leaf? First;
        internal Leaf? Second;
        internal readonly Leaf?[] Array = new Leaf?[4];
        internal readonly Pair[] Pairs = new Pair[3];

        internal ref Leaf? At(int place)
        {
            switch (place)
            {
                case 0:
                    return ref First;
                case 1:
                    return ref Second;
                case < 6:
                    return ref Array[place - 2];
                default:
                    return ref Pairs[place - 6].Value;
            }
        }
    }

    private static int Steps => int.TryParse(Environment.GetEnvironmentVariable("MUTATOR_STEPS"), out int n) ? n : 6000;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Nothing_is_lost(int seed)
    {
        bool stop = false;
        var collector = new WaitGroup();
        collector.Go(() =>
        {
            while (!Volatile.Read(ref stop))
            {
                GC.Collect();
            }
        });
        var failures = new string?[Goroutines];
        var mutators = new WaitGroup();
        for (int i = 0; i < Goroutines; i++)
        {
            int number = i;
            mutators.Go(() => failures[number] = Mutate(new Random((seed * 1000) + number)));
        }
        mutators.Wait();
        Volatile.Write(ref stop, true);
        collector.Wait();
        Assert.All(failures, Assert.Null);
    }

    private static string? Mutate(Random random)
    {
        var holders = new Holder[Holders];
        var model = new int[Holders, Places];
        for (int i = 0; i < Holders; i++)
        {
            holders[i] = new Holder();
        }
        int lastId = 0;
        for (int step = 0; step < Steps; step++)
        {
            int a = random.Next(Holders);
            int b = random.Next(Holders);
            int p = random.Next(Places);
            int q = random.Next(Places);
            ref Leaf? from = ref holders[a].At(p);
            ref Leaf? to = ref holders[b].At(q);
            switch (random.Next(4))
            {
                case 0:
                    to = New(++lastId);
                    model[b, q] = lastId;
                    break;
                case 1:
                    to = from;
                    model[b, q] = model[a, p];
                    if (a != b || p != q)
                    {
                        from = null;                // from now on only `to` has it
                        model[a, p] = 0;
                    }
                    break;
                case 2:
                    (from, to) = (to, from);
                    (model[a, p], model[b, q]) = (model[b, q], model[a, p]);
                    break;
                default:
                    // Whole structures and arrays are copied: the barrier for many references at once.
                    Array.Copy(holders[a].Pairs, holders[b].Pairs, 3);
                    Array.Copy(holders[a].Array, holders[b].Array, 4);
                    for (int k = 2; k < Places; k++)
                    {
                        model[b, k] = model[a, k];
                    }
                    break;
            }
            if (step % 500 == 499)
            {
                string? failure = Check(holders, model);
                if (failure is not null)
                {
                    return $"step {step}: {failure}";
                }
            }
        }
        return Check(holders, model);
    }

    private static Leaf New(int id) => new(id, new Leaf(-id, new Leaf(id, null)));

    private static string? Check(Holder[] holders, int[,] model)
    {
        for (int i = 0; i < Holders; i++)
        {
            for (int k = 0; k < Places; k++)
            {
                Leaf? leaf = holders[i].At(k);
                int id = model[i, k];
                bool isRight = id == 0 ? leaf is null
                    : leaf is not null && leaf.Id == id && leaf.Text == id.ToString(CultureInfo.InvariantCulture)
                        && leaf.Next!.Id == -id && leaf.Next.Next!.Id == id;
                if (!isRight)
                {
                    return $"holder {i}, place {k} should have leaf {id}";
                }
            }
        }
        return null;
    }
}
