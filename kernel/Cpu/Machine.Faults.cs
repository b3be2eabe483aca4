// Exceptions on their way to the runtime, and the report of a fatal one: the same on every body of the machine.
//
// TF1  A handler records and returns; it never schedules.
// TF2  An exception goes to OnFault once; a second exception before that returns is fatal.
// TF3  A fault while a fatal report is being written shortens the report and then ends the machine; it cannot recurse.
// Context: interrupt stack, interrupts off. Allocates nothing.

namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    /// <summary>Exception hook: true = resume with the (possibly edited) frame. Interrupts are off, the stack is an IST stack.</summary>
    public static delegate*<TrapFrame*, bool> OnFault;

    /// <summary>Non-maskable interrupt hook. NMIs go unnoticed without it.</summary>
    public static delegate*<TrapFrame*, void> OnNmi;

    /// <summary>
    /// Ctrl-\ was typed at the terminal, or the process got SIGQUIT: what the core was doing, or null when it was reading
    /// the console (interrupt context, or a goroutine's). The key goes nowhere else; without a hook it is dropped.
    /// </summary>
    public static delegate*<TrapFrame*, void> OnQuit;

    /// <summary>Called by a fatal report after the registers; prints what the runtime knows. May not return.</summary>
    public static delegate*<TrapFrame*, void> OnFatalTrap;

    /// <summary>The address a page fault being handled was about.</summary>
    public static ulong FaultAddress => CurrentCore->FaultAddress;

    /// <summary>True while this core runs an interrupt or exception handler.</summary>
    public static bool InTrap => CurrentCore->InInterrupt != 0 || CurrentCore->InFault != 0;

    public static Core* CurrentCore => (Core*)Cpu.GetCore();

    // Where cores can be frozen: freezes the others for good.
    static partial void SilenceOthers();

    private static void DispatchFault(TrapFrame* frame)
    {
        var core = CurrentCore;
        var vector = frame->Vector;
        if (core->InFault == 0 && core->InInterrupt == 0 && core->FatalDepth == 0 && OnFault != null
            && vector != TrapFrame.DoubleFault && vector != TrapFrame.MachineCheck)
        {
            core->InFault = 1;
            var handled = OnFault(frame);
            core->InFault = 0;
            if (handled)
            {
                return;
            }
        }
        FatalTrap(frame);
    }

    /// <summary>Reports a trap on the console and ends the machine with code 2.</summary>
    public static void FatalTrap(TrapFrame* frame)
    {
        var core = CurrentCore;
        DisableInterrupts();
        core->FatalDepth++;
        if (core->FatalDepth > 2)
        {
            Exit(2);
        }
        SilenceOthers();                        // another core's report, if it is first, is the only one
        Print("\nunikernel: fatal trap: "u8);
        PrintVectorName(frame->Vector);
        Print(", vector "u8);
        PrintDecimal(frame->Vector);
        Print(", error 0x"u8);
        PrintHex(frame->Error, 1);
        if (frame->Vector == TrapFrame.PageFault)
        {
            Print(", address 0x"u8);
            PrintHex(core->FaultAddress, 16);
            Print((frame->Error & TrapFrame.ErrorFetch) != 0 ? " (execute"u8 : (frame->Error & TrapFrame.ErrorWrite) != 0 ? " (write"u8 : " (read"u8);
            Print((frame->Error & TrapFrame.ErrorPresent) != 0 ? ", forbidden)"u8 : ", not mapped)"u8);
        }
        if (core->InInterrupt != 0)
        {
            Print(", in an interrupt handler"u8);
        }
        if (core->InFault != 0)
        {
            Print(", in a fault handler"u8);
        }
        if (core->FatalDepth > 1)
        {
            Print(", while reporting\n"u8);
            PrintRegister("rip"u8, frame->Rip);
            Print("\n"u8);
            Exit(2);
        }
        Print("\n"u8);
        PrintRegisters(frame);
        if (OnFatalTrap != null)
        {
            OnFatalTrap(frame);
        }
        Exit(2);
    }

    /// <summary>Prints all registers of a frame, four on a line.</summary>
    public static void PrintRegisters(TrapFrame* frame)
    {
        PrintRegister("rip"u8, frame->Rip);
        PrintRegister("rsp"u8, frame->Rsp);
        PrintRegister("rbp"u8, frame->Rbp);
        PrintRegister("flg"u8, frame->Rflags);
        Print("\n"u8);
        PrintRegister("rax"u8, frame->Rax);
        PrintRegister("rbx"u8, frame->Rbx);
        PrintRegister("rcx"u8, frame->Rcx);
        PrintRegister("rdx"u8, frame->Rdx);
        Print("\n"u8);
        PrintRegister("rsi"u8, frame->Rsi);
        PrintRegister("rdi"u8, frame->Rdi);
        PrintRegister("r8 "u8, frame->R8);
        PrintRegister("r9 "u8, frame->R9);
        Print("\n"u8);
        PrintRegister("r10"u8, frame->R10);
        PrintRegister("r11"u8, frame->R11);
        PrintRegister("r12"u8, frame->R12);
        PrintRegister("r13"u8, frame->R13);
        Print("\n"u8);
        PrintRegister("r14"u8, frame->R14);
        PrintRegister("r15"u8, frame->R15);
        Print("\n"u8);
    }

    private static void PrintRegister(ReadOnlySpan<byte> name, ulong value)
    {
        Print(name);
        Print(" "u8);
        PrintHex(value, 16);
        Print("  "u8);
    }

    private static void PrintVectorName(ulong vector)
    {
        Print(vector switch
        {
            0 => "divide error (#DE)"u8,
            1 => "debug (#DB)"u8,
            3 => "breakpoint (#BP)"u8,
            4 => "overflow (#OF)"u8,
            5 => "bound range (#BR)"u8,
            6 => "invalid opcode (#UD)"u8,
            7 => "no FPU (#NM)"u8,
            8 => "double fault (#DF)"u8,
            10 => "invalid TSS (#TS)"u8,
            11 => "segment not present (#NP)"u8,
            12 => "stack fault (#SS)"u8,
            13 => "general protection (#GP)"u8,
            14 => "page fault (#PF)"u8,
            16 => "x87 error (#MF)"u8,
            17 => "alignment check (#AC)"u8,
            18 => "machine check (#MC)"u8,
            19 => "SIMD error (#XM)"u8,
            _ => "unexpected trap"u8,
        });
    }
}
