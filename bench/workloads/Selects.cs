// Select; its Go twin has the workloads.
namespace Unikernel.Bench;

internal static class Selects
{
    internal static void SelectUncontended() => Report.Skip("no select yet");

    internal static void SelectSyncContended() => Report.Skip("no select yet");
}
