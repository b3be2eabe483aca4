namespace Unikernel.Samples;

internal static class Program
{
    private static int Main(string[] args) => Hello.Run(args);
}
