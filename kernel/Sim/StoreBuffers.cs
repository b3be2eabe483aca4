// Store buffers as x86 has them: a store is seen by its own core at once, by the others later, in order.
//
// SB1  Memory holds the newest value, so the owner's plain loads are right; an entry holds what the word was before, which
//      is what other cores' Atomic.Load still sees.
// SB2  At most one core holds stores to a word: a store or an atomic operation of another core on it makes them visible
//      first. (So of the orders that x86 allows some are never tried; none is tried that x86 forbids.)
// SB3  Only Atomic.Store is buffered. Plain stores are seen at once: they are of data that a lock or a queue hands over,
//      and whoever takes it over has seen the atomic step that came after them.
// SB4  A fence, a halt, a wake-up and an interrupt empty the buffer of the core; else entries leave it now and then.
// Context: whoever holds the turn. Allocates nothing during a run. Reference: Intel SDM 3A section 9.2.
namespace Unikernel.Kernel.Simulated;

internal static unsafe class StoreBuffers
{
    internal const int Most = 8;                // entries of a core

    private struct Entry
    {
        internal void* Word;
        internal ulong Before;
    }

    private sealed class Buffer
    {
        internal readonly Entry[] Entries = new Entry[Most];
        internal int Count;
    }

    private static readonly Buffer[] s_buffers = Make();
    private static int s_count;                 // of all cores

    private static Buffer[] Make()
    {
        Buffer[] all = new Buffer[Machine.MaxCores];
        for (int i = 0; i < all.Length; i++)
        {
            all[i] = new Buffer();
        }
        return all;
    }

    internal static void Reset()
    {
        foreach (Buffer b in s_buffers)
        {
            b.Count = 0;
        }
        s_count = 0;
    }

    /// <summary>Whether the core has stores that others do not see.</summary>
    internal static bool Holds(int core) => s_buffers[core].Count != 0;

    /// <summary>What the running core sees at a word whose newest value is given.</summary>
    internal static ulong Read(void* word, ulong newest)
    {
        if (s_count == 0)
        {
            return newest;
        }
        int self = Simulation.CurrentId;
        for (int core = 0; core < Simulation.CoreCount; core++)
        {
            Buffer b = s_buffers[core];
            for (int i = 0; core != self && i < b.Count; i++)
            {
                if (b.Entries[i].Word == word)
                {
                    return b.Entries[i].Before;
                }
            }
        }
        return newest;
    }

    /// <summary>The running core is about to store to a word that holds <paramref name="before"/>.</summary>
    internal static void Add(void* word, ulong before)
    {
        if (!Simulation.HasStoreBuffers)
        {
            return;
        }
        MakeVisible(word);
        Buffer b = s_buffers[Simulation.CurrentId];
        if (b.Count == Most)
        {
            DrainOne(Simulation.CurrentId);
        }
        b.Entries[b.Count++] = new Entry { Word = word, Before = before };
        s_count++;
    }

    /// <summary>The running core does an atomic operation on a word.</summary>
    internal static void Fence(void* word)
    {
        if (s_count != 0)
        {
            Drain(Simulation.CurrentId);
            MakeVisible(word);
        }
    }

    /// <summary>The oldest store of the core becomes visible.</summary>
    internal static void DrainOne(int core)
    {
        Buffer b = s_buffers[core];
        if (b.Count != 0)
        {
            b.Count--;
            s_count--;
            Array.Copy(b.Entries, 1, b.Entries, 0, b.Count);
        }
    }

    /// <summary>All stores of the core become visible.</summary>
    internal static void Drain(int core)
    {
        s_count -= s_buffers[core].Count;
        s_buffers[core].Count = 0;
    }

    // SB2
    private static void MakeVisible(void* word)
    {
        int self = Simulation.CurrentId;
        for (int core = 0; s_count != 0 && core < Simulation.CoreCount; core++)
        {
            Buffer b = s_buffers[core];
            for (int i = 0; core != self && i < b.Count; i++)
            {
                if (b.Entries[i].Word == word)
                {
                    Drain(core);
                }
            }
        }
    }
}
