// From the restricted functions along the call graph: every way that ends in an allocation or a throw.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;

namespace Unikernel.Tests.Restricted;

/// <summary>A way from a restricted function to what it must not reach.</summary>
internal sealed record Violation(Node Root, List<Edge> Path)
{
    public Node Sink => Path[^1].To;

    /// <summary>A line for each step.</summary>
    public string Describe(Image image)
    {
        var text = new StringBuilder(Root.Name).Append(" is restricted, but");
        foreach (Edge e in Path)
        {
            string verb = e.Kind switch { EdgeKind.Jump => "goes on to", EdgeKind.Fall => "runs on into", EdgeKind.Address => "takes the address of", _ => "calls" };
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"\n    {image.Place(e.Ip)} {verb} {e.To.Name}");
        }
        return text.ToString();
    }
}

internal sealed class Walk
{
    // What makes an object, or makes and throws one.
    private static readonly string[] s_sinks =
        ["RhpNew", "RhNew", "RhAllocate", "RhpThrow", "RhThrow", "RhpRethrow", "RhRethrow", "RhExceptionHandling_", "<interface call>"];

    private readonly Dictionary<Node, (Node From, Edge By)?> _reached = [];

    /// <summary>Walks from <paramref name="roots"/>, never beyond a sink or what <paramref name="isTrusted"/> says.</summary>
    public Walk(IEnumerable<Node> roots, Func<Node, bool> isTrusted)
    {
        var queue = new Queue<Node>();
        foreach (Node root in roots)
        {
            if (_reached.TryAdd(root, null))
            {
                queue.Enqueue(root);
            }
        }
        var sinks = new HashSet<Node>();
        while (queue.TryDequeue(out Node? node))
        {
            foreach (Edge e in node.Edges)
            {
                if (IsSink(e.To))
                {
                    // For each function that does it, once.
                    if (sinks.Add(node))
                    {
                        Violations.Add(PathTo(node, e));
                    }
                }
                else if (!isTrusted(e.To) && _reached.TryAdd(e.To, (node, e)))
                {
                    queue.Enqueue(e.To);
                }
            }
        }
    }

    public List<Violation> Violations { get; } = [];

    /// <summary>Everything the restricted functions can run.</summary>
    public IEnumerable<Node> Reached => _reached.Keys;

    public static bool IsSink(Node node) => node.Symbols.Any(s => s_sinks.Any(p => s.StartsWith(p, StringComparison.Ordinal)));

    private Violation PathTo(Node node, Edge last)
    {
        var path = new List<Edge> { last };
        while (_reached[node] is { } step)
        {
            path.Insert(0, step.By);
            node = step.From;
        }
        return new Violation(node, path);
    }
}
