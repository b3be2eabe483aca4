// A live heap of a given size under mutation and allocation; its Go twin has the workload.
namespace Unikernel.Bench;

internal static class GcLive
{
    internal static void Run() => Report.Skip("no garbage collector yet");
}
