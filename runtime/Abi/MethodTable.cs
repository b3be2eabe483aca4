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

    internal ushort ComponentSize;      // of arrays and strings
    internal ushort Flags;
    internal uint BaseSize;             // with the header word in front of the object

    internal readonly bool HasFinalizer => (Flags & HasFinalizerFlag) != 0;
    internal readonly bool HasPointers => (Flags & HasPointersFlag) != 0;
}
