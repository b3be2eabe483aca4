// The benchmarks game's thread-ring: a token counts down as it goes around 503 goroutines.
namespace Unikernel.Bench;

internal static class ThreadRing
{
    private const int RingMembers = 503;

    internal static void Run() => Report.Timed(static n => Report.Check("winner", RunRing(n), (n % RingMembers) + 1));

    // Returns the number, from 1, of the member that gets the token when it says 0.
    private static long RunRing(int token)
    {
        var first = new Chan<long>();
        var result = new Chan<long>();
        Chan<long> before = first;
        for (int i = 1; i <= RingMembers; i++)
        {
            int id = i;
            Chan<long> input = before;
            Chan<long> output = id < RingMembers ? new Chan<long>() : first;
            Go.Run(() => Member(id, input, output, result));
            before = output;
        }
        first.Send(token);
        long winner = result.Receive();
        first.Close();
        return winner;
    }

    private static void Member(int id, Chan<long> input, Chan<long> output, Chan<long> result)
    {
        foreach (long token in input)
        {
            if (token == 0)
            {
                result.Send(id);
            }
            else
            {
                output.Send(token - 1);
            }
        }
        if (id < RingMembers)
        {
            output.Close();
        }
    }
}
