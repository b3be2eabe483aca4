using System.Collections.Generic;
using Unikernel.Tests.Sim.Harness;

namespace Unikernel.Tests.Sim.Tests;

internal static class Mutants
{
    internal static IReadOnlyList<Mutant> All { get; } =
    [
        new("NoSecondLook", "PF3: a core goes idle without looking again", ["IdleAgainstReady", "StealFromBusy"],
            ("Atomic.Load(ref p->PinnedCount) != 0 || IsWorkAnywhere())", "Atomic.Load(ref p->PinnedCount) != 0)")),
        new("WakeBeforePublish", "PF3: a core is woken before there is something for it", ["IdleAgainstReady", "StealFromBusy"],
            ("        if (p->Runq.Put(gp, next", "        WakeIfIdle();\n        if (p->Runq.Put(gp, next"),
            ("        if (Atomic.Load(ref s_idle) != 0)\n        {\n            WakeP();\n        }\n    }\n\n    private static void PutGlobal(",
                "    }\n\n    private static void WakeIfIdle()\n    {\n        if (Atomic.Load(ref s_idle) != 0)\n        {\n            WakeP();\n        }\n    }\n\n    private static void PutGlobal(")),
        new("HaltInterruptsOn", "PF4: a wake-up between the last look and the halt is lost", ["IdleAgainstReady", "StealFromBusy", "PingPong"],
            ("nuint flags = Machine.DisableInterrupts();\n            if (Atomic.Load(ref cs->Look) == 0", "nuint flags = 0;\n            if (Atomic.Load(ref cs->Look) == 0")),
        new("NoLookAfterSpinning", "WakeP: another maker may have relied on the count that it takes back", ["IdleAgainstReady", "MaxProcs"],
            ("if (Atomic.Load(ref s_idle) == 0 || !Atomic.Swap(ref s_spinning, 0, 1))", "if (Atomic.Load(ref s_idle) != ulong.MaxValue)")),
        new("NotCountedAgain", "PF2: who finds work at its last look is not counted as looking", ["MaxProcs"],
            ("if (wasSpinning && !p->IsSpinning)", "if (wasSpinning && p->Id < 0)")),
        new("NoFenceGlobal", "PF3: s_idle is read before the count is seen", ["MaxProcs"],
            ("_ = Atomic.Exchange(ref s_sched.RunqCount, s_sched.Runq.Count);", "Atomic.Store(ref s_sched.RunqCount, s_sched.Runq.Count);")),
        new("NoFenceLocal", "PF3: s_idle is read before the tail is seen", ["StealFromBusy"],
            ("            Atomic.Fence();                     // PF3\n", "")),
        new("InterruptedWakesNobody", "who was interrupted for a sleeper waits while a core is idle", ["SleepersBesideHogs"],
            ("PutLocal(p, interrupted, false);", "PutYielded(p, interrupted);")),
        new("UnlockBeforeSwitch", "PR1: a lock is opened before the registers are saved", ["ParkReady", "PingPong"],
            ("        cs->AfterUnlock = unlock;\n        Leave(cs, gp);", "        if (unlock != null)\n        {\n            LockRanks.Opening(unlock);\n            Atomic.Store(ref *unlock, 0);\n        }\n        Leave(cs, gp);")),
        new("NotifierForgets", "NO2: a notification before the waiter is committed is dropped", ["Interrupts"],
            ("            gp->Status = GStatus.Runnable;\n            Proc.PutLocal(cs->P, gp, true);\n        }\n    }", "        }\n    }")),
        new("TimeOutIsSure", "a time-out does not ask whether somebody else was first", ["TimeOutAgainstReady"],
            ("        G* gp = (G*)p;\n        if (gp->TryReady())", "        G* gp = (G*)p;\n        gp->Status = GStatus.Runnable;")),
        new("StillFromBefore", "PW4: a core that leaves a stop is taken for still by the next", ["StopTheWorld"],
            ("while (Atomic.Load(ref s_stopping) != 0);       // PW4", "while (p->Id < 0);")),
        new("LeavesUncounted", "PF5: a core came to life while the others were looked at", ["Wanderers"],
            ("if (!AreAllAtRest() || Atomic.Load(ref s_leaves) != leaves)", "if (!AreAllAtRest())")),
        new("RetiredDoesNotLook", "PF5: the last to rest runs nothing and does not look for a deadlock", ["AllWaitOnFewer"],
            ("        CheckDead();\n        while (", "        if (!isRetired)\n        {\n            CheckDead();\n        }\n        while (")),
        new("StealUnchecked", "RQ3: a thief does not ask whether the entries are still there", ["StealFromBusy", "ProducersConsumers"],
            ("            if (!Atomic.Swap(ref _head, head, head + n))\n            {\n                continue;\n            }\n            G* first", "            Atomic.Store(ref _head, head + n);\n            G* first")),
        new("AlarmKeptLate", "TM1: the alarm stays where it is for an earlier deadline", ["Sleepers"],
            ("if (whenNs >= p->AlarmNs)", "if (p->AlarmNs != long.MaxValue)")),
        new("PinnedStolen", "a goroutine locked to a core goes to any queue", ["Pinned"],
            ("bool next)\n    {\n        if (gp->LockedCore != null)", "bool next)\n    {\n        if (gp->LockCount < 0)")),
        new("PinnedForgotten", "PW1: a core beyond GOMAXPROCS does not run what is locked to it", ["PinnedRetired"],
            ("return Atomic.Load(ref p->PinnedCount) == 0 ? null : TakePinned(p);", "return null;")),
        new("GroupCountsPassers", "WaitGroup: who need not wait is counted for a moment", ["Groups"],
            ("                _lock.Release();            // without having touched it: those just woken look at it\n",
                "                _ = Atomic.Add(ref _state, 1);\n                _ = Atomic.Add(ref _state, -1);\n                _lock.Release();\n")),
    ];
}
