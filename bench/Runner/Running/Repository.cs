// Where things are in the repository.
using System;
using System.IO;

namespace Unikernel.Bench.Runner.Running;

internal static class Repository
{
    public static string Root { get; } = Find();

    public static string Path(string relative) => System.IO.Path.Combine(Root, relative);

    private static string Find()
    {
        string? at = AppContext.BaseDirectory;
        while (at is not null && !File.Exists(System.IO.Path.Combine(at, "Unikernel.sln")))
        {
            at = System.IO.Path.GetDirectoryName(at);
        }

        return at ?? throw new InvalidOperationException("the runner is not in the repository");
    }
}
