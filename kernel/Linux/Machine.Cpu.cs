// The seam's one-instruction members.
namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    public static void* GetG() => Cpu.GetG();

    public static void SetG(void* g) => Cpu.SetG(g);

    public static void SetTls(void* end) => Cpu.SetTls(end);

    public static void SwitchStack(nuint* saveRsp, nuint newRsp) => Cpu.SwitchStack(saveRsp, newRsp);
}
