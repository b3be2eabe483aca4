// What a unikernel lacks is refused by name; what it answers differently is pinned here. Guest only.
using System;
using System.Diagnostics;
using System.IO;
using Unikernel.Kernel;
using Xunit;

namespace Unikernel.Tests.Bare;

public unsafe class UnsupportedTests
{
    [Fact]
    public void Files_throw_PlatformNotSupported()
    {
        Assert.Throws<PlatformNotSupportedException>(() => File.WriteAllText("/x", "y"));
        Assert.Throws<PlatformNotSupportedException>(() => File.ReadAllText("/etc/passwd"));
        Assert.False(File.Exists("/etc/passwd"));
        Assert.Equal("/", Environment.CurrentDirectory);
    }

    [Fact]
    public void Kernel_arguments_are_environment_variables()
    {
        Assert.Null(Environment.GetEnvironmentVariable("NOT_GIVEN"));
        Assert.Equal("from the command line", (Environment.GetEnvironmentVariable("GREETING") ?? "").Replace('_', ' '));
    }

    [Fact]
    public void Clock_moves_and_memory_adds_up()
    {
        long a = Machine.NanoTime();
        long b = Machine.NanoTime();
        Assert.True(b >= a);
        Assert.True(Machine.FreeMemory <= Machine.TotalMemory);
        Assert.True(GC.GetTotalMemory(false) > 0);
    }

    [Fact]
    public void Pages_come_and_go_and_come_back_zero()
    {
        byte* va = (byte*)(Machine.MapRegionBase + Machine.MapRegionSize - 8192);
        Assert.True(Machine.CommitPages(va, 8192));
        va[17] = 42;
        va[4096] = 43;
        Assert.True(Machine.CommitPages(va, 8192));
        Assert.Equal(42, va[17]);
        Machine.DecommitPages(va, 4096);
        Assert.True(Machine.CommitPages(va, 4096));
        Assert.Equal(0, va[17]);
        Assert.Equal(43, va[4096]);
        Machine.DecommitPages(va, 8192);
    }
}
