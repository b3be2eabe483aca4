// Stand-in until the radix allocator lands: a byte a page, first fit.
using Unikernel.Kernel;

namespace Unikernel.Runtime.Mem;

internal unsafe struct PageAlloc
{
    private byte* _map;
    private nuint _end;
    private nuint _first;
    internal nuint FreePages;

    internal void Init(byte* bitmap, byte* summaries, nuint maxPages)
    {
        _map = bitmap;
        _first = maxPages;
    }

    internal readonly bool Cover(nuint page, nuint n) => MHeap.Commit((ulong)_map, page, n);

    internal void Grow(nuint page, nuint n)
    {
        if (page + n > _end)
        {
            _end = page + n;
        }
        Free(page, n);
    }

    internal void Free(nuint page, nuint n)
    {
        for (nuint i = 0; i < n; i++)
        {
            _map[page + i] = 1;
        }
        FreePages += n;
        if (page < _first)
        {
            _first = page;
        }
    }

    internal nuint Alloc(nuint n)
    {
        nuint run = 0;
        bool isFirst = true;
        for (nuint i = _first; i < _end; i++)
        {
            run = _map[i] != 0 ? run + 1 : 0;
            if (run == 1 && isFirst)
            {
                _first = i;
                isFirst = false;
            }
            if (run == n)
            {
                nuint page = i + 1 - n;
                for (nuint k = 0; k < n; k++)
                {
                    _map[page + k] = 0;
                }
                FreePages -= n;
                return page;
            }
        }
        return nuint.MaxValue;
    }
}
