// The part of ILC's type descriptor that this runtime reads.
//
// Reference: layout read off CoreLib's Internal.Runtime.MethodTable (ILCompiler 10.0.12).
using System.Runtime.InteropServices;

namespace Unikernel.Runtime.Abi;

[StructLayout(LayoutKind.Sequential)]
internal struct MethodTable
{
    private const ushort HasFinalizerFlag = 0x0010;
    private const ushort HasPointersFlag = 0x0100;
    private const ushort HasComponentSizeFlag = 0x8000;

    private readonly ushort _low;       // of arrays and strings the component size, of others further flags
    internal ushort Flags;
    internal uint BaseSize;             // with the header word in front of the object

    internal readonly bool HasFinalizer => (Flags & HasFinalizerFlag) != 0;
    /// <summary>Bytes of an element of an array or string; 0 for others.</summary>
    internal readonly ushort ComponentSize => (Flags & HasComponentSizeFlag) != 0 ? _low : (ushort)0;

    internal readonly bool HasPointers => (Flags & HasPointersFlag) != 0;
}
