// sieve: the prime sieve from Go's language tour. One goroutine produces 2, 3, 4, …; behind it stands a chain
// of filters, one goroutine per prime, each dropping the multiples of its prime. What leaves the last filter
// is the next prime. Every hop is an unbuffered channel, so the program is nearly all scheduling.
using System;
using System.Globalization;
using System.Threading;

namespace Unikernel.Samples;

/// <summary>The <c>sieve</c> sample.</summary>
internal static class Sieve
{
    private const int DefaultCount = 100;
    private const int MaxCount = 10_000;

    /// <summary>Prints the Nth prime.</summary>
    /// <param name="args">One optional number N, from 1 to 10000; 100 without it.</param>
    /// <returns>The exit code: 0, or 64 for wrong usage.</returns>
    public static int Run(string[] args)
    {
        int count = DefaultCount;
        if (args.Length > 1
            || (args.Length == 1 && !int.TryParse(args[0], NumberStyles.None, CultureInfo.InvariantCulture, out count))
            || count is < 1 or > MaxCount)
        {
            Console.WriteLine("usage: sieve [N]");
            Console.WriteLine($"  prints the Nth prime; N is a number from 1 to {MaxCount}, {DefaultCount} without it");
            return 64;
        }

        Console.WriteLine(NthPrime(count));
        return 0;
    }

    private static int NthPrime(int count)
    {
        var end = new EndMark();
        var numbers = new Chan<int>();
        Chan<int> source = numbers;
        Go.Run(() => Generate(numbers, end));

        int prime = source.Receive();
        for (int found = 1; found < count; found++)
        {
            Chan<int> input = source;
            var output = new Chan<int>();
            int divisor = prime;
            Go.Run(() => Filter(input, output, divisor));
            source = output;
            prime = source.Receive();
        }

        // Go's program just returns from main here, which ends its goroutines. In the shell the machine goes
        // on, so take the chain down: the generator closes its channel, each filter passes that on, and the
        // numbers still under way are read and dropped.
        Volatile.Write(ref end.Reached, true);
        foreach (int _ in source)
        {
        }

        return prime;
    }

    /// <summary>Sends 2, 3, 4, … until the end is reached, then closes the channel.</summary>
    private static void Generate(Chan<int> numbers, EndMark end)
    {
        for (int i = 2; !Volatile.Read(ref end.Reached); i++)
        {
            numbers.Send(i);
        }

        numbers.Close();
    }

    /// <summary>Passes on what <paramref name="prime"/> does not divide.</summary>
    private static void Filter(Chan<int> input, Chan<int> output, int prime)
    {
        foreach (int i in input)
        {
            if (i % prime != 0)
            {
                output.Send(i);
            }
        }

        output.Close();
    }

    private sealed class EndMark
    {
        public bool Reached;
    }
}
