// Goroutine stacks: reserved virtual slots, committed page by page on fault, never moved.
//
// SK1  The region is cut into four parts, one a class: 256 KiB, 4 MiB, 64 MiB, 1 GiB. A slot's lowest page is never
//      mapped: touching it is an overflow.
// SK2  A stack fault takes no lock and allocates nothing: its page comes from the kernel's fault reserve, which
//      may be struck while the page allocator itself runs on this stack.
// SK3  A dead G is kept with its slot, its TLS block and the top 64 KiB of committed pages, on its class's list.
// SK4  A new goroutine has the smallest class unless it asks for more: eight such slots share a page-table page, so
//      the tables cost 512 bytes a goroutine.
// Context: Take and Give in goroutine context; HandleFault in interrupt context.
// Reference: Go src/runtime/stack.go for the limits and texts; design section 5.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Unikernel.Kernel;
using Unikernel.Runtime.Abi;

namespace Unikernel.Runtime.Sched;

internal static unsafe class Stacks
{
    internal const long MaxBytes = (1L << 30) - 4096;
    internal const nuint MainBytes = (nuint)MaxBytes;

    private const int Classes = 4;
    private const nuint PageBytes = 4096;
    private const ulong PartBytes = Machine.StackRegionSize / Classes;
    private const nuint KeptBytes = 64 * 1024;
    private const int FatalExitCode = 2;
    private const int TcbBytes = 64;            // FS base and what glibc-style code may look for behind it

    [InlineArray(Classes)]
    private struct PerClass
    {
        private Slots _first;
    }

    private struct Slots
    {
        internal GList Free;
        internal ulong Used;                    // slots ever taken
    }

    private static PerClass s_classes;

    internal static nuint SlotBytes(int stackClass) => stackClass switch
    {
        0 => 256u << 10,
        1 => 4u << 20,
        2 => 64u << 20,
        _ => 1u << 30,
    };

    /// <summary>The smallest class that gives <paramref name="bytes"/> of usable stack; the largest for more than that.</summary>
    internal static int ClassFor(nuint bytes)
    {
        int c = 0;
        while (c < Classes - 1 && SlotBytes(c) - PageBytes < bytes)
        {
            c++;
        }
        return c;
    }

    /// <summary>A G with a stack, recycled or new; null when memory is out.</summary>
    internal static G* Take(nuint bytes, bool freshTls)
    {
        int c = ClassFor(bytes);
        ref Slots slots = ref s_classes[c];
        G* gp = slots.Free.Pop();
        if (gp == null)
        {
            nuint size = SlotBytes(c);
            if ((slots.Used + 1) * size > PartBytes)
            {
                return null;
            }
            gp = (G*)OffHeap.Alloc((nuint)sizeof(G));
            if (gp == null)
            {
                return null;
            }
            byte* slot = (byte*)(Machine.StackRegionBase + ((ulong)c * PartBytes) + (slots.Used * size));
            slots.Used++;
            gp->StackClass = c;
            gp->StackLo = slot + PageBytes;
            gp->StackHi = slot + size;
            gp->StackUsed = gp->StackHi;
            freshTls = true;
            Proc.Register(gp);
        }
        if (freshTls && !InitTls(gp))
        {
            slots.Free.Push(gp);
            return null;
        }
        return gp;
    }

    /// <summary>Keeps a dead G for the next one, and gives back the pages of a deep stack. Runs on that stack's top.</summary>
    internal static void Give(G* gp)
    {
        byte* keep = gp->StackHi - KeptBytes;
        for (byte* page = gp->StackUsed; page != null && page < keep; page += PageBytes)
        {
            void* frame = Machine.UnmapPage(page);
            if (frame != null)
            {
                Machine.FreePage(frame);
            }
        }
        if (gp->StackUsed < keep)
        {
            gp->StackUsed = keep;
        }
        s_classes[gp->StackClass].Free.Push(gp);
    }

    private static bool InitTls(G* gp)
    {
        Startup.TlsTemplate(out byte* template, out nuint templateBytes, out nuint blockBytes);
        if (gp->TlsBase == null)
        {
            byte* block = (byte*)OffHeap.Alloc(blockBytes + TcbBytes);
            if (block == null)
            {
                return false;
            }
            gp->TlsBase = block + blockBytes;
        }
        byte* start = (byte*)gp->TlsBase - blockBytes;
        gp->ThreadStatics = 0;
        NativeMemory.Clear(start, blockBytes);
        NativeMemory.Copy(template, start, templateBytes);
        *(void**)gp->TlsBase = gp->TlsBase;
        return true;
    }

    /// <summary>A page fault above the null pages: commits a stack page, or reports an overflow. False: not a stack.</summary>
    internal static bool HandleFault(TrapFrame* f)
    {
        ulong offset = Machine.FaultAddress - Machine.StackRegionBase;
        if (offset >= Machine.StackRegionSize || (f->Error & TrapFrame.ErrorPresent) != 0)
        {
            return false;
        }
        int c = (int)(offset / PartBytes);
        ulong inPart = offset % PartBytes;
        nuint size = SlotBytes(c);
        if (inPart / size >= s_classes[c].Used)
        {
            return false;
        }
        if (inPart % size < PageBytes)
        {
            Overflow(f, size - PageBytes);
        }
        byte* page = (byte*)(Machine.FaultAddress & ~(ulong)(PageBytes - 1));
        void* frame = Machine.AllocFaultPage();
        if (frame == null || !Machine.MapFaultPage(page, frame))
        {
            Machine.Print("fatal error: out of memory (stack)\n"u8);
            Traceback.All(f);
            Machine.Exit(FatalExitCode);
        }
        G* gp = Proc.GetG();
        if (page >= gp->StackLo && page < gp->StackUsed)
        {
            gp->StackUsed = page;
        }
        return true;
    }

    private static void Overflow(TrapFrame* f, nuint limit)
    {
        Machine.Print("runtime: goroutine stack exceeds "u8);
        Machine.PrintDecimal(limit);
        Machine.Print("-byte limit\nfatal error: stack overflow\n"u8);
        Traceback.All(f);
        Machine.Exit(FatalExitCode);
    }
}
