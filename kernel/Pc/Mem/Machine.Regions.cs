// Memory in the two regions of addresses: programs' mappings, and goroutine stacks.
//
// RG1  A page of a region has a frame exactly while it is committed.
// RG2  A new stack has its highest page; the page below its lowest is never there: that is its guard.
// RG3  A frame is given back when no core's TLB has the page any more: one request to the others a call (PG5).
// Context: GrowStack on the page fault's stack, the rest in goroutines. Allocates frames.
namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    /// <summary>Makes pages usable; those that are already stay as they are. False when memory is out: some may be committed.</summary>
    public static bool CommitPages(void* va, nuint bytes)
    {
        for (nuint at = 0; at < bytes; at += (nuint)PageBytes)
        {
            var page = (byte*)va + at;
            if (IsMapped(page))
            {
                continue;
            }
            var frame = AllocPage();
            if (frame == null)
            {
                return false;
            }
            var result = MapFrame(page, frame, false);
            if (result != MapResult.Mapped)
            {
                FreePage(frame);
            }
            if (result == MapResult.NoMemory)
            {
                return false;
            }
        }
        return true;
    }

    /// <summary>Gives pages back; committed again, they are zero. Nobody else gives the same ones back meanwhile.</summary>
    public static void DecommitPages(void* va, nuint bytes)
    {
        StackPages pages;
        pages.Low = (byte*)va;
        pages.Hi = (byte*)va + bytes;
        Decommit(&pages, 1);
    }

    // Several ranges with one request to the others.
    private static void Decommit(StackPages* ranges, int n)
    {
        var pages = stackalloc ulong[ShootPages];       // the first retired ones
        var count = 0;
        for (var i = 0; i < n; i++)
        {
            for (var at = ranges[i].Low; at < ranges[i].Hi; at += PageBytes)
            {
                var e = FindEntry((ulong)at);
                if (e == null || !Retire(e))
                {
                    continue;
                }
                if (count < ShootPages)
                {
                    pages[count] = (ulong)at;
                }
                count++;
            }
        }
        if (count == 0)
        {
            return;
        }
        FlushTlbs(pages, count);
        for (var i = 0; i < n; i++)
        {
            for (var at = ranges[i].Low; at < ranges[i].Hi; at += PageBytes)
            {
                var e = FindEntry((ulong)at);
                if (e != null)
                {
                    Release(e);
                }
            }
        }
    }

    /// <summary>Prepares the slot of a new stack that ends at <paramref name="hi"/>; its lowest usable address so far, or null when memory is out.</summary>
    public static byte* MakeStack(byte* hi)
    {
        var top = hi - PageBytes;
        return CommitPages(top, (nuint)PageBytes) ? top : null;
    }

    /// <summary>
    /// Fault context: makes <paramref name="page"/> of a stack usable, which may not reach below
    /// <paramref name="limit"/>. The lowest address that will not fault, or null when memory is out.
    /// </summary>
    public static byte* GrowStack(byte* page, byte* limit)
    {
        var frame = AllocFaultPage();
        if (frame == null)
        {
            return null;
        }
        var result = MapFrame(page, frame, true);
        if (result != MapResult.Mapped)
        {
            FreeFaultPage(frame);
        }
        return result == MapResult.NoMemory ? null : page;
    }

    /// <summary>Gives a stack's pages from <paramref name="low"/> to <paramref name="keep"/> back.</summary>
    public static void TrimStack(byte* low, byte* keep) => DecommitPages(low, (nuint)(keep - low));

    /// <summary>Whether GiveStacksBack and TakeStackBack work here.</summary>
    public static bool CanGiveStacksBack => true;

    /// <summary>Whether a stack that TakeStackBack brings is never seen half-filled by another core.</summary>
    public static bool StacksComeBackWhole => true;

    /// <summary>Gives all pages of <paramref name="n"/> stacks back; a touch faults from then on.</summary>
    public static void GiveStacksBack(StackPages* stacks, int n) => Decommit(stacks, n);

    /// <summary>
    /// Makes the highest page of a stack that was given back usable, with <paramref name="bytes"/> from
    /// <paramref name="from"/> at <paramref name="at"/>, in that page. Its lowest usable address, or null when memory is out.
    /// </summary>
    public static byte* TakeStackBack(byte* hi, byte* at, byte* from, nuint bytes, bool isFault)
    {
        var frame = (byte*)(isFault ? AllocFaultPage() : AllocPage());
        if (frame == null)
        {
            return null;
        }
        var page = hi - PageBytes;
        Cpu.MemMove(frame + (at - page), from, bytes);
        var result = MapFrame(page, frame, isFault);
        if (result != MapResult.Mapped)
        {
            FreePage(frame);
            return null;
        }
        return page;
    }
}
