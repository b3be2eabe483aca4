using System;

namespace Unikernel.Tests.Sim.Harness;

/// <summary>Something that must hold does not.</summary>
internal sealed class SimFailure(string text) : Exception(text)
{
    internal static void Unless(bool holds, string text)
    {
        if (!holds)
        {
            throw new SimFailure(text);
        }
    }
}
