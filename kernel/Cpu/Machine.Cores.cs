// The cores of the machine, and what one does to another: the part every body shares.
//
// MC1  Core 0 boots. The others exist from StartCore on; a core that does not answer is left out, and CoresStarted says
//      how many there are: 0 to CoresStarted - 1.
// MC2  InterruptCore and WakeCore may be called from anywhere, interrupt context included; neither waits.
// MC3  Whoever freezes the others does not wait for anything they hold: it only prints.
// Context: as said.
using System.Runtime.CompilerServices;

namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    /// <summary>No more cores than this are used.</summary>
    public const int MaxCores = 64;

    /// <summary>Unit of GrowHeap: Go's page.</summary>
    public const nuint HeapPageBytes = 8192;

    private struct CoreTable
    {
        internal fixed ulong Cores[MaxCores];
    }

    private static CoreTable s_cores;           // Core*; written while a core is started
    private static int s_coresStarted = 1;
    internal static int s_frozenBy;             // 0 = nobody, else core + 1; atomic

    /// <summary>
    /// Called when an interrupt has been served and the interrupted code is about to go on: may edit the frame
    /// (interrupt context). Not called for exceptions, nor when the interrupt struck in another handler.
    /// </summary>
    public static delegate*<TrapFrame*, void> OnInterruptExit;

    /// <summary>Cores that run, the boot core included.</summary>
    public static int CoresStarted => s_coresStarted;

    /// <summary>A core that runs.</summary>
    public static Core* CoreAt(int id) => (Core*)s_cores.Cores[id];

    private static void AddCore(Core* core, int id)
    {
        core->Self = core;
        core->Id = id;
        s_cores.Cores[id] = (ulong)core;
    }
}
