// The console is standard input and output; the second port is a file (port2=PATH), written only.
//
// LC1  A thread of its own reads standard input into a ring and raises an interrupt at the boot core, as a UART does: so
//      typing is noticed however busy the cores are. Nothing is lost: a full ring stops the reading.
// LC2  The end of input is a Ctrl-D at every further read, as from the QEMU runner.
// LC3  At a terminal (tty=1) the bytes arrive unprocessed, except Ctrl-], which ends the process (code 0), as it ends QEMU.
// LC4  At a terminal Ctrl-\ is no input: it becomes SIGQUIT for the boot core, whatever that does and whoever reads.
// Context: ConsoleWrite and ConsoleReadRaw from goroutines, Print from anywhere. Allocates nothing.
// Reference: termios(3), ioctl_tty(2).
using System.Runtime.CompilerServices;

namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private const nint TerminalGet = 0x5401;
    private const nint TerminalSet = 0x5402;
    private const int TermiosBytes = 64;            // the kernel's is 36
    private const byte CtrlD = 4;
    private const byte CtrlBackslash = 0x1c;
    private const byte CtrlRightBracket = 0x1d;
    private const uint RingBytes = 4096;
    private const nuint InputStackBytes = 64 * 1024;

    private struct InputRing
    {
        internal fixed byte Bytes[(int)RingBytes];
        internal uint Head;                         // written by the input thread
        internal uint Tail;                         // written by who reads, interrupts off; the input thread waits on it
        internal int IsFull;                        // the input thread waits
        internal int IsEnded;
    }

    private struct Termios
    {
        internal fixed uint Words[TermiosBytes / 4];
    }

    /// <summary>Console input has arrived (interrupt context).</summary>
    public static delegate*<void> OnConsoleInput;

    private static InputRing s_input;
    private static Termios s_terminal;              // to be restored
    private static bool s_isRaw;
    private static int s_port2 = -1;

    /// <summary>Whether the console is a terminal: it is if standard input is one, unless tty=0 or tty=1 says otherwise.</summary>
    public static bool ConsoleIsTerminal { get; private set; }

    private static void ConfigureConsole()
    {
        var terminal = (uint*)Unsafe.AsPointer(ref s_terminal.Words[0]);
        var isTty = Linux.Syscall(Linux.Ioctl, 0, TerminalGet, (nint)terminal) == 0;
        ConsoleIsTerminal = isTty;
        if (TryGetArg("tty"u8, out var value, out var length) && length == 1)
        {
            ConsoleIsTerminal = *value != '0';
        }
        if (isTty && ConsoleIsTerminal)
        {
            var raw = stackalloc uint[TermiosBytes / 4];
            Cpu.MemMove(raw, terminal, TermiosBytes);
            raw[0] &= ~0x1d6bu;                     // no flow control, no CR-NL mapping, 8 bits
            raw[3] &= ~0x807bu;                     // no echo, no lines, no signals; output keeps NL → CR NL
            ((byte*)raw)[17 + 6] = 1;               // VMIN
            ((byte*)raw)[17 + 5] = 0;               // VTIME
            s_isRaw = Linux.Syscall(Linux.Ioctl, 0, TerminalSet, (nint)raw) == 0;
        }
        if (TryGetArg("port2"u8, out value, out length) && length < 1024)
        {
            const int writeCreateTruncate = 0x241;
            var path = stackalloc byte[1024];
            Cpu.MemMove(path, value, (nuint)length);
            path[length] = 0;
            s_port2 = (int)Linux.Syscall(Linux.Open, (nint)path, writeCreateTruncate, 0x1a4);
            if (s_port2 < 0)
            {
                RefuseMachine("the file of port2= cannot be opened for writing"u8);
            }
        }
    }

    private static void RestoreTerminal()
    {
        if (s_isRaw)
        {
            Linux.Syscall(Linux.Ioctl, 0, TerminalSet, (nint)Unsafe.AsPointer(ref s_terminal.Words[0]));
        }
    }

    public static void Print(byte* p, nuint n) => WriteAll(1, p, n);

    /// <summary>Console output of programs.</summary>
    public static void ConsoleWrite(byte* p, nuint n) => WriteAll(1, p, n);

    public static bool Port2Present => s_port2 >= 0;

    /// <summary>Writes bytes as they are to the second port; nothing happens without one.</summary>
    public static void Port2Write(byte* p, nuint n)
    {
        if (s_port2 >= 0)
        {
            WriteAll(s_port2, p, n);
        }
    }

    // What nobody takes (a closed pipe) is dropped: there is no other place to say so.
    private static void WriteAll(int file, byte* p, nuint n)
    {
        while (n > 0)
        {
            var written = Linux.Syscall(Linux.Write, file, (nint)p, (nint)n);
            if (written == -Linux.Eintr)
            {
                continue;
            }
            if (written <= 0)
            {
                return;
            }
            p += written;
            n -= (nuint)written;
        }
    }

    /// <summary>Takes up to n bytes of console input, 0 if there is none.</summary>
    public static int ConsoleReadRaw(byte* p, int n)
    {
        var flags = DisableInterrupts();
        var taken = 0;
        var tail = s_input.Tail;
        var head = Volatile.Read(ref s_input.Head);
        for (; taken < n && tail != head; taken++)
        {
            p[taken] = s_input.Bytes[tail++ % RingBytes];
        }
        Volatile.Write(ref s_input.Tail, tail);
        if (taken == 0 && n > 0 && Volatile.Read(ref s_input.IsEnded) != 0)
        {
            p[taken++] = CtrlD;
        }
        RestoreInterrupts(flags);
        if (Interlocked.Exchange(ref s_input.IsFull, 0) != 0)
        {
            FutexWake((int*)Unsafe.AsPointer(ref s_input.IsFull));
        }
        return taken;
    }

    private static void InitInput()
    {
        var stack = Linux.Map(0, InputStackBytes, 0);
        if (stack < 0 || StartThread((byte*)stack + InputStackBytes - 64, &ReadInput, null) < 0)
        {
            RefuseMachine("no thread for the console"u8);
        }
    }

    private static void ReadInput(void* argument)
    {
        var block = stackalloc byte[512];
        while (true)
        {
            var got = Linux.Syscall(Linux.Read, 0, (nint)block, 512);
            if (got == -Linux.Eintr)
            {
                continue;
            }
            for (var i = 0; i < got; i++)
            {
                if (s_isRaw && block[i] == CtrlRightBracket)
                {
                    Exit(0);
                }
                if (ConsoleIsTerminal && block[i] == CtrlBackslash)
                {
                    Print("^\\"u8);                     // as a terminal echoes it
                    Linux.Syscall(Linux.TgKill, s_process, BootCore->ThreadId, Linux.SigQuit);
                    continue;
                }
                PutInput(block[i]);
            }
            if (got <= 0)
            {
                Volatile.Write(ref s_input.IsEnded, 1);
            }
            RaiseInterrupt(BootCore, InputInterrupt);
            if (got <= 0)
            {
                return;
            }
        }
    }

    private static void PutInput(byte b)
    {
        while (s_input.Head - Volatile.Read(ref s_input.Tail) == RingBytes)
        {
            RaiseInterrupt(BootCore, InputInterrupt);
            Interlocked.Exchange(ref s_input.IsFull, 1);
            if (s_input.Head - Volatile.Read(ref s_input.Tail) == RingBytes)
            {
                FutexWait((int*)Unsafe.AsPointer(ref s_input.IsFull), 1);
            }
        }
        s_input.Bytes[s_input.Head % RingBytes] = b;
        Volatile.Write(ref s_input.Head, s_input.Head + 1);
    }
}
