// Link symbols of ILC as C# names:  TYPE__METHOD  with  TYPE = ASSEMBLY_NAMESPACE_TYPE[_NESTED]…[<TYPE__TYPE>].
// Without the assemblies' metadata the words are guessed at: every '_' counts as a dot.

using System.Text;

namespace Unikernel.Iso.Symbols;

internal sealed class Demangler(MetadataNames names)
{
    private const int MaxDepth = 32;

    private static readonly Dictionary<string, string> s_keywords = new()
    {
        ["System.Boolean"] = "bool",
        ["System.Char"] = "char",
        ["System.SByte"] = "sbyte",
        ["System.Byte"] = "byte",
        ["System.Int16"] = "short",
        ["System.UInt16"] = "ushort",
        ["System.Int32"] = "int",
        ["System.UInt32"] = "uint",
        ["System.Int64"] = "long",
        ["System.UInt64"] = "ulong",
        ["System.IntPtr"] = "nint",
        ["System.UIntPtr"] = "nuint",
        ["System.Single"] = "float",
        ["System.Double"] = "double",
        ["System.Object"] = "object",
        ["System.String"] = "string",
        ["System.Void"] = "void",
    };

    private string _text = "";
    private int _at;

    /// <summary>The readable name; null when the symbol is not C#'s (assembly, C).</summary>
    public string? Demangle(string symbol)
    {
        _text = symbol;
        _at = 0;
        if (Skip("__DelegateCtor_"))
        {
            // The initialiser of the delegate comes first; the method it will call says more.
            return Method() is null || !Skip("__") || Method() is not { } target ? null : target + ".delegate";
        }

        if (Skip("<Boxed>"))
        {
            // The boxed type, then the method once more with its own.
            if (Type(0, isOwner: false) is null || !Skip("__<unbox>"))
            {
                return null;
            }
        }
        else
        {
            Skip("unbox_");
        }

        return Method() is { } method && _at == _text.Length ? method : null;
    }

    private bool Skip(string word)
    {
        if (!_text.AsSpan(_at).StartsWith(word))
        {
            return false;
        }

        _at += word.Length;
        return true;
    }

    private string? Method()
    {
        if (Owner() is not { } owner)
        {
            return null;
        }

        var arguments = Arguments(0);
        if (!Skip("__"))
        {
            return null;
        }

        var start = _at;
        _at = Bound(_at);
        // Of a delegate's constructor only the first method is followed by another one.
        var isPair = start > 15 && _text.StartsWith("__DelegateCtor_", StringComparison.Ordinal);
        if (isPair && owner.Find("System.Delegate") && _text.IndexOf("__", start, _at - start, StringComparison.Ordinal) is > 0 and var end)
        {
            _at = end;
        }

        var mangled = _text[start.._at];
        if (mangled.Length == 0)
        {
            return null;
        }

        var name = owner.Type?.FindMethod(mangled);
        if (name is null && isPair && mangled.IndexOf("__", 1, StringComparison.Ordinal) is > 0 and var second && owner.Type?.FindMethod(mangled[..second]) is { } first)
        {
            // … the target may be followed by the thunk that calls it, which says nothing more.
            (name, _at) = (first, _text.Length);
        }

        if (name is null)
        {
            name = mangled.StartsWith("_ctor", StringComparison.Ordinal) || mangled.StartsWith("_cctor", StringComparison.Ordinal)
                ? "." + MetadataNames.WithoutIndex(mangled[1..])
                : names.IsEmpty ? MetadataNames.WithoutIndex(mangled) : mangled;
        }

        var typeArguments = Arguments(0);
        var result = new StringBuilder(owner.Show(arguments));
        if (result.Length > 0)
        {
            result.Append('.');
        }

        result.Append(ReadableName.Of(name));
        AppendArguments(result, typeArguments);
        return result.ToString();
    }

    /// <summary>The type before a method: the longest known one whose rest is a method of it, else the longest known one.</summary>
    private TypeText? Owner()
    {
        var start = _at;
        var bound = Bound(start);
        var fallback = -1;
        if (bound < _text.Length && _text[bound] == '<' && names.Find(_text.AsSpan(start, bound - start)) is { } whole)
        {
            _at = bound;
            return new TypeText(whole, "");
        }

        for (var end = bound - 2; end > start; end--)
        {
            if (_text[end] != '_' || _text[end + 1] != '_' || names.Find(_text.AsSpan(start, end - start)) is not { } type)
            {
                continue;
            }

            fallback = Math.Max(fallback, end);
            if (type.FindMethod(_text[(end + 2)..bound]) is not null)
            {
                _at = end;
                return new TypeText(type, "");
            }
        }

        if (fallback > 0)
        {
            _at = fallback;
            return new TypeText(names.Find(_text.AsSpan(start, fallback - start)), "");
        }

        return names.IsEmpty && Unknown() is { } guess ? new TypeText(null, guess) : null;
    }

    /// <summary>A type that is somebody's argument, with all its own.</summary>
    private string? Type(int depth, bool isOwner)
    {
        if (depth > MaxDepth)
        {
            return null;
        }

        string? shown;
        if (Skip("__Array<"))
        {
            shown = Type(depth + 1, false) is { } element && Skip(">") ? element + "[]" : null;
        }
        else if (Skip("__MDArray<"))
        {
            var element = Type(depth + 1, false);
            var rank = 0;
            for (Skip("__"); _at < _text.Length && char.IsAsciiDigit(_text[_at]) && rank < 100; _at++)
            {
                rank = (rank * 10) + _text[_at] - '0';
            }

            shown = element is not null && Skip(">") ? $"{element}[{new string(',', Math.Clamp(rank - 1, 0, 31))}]" : null;
        }
        else if (_text.AsSpan(_at).StartsWith("__FnPtr_"))
        {
            _at = Bound(_at);
            var signature = new StringBuilder("delegate*");
            AppendArguments(signature, Arguments(depth + 1));
            shown = signature.ToString();
        }
        else
        {
            var type = Known() ?? (Unknown() is { } guess ? new TypeText(null, guess) : null);
            shown = type?.Show(IsModifier() ? [] : Arguments(depth + 1));
            if (shown is not null && !isOwner && s_keywords.TryGetValue(shown, out var keyword))
            {
                shown = keyword;
            }
        }

        while (shown is not null && IsModifier())
        {
            shown = Skip("<ByRef>") ? "ref " + shown : Skip("<Pointer>") ? shown + "*" : null;
        }

        return shown;
    }

    private bool IsModifier() => _text.AsSpan(_at).StartsWith("<ByRef>") || _text.AsSpan(_at).StartsWith("<Pointer>");

    /// <summary>The longest known type here that ends where an argument may end.</summary>
    private TypeText? Known()
    {
        var bound = Bound(_at);
        for (var end = bound; end > _at; end--)
        {
            if ((end == bound || (end + 1 < bound && _text[end] == '_' && _text[end + 1] == '_'))
                && names.Find(_text.AsSpan(_at, end - _at)) is { } type)
            {
                _at = end;
                return new TypeText(type, "");
            }
        }

        return null;
    }

    private string? Unknown()
    {
        var bound = Bound(_at);
        var end = _at;
        while (end < bound && !(end > _at && end + 1 < bound && _text[end] == '_' && _text[end + 1] == '_'))
        {
            end++;
        }

        if (end == _at || _text[_at] == '_')
        {
            return null;
        }

        var guess = Guess(_text[_at..end]);
        _at = end;
        return guess;
    }

    /// <summary>Dots for underscores, without the assembly's name where that shows: S_P_X, or the namespace said twice.</summary>
    private static string Guess(string mangled)
    {
        var words = mangled.Split('_');
        var skip = words.Length > 3 && words[0] == "S" && words[1] == "P" ? 3 : 0;
        for (var length = words.Length / 2; length > 0 && skip == 0; length--)
        {
            if (words.AsSpan(0, length).SequenceEqual(words.AsSpan(length, length)))
            {
                skip = length;
            }
        }

        return string.Join('.', words[skip..]);
    }

    private List<string> Arguments(int depth)
    {
        var arguments = new List<string>();
        if (_at < _text.Length && _text[_at] == '<' && !IsModifier())
        {
            var start = _at;
            do
            {
                _at += arguments.Count == 0 ? 1 : 2;
                if (Type(depth, isOwner: false) is not { } argument)
                {
                    // Not understood: shown as it stands.
                    _at = Closing(start);
                    return [_text[(start + 1).._at++]];
                }

                arguments.Add(argument);
            }
            while (_text.AsSpan(_at).StartsWith("__"));
            if (!Skip(">"))
            {
                _at = Closing(start);
                return [_text[(start + 1).._at++]];
            }
        }

        return arguments;
    }

    private int Closing(int start)
    {
        var depth = 0;
        for (var i = start; i < _text.Length; i++)
        {
            depth += _text[i] switch { '<' => 1, '>' => -1, _ => 0 };
            if (depth == 0)
            {
                return i;
            }
        }

        throw new FormatException();
    }

    private int Bound(int from)
    {
        var bound = _text.AsSpan(from).IndexOfAny('<', '>');
        return bound < 0 ? _text.Length : from + bound;
    }

    private static void AppendArguments(StringBuilder to, List<string> arguments)
    {
        if (arguments.Count > 0)
        {
            to.Append('<').AppendJoin(", ", arguments).Append('>');
        }
    }

    private sealed record TypeText(TypeName? Type, string Guess)
    {
        public bool Find(string name) => Show([]) == name;

        /// <summary>The type's name with its arguments dealt out along the chain of nesting.</summary>
        public string Show(List<string> arguments)
        {
            var shown = new StringBuilder(Type?.Prefix);
            if (Type is null)
            {
                shown.Append(Guess);
                AppendArguments(shown, arguments);
                return shown.ToString();
            }

            var next = 0;
            var first = true;
            foreach (var part in Type.Parts)
            {
                var count = Math.Min(part.Arity, arguments.Count - next);
                var name = ReadableName.Of(part.Name);
                if (name.Length > 0)
                {
                    shown.Append(first ? "" : ".").Append(name);
                    AppendArguments(shown, arguments.GetRange(next, count));
                    first = false;
                }

                next += count;
            }

            return shown.ToString();
        }
    }
}
