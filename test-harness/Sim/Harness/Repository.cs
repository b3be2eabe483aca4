using System;
using System.IO;

namespace Unikernel.Tests.Sim.Harness;

internal static class Repository
{
    internal static string Root { get; } = Find();

    private static string Find()
    {
        string? at = AppContext.BaseDirectory;
        while (at is not null && !File.Exists(Path.Combine(at, "Unikernel.sln")))
        {
            at = Path.GetDirectoryName(at);
        }
        return at ?? throw new InvalidOperationException("not inside the repository");
    }
}
