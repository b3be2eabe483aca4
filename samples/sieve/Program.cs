namespace Unikernel.Samples;

internal static class Program
{
    private static int Main(string[] args) => Sieve.Run(args);
}
