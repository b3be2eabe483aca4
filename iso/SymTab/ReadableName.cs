// What the C# compiler hides behind '<' and '>', in the words of the source:
//   lambda            Type.<>c.<Main>b__0_1, Type.<>c__DisplayClass2_0.<Main>b__1   →  Type.Main.func2  (Go's form, counted from 1)
//   local function    Type.<Main>g__Local|0_0                                       →  Type.Main.Local
//   iterator, async   Type.<Main>d__3.MoveNext                                      →  Type.Main.MoveNext
//   top-level code    Program.<Main>$                                               →  Program.Main
//   file-local type   <File>F0123__Type                                             →  Type
// Names written by people are left alone (.ctor, .cctor and get_X are what .NET's own stack traces show).

namespace Unikernel.Iso.Symbols;

internal static class ReadableName
{
    private const int MaxDepth = 16;

    /// <summary>The readable form of one type or method name; empty for a closure class, which the source does not know.</summary>
    public static string Of(string name) => Of(name, 0);

    private static string Of(string name, int depth)
    {
        if (name.Length < 2 || name[0] != '<' || depth > MaxDepth)
        {
            return name;
        }

        var close = Close(name);
        if (close < 0)
        {
            return name;
        }

        var inner = name[1..close];
        var rest = name.AsSpan(close + 1);
        if (inner.Length == 0)
        {
            return rest.StartsWith("c") ? "" : rest.StartsWith("f__") ? rest[3..].ToString() : name;
        }

        if (rest.SequenceEqual("$") || rest.SequenceEqual("d") || rest.StartsWith("d__") || rest.StartsWith("e__"))
        {
            return Of(inner, depth + 1);
        }

        if (rest.StartsWith("b__") && int.TryParse(rest[(rest.LastIndexOf('_') + 1)..], out var ordinal))
        {
            return $"{Of(inner, depth + 1)}.func{ordinal + 1}";
        }

        if (rest.StartsWith("g__"))
        {
            var bar = rest.IndexOf('|');
            return $"{Of(inner, depth + 1)}.{rest[3..(bar < 0 ? rest.Length : bar)]}";
        }

        if (rest.StartsWith("F"))
        {
            var at = rest.IndexOf("__");
            return at > 0 ? rest[(at + 2)..].ToString() : name;
        }

        return name;
    }

    /// <summary>The position of the '>' that closes the '&lt;' at 0.</summary>
    private static int Close(string name)
    {
        var depth = 0;
        for (var i = 0; i < name.Length; i++)
        {
            depth += name[i] switch { '<' => 1, '>' => -1, _ => 0 };
            if (depth == 0)
            {
                return i;
            }
        }

        return -1;
    }
}
