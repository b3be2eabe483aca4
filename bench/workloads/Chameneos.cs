// The benchmarks game's chameneos-redux, its larger population: creatures meet in pairs and change colour.
// The meeting place is a goroutine; a creature sends itself there and waits for whom it met.
namespace Unikernel.Bench;

internal static class Chameneos
{
    private const int Blue = 0;
    private const int Red = 1;
    private const int Yellow = 2;
    private const int Colours = 3;

    private static readonly int[] s_population = [Blue, Red, Yellow, Red, Yellow, Blue, Red, Yellow, Red, Blue];

    private record struct Creature(long Id, long Colour, Chan<Encounter> Met);

    private record struct Encounter(long Id, long Colour, bool Over);

    private record struct Tally(long Met, long Self);

    internal static void Run() => Report.Timed(static n =>
    {
        Tally total = Meet(n);
        Report.Check("meetings", total.Met, 2L * n);
        Report.Check("meetings with itself", total.Self, 0);
    });

    private static Tally Meet(int n)
    {
        var place = new Chan<Creature>();
        var tallies = new Chan<Tally>();
        for (int i = 0; i < s_population.Length; i++)
        {
            var creature = new Creature(i, s_population[i], new Chan<Encounter>());
            Go.Run(() => Live(creature, place, tallies));
        }
        Pair(n, place);
        for (int i = 0; i < s_population.Length; i++)
        {
            place.Receive().Met.Send(new Encounter(0, 0, true));
        }
        var total = default(Tally);
        for (int i = 0; i < s_population.Length; i++)
        {
            Tally t = tallies.Receive();
            total.Met += t.Met;
            total.Self += t.Self;
        }
        return total;
    }

    private static void Pair(int n, Chan<Creature> place)
    {
        for (int i = 0; i < n; i++)
        {
            Creature a = place.Receive();
            Creature b = place.Receive();
            a.Met.Send(new Encounter(b.Id, b.Colour, false));
            b.Met.Send(new Encounter(a.Id, a.Colour, false));
        }
    }

    private static void Live(Creature c, Chan<Creature> place, Chan<Tally> tallies)
    {
        var t = default(Tally);
        while (true)
        {
            place.Send(c);
            Encounter other = c.Met.Receive();
            if (other.Over)
            {
                break;
            }
            t.Met++;
            if (other.Id == c.Id)
            {
                t.Self++;
            }
            c.Colour = Complement(c.Colour, other.Colour);
        }
        tallies.Send(t);
    }

    // The colour after meeting another: the same for the same, else the third.
    private static long Complement(long a, long b) => a == b ? a : Colours - a - b;
}
