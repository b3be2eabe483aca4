// Runs every [Fact] and [Theory] of this assembly in one go; each result is a frame on the second serial port.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using Unikernel.Kernel;
using Unikernel.TestProtocol;
using Xunit;
using Xunit.Sdk;

namespace Unikernel.Tests.Guest;

internal static unsafe class Program
{
    private static ushort s_sequence;

    /// <summary>What there was when Main began.</summary>
    internal static int GoroutinesAtStart { get; private set; }

    private static int Main(string[] args)
    {
        GoroutinesAtStart = Go.NumGoroutine;
        if (args is [LockOrder.Argument])
        {
            return LockOrder.Break();
        }
        string filter = args.Length > 0 ? args[0] : "";
        List<TestCase> cases = [.. TestCase.Find(typeof(Program).Assembly).Where(c => c.Name.Contains(filter, StringComparison.Ordinal))];
        Send(FrameType.Hello, cases.Count.ToString(System.Globalization.CultureInfo.InvariantCulture));
        GC.KeepAlive(Instantiations());
        int failed = 0;
        foreach (TestCase c in cases)
        {
            Send(FrameType.Start, c.Name);
            Exception? failure = c.Run();
            if (failure is null)
            {
                Send(FrameType.Pass, c.Name);
            }
            else
            {
                failed++;
                Send(FrameType.Fail, $"{c.Name}\0{failure}");
                Console.WriteLine($"FAIL {c.Name}\n{failure}");
            }
        }
        Send(FrameType.Bye, "");
        Console.WriteLine($"{cases.Count - failed} passed, {failed} failed");
        return failed == 0 ? 0 : 1;
    }

    // xunit's Assert.Equal makes these at run time for collections of values; here they must be in the image.
    private static object[] Instantiations() =>
    [
        CollectionTrackerExtensions.AsTracker<int>([]),
        CollectionTrackerExtensions.AsTracker<long>([]),
        CollectionTrackerExtensions.AsTracker<char>([]),
        CollectionTrackerExtensions.AsTracker<byte>([]),
        CollectionTrackerExtensions.AsTracker<bool>([]),
        CollectionTrackerExtensions.AsTracker<double>([]),
    ];

    private static void Send(FrameType type, string text)
    {
        byte[] frame = FrameEncoder.Encode(type, s_sequence++, text);
        fixed (byte* p = frame)
        {
            Machine.Port2Write(p, (nuint)frame.Length);
        }
    }
}
