// The routines of Switch.S as C# methods.
using System.Runtime;
using System.Runtime.CompilerServices;

namespace Unikernel.Runtime.Sched;

internal static class Switch
{
    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("SchedStartAddress")]
    internal static extern nuint StartAddress();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("SchedAsyncPreemptAddress")]
    internal static extern nuint AsyncPreemptAddress();

    /// <summary>Return address of the calling method, which must not be inlined; a guess when it has no rbp frame.</summary>
    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("SchedCallerPc")]
    internal static extern nuint CallerPc();
}
