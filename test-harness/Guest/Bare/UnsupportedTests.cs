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
    public void Files_processes_and_collections_throw_PlatformNotSupported()
    {
        Assert.Throws<PlatformNotSupportedException>(() => File.WriteAllText("/x", "y"));
        Assert.Throws<PlatformNotSupportedException>(() => File.ReadAllText("/etc/passwd"));
        Assert.Throws<PlatformNotSupportedException>(() => GC.Collect());
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
    public void Pages_map_and_unmap()
    {
        byte* va = (byte*)(Machine.MapRegionBase + Machine.MapRegionSize - 8192);
        Assert.False(Machine.IsMapped(va));
        void* frame = Machine.AllocPage();
        Assert.True(Machine.MapPage(va, frame));
        va[17] = 42;
        Assert.Equal(42, ((byte*)frame)[17]);
        Assert.Equal((nint)frame, (nint)Machine.UnmapPage(va));
        Assert.False(Machine.IsMapped(va));
        Machine.FreePage(frame);
    }
}
