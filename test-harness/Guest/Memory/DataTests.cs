// The image's data as roots: what was ever written may refer to objects and is looked at.
using System.Runtime.CompilerServices;
using System.Threading;
using Unikernel.Kernel;
using Unikernel.Runtime.Abi;
using Xunit;

namespace Unikernel.Tests.Memory;

public unsafe class DataTests
{
    private const int Words = 2048;         // four pages, three of them whole
    private const int Middle = Words / 2;

    [InlineArray(Words)]
    private struct Room
    {
        private long _element;
    }

    private static Room s_room;

    private static bool IsFound(byte* p)
    {
        Startup.DataRange(out byte* from, out byte* end);
        bool found = false;
        for (; Machine.FindWritten(ref from, end, out byte* to); from = to)
        {
            Assert.True(from < to && to <= end);
            found |= p >= from && p < to;
        }
        return found;
    }

    [Fact]
    public void Data_that_was_written_is_found()
    {
        ref long middle = ref s_room[Middle];
        byte* p = (byte*)Unsafe.AsPointer(ref middle);
#if !LINUX
        Assert.False(IsFound(p));           // nothing has been there since boot
#endif
        Volatile.Write(ref middle, 1);
        Assert.True(IsFound(p));
        Volatile.Write(ref middle, 0);
        Assert.True(IsFound(p));
    }
}
