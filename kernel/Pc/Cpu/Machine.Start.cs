// Starting the other cores.
//
// ST1  The boot core starts one core at a time. The two talk by the block in the low page, until the core has taken its
//      stack from it, and then by the core's slot, which no other core ever uses.
// ST2  Waiting → Running is the started core's, Waiting or Running → Abandoned and Running → Ready the boot core's. A core
//      that finds itself abandoned halts for good.
// ST3  A core is counted (CoresStarted) before it runs its entry, and drops its whole TLB after it was counted: who does not
//      yet see it counted has changed the page tables before that.
// ST4  The low page is firmware's to give: conventional memory by the memory map. It is mapped, executable, in the temporary
//      tables alone, which share the final ones' upper half.
// Context: InitCores at boot, StartCore on the boot core, in a place that is not moved to another one.
// Reference: Intel SDM 3A section 9.4 (MP initialisation); boot.S, trampoline.S.

using System.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private const ulong CoreSlotBytes = 1 << 20;
    private const int CoreTlsOffset = 8192 - 64;                    // the block ends here, in the second page
    private const ulong CoreStacksOffset = 8192;
    private const int CoreStacks = 7;                               // the core's own, then the traps' in TB2's order
    private const uint PatMsr = 0x277;
    private const uint EferMsr = 0xc0000080;
    private const uint EferActive = 1 << 10;
    private const uint IpiInit = 0x4500;
    private const uint IpiStartup = 0x4600;
    private const long RunningWithinNs = 1_000_000_000;

    private const int StartWaiting = 1;
    private const int StartRunning = 2;
    private const int StartAbandoned = 3;
    private const int StartReady = 4;

    /// <summary>What a core finds at the end of its trampoline; offsets in Boot/trampoline.S.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct CoreStart
    {
        internal uint Pml4, Cr4, Efer, Cr0, ApicId, Unused;
        internal ulong Stack;                           // 0 = taken, or nobody is meant; atomic
        internal ulong Core, Tls, Cr3, Pat, Enter;
    }

    /// <summary>What a core's slot begins with.</summary>
    private struct CoreSlot
    {
        internal Core Core;                             // first: GS base
        internal CoreTables Tables;
        internal int State;                             // atomic
        internal delegate*<void> Entry;
        internal TscExchange Tsc;
        internal fixed ulong StackTops[CoreStacks];
    }

    private static ulong s_lowPage;                     // immutable after InitCores; 0 = no other core can be started
    private static ulong* s_lowTables;                  // immutable after InitCores
    private static int s_nextCandidate;                 // in the MADT
    private static int s_nextSlot;

    /// <summary>Makes the boot core known and the others startable.</summary>
    public static void InitCores()
    {
        var core = CurrentCore;
        core->ApicId = ReadApicId();
        AddCore(core, 0);
        InitIpis();
        if (CoreCount > 1 && !MakeLowTables())
        {
            Print("unikernel: no memory below 1 MiB to start other cores from: going on with one\n"u8);
        }
        BootStep("cores"u8);
    }

    private static bool MakeLowTables()
    {
        var page = MemoryMap.FindLowPage((MemoryMapEntry*)Boot->EntryWords, s_boot.EntryCount, (PhysRange*)Boot->ModuleWords, s_boot.ModuleCount);
        if (page == 0)
        {
            return false;
        }
        var at = s_lowTables = (ulong*)AllocPage();
        for (var shift = 39; shift > 12 && at != null; shift -= 9)
        {
            at = NextTable(at, Index(page, shift), false);
        }
        if (at == null || (ulong)s_lowTables - DirectMap >= BootMapSize)    // it is loaded in 32-bit mode
        {
            return false;
        }
        at[Index(page, 12)] = page | Present | Writable;
        for (var i = 256; i < 512; i++)
        {
            s_lowTables[i] = s_pml4[i];
        }
        s_lowPage = page;
        return true;
    }

    /// <summary>
    /// Starts the next core as number <paramref name="id"/>, which must be CoresStarted. It runs <paramref name="entry"/> on a
    /// stack of its own, with interrupts on. False when it does not answer: the next call tries the one after it.
    /// </summary>
    public static bool StartCore(int id, delegate*<void> entry)
    {
        if (id != s_coresStarted || id >= MaxCores || s_lowPage == 0 || !NextApicId(out var apicId))
        {
            return false;
        }
        var slot = (CoreSlot*)(CoreRegionBase + ((ulong)s_nextSlot++ * CoreSlotBytes));
        if (!MakeCoreMemory(slot))
        {
            Print("unikernel: no memory for core "u8);
            PrintDecimal((ulong)id);
            Print(": going on without it\n"u8);
            return false;
        }
        slot->Core.ApicId = apicId;
        AddCore(&slot->Core, id);
        Cpu.InitTls((byte*)slot + CoreTlsOffset);
        slot->Entry = entry;
        slot->State = StartWaiting;
        if (!Rouse(&slot->Core, FillLowPage(slot)) || !AwaitRunning(slot) || !MatchTsc(&slot->Tsc, id))
        {
            Interlocked.Exchange(ref slot->State, StartAbandoned);
            Print("unikernel: core "u8);
            PrintDecimal((ulong)id);
            Print(" (APIC id "u8);
            PrintDecimal(apicId);
            Print(") does not answer: going on without it\n"u8);
            return false;
        }
        Interlocked.Increment(ref s_coresStarted);
        Volatile.Write(ref slot->State, StartReady);
        return true;
    }

    // The next core of the MADT that is not the boot core and can be addressed.
    private static bool NextApicId(out uint apicId)
    {
        while (s_nextCandidate < CoreCount)
        {
            apicId = s_madt.ApicIds[s_nextCandidate++];
            if (apicId != CoreAt(0)->ApicId && (s_isX2Apic || apicId < 255))
            {
                return true;
            }
        }
        apicId = 0;
        return false;
    }

    // Commits a slot: the block and the tables, the thread-local block, the stacks, each with its guard below.
    private static bool MakeCoreMemory(CoreSlot* slot)
    {
        if (!CommitPages(slot, (nuint)CoreStacksOffset))
        {
            return false;
        }
        var at = (byte*)slot + CoreStacksOffset;
        for (var i = 0; i < CoreStacks; i++)
        {
            var bytes = i == 0 ? 65536u : (i & 1) != 0 ? 16384u : 32768u;   // as in boot.S
            at += PageBytes;
            if (!CommitPages(at, bytes))
            {
                return false;
            }
            at += bytes;
            slot->StackTops[i] = (ulong)at;
        }
        return true;
    }

    // A fresh copy of the trampoline, and what the core needs; its start block.
    private static CoreStart* FillLowPage(CoreSlot* slot)
    {
        var layout = Cpu.Layout();
        var bytes = layout->CoreTrampolineEnd - layout->CoreTrampoline;
        var page = (byte*)(DirectMap + s_lowPage);
        Cpu.MemMove(page, (void*)layout->CoreTrampoline, bytes);
        var start = (CoreStart*)(page + bytes - (nuint)sizeof(CoreStart));
        start->Pml4 = (uint)((ulong)s_lowTables - DirectMap);
        start->Cr4 = (uint)Cpu.ReadCr4();
        start->Efer = (uint)Cpu.ReadMsr(EferMsr) & ~EferActive;
        start->Cr0 = (uint)Cpu.ReadCr0();
        start->ApicId = slot->Core.ApicId;
        start->Core = (ulong)slot;
        start->Tls = (ulong)slot + CoreTlsOffset;
        start->Cr3 = Cpu.ReadCr3();
        start->Pat = Cpu.ReadMsr(PatMsr);
        start->Enter = layout->CoreEnter;
        Volatile.Write(ref start->Stack, slot->StackTops[0]);
        return start;
    }

    // INIT, STARTUP, STARTUP, in a hurry and then by the book; whether the core has taken its stack.
    private static bool Rouse(Core* core, CoreStart* start)
    {
        for (var attempt = 0; attempt < 2; attempt++)
        {
            SendIpi(core, IpiInit);
            Wait(attempt == 0 ? 10_000 : 10_000_000);
            var vector = (uint)(s_lowPage / PageBytes);
            SendIpi(core, IpiStartup | vector);
            if (!AwaitTaken(start, 300_000))
            {
                SendIpi(core, IpiStartup | vector);
                AwaitTaken(start, attempt == 0 ? 30_000_000 : 60_000_000);
            }
            var stack = Interlocked.Exchange(ref start->Stack, 0);      // from here on nobody can take it
            if (stack == 0)
            {
                return true;
            }
            if (attempt == 0)
            {
                Volatile.Write(ref start->Stack, stack);
            }
        }
        return false;
    }

    private static bool AwaitTaken(CoreStart* start, long ns)
    {
        for (var end = NanoTime() + ns; Volatile.Read(ref start->Stack) != 0; Cpu.Pause())
        {
            if (NanoTime() > end)
            {
                return false;
            }
        }
        return true;
    }

    // It lives: that it is slow does not matter.
    private static bool AwaitRunning(CoreSlot* slot)
    {
        for (var end = NanoTime() + RunningWithinNs; Volatile.Read(ref slot->State) == StartWaiting; Cpu.Pause())
        {
            if (NanoTime() > end)
            {
                return Interlocked.CompareExchange(ref slot->State, StartAbandoned, StartWaiting) != StartWaiting;
            }
        }
        return true;
    }

    private static void Wait(long ns)
    {
        for (var end = NanoTime() + ns; NanoTime() < end;)
        {
            Cpu.Pause();
        }
    }

    // The first C# of a core (AS4). Does not return.
    [RuntimeExport("CoreMain")]
    private static void CoreMain()
    {
        var slot = (CoreSlot*)CurrentCore;
        LoadTables(&slot->Tables, slot->StackTops + 1, slot->StackTops[0]);
        EnableApic();
        InitLocalApic();
        ApicWrite(ApicTimerVector, AlarmVector);
        if (Interlocked.CompareExchange(ref slot->State, StartRunning, StartWaiting) != StartWaiting)
        {
            Cpu.HaltForever();
        }
        for (int state; (state = Volatile.Read(ref slot->State)) != StartReady; Cpu.Pause())
        {
            if (state != StartRunning)
            {
                Cpu.HaltForever();
            }
            AnswerTsc(&slot->Tsc);
        }
        Cpu.WriteCr3(Cpu.ReadCr3());                    // ST3
        Cpu.EnableInterrupts();
        slot->Entry();
        Cpu.HaltForever();
    }
}
