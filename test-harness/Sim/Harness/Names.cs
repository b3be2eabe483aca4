// What addresses are called in a trace: static fields, and fields of Ps, Gs and cores by their offset.
using System;
using System.Globalization;
using Unikernel.Kernel;
using Unikernel.Runtime.Sched;

namespace Unikernel.Tests.Sim.Harness;

internal static unsafe class Names
{
    internal static string Of(nint address)
    {
        for (int i = 0; i < Machine.CoresStarted; i++)
        {
            nint p = (nint)Proc.PAt(i);
            if (IsIn(address, p, sizeof(P)))
            {
                return FieldOf(typeof(P), "P" + i, (int)(address - p));
            }
            nint core = (nint)CoreState.Of(Machine.CoreAt(i));
            if (IsIn(address, core, sizeof(CoreState)))
            {
                return FieldOf(typeof(CoreState), "core " + i, (int)(address - core));
            }
        }
        for (G* gp = Proc.AllFirst; gp != null; gp = gp->AllLink)
        {
            if (IsIn(address, (nint)gp, sizeof(G)))
            {
                return FieldOf(typeof(G), "G" + gp->Id, (int)(address - (nint)gp));
            }
        }
        return Statics.NameOf(address) ?? address.ToString("x", CultureInfo.InvariantCulture);
    }

    private static bool IsIn(nint address, nint start, int bytes) => start != 0 && address >= start && address < start + bytes;

    private static string FieldOf(Type type, string owner, int offset)
    {
        string name = owner;
        int at = -1;
        foreach (var field in type.GetFields((System.Reflection.BindingFlags)(4 | 16 | 32)))
        {
            int start = (int)System.Runtime.InteropServices.Marshal.OffsetOf(type, field.Name);
            if (start <= offset && start > at)
            {
                at = start;
                name = owner + "." + field.Name;
            }
        }
        return offset == at ? name : name + "+" + (offset - at);
    }
}
