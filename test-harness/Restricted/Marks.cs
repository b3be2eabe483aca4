// Which methods are restricted, read from the attributes in the built assemblies, and by which link symbols an image
// knows them.
//
// MK1  The innermost mark counts: of the method, of its type, of the types around that, of the namespace (the longest
//      that fits). Without any, a method is free.
// MK2  The compiler names a method's symbol Assembly_Namespace_Type__Method, every character that is no letter, digit or
//      underscore replaced by one; the second of equal names gets _0, the third _1, in the order of the metadata. An
//      instance of something generic has its arguments in <> behind the name.
using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.IO;
using System.Linq;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text;

namespace Unikernel.Tests.Restricted;

/// <summary>A method of the assemblies. Reason is null unless it may allocate.</summary>
internal sealed record Method(string Name, string Symbol, string[] OtherSymbols, bool IsNoAlloc, string? Reason);

internal sealed class Marks
{
    private const string NoAlloc = "NoAllocAttribute";
    private const string MayAlloc = "MayAllocAttribute";
    private static readonly string[] s_exports = ["RuntimeExportAttribute", "UnmanagedCallersOnlyAttribute"];

    private readonly Dictionary<string, Method> _bySymbol = [];
    private readonly List<string> _assemblies = [];

    public List<Method> Methods { get; } = [];

    /// <summary>Assembly routines that may allocate, with the reason.</summary>
    public List<(string Symbol, string Reason)> MaySymbols { get; } = [];

    public static Marks Read(params string[] assemblies)
    {
        var marks = new Marks();
        foreach (string path in assemblies)
        {
            using var file = new PEReader(File.OpenRead(path));
            marks.Read(file.GetMetadataReader());
        }
        return marks;
    }

    /// <summary>The method of a link symbol; null when it is none of these assemblies'.</summary>
    public Method? Find(string symbol) => _bySymbol.GetValueOrDefault(Plain(symbol));

    /// <summary>Whether a link symbol must be a method's, by its name.</summary>
    public bool IsOurs(string symbol) => _assemblies.Exists(a => symbol.StartsWith(a, StringComparison.Ordinal));

    private void Read(MetadataReader r)
    {
        string assembly = Sanitize(r.GetString(r.GetAssemblyDefinition().Name));
        _assemblies.Add(assembly + "_");
        var namespaces = new List<(string Name, string? Reason)>();
        foreach ((string name, ImmutableArray<CustomAttributeTypedArgument<string>> a) in Attributes(r, r.GetAssemblyDefinition().GetCustomAttributes()))
        {
            if (name == NoAlloc)
            {
                namespaces.Add(((string)a[0].Value!, null));
            }
            else if (name == MayAlloc)
            {
                MaySymbols.Add(((string)a[1].Value!, (string)a[0].Value!));
            }
        }
        foreach (TypeDefinitionHandle handle in r.TypeDefinitions)
        {
            TypeDefinition type = r.GetTypeDefinition(handle);
            (bool IsNoAlloc, string? Reason) inherited = OfType(r, type, namespaces);
            string mangled = assembly + "_" + Mangle(r, type);
            string plain = FullName(r, type);
            var taken = new HashSet<string>();
            foreach (MethodDefinitionHandle h in type.GetMethods())
            {
                MethodDefinition m = r.GetMethodDefinition(h);
                string name = Sanitize(r.GetString(m.Name));
                string unique = name;
                for (int i = 0; !taken.Add(unique); i++)
                {
                    unique = $"{name}_{i}";
                }
                List<(string Name, ImmutableArray<CustomAttributeTypedArgument<string>> Arguments)> attributes = [.. Attributes(r, m.GetCustomAttributes())];
                (bool isNoAlloc, string? reason) = Own(attributes) ?? inherited;
                string[] others = [.. attributes.Where(a => s_exports.Contains(a.Name) && a.Arguments.Length > 0).Select(a => (string)a.Arguments[0].Value!)];
                var method = new Method($"{plain}.{r.GetString(m.Name)}", $"{mangled}__{unique}", others, isNoAlloc, reason);
                Methods.Add(method);
                _bySymbol[method.Symbol] = method;
            }
        }
    }

    private static (bool, string?)? Own(IEnumerable<(string Name, ImmutableArray<CustomAttributeTypedArgument<string>> Arguments)> attributes)
    {
        foreach ((string name, ImmutableArray<CustomAttributeTypedArgument<string>> arguments) in attributes)
        {
            if (name is NoAlloc or MayAlloc)
            {
                return (name == NoAlloc, name == NoAlloc ? null : (string)arguments[0].Value!);
            }
        }
        return null;
    }

    private static (bool, string?) OfType(MetadataReader r, TypeDefinition type, List<(string Name, string? Reason)> namespaces)
    {
        while (true)
        {
            if (Own(Attributes(r, type.GetCustomAttributes())) is { } own)
            {
                return own;
            }
            if (type.GetDeclaringType().IsNil)
            {
                string name = r.GetString(type.Namespace);
                return (namespaces.Exists(n => name == n.Name || name.StartsWith(n.Name + ".", StringComparison.Ordinal)), null);
            }
            type = r.GetTypeDefinition(type.GetDeclaringType());
        }
    }

    private static string FullName(MetadataReader r, TypeDefinition type)
    {
        string name = r.GetString(type.Name);
        return !type.GetDeclaringType().IsNil ? $"{FullName(r, r.GetTypeDefinition(type.GetDeclaringType()))}.{name}"
            : type.Namespace.IsNil ? name : $"{r.GetString(type.Namespace)}.{name}";
    }

    private static string Mangle(MetadataReader r, TypeDefinition type) => Sanitize(FullName(r, type));

    private static string Sanitize(string name)
    {
        var text = new StringBuilder(name.Length);
        foreach (char c in name)
        {
            text.Append(char.IsAsciiLetterOrDigit(c) ? c : '_');
        }
        return text.Length > 0 && char.IsAsciiDigit(text[0]) ? "_" + text : text.ToString();
    }

    // Without generic arguments, and of the stub that unboxes for a method that method's.
    private static string Plain(string symbol)
    {
        if (symbol.StartsWith("<Boxed>", StringComparison.Ordinal) && symbol.IndexOf("__<unbox>", StringComparison.Ordinal) is > 0 and var at)
        {
            symbol = symbol[(at + 9)..];
        }
        if (symbol.StartsWith("unbox_", StringComparison.Ordinal))
        {
            symbol = symbol[6..];
        }
        var text = new StringBuilder(symbol.Length);
        int depth = 0;
        foreach (char c in symbol)
        {
            depth += c == '<' ? 1 : 0;
            if (depth == 0)
            {
                text.Append(c);
            }
            depth -= c == '>' ? 1 : 0;
        }
        return text.ToString();
    }

    private static IEnumerable<(string Name, ImmutableArray<CustomAttributeTypedArgument<string>> Arguments)> Attributes(MetadataReader r, CustomAttributeHandleCollection handles)
    {
        foreach (CustomAttributeHandle handle in handles)
        {
            CustomAttribute a = r.GetCustomAttribute(handle);
            StringHandle name = a.Constructor.Kind == HandleKind.MemberReference
                ? r.GetTypeReference((TypeReferenceHandle)r.GetMemberReference((MemberReferenceHandle)a.Constructor).Parent).Name
                : r.GetTypeDefinition(r.GetMethodDefinition((MethodDefinitionHandle)a.Constructor).GetDeclaringType()).Name;
            string text = r.GetString(name);
            if (text is NoAlloc or MayAlloc || s_exports.Contains(text))
            {
                yield return (text, a.DecodeValue(new TypeNames()).FixedArguments);
            }
        }
    }

    // Attribute arguments are strings here, so a type is its name.
    private sealed class TypeNames : ICustomAttributeTypeProvider<string>
    {
        public string GetPrimitiveType(PrimitiveTypeCode typeCode) => typeCode.ToString();

        public string GetSystemType() => "System.Type";

        public string GetSZArrayType(string elementType) => elementType + "[]";

        public string GetTypeFromDefinition(MetadataReader reader, TypeDefinitionHandle handle, byte rawTypeKind) =>
            reader.GetString(reader.GetTypeDefinition(handle).Name);

        public string GetTypeFromReference(MetadataReader reader, TypeReferenceHandle handle, byte rawTypeKind) =>
            reader.GetString(reader.GetTypeReference(handle).Name);

        public string GetTypeFromSerializedName(string name) => name;

        public PrimitiveTypeCode GetUnderlyingEnumType(string type) => PrimitiveTypeCode.Int32;

        public bool IsSystemType(string type) => type == "System.Type";
    }
}
