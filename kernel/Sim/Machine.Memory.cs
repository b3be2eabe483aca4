// Memory of the simulated machine: a block for pages, a reserved region for stacks and the runtime's growing arrays.
//
// MM1  Every run starts with the same memory, all zero, at the same addresses: what is ordered by address stays so.
// MM2  The stack region is real memory; a new stack's first frame is written there, nothing else: the goroutine itself
//      runs on a thread's stack.
// Context: whoever holds the turn.
using System.Runtime.InteropServices;
using Unikernel.Kernel.Simulated;

namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private const nuint PageBytes = 4096;
    private const nuint ArenaBytes = 64 << 20;
    private const string RegionKey = "Unikernel.StackRegion";

    public const ulong StackRegionBase = 0x1000_0000_0000;

    /// <summary>512 GiB: four quarters of 128, of which the last holds arrays of 64 GiB.</summary>
    public const ulong StackRegionSize = 0x80_0000_0000;

    /// <summary>For the tables over a heap that stays empty; reserved with the stacks.</summary>
    public const ulong TableRegionBase = StackRegionBase + StackRegionSize;

    public const ulong TableRegionSize = 0x10_0000_0000;

    public const ulong MapRegionBase = TableRegionBase + TableRegionSize;

    public const ulong MapRegionSize = 0x10_0000_0000;

    public const ulong StackKeepBytes = 64 * 1024;

    private static byte* s_arena;
    private static byte* s_arenaNext;
    private static byte* s_commandLine;
    private static int s_commandLineLength;

    public static nuint TotalMemory => ArenaBytes;

    public static nuint FreeMemory => (nuint)(s_arena + ArenaBytes - s_arenaNext);

    public static byte* CommandLine => s_commandLine;

    public static int CommandLineLength => s_commandLineLength;

    private static ulong FirstBootTick => 0;

    private static ulong BootTicks() => 0;

    private static ulong TicksToNs(ulong ticks) => ticks;

    // MM1
    internal static void ResetMemory()
    {
        if (SimMemory.Arena == null)
        {
            SimMemory.Arena = (byte*)NativeMemory.AlignedAlloc(ArenaBytes, PageBytes);
            NativeMemory.Clear(SimMemory.Arena, ArenaBytes);
            SimMemory.ReserveRegion(RegionKey);
        }
        NativeMemory.Clear(SimMemory.Arena, SimMemory.Used);
        s_arena = s_arenaNext = SimMemory.Arena;
        SimMemory.Used = 0;
    }

    internal static void SetCommandLine(string text)
    {
        byte[] bytes = System.Text.Encoding.UTF8.GetBytes(text);
        s_commandLine = (byte*)AllocPage();
        s_commandLineLength = bytes.Length;
        for (int i = 0; i < bytes.Length; i++)
        {
            s_commandLine[i] = bytes[i];
        }
    }

    public static void* AllocPage()
    {
        if (s_arenaNext == s_arena + ArenaBytes)
        {
            return null;
        }
        byte* page = s_arenaNext;
        s_arenaNext += PageBytes;
        SimMemory.Used += PageBytes;
        return page;
    }

    /// <summary>Pages do not come back during a run.</summary>
    public static void FreePage(void* p)
    {
    }

    public const bool FreshHeapIsZero = true;

    public static byte* HeapBase => null;

    public static byte* HeapLimit => (byte*)PageBytes;

    /// <summary>There is no heap: objects are CoreCLR's.</summary>
    public static void* GrowHeap(nuint bytes) => null;

    public static bool FindWritten(ref byte* from, byte* end, out byte* to)
    {
        to = end;
        return from < end;
    }

    public static void RefillFaultReserve()
    {
    }

    public static bool CommitPages(void* va, nuint bytes) => true;

    public static void DecommitPages(void* va, nuint bytes) => new Span<byte>(va, (int)bytes).Clear();

    public static byte* MakeStack(byte* hi) => hi - StackKeepBytes;

    public static byte* GrowStack(byte* page, byte* limit) => limit;

    public static void TrimStack(byte* low, byte* keep)
    {
    }

    public static bool CanGiveStacksBack => false;

    public static bool StacksComeBackWhole => true;

    public static void GiveStacksBack(StackPages* stacks, int n)
    {
    }

    public static byte* TakeStackBack(byte* hi, byte* at, byte* from, nuint bytes, bool isFault) => null;

    public static void AnswerOthers()
    {
    }
}
