// The seam's one-instruction members.
// LU1  Where the instruction WRFSBASE is missing (valgrind, an old CPU), a system call does its work, slowly.
using System.Runtime.CompilerServices;

namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    public static void* GetG() => Cpu.GetG();

    public static void SetG(void* g) => Cpu.SetG(g);

    private static bool s_hasFsGsBase;          // immutable after InitBootInfo

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetTlsBase(void* end)
    {
        if (s_hasFsGsBase)
        {
            Cpu.SetFsBase(end);
        }
        else
        {
            SetTlsBaseSlowly(end);
        }
    }

    private static void SetTlsBaseSlowly(void* end)
    {
        const nint setFs = 0x1002;
        Linux.Syscall(Linux.ArchPrctl, setFs, (nint)end);
    }

    public static void SwitchStack(nuint* saveRsp, nuint newRsp) => Cpu.SwitchStack(saveRsp, newRsp);
}
