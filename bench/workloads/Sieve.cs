// The prime sieve of Go's documentation: a goroutine per prime, each a filter on the channel of the one before.
using System.Diagnostics;

namespace Unikernel.Bench;

internal static class Sieve
{
    private const int Primes = 1000;
    private const int Result = 7919;

    internal static void Run()
    {
        long start = Stopwatch.GetTimestamp();
        var source = new Chan<long>();
        Chan<long> numbers = source;
        Go.Run(() => Generate(numbers));
        long prime = source.Receive();
        for (int found = 1; found < Primes; found++)
        {
            Chan<long> input = source;
            var output = new Chan<long>();
            long divisor = prime;
            Go.Run(() => Filter(input, output, divisor));
            source = output;
            prime = source.Receive();
        }
        Report.Row("-", "time", "ms", Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        Report.Check("prime", prime, Result);
    }

    private static void Generate(Chan<long> output)
    {
        for (long i = 2; ; i++)
        {
            output.Send(i);
        }
    }

    private static void Filter(Chan<long> input, Chan<long> output, long prime)
    {
        while (true)
        {
            long i = input.Receive();
            if (i % prime != 0)
            {
                output.Send(i);
            }
        }
    }
}
