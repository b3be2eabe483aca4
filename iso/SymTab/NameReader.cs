// Mangled symbols of the ahead-of-time compiler as the names a C# programmer wrote: Namespace.Type.Method.
// N1  A symbol is Assembly_Namespace_Type__Method: dots and nesting are "_", other punctuation too, type arguments stand in <>.
// N2  What is not understood is shown as it is: every symbol gets some name, never an error.

using System.Text;

namespace Unikernel.Iso.Symbols;

internal sealed class NameReader
{
    // Assemblies whose namespaces do not repeat the assembly's name; the others are recognised by that repetition.
    private static readonly string[] s_knownAssemblies =
    [
        "S_P_CoreLib", "S_P_TypeLoader", "S_P_StackTraceMetadata", "S_P_Reflection_Execution", "S_P_Uri", "System_Runtime",
        "Unikernel_Kernel", "Unikernel_Runtime", "Unikernel_Drivers", "Unikernel_Iso",
    ];

    private static readonly Dictionary<string, string> s_primitives = new()
    {
        ["Bool"] = "System.Boolean",
        ["Char"] = "System.Char",
        ["Int8"] = "System.SByte",
        ["UInt8"] = "System.Byte",
        ["Int16"] = "System.Int16",
        ["UInt16"] = "System.UInt16",
        ["Int32"] = "System.Int32",
        ["UInt32"] = "System.UInt32",
        ["Int64"] = "System.Int64",
        ["UInt64"] = "System.UInt64",
        ["IntPtr"] = "System.IntPtr",
        ["UIntPtr"] = "System.UIntPtr",
        ["Single"] = "System.Single",
        ["Double"] = "System.Double",
        ["String"] = "System.String",
        ["Object"] = "System.Object",
    };

    private readonly HashSet<string> _assemblies = [.. s_knownAssemblies];
    private readonly DebugInfo _info;

    public NameReader(DebugInfo info, IEnumerable<string> symbols)
    {
        _info = info;
        foreach (var symbol in symbols)
        {
            Learn(symbol);
        }
    }

    /// <summary>The readable name, as type ("" when there is none) and method.</summary>
    public (string Type, string Method) Read(string symbol)
    {
        var mangled = symbol;
        if (mangled.StartsWith("<Boxed>", StringComparison.Ordinal) && mangled.IndexOf("__<unbox>", StringComparison.Ordinal) is > 0 and var boxed)
        {
            mangled = mangled[(boxed + 9)..];
        }
        else if (mangled.StartsWith("unbox_", StringComparison.Ordinal) && mangled.Contains("__", StringComparison.Ordinal))
        {
            mangled = mangled[6..];
        }

        var known = _info.Methods.GetValueOrDefault(mangled);
        var split = FindSplit(mangled);
        if (split <= 0)
        {
            return ("", WithoutArguments(symbol));
        }

        var method = known != null ? MethodName(known) : MangledMethodName(mangled[(split + 2)..]);
        var type = TypeName(WithoutArguments(mangled[..split]), out var closure);
        // The method of a closure or state machine belongs to the method that made it, which the type or the method itself names.
        return (type, closure.Length > 0 ? closure + "." + method : method);
    }

    /// <summary>Where the "__" between type and method is; 0 or less when there is none.</summary>
    private int FindSplit(string mangled)
    {
        if (mangled.StartsWith("__", StringComparison.Ordinal))
        {
            return 0;
        }

        // A type of the debug information, the longest that fits: exact.
        for (var at = mangled.LastIndexOf("__", StringComparison.Ordinal); at > 0; at = mangled.LastIndexOf("__", at, StringComparison.Ordinal))
        {
            if (_info.Types.Contains(mangled[..at]) && at + 2 < mangled.Length)
            {
                return at;
            }
        }

        // Otherwise the first "__" outside <> that does not begin a compiler-made nested type.
        var depth = 0;
        for (var i = 1; i + 2 < mangled.Length; i++)
        {
            depth += mangled[i] == '<' ? 1 : mangled[i] == '>' ? -1 : 0;
            if (depth > 0 || mangled[i] != '_' || mangled[i + 1] != '_')
            {
                continue;
            }

            var rest = mangled.AsSpan(i + 2);
            if (rest.StartsWith("Module___"))
            {
                i += 8;
                continue;
            }

            if (rest.StartsWith("_c_") || rest.StartsWith("_c<"))
            {
                // "___c" is a nested "<>c"; "___c__DisplayClass1_0" a closure's type.
                i += rest.StartsWith("_c__DisplayClass") ? 17 : 3;
                continue;
            }

            // A state machine: "_" + "_Method_d__3".
            var machine = rest.IndexOf("_d__");
            var end = machine + 4;
            while (machine > 0 && end < rest.Length && char.IsAsciiDigit(rest[end]))
            {
                end++;
            }

            if (machine > 0 && end > machine + 4 && rest[end..].IndexOf("__") is var next and >= 0 && (next == 0 || rest[end] is '_' or '<'))
            {
                i += end + 1;
                continue;
            }

            return i;
        }

        return 0;
    }

    /// <summary>A method name as in metadata, with the compiler's own names (lambdas, local functions) put plainly.</summary>
    private static string MethodName(string name)
    {
        if (!name.StartsWith('<'))
        {
            var generic = name.IndexOf('<', StringComparison.Ordinal);
            name = generic > 0 ? name[..generic] : name;
            // An explicit implementation is named Interface.Method: the last part says enough.
            var dot = name.LastIndexOf('.');
            return dot > 0 ? name[(dot + 1)..] : name;
        }

        var close = name.LastIndexOf('>');
        if (name.EndsWith('>') && name.LastIndexOf('<') is > 0 and var arguments)
        {
            return MethodName(name[..arguments]);
        }

        var outer = name[1..Math.Max(1, close)].Trim('<', '>', '$').Replace(">b__", ".", StringComparison.Ordinal).Replace(">g__", ".", StringComparison.Ordinal);
        var rest = name[(close + 1)..];
        if (rest.StartsWith("b__", StringComparison.Ordinal))
        {
            return outer + "." + Lambda(rest);
        }

        var bar = rest.IndexOf('|', StringComparison.Ordinal);
        return rest.StartsWith("g__", StringComparison.Ordinal) ? outer + "." + (bar > 3 ? rest[3..bar] : rest[3..]) : outer;
    }

    private static string MangledMethodName(string name)
    {
        name = WithoutArguments(name);
        if (name.StartsWith("_ctor", StringComparison.Ordinal) || name.StartsWith("_cctor", StringComparison.Ordinal))
        {
            return name[1] == 'c' && name[2] == 'c' ? ".cctor" : ".ctor";
        }

        name = WithoutCount(name, out _);
        var lambda = name.LastIndexOf("_b__", StringComparison.Ordinal);
        if (name.StartsWith('_') && lambda > 0)
        {
            return name[..lambda].Trim('_') + "." + Lambda(name[(lambda + 1)..]);
        }

        var local = name.IndexOf("_g__", StringComparison.Ordinal);
        if (name.StartsWith('_') && local > 0)
        {
            return name[..local].Trim('_') + "." + WithoutCount(name[(local + 4)..], out _);
        }

        return name.Trim('_') is { Length: > 0 } plain && !name.StartsWith("__", StringComparison.Ordinal) ? plain : name;
    }

    /// <summary>b__3_1 is the second function of its method.</summary>
    private static string Lambda(string text)
    {
        WithoutCount("_" + text[3..], out var index);
        return index < 0 ? "func" : "func" + (index + 1);
    }

    /// <summary>Without the trailing _number, which tells overloads apart.</summary>
    private static string WithoutCount(string name, out int count)
    {
        var at = name.LastIndexOf('_');
        return at >= 0 && int.TryParse(name.AsSpan(at + 1), System.Globalization.NumberStyles.None, null, out count) ? name[..at] : None(name, out count);

        static string None(string name, out int count)
        {
            count = -1;
            return name;
        }
    }

    /// <summary>A mangled type as a dotted name. A compiler-made nested type is left off; closure is then the method it was made for, if named.</summary>
    private string TypeName(string mangled, out string closure)
    {
        closure = "";
        if (s_primitives.TryGetValue(mangled, out var primitive))
        {
            return primitive;
        }

        mangled = WithoutAssembly(mangled);
        if (mangled.IndexOf("___c", StringComparison.Ordinal) is > 0 and var at && (at + 4 == mangled.Length || mangled[at + 4] is '_'))
        {
            mangled = mangled[..at];
        }
        else if (mangled.IndexOf("_d__", StringComparison.Ordinal) is > 0 and var machine && mangled.LastIndexOf("__", machine, StringComparison.Ordinal) is > 0 and var start)
        {
            closure = mangled[(start + 2)..machine].Trim('_');
            mangled = mangled[..start];
        }

        var name = new StringBuilder();
        foreach (var part in mangled.Split('_', StringSplitOptions.RemoveEmptyEntries))
        {
            // A number alone is the count of type parameters.
            if (!int.TryParse(part, out _))
            {
                name.Append(name.Length > 0 ? "." : "").Append(part);
            }
        }

        return name.Length > 0 ? name.ToString() : mangled;
    }

    private string WithoutAssembly(string mangled)
    {
        for (var at = mangled.LastIndexOf('_'); at > 0; at = mangled.LastIndexOf('_', at - 1))
        {
            if (at + 1 < mangled.Length && _assemblies.Contains(mangled[..at]))
            {
                return mangled[(at + 1)..];
            }
        }

        return mangled;
    }

    /// <summary>Learns an assembly's name from its module type, or from a namespace that repeats it.</summary>
    private void Learn(string symbol)
    {
        var end = symbol.IndexOfAny(['<', ' ']);
        var text = end < 0 ? symbol : symbol[..end];
        var module = text.IndexOf("__Module_", StringComparison.Ordinal);
        if (module > 0)
        {
            _assemblies.Add(text[..module]);
            return;
        }

        var method = text.IndexOf("__", StringComparison.Ordinal);
        text = method > 0 ? text[..method] : text;
        for (var at = text.IndexOf('_', StringComparison.Ordinal); method > 0 && at > 0 && at <= text.Length / 2; at = text.IndexOf('_', at + 1))
        {
            if (string.CompareOrdinal(text, 0, text, at + 1, at) == 0 && (at * 2 + 1 == text.Length || text[at * 2 + 1] == '_'))
            {
                _assemblies.Add(text[..at]);
                return;
            }
        }
    }

    /// <summary>Without what stands in &lt;&gt;.</summary>
    private static string WithoutArguments(string text)
    {
        if (!text.Contains('<', StringComparison.Ordinal))
        {
            return text;
        }

        var kept = new StringBuilder();
        var depth = 0;
        foreach (var c in text)
        {
            depth += c == '<' ? 1 : 0;
            if (depth == 0)
            {
                kept.Append(c);
            }

            depth -= c == '>' && depth > 0 ? 1 : 0;
        }

        return kept.Length > 0 ? kept.ToString() : text;
    }
}
