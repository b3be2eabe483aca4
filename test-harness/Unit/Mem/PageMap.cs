// A page allocator over memory that is reserved only, so that PA4 is part of every test: what Grow has not been promised
// cannot be touched. Beside it the model, a bool per page of a window.
using System;
using System.Runtime.InteropServices;
using Unikernel.Runtime.Mem;

namespace Unikernel.Tests.Mem;

internal sealed unsafe partial class PageMap : IDisposable
{
    private const nuint HardwarePage = 4096;
    private const int ReadWrite = 3;
    private const int PrivateAnonymousNoReserve = 0x4022;

    private readonly byte* _bitmap;
    private readonly byte* _summaries;
    private readonly nuint _bitmapBytes;
    private readonly nuint _summaryBytes;
    private readonly PageAlloc* _pages;

    internal PageMap(nuint maxPages)
    {
        _bitmapBytes = RoundUp(PageAlloc.BitmapBytes(maxPages));
        _summaryBytes = RoundUp(PageAlloc.SummaryBytes(maxPages));
        _bitmap = Reserve(_bitmapBytes);
        _summaries = Reserve(_summaryBytes);
        _pages = (PageAlloc*)NativeMemory.AllocZeroed((nuint)sizeof(PageAlloc));
        _pages->Init(_bitmap, _summaries, maxPages);
        Commit(_summaries, 0, PageAlloc.TopSummaryBytes(maxPages));
    }

    internal ref PageAlloc Pages => ref *_pages;

    internal PageAlloc* Pointer => _pages;

    internal void Grow(nuint page, nuint n)
    {
        for (int level = 0; level <= PageAlloc.BitmapLevel; level++)
        {
            _pages->CoverOf(level, page, n, out nuint from, out nuint to);
            bool isBitmap = level == PageAlloc.BitmapLevel;
            if (to > (isBitmap ? _bitmapBytes : _summaryBytes))
            {
                throw new InvalidOperationException("the cover lies outside");
            }
            Commit(isBitmap ? _bitmap : _summaries, from, to);
        }
        _pages->Grow(page, n);
    }

    public void Dispose()
    {
        NativeMemory.Free(_pages);
        _ = Unmap(_bitmap, _bitmapBytes);
        _ = Unmap(_summaries, _summaryBytes);
    }

    private static nuint RoundUp(nuint bytes) => (bytes + HardwarePage - 1) & ~(HardwarePage - 1);

    private static byte* Reserve(nuint bytes)
    {
        void* mapping = Map(null, bytes, 0, PrivateAnonymousNoReserve, -1, 0);
        return (nint)mapping != -1 ? (byte*)mapping : throw new InvalidOperationException("nothing to reserve");
    }

    private static void Commit(byte* memory, nuint from, nuint to)
    {
        from &= ~(HardwarePage - 1);
        if (Protect(memory + from, RoundUp(to) - from, ReadWrite) != 0)
        {
            throw new InvalidOperationException("nothing to commit");
        }
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial void* Map(void* address, nuint length, int protection, int flags, int fd, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(void* address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(void* address, nuint length);
}
