// Stashes: a parked goroutine's stack in a small buffer, while its pages serve others.
//
// SH1  What is stashed: goroutines that have been parked for AfterNs when a collection ends, or, if the program asked for
//      the collection, since before it began; with at most MostBytes of live stack. Those with more lose only pages they do not use.
// SH2  Whoever resumes a goroutine sets its Rsp to 0 and then looks at Stash, without a fence between. So the stasher takes
//      ScanLock, sets Stash to Claimed, lets every core pass a barrier, and only then looks at Rsp: if it is not 0, the
//      resumer sees the claim and waits for the lock. A batch of goroutines shares the barrier and the TLB flush.
// SH3  A stash comes back at the same addresses: when the goroutine resumes, or at the first touch by anybody else, who may
//      have a pointer into it (the fault handler asks for it). The page appears with its contents. On Linux it appears
//      empty and is filled: a second toucher in that microsecond would see zeros. There the first touch by somebody
//      else ends stashing for good.
// SH4  The collector scans the stash instead of the stack. Traces walk a copy whose words that point into the stack point
//      into the copy.
// SH5  Buffers come in steps of Step bytes and are never freed, only used again. The stasher takes them; who resumes a
//      goroutine returns them by one compare-and-swap, so even a fault handler can.
// Context: as said. Allocates: off-heap. Reference: design section 5; Go copies and shrinks stacks instead.
using System;
using System.Threading;
using Unikernel.Kernel;
using Unikernel.Runtime.Abi;

namespace Unikernel.Runtime.Sched;

internal static unsafe class Stash
{
    private const long AfterNs = 1_000_000_000;
    private const nuint MostBytes = Classes * Step;
    private const nuint Step = 64;
    private const int Classes = 32;
    private const int BatchSize = 16;
    private const nuint Claimed = 1;                // in G.Stash
    private const nuint ChunkBytes = 4096;

    private struct Buffers
    {
        internal fixed ulong Free[Classes];         // by size; linked through their first words; the stasher's
        internal fixed ulong Returned[Classes];     // the same; atomic
        internal fixed ulong Picture[(int)(MostBytes / 8)];     // SH4; one walker at a time, the others are frozen
    }

    private static Buffers s_buffers;
    private static bool s_isOff;
    private static int s_count;                     // atomic
    private static long s_bytes;                    // of buffers that hold something; atomic

    /// <summary>Goroutines whose stacks are stashed.</summary>
    internal static int Count => Atomic.Load(ref s_count);

    /// <summary>Bytes their buffers take.</summary>
    internal static long Bytes => Atomic.Load(ref s_bytes);

    /// <summary>Whether anything is stashed from now on (SH3).</summary>
    internal static bool IsOn => !s_isOff && Machine.CanGiveStacksBack;

    private static byte* TopOf(G* gp) => gp->StackHi - StackLayout.Colour((ulong)gp->StackHi);

    /// <summary>Whether a goroutine's stack is elsewhere.</summary>
    internal static bool IsStashed(G* gp) => (nuint)gp->Stash > Claimed;

    /// <summary>The driver, after a cycle (SH1): <paramref name="beginNs"/> is its beginning, or 0 if nobody asked for it.</summary>
    internal static void StashIdle(long beginNs)
    {
        if (!IsOn)
        {
            return;
        }
        G** batch = stackalloc G*[BatchSize];
        int n = 0;
        long now = Machine.NanoTime();
        long parkedBefore = GoDebug.Settings.GcTorture != 0 ? now : Math.Max(beginNs, now - AfterNs);
        for (G* gp = Proc.AllFirst; gp != null && !s_isOff; gp = gp->AllLink)
        {
            if (!IsIdle(gp, parkedBefore))
            {
                continue;
            }
            batch[n++] = gp;
            if (n == BatchSize)
            {
                StashBatch(batch, n);
                n = 0;
            }
        }
        if (n != 0)
        {
            StashBatch(batch, n);
        }
    }

    private static bool IsIdle(G* gp, long parkedBefore)
    {
        nuint rsp = Volatile.Read(ref gp->Rsp);
        return gp->Status == GStatus.Waiting && rsp != 0 && gp->Stash == 0 && gp->SinceNs < parkedBefore && !gp->IsSystem
            && gp->WaitReason != WaitReason.GarbageCollection           // it goes on at once
            && ((nuint)TopOf(gp) - rsp <= MostBytes || PageOf(rsp) > gp->StackLow);
    }

    private static byte* PageOf(nuint rsp) => (byte*)(rsp & ~(nuint)(StackLayout.PageBytes - 1));

    // SH2
    private static void StashBatch(G** batch, int n)
    {
        StackPages* pages = stackalloc StackPages[BatchSize];
        ThisCore.Acquire();
        for (int i = 0; i < n; i++)
        {
            while (!Atomic.Swap(ref batch[i]->ScanLock, 0, 1))
            {
                Cpu.Pause();
            }
            Volatile.Write(ref batch[i]->Stash, Claimed);
        }
        Machine.MemoryBarrierAll();
        int stashed = 0;
        for (int i = 0; i < n; i++)
        {
            G* gp = batch[i];
            nuint rsp = Volatile.Read(ref gp->Rsp);
            nuint stash = 0;
            if (rsp != 0 && gp->Status == GStatus.Waiting)
            {
                stash = (nuint)Copy(gp, rsp);
                if (stash != 0)
                {
                    pages[stashed].Low = gp->StackLow;
                    pages[stashed++].Hi = gp->StackHi;
                    gp->StackLow = gp->StackHi;
                }
                else if (PageOf(rsp) > gp->StackLow)
                {
                    Machine.TrimStack(gp->StackLow, PageOf(rsp));
                    gp->StackLow = PageOf(rsp);
                }
            }
            Volatile.Write(ref gp->Stash, stash);
        }
        Machine.GiveStacksBack(pages, stashed);
        for (int i = 0; i < n; i++)
        {
            Atomic.Store(ref batch[i]->ScanLock, 0);
        }
        ThisCore.Release();
    }

    private static byte* Copy(G* gp, nuint rsp)
    {
        nuint bytes = (nuint)TopOf(gp) - rsp;
        byte* to = bytes <= MostBytes ? Take(ClassOf(bytes)) : null;
        if (to != null)
        {
            Cpu.MemMove(to, (byte*)rsp, bytes);
            gp->StashBytes = (uint)bytes;
            Account(1, ClassOf(bytes));
        }
        return to;
    }

    private static void Account(int stacks, int c)
    {
        Atomic.Add(ref s_count, stacks);
        Atomic.Add(ref s_bytes, stacks * (long)((nuint)(c + 1) * Step));
    }

    private static int ClassOf(nuint bytes) => (int)((bytes - 1) / Step);

    // SH5
    private static byte* Take(int c)
    {
        if (s_buffers.Free[c] == 0)
        {
            s_buffers.Free[c] = Atomic.Exchange(ref s_buffers.Returned[c], 0);
        }
        if (s_buffers.Free[c] == 0 && !Make(c))
        {
            return null;
        }
        ulong* p = (ulong*)s_buffers.Free[c];
        s_buffers.Free[c] = *p;
        return (byte*)p;
    }

    private static bool Make(int c)
    {
        byte* chunk = (byte*)OffHeap.Alloc(ChunkBytes);
        if (chunk == null)
        {
            return false;
        }
        nuint bytes = (nuint)(c + 1) * Step;
        for (nuint at = 0; at + bytes <= ChunkBytes; at += bytes)
        {
            *(ulong*)(chunk + at) = s_buffers.Free[c];
            s_buffers.Free[c] = (ulong)(chunk + at);
        }
        return true;
    }

    private static void Return(byte* p, int c)
    {
        ulong first;
        do
        {
            first = Atomic.Load(ref s_buffers.Returned[c]);
            *(ulong*)p = first;
        }
        while (!Atomic.Swap(ref s_buffers.Returned[c], first, (ulong)p));
    }

    /// <summary>Lock depth raised, or a fault's handler: the stack of a goroutine comes back if it is elsewhere.</summary>
    internal static void Restore(G* gp, bool isFault)
    {
        while (!Atomic.Swap(ref gp->ScanLock, 0, 1))
        {
            if (isFault)
            {
                Machine.AnswerOthers();             // who has the lock may wait for this core
            }
            Cpu.Pause();
        }
        byte* stash = (byte*)gp->Stash;
        if (stash != null)                          // else the stasher has let it be, or somebody was faster
        {
            nuint bytes = gp->StashBytes;
            byte* low = Machine.TakeStackBack(gp->StackHi, TopOf(gp) - bytes, stash, bytes, isFault);
            if (low == null)
            {
                Throw.Fatal("out of memory for a goroutine's stack"u8);
            }
            gp->StackLow = low;
            Volatile.Write(ref gp->Stash, 0);
            Return(stash, ClassOf(bytes));
            Account(-1, ClassOf(bytes));
        }
        Atomic.Store(ref gp->ScanLock, 0);
    }

    /// <summary>
    /// Fault context: <paramref name="address"/> lies in the stack that ends at <paramref name="hi"/>, which is not the
    /// present goroutine's. True when it can be touched now.
    /// </summary>
    internal static bool RestoreTouched(ulong hi, ulong address)
    {
        G* gp = Proc.AllFirst;
        while (gp != null && (ulong)gp->StackHi != hi)
        {
            gp = gp->AllLink;
        }
        if (gp == null)
        {
            return false;
        }
        if (Volatile.Read(ref gp->Stash) != 0)
        {
            s_isOff |= !Machine.StacksComeBackWhole;
            Restore(gp, true);
        }
        return address >= (ulong)Volatile.Read(ref *(nuint*)&gp->StackLow);
    }

    /// <summary>The others are frozen: the registers a parked goroutine has saved, on its stack or (SH4) in a picture of it.</summary>
    internal static nuint* SavedRegisters(G* gp)
    {
        if (!IsStashed(gp))
        {
            return (nuint*)gp->Rsp;
        }
        fixed (ulong* picture = s_buffers.Picture)
        {
            nuint* stash = (nuint*)gp->Stash;
            nuint from = (nuint)TopOf(gp) - gp->StashBytes;
            nuint bytes = gp->StashBytes;
            for (nuint i = 0; i < bytes / 8; i++)
            {
                nuint offset = stash[i] - from;
                picture[i] = offset < bytes ? offset + (nuint)picture : stash[i];
            }
            return (nuint*)picture;
        }
    }
}
