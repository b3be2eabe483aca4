// The loader's information, fw_cfg's additions, the boot chart, and the ways to end.
// Context: boot, then anywhere. Allocates nothing.
using System.Runtime.CompilerServices;

namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private const int ProtocolPvh = 1;
    private const ulong DirectMap = 0xffff_8000_0000_0000;
    private const int MaxBootSteps = 64;
    private const ushort FwCfgSelect = 0x510;
    private const ushort FwCfgData = 0x511;
    private const ushort FwCfgDirectory = 0x19;
    private const ushort DebugExitPort = 0xf4;

    private static BootInfo s_boot;             // immutable after InitMemory

    private struct BootSteps
    {
        internal fixed ulong Tsc[MaxBootSteps];
        internal fixed ulong Names[MaxBootSteps];
        internal fixed int Lengths[MaxBootSteps];
        internal int Count;
    }

    private static BootSteps s_steps;

    /// <summary>The kernel's command line, NUL-terminated UTF-8.</summary>
    public static byte* CommandLine => (byte*)Unsafe.AsPointer(ref s_boot.CommandLine[0]);

    /// <summary>Value of KEY=VALUE on the command line, empty for a bare KEY.</summary>
    public static bool TryGetArg(ReadOnlySpan<byte> key, out byte* value, out int length) =>
        CommandLines.TryGet(CommandLine, key, out value, out length);

    /// <summary>Whether a word of the command line is for the kernel, not for Main.</summary>
    public static bool IsKernelArgument(byte* word) => CommandLines.IsForKernel(word);

    /// <summary>Reads what the loader left; ends the machine with one line when it is unusable.</summary>
    public static void InitBootInfo(int protocol, void* info)
    {
        BootStep("entry"u8);
        bool isValid = protocol == ProtocolPvh
            ? s_boot.ParsePvh((byte*)info, (byte*)DirectMap)
            : s_boot.ParseMultiboot2((byte*)info, (ulong)info - DirectMap);
        ReadFwCfg();
        ConfigureConsole();
        if (!isValid)
        {
            RefuseMachine("the loader gives no usable memory map"u8);
        }
        BootStep("boot information"u8);
    }

    // QEMU's fw_cfg: the ISO is generic, so the runner hands the arguments over here.
    private static void ReadFwCfg()
    {
        Cpu.Out16(FwCfgSelect, 0);
        if (Cpu.In8(FwCfgData) != 'Q' || Cpu.In8(FwCfgData) != 'E' || Cpu.In8(FwCfgData) != 'M' || Cpu.In8(FwCfgData) != 'U')
        {
            return;
        }
        Cpu.Out16(FwCfgSelect, FwCfgDirectory);
        uint count = ReadBigEndian(4);
        byte* name = stackalloc byte[56];
        for (uint i = 0; i < count && i < 4096; i++)
        {
            uint size = ReadBigEndian(4);
            ushort select = (ushort)ReadBigEndian(2);
            ReadBigEndian(2);
            for (int k = 0; k < 56; k++)
            {
                name[k] = Cpu.In8(FwCfgData);
            }
            ReadOnlySpan<byte> wanted = "opt/unikernel/cmdline\0"u8;
            if (!new ReadOnlySpan<byte>(name, wanted.Length).SequenceEqual(wanted))
            {
                continue;
            }
            byte* text = stackalloc byte[BootInfo.CommandLineBytes];
            int n = size < BootInfo.CommandLineBytes - 1 ? (int)size : BootInfo.CommandLineBytes - 1;
            Cpu.Out16(FwCfgSelect, select);
            for (int k = 0; k < n; k++)
            {
                text[k] = Cpu.In8(FwCfgData);
            }
            s_boot.SetCommandLine(text, n);
            return;
        }
    }

    private static uint ReadBigEndian(int bytes)
    {
        uint v = 0;
        for (int i = 0; i < bytes; i++)
        {
            v = (v << 8) | Cpu.In8(FwCfgData);
        }
        return v;
    }

    /// <summary>Notes the time of a boot step; <paramref name="name"/> must be a literal.</summary>
    public static void BootStep(ReadOnlySpan<byte> name)
    {
        if (s_steps.Count < MaxBootSteps)
        {
            int i = s_steps.Count++;
            s_steps.Tsc[i] = Cpu.ReadTsc();
            s_steps.Names[i] = (ulong)Unsafe.AsPointer(ref Unsafe.AsRef(in name[0]));
            s_steps.Lengths[i] = name.Length;
        }
    }

    /// <summary>With the kernel argument bootchart: a line a step, µs since the first instruction and since the last step.</summary>
    public static void PrintBootChart()
    {
        if (!TryGetArg("bootchart"u8, out _, out _))
        {
            return;
        }
        ulong first = Cpu.EntryTsc();
        ulong last = first;
        for (int i = 0; i < s_steps.Count; i++)
        {
            Print("bootchart "u8);
            PrintDecimal(TscToNs(s_steps.Tsc[i] - first) / 1000, 8);
            Print(" us  +"u8);
            PrintDecimal(TscToNs(s_steps.Tsc[i] - last) / 1000, 7);
            Print("  "u8);
            Print((byte*)s_steps.Names[i], (nuint)s_steps.Lengths[i]);
            Print("\n"u8);
            last = s_steps.Tsc[i];
        }
    }

    /// <summary>Ends the machine: isa-debug-exit, else ACPI power-off for code 0, else reset.</summary>
    public static void Exit(int code)
    {
        Cpu.DisableInterrupts();
        s_com1.Flush();
        s_com2.Flush();
        Cpu.Out32(DebugExitPort, (uint)code);
        if (code == 0)
        {
            PowerOff();
        }
        Cpu.Out8(0xcf9, 6);
        Cpu.Out8(0x64, 0xfe);
        Cpu.TripleFault();
    }
}
