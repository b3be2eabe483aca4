// The seam's one-instruction members.
namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    public static void* GetG() => Cpu.GetG();

    public static void SetG(void* g) => Cpu.SetG(g);

    public static Core* SwitchStack(nuint* saveRsp, nuint newRsp, void* g, void* tlsEnd) => (Core*)Cpu.SwitchStack(saveRsp, newRsp, g, tlsEnd);
}
