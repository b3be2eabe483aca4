// Stack unwinding by the image's own .eh_frame tables.
//
// UW1  Never allocates, never throws, takes no lock: it runs for exceptions, in fatal paths and on interrupt stacks.
// UW2  Total: a table entry it does not understand ends the walk; it never reads outside .eh_frame.
// UW3  A code address is looked up as given; callers pass `return address - 1` when the frame made a call.
// Context: any. Reference: DWARF 4 section 6.4; LSB 5.0 chapter 10.6 (.eh_frame, .eh_frame_hdr).
using System.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Unikernel.Runtime.Abi;

/// <summary>The registers a frame needs to be left: instruction, stack and the six callee-saved ones.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct UnwindContext
{
    public nuint Rip;
    public nuint Rsp;
    public nuint Rbp;
    public nuint Rbx;
    public nuint R12;
    public nuint R13;
    public nuint R14;
    public nuint R15;
}

/// <summary>Where the caller's registers are: the form exception dispatch needs, which writes through them.</summary>
internal unsafe struct UnwindPointers
{
    public nuint Rip;
    public nuint Rsp;
    public nuint* Rbp;
    public nuint* Rbx;
    public nuint* R12;
    public nuint* R13;
    public nuint* R14;
    public nuint* R15;
}

/// <summary>One method (or funclet) as .eh_frame describes it.</summary>
internal unsafe struct FrameDescription
{
    public nuint Start;
    public nuint Size;
    public byte* Lsda;
    internal byte* Instructions;
    internal byte* InstructionsEnd;
    internal byte* CieInstructions;
    internal byte* CieInstructionsEnd;
    internal nint DataAlign;
    internal nuint CodeAlign;
    internal bool IsSignal;         // the caller is code that was interrupted
}

internal static unsafe class Unwinder
{
    private const byte EncodingPcRel4 = 0x1B;
    private const byte EncodingDataRel4 = 0x3B;
    private const int RegRbx = 3;
    private const int RegRbp = 6;
    private const int RegRsp = 7;
    private const int RegR12 = 12;
    private const int RegRip = 16;
    private const int RegCount = 17;

    private static byte* s_hdr;
    private static int s_count;
    private static int* s_table;       // pairs (function, FDE), relative to s_hdr, sorted
    private static byte* s_textStart;
    private static byte* s_textEnd;
    private static nuint s_throwHwReturn;

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("AbiCaptureContext")]
    internal static extern void CaptureContext(UnwindContext* context);

    /// <summary>Finds the tables; immutable afterwards. Without them every walk ends at once.</summary>
    internal static void Init(byte* ehFrameHdr, byte* textStart, byte* textEnd, nuint throwHwReturn)
    {
        s_textStart = textStart;
        s_textEnd = textEnd;
        s_throwHwReturn = throwHwReturn;
        // version 1, pointer to .eh_frame pc-relative, count 4 bytes, table relative to this header
        if (ehFrameHdr[0] != 1 || ehFrameHdr[1] != EncodingPcRel4 || ehFrameHdr[2] != 0x03 || ehFrameHdr[3] != EncodingDataRel4)
        {
            return;
        }
        s_hdr = ehFrameHdr;
        s_count = *(int*)(ehFrameHdr + 8);
        s_table = (int*)(ehFrameHdr + 12);
    }

    internal static bool IsCode(nuint address) => address >= (nuint)s_textStart && address < (nuint)s_textEnd;

    /// <summary>Finds the method or stub that contains <paramref name="address"/>.</summary>
    internal static bool TryFind(nuint address, FrameDescription* d)
    {
        if (s_hdr == null || !IsCode(address))
        {
            return false;
        }
        long offset = (long)(address - (nuint)s_hdr);
        int lo = 0;
        int hi = s_count - 1;
        if (hi < 0 || offset < s_table[0])
        {
            return false;
        }
        while (lo < hi)
        {
            int mid = (lo + hi + 1) >> 1;
            if (s_table[mid * 2] <= offset)
            {
                lo = mid;
            }
            else
            {
                hi = mid - 1;
            }
        }
        return ParseFde(s_hdr + s_table[(lo * 2) + 1], d) && address - d->Start < d->Size;
    }

    private static bool ParseFde(byte* fde, FrameDescription* d)
    {
        uint length = *(uint*)fde;
        if (length is 0 or uint.MaxValue)
        {
            return false;
        }
        byte* end = fde + 4 + length;
        byte* p = fde + 4;
        byte* cie = p - *(int*)p;
        p += 4;

        byte* cieEnd = cie + 4 + *(uint*)cie;
        byte* c = cie + 9;              // length, id, version
        byte* augmentation = c;
        while (*c++ != 0)
        {
        }
        d->CodeAlign = ReadUleb(&c);
        d->DataAlign = ReadSleb(&c);
        _ = ReadUleb(&c);               // return address register: always 16
        bool hasLsda = false;
        d->IsSignal = false;
        if (*augmentation == (byte)'z')
        {
            nuint size = ReadUleb(&c);
            byte* data = c;
            for (byte* a = augmentation + 1; *a != 0; a++)
            {
                switch (*a)
                {
                    case (byte)'L':
                        hasLsda = *data++ == EncodingPcRel4;
                        break;
                    case (byte)'R':
                        if (*data++ != EncodingPcRel4)
                        {
                            return false;
                        }
                        break;
                    case (byte)'S':
                        d->IsSignal = true;
                        break;
                    default:
                        return false;   // a personality: not ours
                }
            }
            c += size;
        }
        d->CieInstructions = c;
        d->CieInstructionsEnd = cieEnd;

        d->Start = (nuint)(p + *(int*)p);
        p += 4;
        d->Size = *(uint*)p;
        p += 4;
        d->Lsda = null;
        if (*augmentation == (byte)'z')
        {
            nuint size = ReadUleb(&p);
            if (hasLsda && size >= 4)
            {
                int relative = *(int*)p;
                d->Lsda = relative == 0 ? null : p + relative;
            }
            p += size;
        }
        d->Instructions = p;
        d->InstructionsEnd = end;
        return true;
    }

    private struct Rules
    {
        internal fixed long Offset[RegCount];   // from the CFA; long.MinValue: unchanged; MaxValue: undefined
        internal int CfaRegister;
        internal long CfaOffset;
    }

    private static bool Run(byte* p, byte* end, FrameDescription* d, nuint target, Rules* r, Rules* initial)
    {
        nuint location = d->Start;
        Rules saved = default;
        bool hasSaved = false;
        while (p < end)
        {
            byte op = *p++;
            switch (op >> 6)
            {
                case 1:
                    location += (nuint)(op & 0x3F) * d->CodeAlign;
                    if (location > target)
                    {
                        return true;
                    }
                    continue;
                case 2:
                    SetRule(r, op & 0x3F, (long)ReadUleb(&p) * d->DataAlign);
                    continue;
                case 3:
                    SetRule(r, op & 0x3F, initial == null ? long.MinValue : GetRule(initial, op & 0x3F));
                    continue;
                default:
                    break;
            }
            switch (op)
            {
                case 0x00:                                  // nop
                    break;
                case 0x02:
                    location += *p * d->CodeAlign;
                    p += 1;
                    if (location > target)
                    {
                        return true;
                    }
                    break;
                case 0x03:
                    location += *(ushort*)p * d->CodeAlign;
                    p += 2;
                    if (location > target)
                    {
                        return true;
                    }
                    break;
                case 0x04:
                    location += *(uint*)p * d->CodeAlign;
                    p += 4;
                    if (location > target)
                    {
                        return true;
                    }
                    break;
                case 0x05:                                  // offset_extended
                    {
                        int reg = (int)ReadUleb(&p);
                        SetRule(r, reg, (long)ReadUleb(&p) * d->DataAlign);
                        break;
                    }
                case 0x06:                                  // restore_extended
                    {
                        int reg = (int)ReadUleb(&p);
                        SetRule(r, reg, initial == null ? long.MinValue : GetRule(initial, reg));
                        break;
                    }
                case 0x07:                                  // undefined
                    SetRule(r, (int)ReadUleb(&p), long.MaxValue);
                    break;
                case 0x08:                                  // same_value
                    SetRule(r, (int)ReadUleb(&p), long.MinValue);
                    break;
                case 0x0A:
                    saved = *r;
                    hasSaved = true;
                    break;
                case 0x0B:
                    if (!hasSaved)
                    {
                        return false;
                    }
                    *r = saved;
                    break;
                case 0x0C:                                  // def_cfa
                    r->CfaRegister = (int)ReadUleb(&p);
                    r->CfaOffset = (long)ReadUleb(&p);
                    break;
                case 0x0D:
                    r->CfaRegister = (int)ReadUleb(&p);
                    break;
                case 0x0E:
                    r->CfaOffset = (long)ReadUleb(&p);
                    break;
                case 0x11:                                  // offset_extended_sf
                    {
                        int reg = (int)ReadUleb(&p);
                        SetRule(r, reg, ReadSleb(&p) * d->DataAlign);
                        break;
                    }
                case 0x2E:                                  // GNU_args_size
                    _ = ReadUleb(&p);
                    break;
                default:
                    return false;
            }
        }
        return true;
    }

    private static void SetRule(Rules* r, int reg, long offset)
    {
        if ((uint)reg < RegCount)
        {
            r->Offset[reg] = offset;
        }
    }

    private static long GetRule(Rules* r, int reg) => (uint)reg < RegCount ? r->Offset[reg] : long.MinValue;

    private static nuint ReadUleb(byte** p)
    {
        nuint value = 0;
        int shift = 0;
        byte b;
        do
        {
            b = *(*p)++;
            if (shift < 64)
            {
                value |= (nuint)(b & 0x7F) << shift;
            }
            shift += 7;
        }
        while ((b & 0x80) != 0);
        return value;
    }

    private static nint ReadSleb(byte** p)
    {
        nint value = 0;
        int shift = 0;
        byte b;
        do
        {
            b = *(*p)++;
            if (shift < 64)
            {
                value |= (nint)(b & 0x7F) << shift;
            }
            shift += 7;
        }
        while ((b & 0x80) != 0);
        if (shift < 64 && (b & 0x40) != 0)
        {
            value |= (nint)(-1) << shift;
        }
        return value;
    }

    /// <summary>Goes to the caller of the frame that <paramref name="d"/> describes; <paramref name="pc"/> is the address inside it.</summary>
    internal static bool Step(FrameDescription* d, nuint pc, UnwindPointers* r)
    {
        Rules rules;
        Unsafe.SkipInit(out rules);
        for (int i = 0; i < RegCount; i++)
        {
            rules.Offset[i] = long.MinValue;
        }
        rules.CfaRegister = RegRsp;
        rules.CfaOffset = 8;
        if (!Run(d->CieInstructions, d->CieInstructionsEnd, d, nuint.MaxValue, &rules, null))
        {
            return false;
        }
        Rules initial = rules;
        if (!Run(d->Instructions, d->InstructionsEnd, d, pc, &rules, &initial))
        {
            return false;
        }
        nuint cfa;
        switch (rules.CfaRegister)
        {
            case RegRsp:
                cfa = r->Rsp;
                break;
            case RegRbp:
                cfa = *r->Rbp;
                break;
            case RegRbx:
                cfa = *r->Rbx;
                break;
            default:
                return false;
        }
        cfa += (nuint)rules.CfaOffset;
        long rip = rules.Offset[RegRip];
        if (rip is long.MaxValue or long.MinValue)
        {
            return false;
        }
        r->Rip = *(nuint*)(cfa + (nuint)rip);
        Apply(rules.Offset[RegRbp], cfa, &r->Rbp);
        Apply(rules.Offset[RegRbx], cfa, &r->Rbx);
        Apply(rules.Offset[RegR12], cfa, &r->R12);
        Apply(rules.Offset[RegR12 + 1], cfa, &r->R13);
        Apply(rules.Offset[RegR12 + 2], cfa, &r->R14);
        Apply(rules.Offset[RegR12 + 3], cfa, &r->R15);
        long rsp = rules.Offset[RegRsp];            // a trap's frame: the interrupted code may have had another stack
        r->Rsp = rsp is long.MaxValue or long.MinValue ? cfa : *(nuint*)(cfa + (nuint)rsp);
        return true;
    }

    private static void Apply(long rule, nuint cfa, nuint** where)
    {
        if (rule is not (long.MinValue or long.MaxValue))
        {
            *where = (nuint*)(cfa + (nuint)rule);
        }
    }

    /// <summary>
    /// Goes to the caller of <paramref name="c"/>'s frame, for traces: <paramref name="isFault"/> when Rip is the
    /// instruction itself, not a return address. False at the bottom of the stack or where the tables end.
    /// </summary>
    internal static bool Step(UnwindContext* c, bool isFault = false)
    {
        if (c->Rip == s_throwHwReturn)
        {
            FromPalContext(c, (byte*)c->Rsp + ExInfo.StackSize);
            return IsCode(c->Rip);
        }
        FrameDescription d;
        nuint pc = isFault ? c->Rip : c->Rip - 1;
        if (!TryFind(pc, &d))
        {
            return false;
        }
        UnwindPointers p;
        p.Rip = c->Rip;
        p.Rsp = c->Rsp;
        p.Rbp = &c->Rbp;
        p.Rbx = &c->Rbx;
        p.R12 = &c->R12;
        p.R13 = &c->R13;
        p.R14 = &c->R14;
        p.R15 = &c->R15;
        if (!Step(&d, pc, &p))
        {
            return false;
        }
        UnwindContext next;
        next.Rip = p.Rip;
        next.Rsp = p.Rsp;
        next.Rbp = *p.Rbp;
        next.Rbx = *p.Rbx;
        next.R12 = *p.R12;
        next.R13 = *p.R13;
        next.R14 = *p.R14;
        next.R15 = *p.R15;
        bool forward = next.Rsp > c->Rsp || d.IsSignal;     // a frame that does not consume stack would loop for ever; a trap's may go to another
        *c = next;
        return forward && IsCode(c->Rip);
    }

    internal static void FromPalContext(UnwindContext* c, byte* pal)
    {
        c->Rip = *(nuint*)(pal + PalContext.Rip) + 1;   // the faulting instruction: made to look like a return address
        c->Rsp = *(nuint*)(pal + PalContext.Rsp);
        c->Rbp = *(nuint*)(pal + PalContext.Rbp);
        c->Rbx = *(nuint*)(pal + PalContext.Rbx);
        c->R12 = *(nuint*)(pal + PalContext.R12);
        c->R13 = *(nuint*)(pal + PalContext.R13);
        c->R14 = *(nuint*)(pal + PalContext.R14);
        c->R15 = *(nuint*)(pal + PalContext.R15);
    }
}
