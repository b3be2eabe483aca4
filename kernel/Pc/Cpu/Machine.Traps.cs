// Dispatch of exceptions and interrupts, and the report of a fatal one.
//
// TD1  A handler records and returns; it never schedules.
// TD2  An exception goes to OnFault once; a second exception before that returns is fatal.
// TD3  A fault while a fatal report is being written shortens the report and then ends the machine; it cannot recurse.
// Context: IST stack, interrupts off. Allocates nothing.

using System.Runtime;

namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private struct VectorTable
    {
        public fixed ulong Handlers[256];
    }

    private static VectorTable s_vectors;  // written with interrupts off

    /// <summary>Handler of a vector 32..255, run in interrupt context; it need not acknowledge the APIC.</summary>
    public static void SetInterruptHandler(byte vector, delegate*<TrapFrame*, void> handler)
    {
        if (vector >= 32)
        {
            s_vectors.Handlers[vector] = (ulong)handler;
        }
    }

    [RuntimeExport("TrapDispatch")]
    private static void TrapDispatch(TrapFrame* frame)
    {
        var core = CurrentCore;
        var vector = frame->Vector;
        if (vector >= 32)
        {
            core->InInterrupt = 1;
            var handler = (delegate*<TrapFrame*, void>)s_vectors.Handlers[(byte)vector];
            if (handler != null)
            {
                handler(frame);
            }
            if (vector != SpuriousVector)
            {
                ApicEndOfInterrupt();
            }
            core->InInterrupt = 0;
            EndInterrupt(core, frame);
            return;
        }
        if (vector == TrapFrame.Nmi)
        {
            HandleNmi(core, frame);
            return;
        }
        if (vector == TrapFrame.PageFault)
        {
            core->FaultAddress = Cpu.ReadCr2();
        }
        DispatchFault(frame);
    }
}
