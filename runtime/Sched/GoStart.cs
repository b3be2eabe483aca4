// What a goroutine of the program runs first, and how Go.Run makes one.
//
// GS1  The delegate's object bits travel in G.Arg, where a collector must look; the goroutine takes them over.
// GS2  Goexit ends here, after every finally block. Any other exception is not caught: the report needs the stack as
//      it is (PN1).
// Context: goroutine. Allocates nothing itself.
using System;
using System.Runtime.CompilerServices;
using Unikernel.Kernel;

namespace Unikernel.Runtime.Sched;

/// <summary>A call with an argument, put off.</summary>
internal abstract class GoCall
{
    internal abstract void Invoke();
}

internal sealed class GoCall<T>(Action<T> action, T argument) : GoCall
{
    internal override void Invoke() => action(argument);
}

[MayAlloc("the program's side of a start: runs its delegate, and throws to it")]
internal static unsafe class GoStart
{
    /// <summary>Makes a goroutine out of an <see cref="Action"/> or a <see cref="GoCall"/>.</summary>
    internal static void Start(delegate*<void*, void> entry, object what, nuint stackSizeBytes, nuint callerPc)
    {
        callerPc = Abi.Unwinder.IsCode(callerPc) ? callerPc : 0;
        G* gp = Proc.NewProc(entry, (void*)Unsafe.As<object, nint>(ref what), stackSizeBytes, false, callerPc);
        if (gp == null)
        {
            throw new InsufficientMemoryException("There is no memory for another goroutine.");
        }
    }

    private static object TakeArgument(void* arg)
    {
        Proc.GetG()->Arg = null;
        nint bits = (nint)arg;
        return Unsafe.As<nint, object>(ref bits);
    }

    internal static void RunAction(void* arg)
    {
        try
        {
            Unsafe.As<Action>(TakeArgument(arg))();
        }
        catch (GoexitException)
        {
            // GS2
        }
    }

    internal static void RunCall(void* arg)
    {
        try
        {
            Unsafe.As<GoCall>(TakeArgument(arg)).Invoke();
        }
        catch (GoexitException)
        {
            // GS2
        }
    }
}
