// G structures for tests of the queues: off-heap and numbered, as the real ones.
using System;
using System.Runtime.InteropServices;
using Unikernel.Runtime.Sched;

namespace Unikernel.Tests.Runtime;

internal sealed unsafe class Gs : IDisposable
{
    private readonly G* _all;

    public Gs(int count)
    {
        _all = (G*)NativeMemory.AllocZeroed((nuint)count, (nuint)sizeof(G));
        for (int i = 0; i < count; i++)
        {
            _all[i].Id = i;
        }
    }

    public G* this[int i] => &_all[i];

    public void Dispose() => NativeMemory.Free(_all);
}
