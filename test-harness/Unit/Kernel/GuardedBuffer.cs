// Bytes that end right before (or start right behind) a page that cannot be read: a parser that leaves them ends the test run.
using System;
using System.Runtime.InteropServices;

namespace Unikernel.Tests.Kernel;

internal sealed unsafe partial class GuardedBuffer : IDisposable
{
    private const nuint Page = 4096;
    private readonly byte* _mapping;
    private readonly nuint _bytes;

    internal GuardedBuffer(ReadOnlySpan<byte> content, int alignment = 1)
    {
        // Padding up to the alignment stays behind the content, inside readable memory.
        nuint padded = ((nuint)content.Length + (nuint)alignment - 1) & ~((nuint)alignment - 1);
        nuint pages = ((padded + Page - 1) & ~(Page - 1)) + Page;
        _bytes = pages + Page;
        _mapping = (byte*)Map(null, _bytes, 3, 0x22, -1, 0);
        Assert((nint)_mapping != -1);
        Assert(Protect(_mapping, Page, 0) == 0 && Protect(_mapping + pages, Page, 0) == 0);
        Start = _mapping + pages - padded;
        content.CopyTo(new Span<byte>(Start, content.Length));
    }

    internal byte* Start { get; }

    public void Dispose() => Assert(Unmap(_mapping, _bytes) == 0);

    private static void Assert(bool holds)
    {
        if (!holds)
        {
            throw new InvalidOperationException("no guarded memory");
        }
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial void* Map(void* address, nuint length, int protection, int flags, int fd, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(void* address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(void* address, nuint length);
}
