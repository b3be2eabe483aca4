// Walking over millions of frames: what an exact step did at a return address is remembered and repeated.
//
// FW1  A rule holds for a return address: the frame's end is rsp or rbp plus a constant, the next return address lies
//      right below it, and rbp is kept or saved at a constant distance from it. The compiler's frames are all of this kind.
// FW2  Only rip, rsp and rbp are followed; the other registers of the result are not those of its frame.
// Context: anywhere. Allocates nothing.
using Unikernel.Runtime.Abi;

namespace Unikernel.Runtime.Sched;

internal unsafe struct FastWalk
{
    private const int Entries = 64;
    private const int Words = 4;            // return address, distance of the frame's end, its base, where rbp is
    private const ulong FromRsp = 0;
    private const ulong FromRbp = 1;
    private const ulong Kept = 0;
    private const nuint Shift = 16;

    private fixed ulong _rules[Entries * Words];

    /// <summary>To the caller of the frame; false at the bottom of the stack.</summary>
    internal bool Step(UnwindContext* c)
    {
        fixed (ulong* rules = _rules)
        {
            ulong* rule = rules + ((c->Rip >> 1) % Entries * Words);
            if (rule[0] != c->Rip)
            {
                return Learn(c, rule);
            }
            nuint end = (rule[2] == FromRbp ? c->Rbp : c->Rsp) + (nuint)rule[1];
            nuint rip = *(nuint*)(end - 8);
            if (end <= c->Rsp || !Unwinder.IsCode(rip))
            {
                return false;
            }
            if (rule[3] != Kept)
            {
                c->Rbp = *(nuint*)(end + (nuint)rule[3]);
            }
            c->Rip = rip;
            c->Rsp = end;
            return true;
        }
    }

    private static bool Learn(UnwindContext* c, ulong* rule)
    {
        UnwindContext before = *c;
        if (!Unwinder.Step(c))
        {
            return false;
        }
        FrameDescription d;
        if (!Unwinder.TryFind(before.Rip - 1, &d))
        {
            return true;
        }
        nuint shifted = before.Rbp + Shift;
        UnwindPointers exact = Pointers(&before, &before.Rbp);
        UnwindPointers other = Pointers(&before, &shifted);
        if (!Unwinder.Step(&d, before.Rip - 1, &exact) || exact.Rsp != c->Rsp || *(nuint*)(c->Rsp - 8) != c->Rip)
        {
            return true;
        }
        bool isInStack = before.Rbp >= before.Rsp && before.Rbp < c->Rsp;
        bool fromRbp = isInStack && Unwinder.Step(&d, before.Rip - 1, &other) && other.Rsp == exact.Rsp + Shift;
        rule[0] = before.Rip;
        rule[1] = c->Rsp - (fromRbp ? before.Rbp : before.Rsp);
        rule[2] = fromRbp ? FromRbp : FromRsp;
        rule[3] = exact.Rbp == &before.Rbp ? Kept : (ulong)((nuint)exact.Rbp - c->Rsp);
        return true;
    }

    private static UnwindPointers Pointers(UnwindContext* c, nuint* rbp)
    {
        UnwindPointers p;
        p.Rip = c->Rip;
        p.Rsp = c->Rsp;
        p.Rbp = rbp;
        p.Rbx = &c->Rbx;
        p.R12 = &c->R12;
        p.R13 = &c->R13;
        p.R14 = &c->R14;
        p.R15 = &c->R15;
        return p;
    }
}
