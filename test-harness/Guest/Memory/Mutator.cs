// Changes a graph at random and knows what must be in it: the ids it put into each place that can hold an object.
using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;

namespace Unikernel.Tests.Guest.Memory;

internal sealed unsafe class Mutator(int number, ulong seed, Chan<Node> buffered, Chan<Node> direct)
{
    private const int Roots = 48;
    private const int TableLength = 3000;
    private const int Depth = 4;
    private const int Most = 16;

    private static readonly Node?[] s_statics = new Node?[Most];
    private static Node? s_static;              // of whoever is number 0

    [ThreadStatic]
    private static Node? t_node;

    private readonly Node?[] _roots = new Node?[Roots];
    private readonly long[] _rootIds = new long[Roots];
    private readonly Node?[] _table = new Node?[TableLength];
    private readonly long[] _tableIds = new long[TableLength];
    private readonly ConditionalWeakTable<Node, Node> _weakTable = [];
    private readonly long[] _weakIds = new long[Roots];      // what the table has for the root's node; 0 = nothing
    private readonly WeakReference<Node>?[] _weak = new WeakReference<Node>?[Roots];
    private readonly long[] _weakTargets = new long[Roots];
    private GCHandle _handle;
    private long _handleId;
    private GCHandle _pinned;
    private byte* _pinnedAt;
    private Func<Node>? _closure;
    private long _closureId;
    private long _threadId;
    private long _staticId;
    private ulong _random = seed;
    private long _lastId;

    internal long Steps { get; private set; }

    private int Next(int below)
    {
        _random ^= _random << 13;
        _random ^= _random >> 7;
        _random ^= _random << 17;
        return (int)((_random >> 11) % (ulong)below);
    }

    private long NewId() => (++_lastId << 5) | (long)number | 0x10;

    private Node Make() => Node.WithExtra(NewId());

    /// <summary>Takes steps until told to stop, at least <paramref name="least"/>.</summary>
    internal void Run(int least, Func<bool> isOver)
    {
        for (int i = 0; i < TableLength; i++)
        {
            _table[i] = Make();
            _tableIds[i] = _table[i]!.Id;
        }
        for (int i = 0; i < least || !isOver(); i++)
        {
            Step();
            Steps++;
        }
        CheckAll();
        if (_handle.IsAllocated)
        {
            _handle.Free();
        }
        if (_pinned.IsAllocated)
        {
            _pinned.Free();
        }
        s_statics[number] = null;
        t_node = null;
    }

    private void Step()
    {
        int i = Next(Roots);
        switch (Next(24))
        {
            case 0:
            case 1:
                SetRoot(i, Make());
                break;
            case 2:
                SetRoot(i, null);
                break;
            case 3:
            case 4:
                Link(_roots[i], _roots[Next(Roots)], Next(2) == 0);
                break;
            case 5:
                Link(_roots[i], Make(), Next(2) == 0);
                break;
            case 6:
                Descend(i);
                break;
            case 7:
            case 8:
            case 9:
                Shuffle();
                break;
            case 10:
                CopyStructures();
                break;
            case 11:
                ThroughStatics();
                break;
            case 12:
                ThroughHandles();
                break;
            case 13:
                ThroughPinned();
                break;
            case 14:
                ThroughWeak(i);
                break;
            case 15:
                ThroughWeakTable(i);
                break;
            case 16:
                ThroughClosure();
                break;
            case 17:
                ThroughChannels();
                break;
            case 18:
                OnlyReferences.Spans(NewId() & 0xFFFF, Next(3));
                break;
            case 19:
                OnlyReferences.Registers(NewId(), Next(20_000));
                break;
            case 20:
                OnlyReferences.Vectors(NewId(), Next(5_000));
                break;
            case 21:
                Resize();
                break;
            default:
                _roots[i]?.CheckDeep(_rootIds[i], Depth);
                break;
        }
    }

    private void SetRoot(int i, Node? n)
    {
        _roots[i] = n;
        _rootIds[i] = n?.Id ?? 0;
        _weakIds[i] = 0;
    }

    private static void Link(Node? from, Node? to, bool left)
    {
        if (from is null)
        {
            return;
        }
        if (left)
        {
            from.SetLeft(to);
        }
        else
        {
            from.SetRight(to);
        }
    }

    // The child takes its parent's place; all else of the parent is garbage unless somebody refers to it.
    private void Descend(int i)
    {
        Node? child = _roots[i]?.Left ?? _roots[i]?.Right;
        if (child is not null)
        {
            SetRoot(i, child);
        }
    }

    // Each reference is in the array only, and moves where the collector may have been already.
    private void Shuffle()
    {
        for (int k = 0; k < 64; k++)
        {
            int a = Next(TableLength);
            int b = Next(TableLength);
            (_table[a], _table[b]) = (_table[b], _table[a]);
            (_tableIds[a], _tableIds[b]) = (_tableIds[b], _tableIds[a]);
        }
        int at = Next(TableLength);
        _table[at]!.CheckDeep(_tableIds[at], 1);
        _table[at] = Make();
        _tableIds[at] = _table[at]!.Id;
        // Out of one place, into a new object, and back.
        int c = Next(TableLength);
        var box = new Pair { First = _table[c] };
        object boxed = box;
        box = default;
        _table[c] = null;
        _table[c] = ((Pair)boxed).First;
        Node old = Interlocked.Exchange(ref _table[at], _table[c])!;
        _ = Interlocked.CompareExchange(ref _table[c], old, _table[c]);
        (_tableIds[at], _tableIds[c]) = (_tableIds[c], _tableIds[at]);
    }

    // Arrays of structures whose integers look like pointers, moved as a whole and overlapping.
    private void CopyStructures()
    {
        int n = 3 + Next(60);
        int by = 1 + Next(3);
        var from = new Pair[n + by];
        long id = NewId() & 0xFFFF_FFFF;
        var keeper = new Node(id);
        nint noise = Unsafe.As<Node, nint>(ref keeper) + 20;        // the middle of an object
        for (int k = 0; k < n; k++)
        {
            from[k] = new Pair { Id = id + k, First = new Node(id + k), Second = new Node(id - k), Noise = noise + k };
        }
        Array.Copy(from, 0, from, by, n);
        Pair[] to = from.AsSpan(by).ToArray();
        Array.Clear(from);
        for (int k = 0; k < n; k++)
        {
            if (to[k].Id != id + k || to[k].Noise != noise + k)
            {
                throw new LostException($"structure {k} of {n} is not what was copied");
            }
            to[k].First!.Check(id + k);
            to[k].Second!.Check(id - k);
        }
        keeper.Check(id);
    }

    private void ThroughStatics()
    {
        s_statics[number]?.CheckDeep(_staticId, Depth);
        t_node?.CheckDeep(_threadId, Depth);
        Node n = Make();
        _threadId = n.Id;
        t_node = n;
        n = Make();
        _staticId = n.Id;
        s_statics[number] = n;
        if (number == 0)
        {
            s_static?.Check(s_static.Id);
            s_static = Make();
        }
    }

    private void ThroughHandles()
    {
        if (_handle.IsAllocated)
        {
            ((Node)_handle.Target!).CheckDeep(_handleId, Depth);
            if (Next(2) == 0)
            {
                _handle.Free();
            }
        }
        Node n = Make();
        _handleId = n.Id;
        if (_handle.IsAllocated)
        {
            _handle.Target = n;
        }
        else
        {
            _handle = GCHandle.Alloc(n);
        }
    }

    private void ThroughPinned()
    {
        if (_pinned.IsAllocated)
        {
            byte[] bytes = (byte[])_pinned.Target!;
            for (int k = 0; k < bytes.Length; k++)
            {
                if (bytes[k] != (byte)k || _pinnedAt[k] != (byte)k)
                {
                    throw new LostException("a pinned array is not what it was");
                }
            }
            _pinned.Free();
        }
        byte[] fresh = GC.AllocateUninitializedArray<byte>(100 + Next(3000));
        for (int k = 0; k < fresh.Length; k++)
        {
            fresh[k] = (byte)k;
        }
        _pinned = GCHandle.Alloc(fresh, GCHandleType.Pinned);
        _pinnedAt = (byte*)_pinned.AddrOfPinnedObject();
    }

    private void ThroughWeak(int i)
    {
        if (_weak[i] is { } weak)
        {
            bool lives = weak.TryGetTarget(out Node? n);
            n?.CheckDeep(_weakTargets[i], Depth);
            if (!lives && _weakTargets[i] == _rootIds[i])
            {
                throw new LostException($"the weak reference to node {_rootIds[i]} was cleared while it lived");
            }
        }
        if (_roots[i] is { } target)
        {
            _weak[i] = new WeakReference<Node>(target, Next(2) == 0);
            _weakTargets[i] = target.Id;
        }
        else
        {
            _weak[i] = null;
        }
    }

    private void ThroughWeakTable(int i)
    {
        if (_roots[i] is not { } key)
        {
            return;
        }
        if (_weakIds[i] != 0)
        {
            if (!_weakTable.TryGetValue(key, out Node? value))
            {
                throw new LostException($"node {key.Id} has lost what was attached to it");
            }
            value.CheckDeep(_weakIds[i], 1);
            return;
        }
        Node n = Make();
        n.SetLeft(key);                     // the value refers to its key
        _weakTable.AddOrUpdate(key, n);
        for (int k = 0; k < Roots; k++)
        {
            _weakIds[k] = ReferenceEquals(_roots[k], key) ? n.Id : _weakIds[k];
        }
    }

    private void ThroughClosure()
    {
        _closure?.Invoke().CheckDeep(_closureId, Depth);
        Node n = Make();
        _closureId = n.Id;
        _closure = () => n;
    }

    // What is sent is nobody else's, so that whoever gets it may look at all of it.
    private void ThroughChannels()
    {
        Node n = Make();
        n.SetLeft(Make());
        n.Left!.SetRight(Make());
        Chan<Node> c = Next(2) == 0 ? buffered : direct;
        if (Next(2) == 0)
        {
            _ = c.TrySend(n);
        }
        else if (c.TryReceive(out Node got, out _))
        {
            got.CheckDeep(got.Id, Depth);
            SetRoot(Next(Roots), got);
        }
    }

    private void Resize()
    {
        var big = new Node?[Next(9000)];
        for (int k = 0; k < big.Length; k += 97)
        {
            big[k] = new Node(k + 1);
        }
        Array.Resize(ref big, big.Length * 2);
        for (int k = 0; k < big.Length / 2; k += 97)
        {
            big[k]!.Check(k + 1);
        }
    }

    private void CheckAll()
    {
        for (int i = 0; i < Roots; i++)
        {
            _roots[i]?.CheckDeep(_rootIds[i], 8);
        }
        for (int i = 0; i < TableLength; i++)
        {
            _table[i]!.CheckDeep(_tableIds[i], 1);
        }
    }
}
