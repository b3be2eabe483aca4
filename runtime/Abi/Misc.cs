// The rest of the runtime ABI: threads as goroutines, crash hooks, start-up constants.
using System;
using System.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Unikernel.Kernel;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Abi;

internal static unsafe class Misc
{
    private const int CrashInfoBytes = 1024;
    private static delegate* unmanaged<void> s_threadExit;
    private static byte* s_crashInfo;

    [RuntimeExport("RhGetProcessCpuCount")]
    internal static int GetProcessCpuCount() => Proc.MaxProcs;

    [RuntimeExport("RhYield")]
    internal static int Yield()
    {
        Proc.Gosched();
        return 1;
    }

    // With one core, whoever would change what the caller spins on needs this core.
    [RuntimeExport("RhSpinWait")]
    internal static void SpinWait(int iterations)
    {
        if (Proc.MaxProcs == 1)
        {
            Proc.Gosched();
            return;
        }
        for (int i = 0; i < iterations; i++)
        {
            Cpu.Pause();
        }
    }

    [RuntimeExport("RhFlushProcessWriteBuffers")]
    internal static void FlushProcessWriteBuffers() => Machine.MemoryBarrierAll();

    [RuntimeExport("RhCurrentOSThreadId")]
    internal static ulong CurrentOsThreadId() => (ulong)Proc.GetG()->Id;

    [RuntimeExport("RhSetCurrentThreadName")]
    internal static void SetCurrentThreadName(byte* name)
    {
        // Thread.Name is kept by CoreLib; nobody below it shows one.
    }

    [RuntimeExport("RhSetThreadExitCallback")]
    internal static void SetThreadExitCallback(delegate* unmanaged<void> callback) => s_threadExit = callback;

    /// <summary>CoreLib's clean-up at the end of a goroutine that was a <see cref="System.Threading.Thread"/>.</summary>
    internal static void OnThreadExit()
    {
        if (s_threadExit != null)
        {
            s_threadExit();
        }
    }

    [RuntimeExport("RhGetDefaultStackSize")]
    internal static nint GetDefaultStackSize() => 0;

    [RuntimeExport("RhGetCurrentThreadStackBounds")]
    internal static void GetCurrentThreadStackBounds(nuint* low, nuint* high)
    {
        G* gp = Proc.GetG();
        *low = (nuint)gp->StackLo;
        *high = (nuint)gp->StackHi;
    }

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("RhpCalculateStackTraceWorker")]
    private static extern int CalculateStackTrace(void* buffer, uint length, void* addressInCurrentFrame);

    [RuntimeExport("RhpGetCurrentThreadStackTrace")]
    internal static int GetCurrentThreadStackTrace(void* buffer, uint length, void* addressInCurrentFrame) =>
        CalculateStackTrace(buffer, length, addressInCurrentFrame);

    [RuntimeExport("RhpGetThreadAbortException")]
    internal static void* GetThreadAbortException() => null;    // no thread is ever aborted

    [RuntimeExport("RhCreateCrashDumpIfEnabled")]
    internal static void CreateCrashDumpIfEnabled(void* faultAddress, void* context, void* record)
    {
        // There is nowhere to write a dump to; the report on the console says what is known.
    }

    [RuntimeExport("RhGetCrashInfoBuffer")]
    internal static byte* GetCrashInfoBuffer(int* bytes)
    {
        if (s_crashInfo == null)
        {
            s_crashInfo = (byte*)OffHeap.Alloc(CrashInfoBytes);
        }
        *bytes = s_crashInfo == null ? 0 : CrashInfoBytes;
        return s_crashInfo;
    }

    [RuntimeExport("RhpFallbackFailFast")]
    internal static void FallbackFailFast() => Throw.Fatal("the class library asked for a fail-fast"u8);
}

/// <summary>Traps that are a program's mistakes become .NET exceptions, stack pages are committed, the rest is fatal.</summary>
internal static unsafe class Faults
{
    private const nuint NullPageEnd = 64 * 1024;

    // CoreLib's codes for RhThrowHwEx.
    private const uint NullReference = 0;
    private const uint HelperNullReference = 0x42;
    private const uint DivideByZero = 0xC0000094;
    private const uint IntegerOverflow = 0xC0000095;

    private static nuint s_helpersStart;
    private static nuint s_helpersEnd;
    private static nuint s_memopsStart;
    private static nuint s_memopsEnd;
    private static nuint s_throw;

    internal static void Init(nuint helpersStart, nuint helpersEnd, nuint memopsStart, nuint memopsEnd, nuint throwHw)
    {
        s_helpersStart = helpersStart;
        s_helpersEnd = helpersEnd;
        s_memopsStart = memopsStart;
        s_memopsEnd = memopsEnd;
        s_throw = throwHw;
        Machine.OnFault = &OnFault;
    }

    // Interrupt context, on an IST stack; edits the frame and returns.
    private static bool OnFault(TrapFrame* f)
    {
        switch (f->Vector)
        {
            case TrapFrame.PageFault:
                return OnPageFault(f);
            case TrapFrame.DivideError:
                if (!StackWalks.IsManaged((nuint)f->Rip))
                {
                    return false;
                }
                return Raise(f, DivisorIsZero(f) ? DivideByZero : IntegerOverflow, (nuint)f->Rip);
            default:
                return false;
        }
    }

    private static bool OnPageFault(TrapFrame* f)
    {
        nuint address = (nuint)Machine.FaultAddress;
        nuint rip = (nuint)f->Rip;
        if (address >= NullPageEnd)
        {
            return Stacks.HandleFault(f);
        }
        if (StackWalks.IsManaged(rip))
        {
            return Raise(f, NullReference, rip);
        }
        bool inHelper = (rip >= s_helpersStart && rip < s_helpersEnd) || (rip >= s_memopsStart && rip < s_memopsEnd);
        nuint caller = inHelper ? *(nuint*)f->Rsp : 0;
        if (!StackWalks.IsManaged(caller))
        {
            return false;
        }
        f->Rsp += 8;            // leave the helper: the caller's call instruction is at fault
        return Raise(f, HelperNullReference, caller);
    }

    private static bool Raise(TrapFrame* f, uint code, nuint rip)
    {
        f->Rdi = code;
        f->Rsi = rip;
        f->Rip = s_throw;
        return true;
    }

    // #DE does not say which: look at the operand of the (i)div, F6 or F7 with /6 or /7 and its prefixes.
    private static bool DivisorIsZero(TrapFrame* f)
    {
        byte* p = (byte*)f->Rip;
        int rex = 0;
        bool is16 = false;
        for (; ; p++)
        {
            if (*p == 0x66)
            {
                is16 = true;
            }
            else if ((*p & 0xF0) == 0x40)
            {
                rex = *p & 0xF;
            }
            else
            {
                break;
            }
        }
        if (*p is not (0xF6 or 0xF7))
        {
            return true;
        }
        bool isByte = *p++ == 0xF6;
        byte modrm = *p++;
        int mod = modrm >> 6;
        int rm = (modrm & 7) | ((rex & 1) << 3);
        ulong value;
        if (mod == 3)
        {
            value = isByte && rex == 0 && rm >= 4 ? Register(f, rm - 4) >> 8 : Register(f, rm);
        }
        else
        {
            ulong address = EffectiveAddress(f, p, mod, modrm & 7, rex);
            value = isByte ? *(byte*)address : is16 ? *(ushort*)address : (rex & 8) != 0 ? *(ulong*)address : *(uint*)address;
        }
        return (isByte ? (byte)value : is16 ? (ushort)value : (rex & 8) != 0 ? value : (uint)value) == 0;
    }

    private static ulong EffectiveAddress(TrapFrame* f, byte* p, int mod, int rm, int rex)
    {
        ulong address;
        if (rm == 4)
        {
            byte sib = *p++;
            int index = ((sib >> 3) & 7) | ((rex & 2) << 2);
            int @base = (sib & 7) | ((rex & 1) << 3);
            address = index == 4 ? 0 : Register(f, index) << (sib >> 6);
            if ((sib & 7) == 5 && mod == 0)
            {
                return address + (ulong)(long)(*(int*)p);
            }
            address += Register(f, @base);
        }
        else if (rm == 5 && mod == 0)
        {
            return (ulong)(p + 4) + (ulong)(long)(*(int*)p);     // F6/F7 /6 and /7 carry no immediate
        }
        else
        {
            address = Register(f, rm | ((rex & 1) << 3));
        }
        return mod switch
        {
            1 => address + (ulong)(long)(*(sbyte*)p),
            2 => address + (ulong)(long)(*(int*)p),
            _ => address,
        };
    }

    private static ulong Register(TrapFrame* f, int number) => number switch
    {
        0 => f->Rax,
        1 => f->Rcx,
        2 => f->Rdx,
        3 => f->Rbx,
        4 => f->Rsp,
        5 => f->Rbp,
        6 => f->Rsi,
        7 => f->Rdi,
        8 => f->R8,
        9 => f->R9,
        10 => f->R10,
        11 => f->R11,
        12 => f->R12,
        13 => f->R13,
        14 => f->R14,
        _ => f->R15,
    };
}
