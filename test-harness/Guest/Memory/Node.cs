// What the mutator's graphs are made of: objects that can tell whether they are still what they were made as.
using System;
using System.Collections.Generic;

namespace Unikernel.Tests.Guest.Memory;

/// <summary>Says that an object is not what it should be.</summary>
internal sealed class LostException(string what) : Exception(what);

/// <summary>An element of arrays of structures: references between what looks like references and is none.</summary>
internal struct Pair
{
    internal long Id;
    internal Node? First;
    internal nint Noise;
    internal Node? Second;
    internal string? Name;
}

/// <summary>Four references: copied through vector registers.</summary>
internal struct Quad
{
    internal Node? A;
    internal Node? B;
    internal Node? C;
    internal Node? D;
}

/// <summary>
/// Its sum says whether it is whole; it knows the ids its neighbours must have; what hangs below it follows from its id.
/// </summary>
internal sealed class Node
{
    private const ulong Prime = 0x9E37_79B9_7F4A_7C15;
    private const int Kinds = 9;

    internal long Id;
    internal ulong Sum;
    private Node? _left;
    private Node? _right;
    private long _leftId;
    private long _rightId;
    private object? _extra;

    internal Node(long id)
    {
        Id = id;
        Sum = SumOf(id);
    }

    internal static Node WithExtra(long id)
    {
        var n = new Node(id);
        n._extra = n.MakeExtra();
        return n;
    }

    internal Node? Left => _left;

    internal Node? Right => _right;

    private static ulong SumOf(long id) => ((ulong)id * Prime) ^ ((ulong)id >> 7) ^ Prime;

    internal void SetLeft(Node? n)
    {
        _leftId = n?.Id ?? 0;
        _left = n;
    }

    internal void SetRight(Node? n)
    {
        _rightId = n?.Id ?? 0;
        _right = n;
    }

    private long Below(int i) => (Id << 4) | (long)(uint)i;

    private object? MakeExtra()
    {
        switch ((ulong)Id % Kinds)
        {
            case 0:
                return NameOf(Id);
            case 1:
                return new Pair { Id = Id, First = new Node(Below(1)), Noise = (nint)Below(2), Name = NameOf(Id) };     // boxed
            case 2:
                return new object[] { new Node(Below(1)), Below(2), NameOf(Below(3)) };
            case 3:
                var pairs = new Pair[7];
                for (int i = 0; i < pairs.Length; i++)
                {
                    pairs[i] = new Pair { Id = Below(i), First = new Node(Below(i)), Second = new Node(Below(i + 8)), Noise = (nint)Id, Name = NameOf(Below(i)) };
                }
                return pairs;
            case 4:
                var captured = new Node(Below(1));
                long id = Below(1);
                return () => { captured.Check(id); return captured; };
            case 5:
                return new List<Node> { new(Below(1)), new(Below(2)), new(Below(3)) };
            case 6:
                return new Dictionary<long, Node> { [Below(1)] = new(Below(1)), [Below(2)] = new(Below(2)) };
            case 7:
                return new Node[,] { { new(Below(1)), new(Below(2)) }, { new(Below(3)), new(Below(4)) } };
            default:
                return null;
        }
    }

    private void CheckExtra()
    {
        switch (_extra)
        {
            case null:
                break;
            case string s:
                Require(s == NameOf(Id), "its string");
                break;
            case Pair p:
                Require(p.Id == Id && p.Noise == (nint)Below(2) && p.Name == NameOf(Id), "its boxed structure");
                p.First!.Check(Below(1));
                break;
            case Pair[] pairs:
                for (int i = 0; i < pairs.Length; i++)
                {
                    Require(pairs[i].Id == Below(i) && pairs[i].Noise == (nint)Id && pairs[i].Name == NameOf(Below(i)), "a structure of its array");
                    pairs[i].First!.Check(Below(i));
                    pairs[i].Second!.Check(Below(i + 8));
                }
                break;
            case Node[,] square:
                square[0, 0].Check(Below(1));
                square[1, 1].Check(Below(4));
                break;
            case object[] array:
                ((Node)array[0]).Check(Below(1));
                Require((long)array[1] == Below(2) && (string)array[2] == NameOf(Below(3)), "its array");
                break;
            case Func<Node> closure:
                closure().Check(Below(1));
                break;
            case List<Node> list:
                for (int i = 0; i < list.Count; i++)
                {
                    list[i].Check(Below(i + 1));
                }
                Require(list.Count == 3, "its list");
                break;
            case Dictionary<long, Node> map:
                map[Below(1)].Check(Below(1));
                map[Below(2)].Check(Below(2));
                break;
            default:
                throw new LostException($"node {Id} has a {_extra.GetType()} below it");
        }
    }

    private static string NameOf(long id) => $"node {id:x} of many";

    private void Require(bool condition, string what)
    {
        if (!condition)
        {
            throw new LostException($"node {Id}: {what} is not what it was");
        }
    }

    /// <summary>Throws unless this is the whole node of that id.</summary>
    internal void Check(long id)
    {
        if (Id != id || Sum != SumOf(id))
        {
            throw new LostException($"node {id} is now id {Id:x}, sum {Sum:x}");
        }
    }

    /// <summary>The same, with what hangs below and the neighbours to a depth.</summary>
    internal void CheckDeep(long id, int depth)
    {
        Check(id);
        CheckExtra();
        if (depth > 0)
        {
            _left?.CheckDeep(_leftId, depth - 1);
            _right?.CheckDeep(_rightId, depth - 1);
        }
    }
}
