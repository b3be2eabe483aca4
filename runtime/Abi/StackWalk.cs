// The stack walk behind exception dispatch: what CoreLib's EH class asks for through RhpSfi* and RhpEHEnum*.
//
// SW1  A walk yields managed frames only, each with the registers as pointers into the stack, so that funclets run
//      on the frame's own values.
// SW2  Reaching the return label of a catch or finally funclet's caller collides with the exception that runs it:
//      the walk goes on where that exception's own walk stands, and tells the dispatcher the clause to skip to.
// SW3  A filter's caller is walked through: CoreLib's dispatch code catches what a filter throws.
// SW4  "Reverse P/Invoke" methods are ordinary frames: their callers are managed code of this image too.
// Context: goroutine. Allocates: no (UW1). Reference: contract read off CoreLib's EH and StackFrameIterator.
using System.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Unikernel.Kernel;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Abi;

/// <summary>PAL_LIMITED_CONTEXT: byte offsets of what the throw helpers push.</summary>
internal static class PalContext
{
    internal const int Rip = 0x00;
    internal const int Rsp = 0x08;
    internal const int Rbp = 0x10;
    internal const int Rbx = 0x20;
    internal const int R12 = 0x30;
    internal const int R13 = 0x38;
    internal const int R14 = 0x40;
    internal const int R15 = 0x48;
}

/// <summary>One dispatch in progress; lives in the frame of the throw helper. Layout fixed by CoreLib.</summary>
[StructLayout(LayoutKind.Explicit)]
internal unsafe struct ExInfo
{
    internal const int StackSize = 0x1A0;
    private const byte SupersededFlag = 8;

    [FieldOffset(0)] internal ExInfo* Previous;
    [FieldOffset(8)] internal byte* Context;
    [FieldOffset(0x18)] internal byte Kind;
    [FieldOffset(0x19)] internal byte Pass;
    [FieldOffset(0x1C)] internal uint Clause;
    [FieldOffset(0x20)] internal StackWalk Walk;

    internal void MarkSuperseded() => Kind |= SupersededFlag;
}

/// <summary>CoreLib's REGDISPLAY: only the places it or the assembly reads are named.</summary>
[StructLayout(LayoutKind.Explicit, Size = 0x88)]
internal unsafe struct RegDisplay
{
    [FieldOffset(0x18)] internal nuint* Rbx;
    [FieldOffset(0x20)] internal nuint* Rbp;
    [FieldOffset(0x58)] internal nuint* R12;
    [FieldOffset(0x60)] internal nuint* R13;
    [FieldOffset(0x68)] internal nuint* R14;
    [FieldOffset(0x70)] internal nuint* R15;
    [FieldOffset(0x78)] internal nuint Rsp;
    [FieldOffset(0x80)] internal nuint Rip;
}

/// <summary>CoreLib's StackFrameIterator; the fields from 0xA8 to 0x158 are ours alone.</summary>
[StructLayout(LayoutKind.Explicit, Size = 0x168)]
internal unsafe struct StackWalk
{
    [FieldOffset(0x00)] internal ExInfo* NextExInfo;
    [FieldOffset(0x10)] internal nuint FramePointer;
    [FieldOffset(0x18)] internal nuint ControlPc;         // adjusted into the call instruction
    [FieldOffset(0x20)] internal RegDisplay Registers;
    [FieldOffset(0xA8)] internal FrameDescription Method;  // 9 words
    [FieldOffset(0xF0)] internal bool IsTrace;             // Environment.StackTrace, not an exception
    [FieldOffset(0xF8)] internal UnwindContext Scratch;    // what the register pointers of a trace start at
    [FieldOffset(0x158)] internal nuint OriginalControlPc;
    [FieldOffset(0x160)] internal nuint PreviousTransitionFrame;
}

/// <summary>Flags of the first LSDA byte and what follows it (UnixNativeCodeManager's format).</summary>
internal static unsafe class Lsda
{
    internal const int KindMask = 3;
    internal const int HasEhInfo = 4;
    internal const int HasAssociatedData = 0x10;

    internal static bool IsFunclet(byte* lsda) => (*lsda & KindMask) != 0;

    /// <summary>The main body's LSDA: funclets refer to it.</summary>
    internal static byte* MainBody(byte* lsda) => IsFunclet(lsda) ? lsda + 1 + *(int*)(lsda + 1) : lsda;

    /// <summary>Start of the method; a funclet's distance from it follows its reference to the main LSDA.</summary>
    internal static nuint MethodStart(byte* lsda, nuint start) =>
        IsFunclet(lsda) ? start - (nuint)(nint)(*(int*)(lsda + 5)) : start;

    /// <summary>Clauses of the method, or null.</summary>
    internal static byte* EhInfo(byte* lsda)
    {
        byte* p = MainBody(lsda);
        byte flags = *p++;
        if ((flags & HasAssociatedData) != 0)
        {
            p += 4;
        }
        return (flags & HasEhInfo) != 0 ? p + *(int*)p : null;
    }
}

internal static unsafe class StackWalks
{
    private const uint NoClause = uint.MaxValue;

    private static nuint s_catchReturn;
    private static nuint s_finallyReturn;
    private static nuint s_filterReturn;
    private static nuint s_managedStart;
    private static nuint s_managedEnd;

    internal static void Init(byte* managedStart, byte* managedEnd, nuint catchReturn, nuint finallyReturn, nuint filterReturn)
    {
        s_managedStart = (nuint)managedStart;
        s_managedEnd = (nuint)managedEnd;
        s_catchReturn = catchReturn;
        s_finallyReturn = finallyReturn;
        s_filterReturn = filterReturn;
    }

    internal static bool IsManaged(nuint pc) => pc >= s_managedStart && pc < s_managedEnd;

    [RuntimeExport("RhpSfiInit")]
    internal static bool Init(StackWalk* walk, byte* context, bool instructionFault, bool* isIntercepted)
    {
        if (isIntercepted != null)
        {
            *isIntercepted = false;
        }
        RegDisplay* r = &walk->Registers;
        walk->IsTrace = context == null;
        if (context == null)
        {
            return InitForTrace(walk);
        }
        r->Rip = *(nuint*)(context + PalContext.Rip);
        r->Rsp = *(nuint*)(context + PalContext.Rsp);
        r->Rbp = (nuint*)(context + PalContext.Rbp);
        r->Rbx = (nuint*)(context + PalContext.Rbx);
        r->R12 = (nuint*)(context + PalContext.R12);
        r->R13 = (nuint*)(context + PalContext.R13);
        r->R14 = (nuint*)(context + PalContext.R14);
        r->R15 = (nuint*)(context + PalContext.R15);
        G* gp = (G*)Machine.GetG();
        ExInfo* next = (ExInfo*)gp->ExInfoHead;
        while (next != null && (nuint)next < r->Rsp)
        {
            next = next->Previous;
        }
        walk->NextExInfo = next;
        return Yield(walk, instructionFault);
    }

    private static bool InitForTrace(StackWalk* walk)
    {
        // The frame of this method is live until the walk is over only for the registers it saved: the first
        // Next replaces the pointers, and a trace reads frame addresses, not values.
        walk->NextExInfo = (ExInfo*)((G*)Machine.GetG())->ExInfoHead;
        UnwindContext c;
        Unwinder.CaptureContext(&c);
        // Up to the caller of RhpSfiInit, by value; then hand out pointers into the walk's own copy.
        if (!Unwinder.Step(&c) || !Unwinder.Step(&c))
        {
            return false;
        }
        UnwindContext* keep = &walk->Scratch;
        *keep = c;
        RegDisplay* r = &walk->Registers;
        r->Rip = c.Rip;
        r->Rsp = c.Rsp;
        r->Rbp = &keep->Rbp;
        r->Rbx = &keep->Rbx;
        r->R12 = &keep->R12;
        r->R13 = &keep->R13;
        r->R14 = &keep->R14;
        r->R15 = &keep->R15;
        return Yield(walk, false);
    }

    // Describes the frame at Registers; false where managed frames end.
    private static bool Yield(StackWalk* walk, bool instructionFault)
    {
        nuint rip = walk->Registers.Rip;
        nuint pc = instructionFault ? rip : rip - 1;
        walk->OriginalControlPc = rip;
        walk->ControlPc = pc;
        if (!IsManaged(pc) || !Unwinder.TryFind(pc, &walk->Method) || walk->Method.Lsda == null)
        {
            walk->ControlPc = 0;
            return false;
        }
        byte flags = *walk->Method.Lsda;
        walk->FramePointer = (flags & (Lsda.HasEhInfo | Lsda.KindMask)) != 0 ? *walk->Registers.Rbp : 0;
        return true;
    }

    [RuntimeExport("RhpSfiNext")]
    internal static bool Next(StackWalk* walk, uint* collidedClause, bool* unwoundReversePInvoke, bool* isIntercepted)
    {
        if (collidedClause != null)
        {
            *collidedClause = NoClause;
        }
        if (unwoundReversePInvoke != null)
        {
            *unwoundReversePInvoke = false;
        }
        if (isIntercepted != null)
        {
            *isIntercepted = false;
        }
        if (!Unwind(walk))
        {
            return false;
        }
        nuint rip = walk->Registers.Rip;
        if (rip == s_catchReturn || rip == s_finallyReturn)
        {
            return Collide(walk, collidedClause);
        }
        while (!IsManaged(rip))
        {
            if (!UnwindStub(walk))
            {
                walk->ControlPc = 0;
                return false;
            }
            rip = walk->Registers.Rip;
        }
        return Yield(walk, false);
    }

    // SW2. *walk becomes the dispatching exception's walk, but for the registers, which the funclet still holds.
    private static bool Collide(StackWalk* walk, uint* collidedClause)
    {
        ExInfo* ex = walk->NextExInfo;
        while (ex != null && (nuint)ex < walk->Registers.Rsp)
        {
            ex = ex->Previous;
        }
        if (ex == null)
        {
            walk->ControlPc = 0;
            return false;
        }
        RegDisplay funclet = walk->Registers;
        nuint framePointer = walk->FramePointer;
        bool isTrace = walk->IsTrace;
        UnwindContext scratch = walk->Scratch;
        *walk = ex->Walk;
        walk->Scratch = scratch;
        walk->Registers.Rbp = funclet.Rbp;
        walk->Registers.Rbx = funclet.Rbx;
        walk->Registers.R12 = funclet.R12;
        walk->Registers.R13 = funclet.R13;
        walk->Registers.R14 = funclet.R14;
        walk->Registers.R15 = funclet.R15;
        walk->IsTrace = isTrace;
        if (collidedClause != null)
        {
            *collidedClause = ex->Clause;
            ex->MarkSuperseded();
        }
        if (isTrace && walk->FramePointer == framePointer)
        {
            return Next(walk, null, null, null);    // the funclet has already stood for its method
        }
        return true;
    }

    private static bool Unwind(StackWalk* walk) => UnwindWith(walk, &walk->Method, walk->ControlPc);

    // Through an assembly stub between managed frames, by its .cfi directives.
    private static bool UnwindStub(StackWalk* walk)
    {
        FrameDescription d;
        nuint pc = walk->Registers.Rip - 1;
        return Unwinder.TryFind(pc, &d) && UnwindWith(walk, &d, pc);
    }

    private static bool UnwindWith(StackWalk* walk, FrameDescription* d, nuint pc)
    {
        RegDisplay* r = &walk->Registers;
        UnwindPointers p;
        p.Rip = r->Rip;
        p.Rsp = r->Rsp;
        p.Rbp = r->Rbp;
        p.Rbx = r->Rbx;
        p.R12 = r->R12;
        p.R13 = r->R13;
        p.R14 = r->R14;
        p.R15 = r->R15;
        if (!Unwinder.Step(d, pc, &p))
        {
            walk->ControlPc = 0;
            return false;
        }
        r->Rip = p.Rip;
        r->Rsp = p.Rsp;
        r->Rbp = p.Rbp;
        r->Rbx = p.Rbx;
        r->R12 = p.R12;
        r->R13 = p.R13;
        r->R14 = p.R14;
        r->R15 = p.R15;
        return true;
    }

    private struct EhEnum
    {
        internal byte* MethodStart;
        internal byte* Next;
        internal uint Index;
        internal uint Count;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct MethodRegion
    {
        internal byte* HotStart;
        internal nuint HotSize;
        internal byte* ColdStart;
        internal nuint ColdSize;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct EhClause
    {
        internal int Kind;
        internal uint TryStart;
        internal uint TryEnd;
        internal byte* Filter;
        internal byte* Handler;
        internal void* TargetType;
    }

    private const int ClauseTyped = 0;
    private const int ClauseFault = 1;
    private const int ClauseFilter = 2;

    [RuntimeExport("RhpEHEnumInitFromStackFrameIterator")]
    internal static bool EhEnumInit(StackWalk* walk, MethodRegion* region, void* state)
    {
        EhEnum* e = (EhEnum*)state;
        byte* lsda = walk->Method.Lsda;
        byte* start = (byte*)Lsda.MethodStart(lsda, walk->Method.Start);
        region->HotStart = start;
        region->HotSize = 0;
        region->ColdStart = null;
        region->ColdSize = 0;
        byte* info = Lsda.EhInfo(lsda);
        if (info == null)
        {
            return false;
        }
        e->MethodStart = start;
        e->Next = info;
        e->Index = 0;
        e->Count = ReadVarUInt(&e->Next);
        return true;
    }

    [RuntimeExport("RhpEHEnumNext")]
    internal static bool EhEnumNext(void* state, EhClause* clause)
    {
        EhEnum* e = (EhEnum*)state;
        if (e->Index >= e->Count)
        {
            return false;
        }
        e->Index++;
        clause->TryStart = ReadVarUInt(&e->Next);
        uint lengthAndKind = ReadVarUInt(&e->Next);
        clause->Kind = (int)(lengthAndKind & 3);
        clause->TryEnd = clause->TryStart + (lengthAndKind >> 2);
        switch (clause->Kind)
        {
            case ClauseTyped:
                clause->Handler = e->MethodStart + ReadVarUInt(&e->Next);
                clause->TargetType = e->Next + *(int*)e->Next;
                e->Next += 4;
                break;
            case ClauseFault:
                clause->Handler = e->MethodStart + ReadVarUInt(&e->Next);
                break;
            case ClauseFilter:
                clause->Handler = e->MethodStart + ReadVarUInt(&e->Next);
                clause->Filter = e->MethodStart + ReadVarUInt(&e->Next);
                break;
            default:
                return false;
        }
        return true;
    }

    // NativeAOT's own variable-length integer: the number of low one-bits says how many bytes follow.
    internal static uint ReadVarUInt(byte** p)
    {
        byte* b = *p;
        uint first = *b;
        if ((first & 1) == 0)
        {
            *p = b + 1;
            return first >> 1;
        }
        if ((first & 2) == 0)
        {
            *p = b + 2;
            return (first >> 2) | ((uint)b[1] << 6);
        }
        if ((first & 4) == 0)
        {
            *p = b + 3;
            return (first >> 3) | ((uint)b[1] << 5) | ((uint)b[2] << 13);
        }
        if ((first & 8) == 0)
        {
            *p = b + 4;
            return (first >> 4) | ((uint)b[1] << 4) | ((uint)b[2] << 12) | ((uint)b[3] << 20);
        }
        *p = b + 5;
        return *(uint*)(b + 1);
    }
}
