// Signals stand for exceptions and interrupts, threads for cores.
//
// LI0  A core is a thread with a signal stack, a core block and a timer of its own.
// LI1  An interrupt is a bit in Core.IrqPending. Who raises it sets the bit, then wakes the core if it is halted, else
//      sends it SIGURG. The handler serves the bits; while Core.IrqOff is set it leaves them to RestoreInterrupts.
//      A wake-up is such a bit too, without a signal: Halt looks at the bits after it has said that it halts.
// LI2  The alarm is a POSIX timer that signals its core's thread. Never early.
// LI3  Exceptions (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP) become a TrapFrame; what the handler changes in it goes back
//      into the context the thread resumes with. SIGQUIT is not held back by anything but another signal's handler.
// Context: as on bare metal; the handlers run on the core's alternate stack. Allocates nothing.
// Reference: sigaction(2), timer_create(2), futex(2).
using System.Runtime;
using System.Runtime.CompilerServices;

namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private const int AlarmInterrupt = 1;
    private const int InputInterrupt = 2;
    private const int CoreInterrupt = 4;
    private const int WakeInterrupt = 8;
    private const int AlarmSignal = 34;
    private const int FreezeSignal = 35;
    private const nuint SignalStackBytes = 128 * 1024;
    private const long NanosecondsPerSecond = 1_000_000_000;

    /// <summary>The alarm is due (interrupt context).</summary>
    public static delegate*<void> OnAlarm;

    private static int s_process;
    private static Core* s_bootCore;

    private static Core* BootCore => s_bootCore;

    /// <summary>From here on a CPU fault is reported.</summary>
    public static void InitTables()
    {
        s_bootCore = CurrentCore;
        s_process = (int)Linux.Syscall(Linux.GetPid, 0, 0);
        const ulong onStack = 0x0800_0000, restorer = 0x0400_0000, restart = 0x1000_0000, noDefer = 0x4000_0000, information = 4;
        InitSignalStack();
        Handle(Linux.SigSegv, onStack | restorer | noDefer | information);
        Handle(Linux.SigBus, onStack | restorer | noDefer | information);
        Handle(Linux.SigFpe, onStack | restorer | noDefer | information);
        Handle(Linux.SigIll, onStack | restorer | noDefer | information);
        Handle(Linux.SigTrap, onStack | restorer | noDefer | information);
        Handle(Linux.SigQuit, onStack | restorer | restart | information);
        Handle(Linux.SigUrg, onStack | restorer | restart | information);
        Handle(AlarmSignal, onStack | restorer | restart | information);
        Handle(FreezeSignal, onStack | restorer | restart | information);
        var ignore = stackalloc ulong[4];
        ignore[0] = 1;
        ignore[1] = ignore[2] = ignore[3] = 0;
        Linux.Syscall(Linux.RtSigaction, Linux.SigPipe, (nint)ignore, 0, 8);
    }

    private static void Handle(int signal, ulong flags)
    {
        const ulong interrupts = 1UL << (AlarmSignal - 1) | 1UL << (Linux.SigUrg - 1) | 1UL << (FreezeSignal - 1) | 1UL << (Linux.SigQuit - 1);
        var action = stackalloc ulong[4];       // handler, flags, restorer, mask
        action[0] = (ulong)Linux.SignalEntry();
        action[1] = flags;
        action[2] = (ulong)Linux.SignalRestorer();
        action[3] = interrupts;
        Linux.Syscall(Linux.RtSigaction, signal, (nint)action, 0, 8);
    }

    private static void InitSignalStack()
    {
        var memory = Linux.Map(0, SignalStackBytes, 0);
        var stack = stackalloc ulong[3];        // base, flags, size; the lowest page is a guard
        stack[0] = (ulong)memory + PageBytes;
        stack[1] = 0;
        stack[2] = SignalStackBytes - PageBytes;
        Linux.Syscall(Linux.Mprotect, memory, (nint)PageBytes, ProtNone);
        Linux.Syscall(Linux.SigAltStack, (nint)stack, 0);
    }

    /// <summary>The alarm and the console's input; interrupts are on afterwards.</summary>
    public static void InitInterrupts()
    {
        InitThread(CurrentCore);
        InitInput();
        BootStep("interrupts"u8);
    }

    // What every core's thread needs: it runs on it.
    private static void InitThread(Core* core)
    {
        const int timerSlackSet = 29;
        const int signalThread = 4;
        core->ThreadId = (int)Linux.Syscall(Linux.GetTid, 0, 0);
        Linux.Syscall(Linux.Prctl, timerSlackSet, 1);
        var e = stackalloc byte[64];            // struct sigevent: value, signal, how, thread
        Cpu.MemSet(e, 0, 64);
        *(int*)(e + 8) = AlarmSignal;
        *(int*)(e + 12) = signalThread;
        *(int*)(e + 16) = core->ThreadId;
        int timer;
        if (Linux.Syscall(Linux.TimerCreate, ClockMonotonic, (nint)e, (nint)(&timer)) != 0)
        {
            RefuseMachine("no timer (timer_create failed)"u8);
        }
        core->TimerId = timer;
    }

    /// <summary>Interrupts this core at NanoTime <paramref name="whenNs"/> or a little later; 0 takes the alarm back. The caller stays on its core.</summary>
    public static void SetAlarm(long whenNs)
    {
        const int absolute = 1;
        var core = CurrentCore;
        Volatile.Write(ref core->AlarmNs, whenNs);
        var when = stackalloc long[4];          // interval, then time
        when[0] = when[1] = when[2] = when[3] = 0;
        if (whenNs != 0)
        {
            when[2] = (whenNs + s_bootNs) / NanosecondsPerSecond;
            when[3] = (whenNs + s_bootNs) % NanosecondsPerSecond;
        }
        Linux.Syscall(Linux.TimerSetTime, core->TimerId, absolute, (nint)when);
    }

    /// <summary>Makes a core take an interrupt: OnInterruptExit is called on it.</summary>
    public static void InterruptCore(int id) => RaiseInterrupt(CoreAt(id), CoreInterrupt);

    /// <summary>Ends the core's halt, or the one it is about to begin.</summary>
    public static void WakeCore(int id)
    {
        var core = CoreAt(id);
        Interlocked.Or(ref core->IrqPending, WakeInterrupt);
        if (Volatile.Read(ref core->IsHalted) != 0)
        {
            Interlocked.Increment(ref core->Wakes);
            FutexWake(&core->Wakes);
        }
    }

    /// <summary>Nothing here runs: lets another thread have this one's processor.</summary>
    public static void SpinYield() => Linux.Syscall(Linux.SchedYield, 0, 0);

    public static nuint DisableInterrupts() => Linux.SwapIrqOff(1);

    public static void RestoreInterrupts(nuint flags)
    {
        Linux.SwapIrqOff(flags);
        if (flags == 0 && Linux.IrqPending() != 0)
        {
            flags = Linux.SwapIrqOff(1);
            ServeInterrupts(CurrentCore);
            RestoreInterrupts(flags);
        }
    }

    /// <summary>Waits for an interrupt and serves it; one that came since interrupts were turned off ends the wait at once.</summary>
    public static void Halt()
    {
        var core = CurrentCore;
        var wakes = Volatile.Read(ref core->Wakes);
        Volatile.Write(ref core->IsHalted, 1);
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref core->IrqPending) == 0)
        {
            FutexWait(&core->Wakes, wakes);
        }
        Volatile.Write(ref core->IsHalted, 0);
        ServeInterrupts(core);
    }

    private static void RaiseInterrupt(Core* core, int interrupt)
    {
        Interlocked.Or(ref core->IrqPending, interrupt);
        if (Volatile.Read(ref core->IsHalted) != 0)
        {
            Interlocked.Increment(ref core->Wakes);
            FutexWake(&core->Wakes);
        }
        else
        {
            Linux.Syscall(Linux.TgKill, s_process, core->ThreadId, Linux.SigUrg);
        }
    }

    // Interrupts off, or in the handler of a signal.
    private static void ServeInterrupts(Core* core)
    {
        var pending = Interlocked.Exchange(ref core->IrqPending, 0);
        if (pending == 0)
        {
            return;
        }
        core->InInterrupt = 1;
        if ((pending & AlarmInterrupt) != 0 && core->AlarmNs != 0 && NanoTime() >= core->AlarmNs)
        {
            core->AlarmNs = 0;
            if (OnAlarm != null)
            {
                OnAlarm();
            }
        }
        if ((pending & InputInterrupt) != 0 && OnConsoleInput != null)
        {
            OnConsoleInput();
        }
        core->InInterrupt = 0;
    }

    private static void FutexWait(int* word, int value)
    {
        const int waitPrivate = 128;
        Linux.Syscall(Linux.Futex, (nint)word, waitPrivate, value, 0);
    }

    private static void FutexWake(int* word)
    {
        const int wakePrivate = 129;
        Linux.Syscall(Linux.Futex, (nint)word, wakePrivate, 1);
    }

    // A thread that takes no signal. Its id, or negative errno.
    private static nint StartThread(byte* stackTop, delegate*<void*, void> fn, void* argument)
    {
        const nint sharedThread = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000;
        const int setMask = 2;
        var all = ulong.MaxValue;
        ulong old;
        Linux.Syscall(Linux.RtSigprocmask, setMask, (nint)(&all), (nint)(&old), 8);
        var id = Linux.Clone(sharedThread, stackTop, fn, argument);
        Linux.Syscall(Linux.RtSigprocmask, setMask, (nint)(&old), 0, 8);
        return id;
    }

    [RuntimeExport("LinuxSignal")]
    private static void Signal(int signal, byte* information, byte* context)
    {
        var core = CurrentCore;
        var isInterrupt = signal is AlarmSignal or Linux.SigUrg;
        if (isInterrupt)
        {
            if (signal == AlarmSignal)
            {
                Interlocked.Or(ref core->IrqPending, AlarmInterrupt);
            }
            if (core->IsHalted != 0)
            {
                Interlocked.Increment(ref core->Wakes);     // between Halt's look and its wait: the wait then ends at once
                return;
            }
            if (core->IrqOff != 0 || core->InInterrupt != 0)
            {
                return;
            }
            ServeInterrupts(core);
            if (OnInterruptExit == null)
            {
                return;
            }
        }
        var r = (ulong*)(context + 40);         // uc_mcontext.gregs
        TrapFrame f;
        f.R8 = r[0];
        f.R9 = r[1];
        f.R10 = r[2];
        f.R11 = r[3];
        f.R12 = r[4];
        f.R13 = r[5];
        f.R14 = r[6];
        f.R15 = r[7];
        f.Rdi = r[8];
        f.Rsi = r[9];
        f.Rbp = r[10];
        f.Rbx = r[11];
        f.Rdx = r[12];
        f.Rax = r[13];
        f.Rcx = r[14];
        f.Rsp = r[15];
        f.Rip = r[16];
        f.Rflags = r[17];
        f.Cs = (ushort)r[18];
        f.Ss = (ushort)(r[18] >> 48);
        f.Error = r[19];
        f.Vector = r[20];
        if (signal == Linux.SigQuit)
        {
            if (OnQuit != null)
            {
                OnQuit(&f);
            }
            return;
        }
        if (signal == FreezeSignal)
        {
            StayFrozen(core, &f);
            return;
        }
        if (isInterrupt)
        {
            OnInterruptExit(&f);
            r[15] = f.Rsp;
            r[16] = f.Rip;
            return;
        }
        core->FaultAddress = f.Vector == TrapFrame.PageFault ? r[22] : 0;
        DispatchFault(&f);
        r[8] = f.Rdi;
        r[9] = f.Rsi;
        r[15] = f.Rsp;
        r[16] = f.Rip;
    }
}
