// The check of one image: what is restricted in it, by marks, and where that leads.
//
// CK1  Restricted are the marked methods, all assembly of ours, and every function of ours whose address code of ours
//      takes: a hook, a callback, a goroutine's first function. Only a MayAlloc takes one out.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

namespace Unikernel.Tests.Restricted;

internal sealed class Check
{
    // Of each struct the compiler makes one, for comparing its values; nothing of ours calls it.
    private const string FieldHelper = "____GetFieldHelper";

    private readonly Dictionary<Node, Method[]> _methods = [];

    public Check(string imageName, string configuration)
    {
        string root = Root();
        Image = Image.Read(Path.Combine(root, "artifacts", "images", "Guest", imageName));
        string binaries = Path.Combine(root, "test-harness", "Guest", "bin", configuration, "net10.0", "linux-x64");
        Marks = Marks.Read([.. new[] { "Unikernel.Kernel", "Unikernel.Runtime", "Unikernel.Drivers", "Unikernel.Iso" }.Select(a => Path.Combine(binaries, a + ".dll"))]);
        GuestMarks = Marks.Read(Path.Combine(binaries, "Guest.dll"));
        foreach (Node node in Image.Nodes)
        {
            Method[] methods = [.. node.Symbols.Select(Marks.Find).OfType<Method>().Distinct()];
            if (methods.Length > 0)
            {
                _methods.Add(node, methods);
            }
        }
        Unknown = [.. Image.Nodes.SelectMany(n => n.Symbols).Where(s => Marks.IsOurs(s) && Marks.Find(s) == null && !s.EndsWith(FieldHelper, StringComparison.Ordinal))];
        Marked = [.. _methods.Where(m => m.Value.Any(x => x.IsNoAlloc) && !Walk.IsSink(m.Key)).Select(m => m.Key)];
        Assembly = [.. Image.Nodes.Where(n => n.IsAssembly && !Walk.IsSink(n) && !IsTrusted(n))];
        Taken = [.. _methods.Keys.Concat(Assembly).SelectMany(n => n.Edges).Where(e => e.Kind == EdgeKind.Address && _methods.ContainsKey(e.To) && !IsTrusted(e.To)).Select(e => e.To).Distinct()];
        Walk = new Walk(Marked.Concat(Assembly).Concat(Taken), IsTrusted);
    }

    public Image Image { get; }

    public Marks Marks { get; }

    public Marks GuestMarks { get; }

    /// <summary>Symbols that look like methods of ours, and are none.</summary>
    public List<string> Unknown { get; }

    public List<Node> Marked { get; }

    public List<Node> Assembly { get; }

    /// <summary>Roots because their address is taken.</summary>
    public List<Node> Taken { get; }

    public Walk Walk { get; }

    /// <summary>Roots of a walk over the marks of the Guest application, and nothing else.</summary>
    public Walk WalkGuest() =>
        new(Image.Nodes.Where(n => n.Symbols.Any(s => GuestMarks.Find(s) is { IsNoAlloc: true })), n => IsTrusted(n) || n.Symbols.Any(s => GuestMarks.Find(s) is { Reason: not null }));

    public bool IsTrusted(Node node) =>
        node.Symbols.Any(s => Marks.MaySymbols.Exists(m => m.Symbol == s))
        || (_methods.TryGetValue(node, out Method[]? methods) && methods.All(m => m.Reason != null));

    private static string Root()
    {
        string? at = AppContext.BaseDirectory;
        while (at != null && !File.Exists(Path.Combine(at, "Unikernel.sln")))
        {
            at = Path.GetDirectoryName(at);
        }
        return at ?? throw new InvalidOperationException("Unikernel.sln is in no folder above the tests.");
    }
}
