// What one core does to another by interrupting it: poke, wake, flush its TLB, make it pass a barrier.
//
// IP1  A poke does nothing itself: it ends a halt, and the exit from it calls OnInterruptExit.
// IP2  One request for all cores at a time (s_shoot.Gate). Every other core has a bit in Pending, which only it clears, with
//      interrupts off and after it has done what is asked; a late interrupt without a bit does nothing.
// IP3  Who waits for the gate answers the request that has it, so two cores that ask at once, interrupts on or off, do not
//      wait for each other. Who has the gate is asked for nothing. Whoever spins for a lock with interrupts off must not
//      wait for one who asks: nobody asks while holding such a lock.
// IP4  From taking the gate on the asker stays on its core: OnInterruptExit is held back there meanwhile, and made up for.
// Context: poke and wake anywhere, the rest in goroutines, never while the other cores are frozen.
// Reference: Intel SDM 3A sections 4.10.5 and 10.6.

using System.Runtime.CompilerServices;

namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private const byte PokeVector = 0x23;
    private const byte ShootVector = 0x24;
    private const uint ApicCommand = 0x300;
    private const uint ApicCommandHigh = 0x310;
    private const uint ApicSending = 1 << 12;
    private const uint IpiFixed = 0x4000;
    private const int ShootPages = 32;                  // above that all of the TLB goes
    private const int ApicSendSpins = 1_000_000;

    private struct ShootRequest
    {
        internal int Gate;                              // 1 = taken; atomic
        internal int Count;                             // of Pages; above ShootPages: all; guarded by the gate
        internal ulong Pending;                         // a bit a core; atomic
        internal fixed ulong Pages[ShootPages];
    }

    private static ShootRequest s_shoot;

    private static void InitIpis()
    {
        SetInterruptHandler(PokeVector, &PokeInterrupt);
        SetInterruptHandler(ShootVector, &ShootInterrupt);
    }

    private static uint ReadApicId() => s_isX2Apic ? ApicRead(ApicIdRegister) : ApicRead(ApicIdRegister) >> 24;

    // In memory mode the two writes must not be torn apart by another sender on this core: see FreezeOthers for the NMI's.
    private static void SendIpi(Core* to, uint command)
    {
        if (s_isX2Apic)
        {
            Cpu.Fence();                                // this write does not wait for earlier stores by itself
            Cpu.WriteMsr(X2ApicMsr + (ApicCommand >> 4), ((ulong)to->ApicId << 32) | command);
            return;
        }
        var flags = Cpu.DisableInterrupts();
        for (var i = 0; i < ApicSendSpins && (ApicRead(ApicCommand) & ApicSending) != 0; i++)
        {
            Cpu.Pause();
        }
        ApicWrite(ApicCommandHigh, to->ApicId << 24);
        ApicWrite(ApicCommand, command);
        Cpu.RestoreInterrupts(flags);
    }

    /// <summary>Interrupts a core, which then calls OnInterruptExit. It may be this one.</summary>
    public static void InterruptCore(int id) => SendIpi(CoreAt(id), IpiFixed | PokeVector);

    /// <summary>Ends the halt of a core, or its next one if it has interrupts off.</summary>
    public static void WakeCore(int id) => InterruptCore(id);

    /// <summary>Returns when every other core has executed a serialising instruction.</summary>
    public static void MemoryBarrierAll() => AskOthers(null, 0);

    // Drops translations of pages whose entries have been cleared, on every core; pages holds the first ShootPages of count.
    private static void FlushTlbs(ulong* pages, int count) => AskOthers(pages, count);

    private static void AskOthers(ulong* pages, int count)
    {
        var core = TakeGate();
        Flush(pages, count);
        Interlocked.MemoryBarrier();                    // ST3: entries are cleared before the cores are counted
        if (s_coresStarted > 1)
        {
            s_shoot.Count = count;
            for (var i = 0; i < count && i < ShootPages; i++)
            {
                s_shoot.Pages[i] = pages[i];
            }
            var all = s_coresStarted == MaxCores ? ulong.MaxValue : (1UL << s_coresStarted) - 1;
            var others = all & ~(1UL << core->Id);
            Interlocked.Exchange(ref s_shoot.Pending, others);
            for (var id = 0; id < MaxCores; id++)
            {
                if ((others & (1UL << id)) != 0)
                {
                    SendIpi(CoreAt(id), IpiFixed | ShootVector);
                }
            }
            while (Volatile.Read(ref s_shoot.Pending) != 0)
            {
                Cpu.Pause();
            }
        }
        Volatile.Write(ref s_shoot.Gate, 0);
        ReleaseExit(core);
    }

    private static Core* TakeGate()
    {
        while (true)
        {
            var core = HoldExit();
            if (Interlocked.CompareExchange(ref s_shoot.Gate, 1, 0) == 0)
            {
                return core;
            }
            Answer(core);
            ReleaseExit(core);
            Cpu.Pause();
        }
    }

    private static void Flush(ulong* pages, int count)
    {
        if (count > ShootPages)
        {
            Cpu.WriteCr3(Cpu.ReadCr3());
            return;
        }
        for (var i = 0; i < count; i++)
        {
            Cpu.Invlpg((void*)pages[i]);
        }
    }

    // Does what is asked of this core, if anything is (IP2).
    private static void Answer(Core* core)
    {
        var flags = Cpu.DisableInterrupts();
        var bit = 1UL << core->Id;
        if ((Volatile.Read(ref s_shoot.Pending) & bit) != 0)
        {
            fixed (ulong* pages = s_shoot.Pages)
            {
                Flush(pages, s_shoot.Count);
                Cpu.Invlpg(pages);                      // serialises, also when nothing else is asked
            }
            Interlocked.And(ref s_shoot.Pending, ~bit);
        }
        Cpu.RestoreInterrupts(flags);
    }

    /// <summary>Context with interrupts off, while waiting for another core: does what others ask of this one, so that they do not wait for it in turn.</summary>
    public static void AnswerOthers() => Answer(CurrentCore);

    private static void PokeInterrupt(TrapFrame* frame)
    {
    }

    private static void ShootInterrupt(TrapFrame* frame) => Answer(CurrentCore);

    // ---- the end of an interrupt, and places that must not be left there

    private static void EndInterrupt(Core* core, TrapFrame* frame)
    {
        if (core->ExitHeld != 0)
        {
            core->ExitSkipped = 1;
        }
        else if (OnInterruptExit != null && core->InFault == 0)
        {
            OnInterruptExit(frame);
        }
    }

    // Until ReleaseExit no interrupt of this core calls OnInterruptExit, so the caller stays on it.
    private static Core* HoldExit()
    {
        var flags = Cpu.DisableInterrupts();
        var core = CurrentCore;
        core->ExitHeld++;
        Cpu.RestoreInterrupts(flags);
        return core;
    }

    private static void ReleaseExit(Core* core)
    {
        var flags = Cpu.DisableInterrupts();
        core->ExitHeld--;
        if (core->ExitHeld == 0 && core->ExitSkipped != 0)
        {
            core->ExitSkipped = 0;
            if (OnInterruptExit != null)
            {
                InterruptCore(core->Id);
            }
        }
        Cpu.RestoreInterrupts(flags);
    }

    // ---- spinlocks with interrupts off

    private static nuint Lock(ref int gate)
    {
        var flags = Cpu.DisableInterrupts();
        while (Interlocked.CompareExchange(ref gate, 1, 0) != 0)
        {
            Cpu.Pause();
        }
        return flags;
    }

    private static void Unlock(ref int gate, nuint flags)
    {
        Volatile.Write(ref gate, 0);
        Cpu.RestoreInterrupts(flags);
    }
}
