// The runtime with one fault put in: its sources with a text replaced, compiled and loaded beside the real one.
//
// MU1  The text is searched for in all sources and must occur once; so a mutant that no longer fits the sources fails by
//      itself, and says what to look for.
// MU2  A mutant has its own copies of kernel, runtime and this assembly in an AssemblyLoadContext: own statics, own threads.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.Loader;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Unikernel.Tests.Sim.Harness;

/// <summary>A fault: in each pair the first text is replaced by the second.</summary>
internal sealed record Mutant(string Name, string Why, string[] Scenarios, params (string From, string To)[] Changes)
{
    private const string Runtime = "Unikernel.Runtime";

    private static readonly CSharpParseOptions s_parseOptions =
        new(LanguageVersion.Latest, DocumentationMode.None, preprocessorSymbols: ["SIM", "LOCKRANK", "NET", "NET10_0"]);

    private static readonly Lazy<Dictionary<string, string>> s_sources = new(ReadSources);

    private static readonly Lazy<CSharpCompilation> s_unchanged = new(Unchanged);

    public override string ToString() => Name;

    /// <summary>The first fault found in one of the scenarios, each with up to <paramref name="seeds"/> seeds; null when none was.</summary>
    internal string? Find(ulong seeds)
    {
        LoadContext context = new(Compile());
        Type finder = context.LoadFromAssemblyName(typeof(Mutant).Assembly.GetName()).GetType(typeof(Finder).FullName!, true)!;
        MethodInfo method = finder.GetMethod(nameof(Finder.FirstFault), BindingFlags.Static | BindingFlags.NonPublic)!;
        foreach (string scenario in Scenarios)
        {
            if (method.Invoke(null, [scenario, seeds]) is string fault)
            {
                return fault;
            }
        }
        return null;
    }

    private byte[] Compile()
    {
        Dictionary<string, string> sources = new(s_sources.Value);
        foreach ((string from, string to) in Changes)
        {
            string[] files = [.. sources.Where(s => s.Value.Contains(from, StringComparison.Ordinal)).Select(s => s.Key)];
            if (files.Length != 1 || sources[files[0]].IndexOf(from, StringComparison.Ordinal) != sources[files[0]].LastIndexOf(from, StringComparison.Ordinal))
            {
                throw new InvalidOperationException($"{Name}: the sources do not contain this once, but in {files.Length} files:\n{from}");
            }
            sources[files[0]] = sources[files[0]].Replace(from, to, StringComparison.Ordinal);
        }
        CSharpCompilation compilation = s_unchanged.Value;
        foreach (SyntaxTree tree in compilation.SyntaxTrees)
        {
            if (sources[tree.FilePath] != s_sources.Value[tree.FilePath])
            {
                compilation = compilation.ReplaceSyntaxTree(tree, Parse(tree.FilePath, sources[tree.FilePath]));
            }
        }
        using MemoryStream image = new();
        var result = compilation.Emit(image);
        if (!result.Success)
        {
            throw new InvalidOperationException(
                Name + " does not compile:\n" + string.Join('\n', result.Diagnostics.Where(d => d.Severity == DiagnosticSeverity.Error)));
        }
        return image.ToArray();
    }

    private static SyntaxTree Parse(string name, string text) =>
        CSharpSyntaxTree.ParseText(text, s_parseOptions, name, System.Text.Encoding.UTF8);

    private static CSharpCompilation Unchanged()
    {
        string platform = (string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!;
        IEnumerable<string> references = platform.Split(Path.PathSeparator)
            .Where(p => Path.GetFileName(p).StartsWith("System.", StringComparison.Ordinal))
            .Append(typeof(Unikernel.Kernel.Machine).Assembly.Location);
        return CSharpCompilation.Create(
            Runtime, s_sources.Value.Select(s => Parse(s.Key, s.Value)), references.Select(r => MetadataReference.CreateFromFile(r)),
            new CSharpCompilationOptions(
                OutputKind.DynamicallyLinkedLibrary, allowUnsafe: true, optimizationLevel: OptimizationLevel.Release,
                nullableContextOptions: NullableContextOptions.Enable, metadataImportOptions: MetadataImportOptions.All));
    }

    private static Dictionary<string, string> ReadSources()
    {
        string root = Path.Combine(Repository.Root, "runtime");
        Dictionary<string, string> sources = [];
        foreach (string path in Directory.GetFiles(root, "*.cs", SearchOption.AllDirectories))
        {
            string name = Path.GetRelativePath(root, path);
            bool isBuilt = !name.StartsWith("bin/", StringComparison.Ordinal) && !name.StartsWith("obj/", StringComparison.Ordinal)
                && name != "Sched/Switch.cs";
            if (isBuilt)
            {
                sources[name] = File.ReadAllText(path);
            }
        }
        sources["Friends.cs"] = "[assembly: System.Runtime.CompilerServices.InternalsVisibleTo(\"Sim\")]";
        return sources;
    }

    // MU2
    private sealed class LoadContext(byte[] runtime) : AssemblyLoadContext("mutant")
    {
        protected override Assembly? Load(AssemblyName assemblyName) => assemblyName.Name switch
        {
            Runtime => LoadFromStream(new MemoryStream(runtime)),
            "Unikernel.Kernel" => LoadFromAssemblyPath(typeof(Unikernel.Kernel.Machine).Assembly.Location),
            "Sim" => LoadFromAssemblyPath(typeof(Mutant).Assembly.Location),
            _ => null,
        };
    }
}
