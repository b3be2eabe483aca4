// The boot order, one line a step. Assembly (kernel/Pc/Boot/boot.S) calls KernelMain in long mode on the boot stack.
//
// KM1  Until InitModules has run, only restricted C# may run: no allocation, no string literal, no lazy static.
// KM2  From StartMain on, everything runs on goroutines; this boot stack becomes the idle loop's.
// Reference: Go's rt0_go and runtime.main (asm_amd64.s, proc.go).
using System.Runtime;
using Unikernel.Kernel;
using Unikernel.Runtime.Abi;
using Unikernel.Runtime.Sched;

namespace Unikernel.Iso;

internal static unsafe class Boot
{
    [RuntimeExport("KernelMain")]
    internal static void KernelMain(int protocol, void* info)
    {
        Machine.InitConsole();                      // COM1 by polling: from here on a failure can be told
        Machine.InitTables();                       // GDT, TSS, IDT: a fault is a report
        Machine.InitBootInfo(protocol, info);       // command line, memory map, RSDP
        Machine.InitMemory();                       // final page tables, frames, heap
        Machine.InitAcpi();                         // power off, HPET, cores
        Machine.InitClock();                        // TSC rate, wall clock
        Startup.Init();                             // unwinder, symbol names, faults as exceptions; before any second thread (stack cookie)
        Machine.InitInterrupts();                   // interrupt controllers, console input, alarm
        Machine.InitCores();                        // this core is number 0
        Machine.BootStep("runtime tables"u8);
        Proc.Init();                                // G, M, P and the stacks' region
        Machine.BootStep("scheduler"u8);
        Proc.StartMain(&Main);                      // the main goroutine; does not return
    }

    [MayAlloc("the main goroutine: the class library's start, then the program")]
    private static void Main(void* argument)
    {
        Startup.InitModules();                      // types, statics, frozen strings
        Machine.BootStep("class library"u8);
        int argc;
        byte** argv = Arguments.Split(Machine.CommandLine, &argc);
        Machine.BootStep("main"u8);
        Machine.PrintBootChart();                   // asked for by the kernel argument bootchart
        int code = Startup.ManagedMain(argc, argv); // library initialisers, then the program's Main
        Proc.ExitMain(code);                        // as in Go: others are not waited for
    }
}

/// <summary>Splits the command line into what <c>Main</c> gets: blanks separate, double quotes group.</summary>
internal static unsafe class Arguments
{
    private const int MaxArguments = 64;

    internal static byte** Split(byte* line, int* count)
    {
        byte** argv = (byte**)Machine.AllocPage();      // pointers, then the text they point to
        if (argv == null)
        {
            *count = 0;
            return null;
        }
        byte* text = (byte*)(argv + MaxArguments + 1);
        byte* end = (byte*)argv + 4096 - 1;
        int n = 0;
        fixed (byte* name = "unikernel"u8)
        {
            argv[n++] = name;
        }
        byte* p = line;
        while (n < MaxArguments)
        {
            while (*p is (byte)' ' or (byte)'\t')
            {
                p++;
            }
            if (*p == 0)
            {
                break;
            }
            byte* start = text;
            bool quoted = false;
            for (; *p != 0 && (quoted || *p is not ((byte)' ' or (byte)'\t')); p++)
            {
                if (*p == (byte)'"')
                {
                    quoted = !quoted;
                }
                else if (text < end)
                {
                    *text++ = *p;
                }
            }
            if (text >= end)
            {
                break;
            }
            *text++ = 0;
            if (Machine.IsKernelArgument(start))
            {
                text = start;
            }
            else
            {
                argv[n++] = start;
            }
        }
        argv[n] = null;
        *count = n;
        return argv;
    }
}
