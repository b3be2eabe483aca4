// Tries what must fault, and survives it: a hook before the runtime's own takes the fault at an expected page.
//
// PB1  The attempt is made in a leaf that has not moved rsp (memset, memmove: kernel/Cpu/memops.S, MO1) or is the call
//      itself, so the return address is on top of the stack and the hook ends the attempt by returning there.
// PB2  One Probe at a time; its page may be tried on several cores at once.
// Context: goroutine; the hook in fault context. Allocates nothing there.
using System;
using System.Threading;
using Unikernel.Kernel;

namespace Unikernel.Tests.Platform;

internal sealed unsafe class Probe : IDisposable
{
    private const ulong PageMask = 4095;

    private static ulong s_page;                // atomic: as all of these
    private static int s_faults;
    private static ulong s_error;
    private static delegate*<TrapFrame*, bool> s_next;

    /// <summary>From now on faults in the page of an address are counted.</summary>
    public Probe(void* address)
    {
        s_faults = 0;
        s_error = 0;
        Volatile.Write(ref s_page, ((ulong)address & ~PageMask) + 1);       // one up: page 0 can be asked for
        s_next = Machine.OnFault;
        Machine.OnFault = &OnFault;
    }

    public static int Faults => Volatile.Read(ref s_faults);

    /// <summary>The processor's error code of the last one.</summary>
    public static ulong Error => Volatile.Read(ref s_error);

    public void Dispose()
    {
        Machine.OnFault = s_next;
        Volatile.Write(ref s_page, 0);
    }

    public static void Write(void* address) => Cpu.MemSet((byte*)address, 0x5a, 1);

    /// <summary>The byte there, or <paramref name="otherwise"/> when reading it faulted.</summary>
    public static byte Read(void* address, byte otherwise = 0)
    {
        byte value = otherwise;
        Cpu.MemMove(&value, address, 1);
        return value;
    }

    /// <summary>Calls an address that is a multiple of 4: the compiler gives the two lowest bits of a function's address a meaning.</summary>
    public static void Execute(void* address) => ((delegate*<void>)address)();

    [NoAlloc]
    private static bool OnFault(TrapFrame* f)
    {
        if (f->Vector != TrapFrame.PageFault || (Machine.FaultAddress & ~PageMask) + 1 != Volatile.Read(ref s_page))
        {
            return s_next(f);
        }
        Volatile.Write(ref s_error, f->Error);
        Interlocked.Increment(ref s_faults);
        f->Rip = *(ulong*)f->Rsp;
        f->Rsp += 8;
        return true;
    }
}
