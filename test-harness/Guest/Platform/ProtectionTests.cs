// What must not be possible, tried: writing to code and constants, executing data, touching guards and page 0.
using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Unikernel.Kernel;
using Xunit;

namespace Unikernel.Tests.Platform;

public unsafe class ProtectionTests
{
    private const ulong Kind = TrapFrame.ErrorPresent | TrapFrame.ErrorWrite | TrapFrame.ErrorFetch;
    private const byte Return = 0xc3;           // ret: were it executed, nothing would be noticed but the missing fault

    private static long s_data = Return;

    private static void MustFault(void* address, Action attempt, ulong error)
    {
        using var probe = new Probe(address);
        attempt();
        Assert.Equal(1, Probe.Faults);
        Assert.Equal(error, Probe.Error & Kind);
        attempt();
        Assert.Equal(2, Probe.Faults);
    }

    private static void MustNotBeWritable(void* address)
    {
        byte before = Probe.Read(address);
        MustFault(address, () => Probe.Write(address), TrapFrame.ErrorPresent | TrapFrame.ErrorWrite);
        Assert.Equal(before, Probe.Read(address));
    }

    private static void MustNotBeExecutable(void* address)
    {
        Assert.Equal(Return, Probe.Read(address));
        MustFault(address, () => Probe.Execute(address), TrapFrame.ErrorPresent | TrapFrame.ErrorFetch);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Code() => 42;

    [Fact]
    public void Code_cannot_be_written()
    {
        MustNotBeWritable((delegate*<int>)&Code);
        MustNotBeWritable((delegate*<void*, void>)&Probe.Write);
        Assert.Equal(42, Code());
    }

    [Fact]
    public void Constants_cannot_be_written()
    {
        fixed (byte* text = "constant"u8)
        {
            MustNotBeWritable(text);
        }
        Assert.True("constant"u8.SequenceEqual("constant"u8));
    }

    [Fact]
    public void Data_cannot_be_executed()
    {
        MustNotBeExecutable(Unsafe.AsPointer(ref s_data));          // the image's
        byte[] heap = new byte[64];
        heap[32] = Return;
        fixed (byte* p = heap)
        {
            MustNotBeExecutable(p + 32);
        }
        byte* stack = stackalloc byte[16];
        stack[8] = Return;
        MustNotBeExecutable(stack + 8);
        byte* native = (byte*)NativeMemory.Alloc(4096);
        native[0] = Return;
        MustNotBeExecutable(native);
        NativeMemory.Free(native);
        fixed (byte* text = (ReadOnlySpan<byte>)[Return, Return, Return, Return, Return, Return, Return, Return])
        {
            MustNotBeExecutable((byte*)(((nuint)text + 7) & ~(nuint)7));        // a constant
        }
    }

    [Fact]
    public void Mapped_pages_cannot_be_executed()
    {
        byte* page = (byte*)(Machine.MapRegionBase + Machine.MapRegionSize - 4096);
        Assert.True(Machine.CommitPages(page, 4096));
        *page = Return;
        MustNotBeExecutable(page);
        Machine.DecommitPages(page, 4096);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(8)]
    [InlineData(4096)]
    [InlineData(0x8000)]
    [InlineData(0xfff8)]
    public void Nothing_is_mapped_where_null_points_to(int offset)
    {
        byte* p = (byte*)offset;
        MustFault(p, () => Probe.Read(p), 0);
        MustFault(p, () => Probe.Write(p), TrapFrame.ErrorWrite);
        MustFault(p, () => Probe.Execute(p), TrapFrame.ErrorFetch);
    }

    // Bare metal: below each stack that traps run on, and below the boot stack. A Linux process has the kernel's own.
    [Fact]
    public void Below_every_trap_stack_is_a_guard()
    {
#if !LINUX
        ImageLayout* layout = Cpu.Layout();
        Assert.Equal(7, ImageLayout.GuardCount);
        for (int i = 0; i < ImageLayout.GuardCount; i++)
        {
            byte* guard = (byte*)layout->Guards[i];
            Assert.InRange((nuint)guard, layout->StacksStart, layout->StacksEnd - 1);
            foreach (int at in (int[])[0, 4088])
            {
                MustFault(guard + at, () => Probe.Read(guard + at), 0);
                MustFault(guard + at, () => Probe.Write(guard + at), TrapFrame.ErrorWrite);
            }
        }
#endif
    }

    // The code that starts the other cores and the window to it do not stay.
    [Fact]
    public void The_image_is_not_mapped_a_second_time_writable()
    {
#if !LINUX
        void* code = (delegate*<int>)&Code;
        byte* low = (byte*)((ulong)code & 0x7fff_ffff);             // where it was loaded and booted
        MustFault(low, () => Probe.Write(low), TrapFrame.ErrorWrite);
#endif
    }

#if !LINUX
    private const ulong Smep = 1 << 20;
    private const ulong Smap = 1 << 21;
    private const ulong Umip = 1 << 11;
#endif

    // No page here is a user's, so these three have nothing to forbid: what can be seen is that they are on where there are any.
    [Fact]
    public void The_processor_refuses_to_run_or_read_what_is_a_users()
    {
#if !LINUX
        uint* features = stackalloc uint[4];
        Cpu.Id(7, 0, features);
        ulong cr4 = Cpu.ReadCr4();
        Assert.Equal((features[1] & (1 << 7)) != 0, (cr4 & Smep) != 0);
        Assert.Equal((features[1] & (1 << 20)) != 0, (cr4 & Smap) != 0);
        Assert.Equal((features[2] & (1 << 2)) != 0, (cr4 & Umip) != 0);
#endif
    }
}
