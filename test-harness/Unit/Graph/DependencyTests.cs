// The dependency graph of the repository, as data.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Xml.Linq;
using Xunit;

namespace Unikernel.Tests.Graph;

public class DependencyTests
{
    // project → what it may reference, and must
    private static readonly Dictionary<string, string[]> s_graph = new()
    {
        ["kernel/Unikernel.Kernel"] = [],
        ["runtime/Unikernel.Runtime"] = ["kernel/Unikernel.Kernel"],
        ["drivers/Unikernel.Drivers"] = ["kernel/Unikernel.Kernel", "runtime/Unikernel.Runtime"],
        ["iso/Unikernel.Iso"] = ["drivers/Unikernel.Drivers", "kernel/Unikernel.Kernel", "runtime/Unikernel.Runtime"],
        ["bench/Runner/Runner"] = [],
        ["iso/SymTab/Unikernel.SymTab"] = [],
        ["test-harness/Restricted/Restricted"] = ["iso/SymTab/Unikernel.SymTab"],
        ["test-harness/Vm/Unikernel.TestHarness"] = [],
        ["test-harness/Qemu/Qemu"] = ["test-harness/Vm/Unikernel.TestHarness"],
        ["test-harness/Sim/Sim"] = ["kernel/Unikernel.Kernel", "runtime/Unikernel.Runtime"],
        ["test-harness/Unit/Unit"] =
            ["bench/Runner/Runner", "iso/SymTab/Unikernel.SymTab", "kernel/Unikernel.Kernel", "runtime/Unikernel.Runtime"],
    };

    // applications get the composition root through iso/Unikernel.App.targets and reference nothing else
    private static readonly string[] s_applications =
    [
        "bench/figures/figures", "bench/workloads/workloads", "samples/hello/hello", "samples/shell/shell",
        "samples/sieve/sieve", "samples/stress/stress", "samples/wordcount/wordcount", "test-harness/Guest/Guest",
    ];

    [Fact]
    public void Projects_reference_what_the_graph_says()
    {
        string root = Root();
        var found = new SortedDictionary<string, string[]>(StringComparer.Ordinal);
        foreach (string path in Directory.GetFiles(root, "*.csproj", SearchOption.AllDirectories))
        {
            string name = Path.ChangeExtension(Path.GetRelativePath(root, path), null);
            if (!name.Contains("/obj/", StringComparison.Ordinal) && !name.Contains("/bin/", StringComparison.Ordinal))
            {
                found[name] = [.. References(root, path).Order(StringComparer.Ordinal)];
            }
        }
        Assert.Equal(s_graph.Keys.Concat(s_applications).Order(StringComparer.Ordinal), found.Keys);
        foreach ((string name, string[] references) in found)
        {
            Assert.Equal(s_graph.GetValueOrDefault(name, []), references);
        }
    }

    [Fact]
    public void The_tests_build_every_application()
    {
        string everything = File.ReadAllText(Path.Combine(Root(), "test-harness/Everything.proj"));
        Assert.All(s_applications, name => Assert.True(
            everything.Contains($"../{name.Split('/')[0]}/*/*.csproj", StringComparison.Ordinal)
                || everything.Contains($"{Path.GetRelativePath("test-harness", name)}.csproj", StringComparison.Ordinal),
            name));
    }

    [Fact]
    public void The_kernel_names_no_goroutine()
    {
        foreach (string file in Directory.GetFiles(Path.Combine(Root(), "kernel"), "*.cs", SearchOption.AllDirectories))
        {
            if (!file.Contains("/obj/", StringComparison.Ordinal))
            {
                Assert.DoesNotContain("Unikernel.Runtime", File.ReadAllText(file), StringComparison.Ordinal);
            }
        }
    }

    private static IEnumerable<string> References(string root, string project) =>
        XDocument.Load(project).Descendants("ProjectReference")
            .Select(r => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(project)!, r.Attribute("Include")!.Value)))
            .Select(p => Path.ChangeExtension(Path.GetRelativePath(root, p), null));

    private static string Root()
    {
        string? at = AppContext.BaseDirectory;
        while (at is not null && !File.Exists(Path.Combine(at, "Unikernel.sln")))
        {
            at = Path.GetDirectoryName(at);
        }
        return at!;
    }
}
