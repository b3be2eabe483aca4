// Frames for stack faults.
//
// RV1  A fault that strikes while this core has the frames' lock takes frames only from the reserve, whose slots change by
//      single atomic instructions. Any other stack fault allocates as everyone does, so a deep recursion is not bound by
//      the reserve. One core has the lock at a time, so one reserve serves all.
// Context: RefillFaultReserve in goroutines, the rest on the page fault's stack. Reference: design section 5.

namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private const int FaultReserve = 8;

    private struct FaultFrames
    {
        internal fixed ulong Frames[FaultReserve];  // 0 = empty slot; atomic
    }

    private static FaultFrames s_fault;

    /// <summary>Fills the reserve of stack faults.</summary>
    public static void RefillFaultReserve()
    {
        for (var i = 0; i < FaultReserve; i++)
        {
            if (s_fault.Frames[i] != 0)
            {
                continue;
            }
            var p = AllocPage();
            if (p == null)
            {
                return;
            }
            if (Interlocked.CompareExchange(ref s_fault.Frames[i], (ulong)p, 0) != 0)
            {
                FreePage(p);
            }
        }
    }

    /// <summary>Fault context: a zeroed frame; null when there is none.</summary>
    private static void* AllocFaultPage()
    {
        if (CurrentCore->Allocating == 0)
        {
            return AllocPage();
        }
        for (var i = 0; i < FaultReserve; i++)
        {
            var p = Interlocked.Exchange(ref s_fault.Frames[i], 0);
            if (p != 0)
            {
                return (void*)p;
            }
        }
        return null;
    }
    /// <summary>Fault context: takes a frame back that AllocFaultPage gave and nobody has written to.</summary>
    private static void FreeFaultPage(void* p)
    {
        if (CurrentCore->Allocating == 0)
        {
            FreePage(p);
            return;
        }
        for (var i = 0; i < FaultReserve; i++)
        {
            if (Interlocked.CompareExchange(ref s_fault.Frames[i], (ulong)p, 0) == 0)
            {
                return;
            }
        }
    }
}
