// How much memory is in use. Context: any; allocates nothing.
namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    /// <summary>Bytes in use: the kernel's, stacks, page tables and the managed heap.</summary>
    public static nuint UsedMemory => TotalMemory - FreeMemory;
}
