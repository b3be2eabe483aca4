// The types and methods of the assemblies an image was compiled from, by the names ILC gives them in link symbols.
// ILC's mangling loses where a namespace, a type or a nested type ends (all become '_'), so it is redone here and looked up.

using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text;

namespace Unikernel.Iso.Symbols;

/// <summary>One name of a type's chain of nesting, and how many generic arguments belong to it.</summary>
internal readonly record struct TypePart(string Name, int Arity);

internal sealed class TypeName(string prefix, TypePart[] parts, MetadataReader? metadata, TypeDefinitionHandle handle)
{
    private Dictionary<string, string>? _methods;

    /// <summary>The namespace with a dot, or nothing.</summary>
    public string Prefix { get; } = prefix;

    public TypePart[] Parts { get; } = parts;

    /// <summary>The method's name in metadata, given its sanitised one (overloads carry _0, _1, … behind it); null when there is none.</summary>
    public string? FindMethod(string mangled)
    {
        if (_methods is null)
        {
            _methods = [];
            if (metadata is not null)
            {
                foreach (var method in metadata.GetTypeDefinition(handle).GetMethods())
                {
                    var name = metadata.GetString(metadata.GetMethodDefinition(method).Name);
                    _methods.TryAdd(MetadataNames.Sanitize(name), name);
                }
            }
        }

        return _methods.TryGetValue(mangled, out var found) || _methods.TryGetValue(MetadataNames.WithoutIndex(mangled), out found) ? found : null;
    }
}

internal sealed class MetadataNames : IDisposable
{
    private const int AssemblyWords = 8;  // an assembly's name has at most so many words

    private static readonly (string Mangled, string Name)[] s_primitives =
    [
        ("Bool", "Boolean"), ("Char", "Char"), ("Int8", "SByte"), ("UInt8", "Byte"), ("Int16", "Int16"), ("UInt16", "UInt16"),
        ("Int32", "Int32"), ("UInt32", "UInt32"), ("Int64", "Int64"), ("UInt64", "UInt64"), ("IntPtr", "IntPtr"),
        ("UIntPtr", "UIntPtr"), ("Single", "Single"), ("Double", "Double"), ("Object", "Object"), ("String", "String"), ("Void", "Void"),
    ];

    private readonly Dictionary<string, TypeName> _types = [];
    private readonly Dictionary<string, TypeName>.AlternateLookup<ReadOnlySpan<char>> _bySpan;
    private readonly List<PEReader> _open = [];

    public MetadataNames()
    {
        _bySpan = _types.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var (mangled, name) in s_primitives)
        {
            _types.Add(mangled, new TypeName("System.", [new TypePart(name, 0)], null, default));
        }

        foreach (var canonical in new[] { "__Canon", "__UniversalCanon" })
        {
            _types.Add("System_" + canonical, new TypeName("System.", [new TypePart(canonical, 0)], null, default));
        }
    }

    /// <summary>No assembly was read: names can only be guessed at.</summary>
    public bool IsEmpty => _open.Count == 0;

    /// <summary>Reads those assemblies of an ILC response file that occur in the symbols.</summary>
    public void Load(string responseFile, IReadOnlyList<ElfSymbol> symbols)
    {
        var heads = Heads(symbols);
        var seen = new HashSet<string>();
        foreach (var line in File.ReadLines(responseFile))
        {
            var path = line.StartsWith("-r:", StringComparison.Ordinal) ? line[3..] : line;
            path = path.Trim().Trim('"');
            if (path.Length == 0 || path[0] == '-' || !path.EndsWith(".dll", StringComparison.OrdinalIgnoreCase))
            {
                continue;
            }

            var name = Path.GetFileNameWithoutExtension(path);
            name = Sanitize(name.StartsWith("System.Private.", StringComparison.Ordinal) ? "S.P." + name[15..] : name);
            if (heads.Contains(name) && seen.Add(name))
            {
                ReadAssembly(path, name);
            }
        }
    }

    public TypeName? Find(ReadOnlySpan<char> mangled) => _bySpan.TryGetValue(mangled, out var type) ? type : null;

    public void Dispose() => _open.ForEach(static reader => reader.Dispose());

    /// <summary>ILC's way to make a link symbol of a name: what is not a letter or digit of ASCII becomes '_'.</summary>
    public static string Sanitize(string name)
    {
        var clean = string.Create(name.Length, name, static (to, from) =>
        {
            for (var i = 0; i < from.Length; i++)
            {
                to[i] = char.IsAsciiLetterOrDigit(from[i]) ? from[i] : '_';
            }
        });
        return clean.Length > 0 && char.IsAsciiDigit(clean[0]) ? "_" + clean : clean;
    }

    /// <summary>The name without the _N that tells overloads apart.</summary>
    public static string WithoutIndex(string name)
    {
        var end = name.Length;
        while (end > 0 && char.IsAsciiDigit(name[end - 1]))
        {
            end--;
        }

        return end < name.Length && end > 1 && name[end - 1] == '_' ? name[..(end - 1)] : name;
    }

    /// <summary>What may be the name of an assembly in the symbols: the first words of everything that can be a type.</summary>
    private static HashSet<string> Heads(IReadOnlyList<ElfSymbol> symbols)
    {
        var heads = new HashSet<string>();
        var bySpan = heads.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var symbol in symbols)
        {
            var text = symbol.Name.AsSpan();
            for (var start = 0; start < text.Length; start++)
            {
                var isStart = start == 0 || text[start - 1] is '<' or '>'
                    || (text[start - 1] == '_' && (start == 6 || start == 15 || (start > 1 && text[start - 2] == '_')));
                for (int end = start, words = 0; isStart && end < text.Length && words < AssemblyWords && text[end] is not ('<' or '>'); end++)
                {
                    if (text[end] == '_' && end > start)
                    {
                        bySpan.Add(text[start..end]);
                        words++;
                    }
                }
            }
        }

        return heads;
    }

    private void ReadAssembly(string path, string mangledAssembly)
    {
        var file = new PEReader(new MemoryStream(File.ReadAllBytes(path), writable: false));
        _open.Add(file);
        if (!file.HasMetadata)
        {
            return;
        }

        var metadata = file.GetMetadataReader();
        var known = new Dictionary<TypeDefinitionHandle, (string Mangled, TypeName Type)>();
        foreach (var handle in metadata.TypeDefinitions)
        {
            Add(handle, 0);
        }

        (string Mangled, TypeName Type) Add(TypeDefinitionHandle handle, int depth)
        {
            if (known.TryGetValue(handle, out var entry))
            {
                return entry;
            }

            if (depth > 64)
            {
                throw new BadImageFormatException("types nested in a circle");
            }

            var definition = metadata.GetTypeDefinition(handle);
            var outer = definition.GetDeclaringType();
            var name = metadata.GetString(definition.Name);
            var part = Part(name);
            if (outer.IsNil)
            {
                var space = metadata.GetString(definition.Namespace);
                var prefix = space.Length == 0 ? "" : space + ".";
                entry = ($"{mangledAssembly}_{Sanitize(prefix + name)}", new TypeName(prefix, [part], metadata, handle));
                if (mangledAssembly == "S_P_CoreLib" && space == "System")
                {
                    foreach (var primitive in s_primitives)
                    {
                        if (primitive.Name == name)
                        {
                            _types[primitive.Mangled] = entry.Type;
                        }
                    }
                }
            }
            else
            {
                var (mangledOuter, type) = Add(outer, depth + 1);
                entry = (mangledOuter + Sanitize("_" + name), new TypeName(type.Prefix, [.. type.Parts, part], metadata, handle));
            }

            known.Add(handle, entry);
            _types.TryAdd(entry.Mangled, entry.Type);
            return entry;
        }
    }

    private static TypePart Part(string name)
    {
        var tick = name.LastIndexOf('`');
        return tick > 0 && int.TryParse(name.AsSpan(tick + 1), out var arity) ? new TypePart(name[..tick], arity) : new TypePart(name, 0);
    }
}
