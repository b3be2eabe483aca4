// hello: a greeting, a few facts about the machine, and a first channel.
using System;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Unikernel.Samples;

/// <summary>The <c>hello</c> sample.</summary>
internal static class Hello
{
    /// <summary>Prints the greeting.</summary>
    /// <param name="args">One optional word: whom to greet.</param>
    /// <returns>The exit code: 0, or 64 for wrong usage.</returns>
    public static int Run(string[] args)
    {
        if (args.Length > 1)
        {
            Console.WriteLine("usage: hello [NAME]");
            return 64;
        }

        string name = args.Length == 1 ? args[0] : "world";

        // A goroutine makes the greeting; the main goroutine sleeps on the channel until it arrives.
        var greetings = new Chan<string>();
        Go.Run(() => greetings.Send($"Hello, {name}, from a goroutine on bare metal."));
        Console.WriteLine(greetings.Receive());

        TimeSpan up = TimeSpan.FromMilliseconds(Environment.TickCount64);
        string now = DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);
        Console.WriteLine($"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.ProcessArchitecture}, cores: {Environment.ProcessorCount}");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{now} UTC, up for {up.TotalSeconds:F3} s"));
        return 0;
    }
}
