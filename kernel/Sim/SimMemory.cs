// Host memory that outlives a run.
using System.Runtime.InteropServices;

namespace Unikernel.Kernel.Simulated;

internal static unsafe class SimMemory
{
    private const int ProtReadWrite = 3;
    private const int MapPrivate = 0x02;
    private const int MapAnonymous = 0x20;
    private const int MapNoReserve = 0x4000;
    private const int MapFixedNoReplace = 0x100000;

    internal static byte* Arena;
    internal static nuint Used;                 // bytes of it that are not zero

    /// <summary>Reserves the regions of stacks and tables, once in a process, however many copies of this assembly it has.</summary>
    internal static void ReserveRegion(string key)
    {
        if (AppDomain.CurrentDomain.GetData(key) != null)
        {
            return;
        }
        void* wanted = (void*)unchecked((nuint)Machine.StackRegionBase);
        void* got = Map(wanted, unchecked((nuint)(Machine.StackRegionSize + Machine.TableRegionSize)), ProtReadWrite,
            MapPrivate | MapAnonymous | MapNoReserve | MapFixedNoReplace, -1, 0);
        if (got != wanted)
        {
            throw new InvalidOperationException("the addresses of the simulated stacks are taken");
        }
        AppDomain.CurrentDomain.SetData(key, key);
    }

    [DllImport("libc", EntryPoint = "mmap")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern void* Map(void* address, nuint bytes, int protection, int flags, int file, nint offset);
}
