// Non-maskable interrupts: cores that are to hold still while one reports, and the operator's request for a report.
//
// FZ1  An NMI is a freeze if FreezeOthers announced it to the core (s_nmi.Freeze) beforehand; an announcement is answered by
//      one NMI, and no second one is sent before that. Any other NMI comes from outside.
// FZ2  A frozen core writes its frame to Core.Frozen in every turn of its loop and clears it when it leaves; the freezer
//      clears it when it begins. So what it sees there belongs to a core that cannot leave before it is thawed.
// FZ3  Nobody waits for a core without a limit but for the one that has frozen the others.
// FZ4  What comes from outside comes to every core: the first one that takes it serves it, each other one is told to let
//      the next one pass, for a while.
// Context: FreezeOthers and ThawOthers in a place that is not moved to another core. Reference: Intel SDM 3A section 6.7.

namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private const uint IpiNmi = 0x4400;
    private const long FreezeWithinNs = 1_000_000_000;   // a virtual core may not be scheduled for long
    private const long SameNmiNs = 1_000_000_000;

    private struct NmiState
    {
        internal fixed int Freeze[MaxCores];            // 1 = announced; atomic
        internal fixed int Pass[MaxCores];              // 1 = served by another core; atomic
        internal int IsServing;                         // atomic
        internal long PassUntilNs;                      // atomic
    }

    private static NmiState s_nmi;

    /// <summary>
    /// Makes the other cores hold still; Core.Frozen is then what each was doing, or null for one that does not answer.
    /// Waits for a core that has frozen this one. Nothing changes when this core has done so already.
    /// </summary>
    public static void FreezeOthers()
    {
        var core = CurrentCore;
        var me = core->Id + 1;
        for (int other; (other = Interlocked.CompareExchange(ref s_frozenBy, me, 0)) != 0; Cpu.Pause())
        {
            if (other == me)
            {
                return;
            }
        }
        var flags = Cpu.DisableInterrupts();
        var high = s_isX2Apic || !s_hasApic ? 0 : ApicRead(ApicCommandHigh);
        for (var id = 0; id < s_coresStarted; id++)
        {
            if (id != core->Id)
            {
                CoreAt(id)->Frozen = null;
                if (Interlocked.Exchange(ref s_nmi.Freeze[id], 1) == 0)
                {
                    SendIpi(CoreAt(id), IpiNmi);
                }
            }
        }
        if (!s_isX2Apic && s_hasApic)
        {
            ApicWrite(ApicCommandHigh, high);           // this may be an NMI's handler, which struck in SendIpi
        }
        Cpu.RestoreInterrupts(flags);
        var end = NanoTime() + FreezeWithinNs;
        for (var id = 0; id < s_coresStarted; id++)
        {
            while (id != core->Id && Volatile.Read(ref *(ulong*)&CoreAt(id)->Frozen) == 0 && NanoTime() < end)
            {
                Cpu.Pause();
            }
        }
    }

    /// <summary>Lets the others go on.</summary>
    public static void ThawOthers() => Interlocked.CompareExchange(ref s_frozenBy, 0, CurrentCore->Id + 1);

    private static bool HasFrozen(Core* core) => Volatile.Read(ref s_frozenBy) == core->Id + 1;

    static partial void SilenceOthers()
    {
        if (s_coresStarted > 1)
        {
            FreezeOthers();
        }
    }

    private static void HandleNmi(Core* core, TrapFrame* frame)
    {
        if (Interlocked.Exchange(ref s_nmi.Freeze[core->Id], 0) != 0)
        {
            StayFrozen(core, frame);
        }
        else if (OnNmi != null)
        {
            ServeNmi(core, frame);
        }
    }

    private static void StayFrozen(Core* core, TrapFrame* frame)
    {
        int by;
        while ((by = Volatile.Read(ref s_frozenBy)) != 0 && by != core->Id + 1)
        {
            Volatile.Write(ref *(ulong*)&core->Frozen, (ulong)frame);
            Cpu.Pause();
        }
        core->Frozen = null;
    }

    private static void ServeNmi(Core* core, TrapFrame* frame)
    {
        var isServed = Interlocked.Exchange(ref s_nmi.Pass[core->Id], 0) != 0 && NanoTime() < Volatile.Read(ref s_nmi.PassUntilNs);
        if (isServed || Interlocked.CompareExchange(ref s_nmi.IsServing, 1, 0) != 0)
        {
            return;
        }
        for (var id = 0; id < s_coresStarted; id++)
        {
            if (id != core->Id)
            {
                Interlocked.Exchange(ref s_nmi.Pass[id], 1);
            }
        }
        OnNmi(frame);
        Volatile.Write(ref s_nmi.PassUntilNs, NanoTime() + SameNmiNs);
        Volatile.Write(ref s_nmi.IsServing, 0);
    }
}
