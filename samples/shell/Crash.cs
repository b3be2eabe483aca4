// The shell's `crash`: one way for each kind of end the kernel reports. Nothing here is caught: the kernel
// prints its report, with every goroutine's trace, and leaves with exit code 2 as Go does.
using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;

namespace Unikernel.Samples;

/// <summary>Ends the kernel on purpose.</summary>
internal static class Crash
{
    /// <summary>The kinds, for <c>help</c>.</summary>
    public const string Usage = "null|div|overflow|throw|panic|goroutine|deadlock|goexit|stack|nil|hang";

    /// <summary>The kinds.</summary>
    public static IReadOnlyList<string> Kinds { get; } = Usage.Split('|');

    /// <summary>Ends the kernel, or explains itself.</summary>
    public static void Run(string[] args)
    {
        switch (args.Length == 1 ? args[0] : "")
        {
            case "null": DereferenceNull(null!); break;
            case "div": Console.WriteLine(Divide(1, 0)); break;
            case "overflow": Console.WriteLine(Divide(int.MinValue, -1)); break;
            case "throw": throw new InvalidOperationException("thrown by the crash command");
            case "panic": throw new GoPanicException("test");
            case "goroutine": ThrowElsewhere(); break;
            case "deadlock": WaitForNobody(); break;
            case "goexit": Go.Goexit(); break;
            case "stack": OverflowStack(); break;
            case "nil": RunNothing(); break;
            case "hang": KeepEveryCoreBusy(); break;
            default: Console.WriteLine($"usage: crash {Usage}"); break;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void DereferenceNull(int[] nothing) => Console.WriteLine(nothing.Length);

    // The processor itself raises both: a divide error. The runtime tells them apart.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Divide(int dividend, int divisor) => dividend / divisor;

    // The nil channel: nobody can ever send. No other goroutine could run, so this is a deadlock.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void WaitForNobody()
    {
        int value = default(Chan<int>).Receive();
        Console.WriteLine(value);
    }

    // An exception nobody catches in any goroutine ends all of them, not that one only.
    private static void ThrowElsewhere()
    {
        Go.Run(static () => throw new InvalidOperationException("thrown by a goroutine"));
        _ = default(Chan<int>).Receive();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void RunNothing()
    {
        Go.Run(null!);
        Console.WriteLine("not reached");
    }

    // No end and no report of its own: Ctrl-\ gives one.
    private static void KeepEveryCoreBusy()
    {
        for (int i = 1; i < Go.GoMaxProcs; i++)
        {
            Go.Run(Compute);
        }

        Console.WriteLine("every core computes for ever: Ctrl-\\ shows where");
        Compute();
    }

    /// <summary>Computes for ever, and never calls anything.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void Compute()
    {
        while (true)
        {
        }
    }

    private static void OverflowStack()
    {
        // On a goroutine of its own, so that the report shows whose stack it is and who made it.
        var depth = new Chan<int>();
        Go.Run(() => depth.Send(Deeper(0)));
        Console.WriteLine(depth.Receive());
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Deeper(int depth) => depth < 0 ? depth : Deeper(depth + 1) + 1;
}
