namespace Unikernel.Samples;

internal static class Program
{
    private static int Main()
    {
        var shell = new Shell();
        shell.Start();
        return shell.ExitCode;
    }
}
