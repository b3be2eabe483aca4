// What the loader told (command line, memory map, RSDP), the boot chart, and the ways to end.
//
// BO1  After InitBootInfo nothing points into loader memory: all that is kept was copied.
// Context: boot. Allocates nothing.

using System.Runtime.CompilerServices;

namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    /// <summary>Values of the protocol argument of KernelMain.</summary>
    public const int ProtocolPvh = 1, ProtocolMultiboot2 = 2;

    private const ushort DebugExitPort = 0xf4;
    private const ulong BootMapSize = 1UL << 32;    // what boot.S maps
    private const int FwCfgMax = 2048;

    private struct FwCfgBuffer
    {
        public fixed byte Text[FwCfgMax];
    }

    private static BootInfo s_boot;         // immutable after InitBootInfo
    private static FwCfgBuffer s_fwCfg;     // InitBootInfo only
    private static bool s_hypervisor;       // immutable after InitBootInfo

    private static BootInfo* Boot => (BootInfo*)Unsafe.AsPointer(ref s_boot);

    /// <summary>The kernel's command line, UTF-8, NUL-terminated.</summary>
    public static byte* CommandLine => Boot->CommandLine;

    public static int CommandLineLength => s_boot.CommandLineLength;

    private static ulong FirstBootTick => Cpu.EntryTsc();

    private static ulong BootTicks() => Cpu.ReadTsc();

    /// <summary>Copies what the loader left at info (a direct-map address). Refuses the machine with exit code 3 if it is unusable.</summary>
    public static void InitBootInfo(int protocol, void* info)
    {
        BootStep("entry"u8);
        var address = (ulong)info - DirectMap;
        if (address >= BootMapSize)
        {
            RefuseMachine("the loader's information lies above 4 GiB"u8);
        }
        var memory = (byte*)DirectMap;
        var error = protocol == ProtocolPvh
            ? PvhInfo.Parse(memory, BootMapSize, address, Boot)
            : Multiboot2Info.Parse(memory + address, BootMapSize - address, Boot);
        switch (error)
        {
            case BootError.None:
                break;
            case BootError.BadMagic:
                RefuseMachine("the loader's information has a wrong signature"u8);
                break;
            case BootError.NoMemoryMap:
                RefuseMachine("the loader gave no usable memory map"u8);
                break;
            case BootError.TooManyEntries:
                RefuseMachine("the memory map or module list has too many entries"u8);
                break;
            default:
                RefuseMachine("the loader's information is damaged"u8);
                break;
        }

        var abcd = stackalloc uint[4];
        Cpu.Id(1, 0, abcd);
        s_hypervisor = (abcd[2] >> 31 & 1) != 0;
        if (s_hypervisor)
        {
            var text = (byte*)Unsafe.AsPointer(ref s_fwCfg);
            var n = FwCfg.ReadFile("opt/unikernel/cmdline"u8, text, FwCfgMax);
            if (n > 0)
            {
                Boot->AppendCommandLine(text, (nuint)n);
            }
        }
        ConfigureConsole();
        if (s_boot.CommandLineCut)
        {
            Print("unikernel: the command line is too long and was cut\n"u8);
        }
        BootStep("boot information"u8);
    }

    /// <summary>Ends the machine: isa-debug-exit, else ACPI power-off, else reset. Does not return.</summary>
    public static void Exit(int code)
    {
        Cpu.DisableInterrupts();
        s_com1.Flush();
        s_com2.Flush();
        Cpu.Out32(DebugExitPort, (uint)code);
        PowerOff();
        Reset();
    }
}
