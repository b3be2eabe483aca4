// The two attributes by which ILC ties C# methods to link symbols. It matches them by full name, so they are ours.
// RuntimeExport: the method becomes a global symbol. RuntimeImport (with MethodImplOptions.InternalCall): a call of the
// extern method is a direct call of the symbol, System V calling convention, no transition.

#pragma warning disable CA1018 // usage is restricted below; CA1019 wants accessors that exist
namespace System.Runtime;

[AttributeUsage(AttributeTargets.Method, Inherited = false)]
public sealed class RuntimeExportAttribute(string entryPoint) : Attribute
{
    public string EntryPoint { get; } = entryPoint;
}

[AttributeUsage(AttributeTargets.Method, Inherited = false)]
public sealed class RuntimeImportAttribute(string entryPoint) : Attribute
{
    public string EntryPoint { get; } = entryPoint;
}
