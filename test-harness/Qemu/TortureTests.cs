// The collector under conditions that bring its faults out, and proof that they would.
using System.Threading.Tasks;
using Unikernel.TestHarness;
using Xunit;

namespace Unikernel.Tests.Qemu;

public class TortureTests
{
    private const int Seconds = 240;

    // A collection at every K-th allocation, and what is freed is overwritten.
    [Theory]
    [InlineData("GraphTests", 1, 25)]
    [InlineData("GraphTests", 2, 25)]
    [InlineData("GraphTests", 4, 25)]
    [InlineData("RootTests", 2, 7)]
    [InlineData("LanguageTests", 2, 3)]
    [InlineData("ExceptionTests", 2, 1)]
    [InlineData("ChanTests.Values", 4, 20)]
    [InlineData("StashTests", 2, 500)]
    [InlineData("StashTests", 4, 1000)]
    public async Task The_guest_survives(string filter, int cores, int every)
    {
        await using Vm vm = Vm.Start("Guest", $"{filter} MUTATOR_STEPS=2000 GODEBUG=gctorture={every},clobberfree=1", BootRoute.Linux, "1G", cores: cores);
        int exit = await vm.WaitForExit(Seconds);
        Assert.True(exit == 0, vm.Log);
        Assert.Contains(" passed, 0 failed", vm.Log);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Stopping_the_world_for_all_of_it_is_right_too(int cores)
    {
        await using Vm vm = Vm.Start("Guest", "GraphTests GODEBUG=gcstoptheworld=1,clobberfree=1", BootRoute.Linux, "1G", cores: cores);
        Assert.Equal(0, await vm.WaitForExit(Seconds));
    }

    // A second marking with the world stopped finds nothing that the first one missed.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public async Task A_second_marking_agrees(int cores)
    {
        await using Vm vm = Vm.Start("Guest", "GraphTests GODEBUG=gccheckmark=1,clobberfree=1", BootRoute.Linux, "1G", cores: cores);
        int exit = await vm.WaitForExit(Seconds);
        Assert.True(exit == 0, vm.Log);
    }

    // The control: without the barrier objects are lost, and the mutator notices.
    [Fact]
    public async Task Without_the_barrier_the_mutator_fails()
    {
        await using Vm vm = Vm.Start("Guest", "GraphTests MUTATOR_STEPS=3000000 GODEBUG=gcnobarrier=1,clobberfree=1", BootRoute.Linux, "1G", cores: 2);
        Assert.NotEqual(0, await vm.WaitForExit(Seconds));
    }
}
