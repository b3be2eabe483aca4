namespace Unikernel.Tests.Goroutines;

internal static class Others
{
    /// <summary>Lets the other goroutines run until they block. Once is not enough: every 61st turn favours the caller.</summary>
    public static void Settle()
    {
        for (int i = 0; i < 3; i++)
        {
            Go.Gosched();
        }
    }
}
