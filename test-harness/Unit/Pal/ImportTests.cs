// Every SystemNative_ and CryptoNative_ function we export is checked against what the class library imports.
using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.IO;
using System.Linq;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using Xunit;

namespace Unikernel.Tests.Pal;

public class ImportTests
{
    /// <summary>A signature by the sizes of its parts, which is what has to agree.</summary>
    private sealed class Sizes : ISignatureTypeProvider<string, object?>
    {
        private const string Pointer = "pointer";

        public string GetPrimitiveType(PrimitiveTypeCode typeCode) => typeCode switch
        {
            PrimitiveTypeCode.IntPtr or PrimitiveTypeCode.UIntPtr => Pointer,
            PrimitiveTypeCode.Int64 or PrimitiveTypeCode.UInt64 => "8",
            PrimitiveTypeCode.Int32 or PrimitiveTypeCode.UInt32 => "4",
            PrimitiveTypeCode.Int16 or PrimitiveTypeCode.UInt16 or PrimitiveTypeCode.Char => "2",
            PrimitiveTypeCode.Byte or PrimitiveTypeCode.SByte or PrimitiveTypeCode.Boolean => "1",
            _ => typeCode.ToString(),
        };

        public string GetTypeFromDefinition(MetadataReader reader, TypeDefinitionHandle handle, byte rawTypeKind)
        {
            TypeDefinition type = reader.GetTypeDefinition(handle);
            foreach (FieldDefinitionHandle f in type.GetFields())
            {
                FieldDefinition field = reader.GetFieldDefinition(f);
                if (reader.GetString(field.Name) == "value__")
                {
                    return field.DecodeSignature(this, null);
                }
            }
            return reader.GetString(type.Name);
        }

        public string GetArrayType(string elementType, ArrayShape shape) => Pointer;

        public string GetByReferenceType(string elementType) => Pointer;

        public string GetFunctionPointerType(MethodSignature<string> signature) => Pointer;

        public string GetGenericInstantiation(string genericType, ImmutableArray<string> typeArguments) => genericType;

        public string GetGenericMethodParameter(object? genericContext, int index) => "!!";

        public string GetGenericTypeParameter(object? genericContext, int index) => "!";

        public string GetModifiedType(string modifier, string unmodifiedType, bool isRequired) => unmodifiedType;

        public string GetPinnedType(string elementType) => elementType;

        public string GetPointerType(string elementType) => Pointer;

        public string GetSZArrayType(string elementType) => Pointer;

        public string GetTypeFromReference(MetadataReader reader, TypeReferenceHandle handle, byte rawTypeKind) =>
            reader.GetString(reader.GetTypeReference(handle).Name) == "SafeHandle" ? Pointer : "4";     // enumerations of other assemblies

        public string GetTypeFromSpecification(MetadataReader reader, object? genericContext, TypeSpecificationHandle handle, byte rawTypeKind) => "specification";

        internal static string Of(MethodDefinition method)
        {
            MethodSignature<string> s = method.DecodeSignature(new Sizes(), null);
            return $"{s.ReturnType}({string.Join(", ", s.ParameterTypes)})";
        }
    }

    private static bool IsPlatform(string name) =>
        name.StartsWith("SystemNative_", StringComparison.Ordinal) || name.StartsWith("CryptoNative_", StringComparison.Ordinal);

    private static Dictionary<string, string> Exports()
    {
        var exports = new Dictionary<string, string>();
        using FileStream file = File.OpenRead(typeof(Terminal).Assembly.Location);
        using var image = new PEReader(file);
        MetadataReader reader = image.GetMetadataReader();
        foreach (MethodDefinitionHandle h in reader.MethodDefinitions)
        {
            MethodDefinition method = reader.GetMethodDefinition(h);
            foreach (CustomAttributeHandle a in method.GetCustomAttributes())
            {
                CustomAttribute attribute = reader.GetCustomAttribute(a);
                if (attribute.Constructor.Kind != HandleKind.MemberReference)
                {
                    continue;
                }
                EntityHandle type = reader.GetMemberReference((MemberReferenceHandle)attribute.Constructor).Parent;
                if (type.Kind != HandleKind.TypeReference
                    || reader.GetString(reader.GetTypeReference((TypeReferenceHandle)type).Name) != "RuntimeExportAttribute")
                {
                    continue;
                }
                BlobReader value = reader.GetBlobReader(attribute.Value);
                _ = value.ReadUInt16();
                exports.Add(value.ReadSerializedString()!, Sizes.Of(method));
            }
        }
        return exports;
    }

    private static IEnumerable<(string Name, string Signature, string Assembly)> Imports()
    {
        string framework = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        foreach (string path in Directory.GetFiles(framework, "System.*.dll"))
        {
            using FileStream file = File.OpenRead(path);
            using var image = new PEReader(file);
            MetadataReader reader = image.GetMetadataReader();
            foreach (MethodDefinitionHandle h in reader.MethodDefinitions)
            {
                MethodDefinition method = reader.GetMethodDefinition(h);
                MethodImport import = method.GetImport();
                if (!import.Name.IsNil && IsPlatform(reader.GetString(import.Name)))
                {
                    yield return (reader.GetString(import.Name), Sizes.Of(method), Path.GetFileNameWithoutExtension(path));
                }
            }
        }
    }

    [Fact]
    public void Every_export_has_the_signature_the_class_library_calls()
    {
        Dictionary<string, string> exports = Exports();
        string[] wrong =
        [
            .. Imports()
                .Where(i => exports.TryGetValue(i.Name, out string? ours) && ours != i.Signature)
                .Select(i => $"{i.Name}: {i.Assembly} calls {i.Signature}, we have {exports[i.Name]}"),
        ];
        Assert.Empty(wrong);
        Assert.True(exports.Keys.Count(IsPlatform) > 200);
    }

    [Fact]
    public void Nothing_the_class_library_imports_from_System_Native_is_missing()
    {
        Dictionary<string, string> exports = Exports();
        string[] missing =
        [
            .. Imports()
                .Where(i => i.Name.StartsWith("SystemNative_", StringComparison.Ordinal) && !exports.ContainsKey(i.Name))
                .Select(i => $"{i.Name} ({i.Assembly})"),
        ];
        Assert.Empty(missing);
    }
}
