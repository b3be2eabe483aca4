// The marks of restricted code: what runs inside the allocator, the collector, the scheduler, or a trap, where an
// allocation or an exception would come back to where it started.
//
// NA1  From restricted code no path of calls leads to an allocation or a throw. test-harness/Restricted checks it on the
//      linked images; the compiler knows nothing of it.
// NA2  The innermost mark counts: of the method, the type, the types around it, the namespace.
// NA3  Every MayAlloc says why it is right: grep MayAlloc is the list to audit. The check does not look inside.
using System;
using Unikernel.Kernel;

[assembly: NoAlloc("Unikernel.Kernel")]

namespace Unikernel.Kernel;

/// <summary>The method, or every method of the type, is restricted: it never allocates and never throws.</summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Struct | AttributeTargets.Interface | AttributeTargets.Method | AttributeTargets.Constructor | AttributeTargets.Assembly,
    AllowMultiple = true, Inherited = false)]
public sealed class NoAllocAttribute : Attribute
{
    public NoAllocAttribute()
    {
    }

    /// <param name="scope">On an assembly: a namespace with those below it, or a type, whose methods are restricted.</param>
    public NoAllocAttribute(string scope) => Scope = scope;

    public string? Scope { get; }
}

/// <summary>The method, or every method of the type, may allocate and throw although restricted code around it, or a caller of it, may not.</summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Struct | AttributeTargets.Method | AttributeTargets.Constructor | AttributeTargets.Assembly,
    AllowMultiple = true, Inherited = false)]
public sealed class MayAllocAttribute : Attribute
{
    public MayAllocAttribute(string reason) => Reason = reason;

    /// <param name="reason">Why that is right.</param>
    /// <param name="symbol">On an assembly: the link symbol of an assembly routine.</param>
    public MayAllocAttribute(string reason, string symbol)
    {
        Reason = reason;
        Symbol = symbol;
    }

    public string Reason { get; }

    public string? Symbol { get; }
}
