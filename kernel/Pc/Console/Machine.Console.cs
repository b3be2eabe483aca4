// The machine's two serial ports: COM1 is the console, COM2 carries the test protocol.
// CO1  A port's input ring is guarded by s_inputLock, interrupts off. What one ConsoleWrite or Port2Write writes stays
//      together (s_outputLock, s_port2Lock; interrupts as they were). Print takes no lock, so it may come in between, and
//      neither does who has frozen the others.
// Context: ConsoleWrite and ConsoleReadRaw from goroutines, Print from anywhere. Allocates nothing.

namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    /// <summary>Console input has arrived (interrupt context).</summary>
    public static delegate*<void> OnConsoleInput;

    /// <summary>Input on the second port has arrived (interrupt context).</summary>
    public static delegate*<void> OnPort2Input;

    private static Uart s_com1;  // these two: CO1
    private static Uart s_com2;
    private static int s_inputLock;
    private static int s_outputLock;
    private static int s_port2Lock;

    /// <summary>Makes Print work. Input starts with InitInput.</summary>
    public static void InitConsole()
    {
        s_com1.Crlf = true;
        s_com1.Init(0x3f8);
        s_com2.Init(0x2f8);
    }

    /// <summary>Reads the console's options from the command line.</summary>
    private static void ConfigureConsole()
    {
        if (TryGetArg("tty"u8, out var value, out var length) && length == 1 && *value == '0')
        {
            s_com1.Crlf = false;
        }
        if (TryGetArg("mark"u8, out _, out _))
        {
            Print("\n\x1e\n"u8);      // after firmware's own output: what follows is the kernel's
        }
    }

    /// <summary>Whether the console is a terminal (kernel argument tty, default 1).</summary>
    public static bool ConsoleIsTerminal => s_com1.Crlf;

    /// <summary>Turns serial input and the interrupt flag on, then says so with an 'R' on the debug port.</summary>
    public static void InitInput()
    {
        SetInterruptHandler(Com1Vector, &Com1Interrupt);
        SetInterruptHandler(Com2Vector, &Com2Interrupt);
        RouteIsaInterrupt(4, Com1Vector);
        s_com1.WatchesQuit = ConsoleIsTerminal;
        s_com1.EnableReceive();
        if (s_com2.Present)
        {
            RouteIsaInterrupt(3, Com2Vector);
            s_com2.EnableReceive();
        }
        Cpu.EnableInterrupts();
        Cpu.Out8(0xe9, (byte)'R');
    }

    public static void Print(byte* p, nuint n) => s_com1.Write(p, n);

    /// <summary>Console output of programs; LF becomes CR LF when tty=1.</summary>
    public static void ConsoleWrite(byte* p, nuint n) => WriteWhole(ref s_com1, ref s_outputLock, p, n);

    private static void WriteWhole(ref Uart port, ref int gate, byte* p, nuint n)
    {
        while (true)
        {
            var core = HoldExit();                          // not to be left while it has the gate
            var isAlone = HasFrozen(core);
            if (isAlone || Interlocked.CompareExchange(ref gate, 1, 0) == 0)
            {
                port.Write(p, n);
                if (!isAlone)
                {
                    Volatile.Write(ref gate, 0);
                }
                ReleaseExit(core);
                return;
            }
            ReleaseExit(core);
            Cpu.Pause();
        }
    }

    /// <summary>Takes up to n bytes of console input, 0 if there is none.</summary>
    public static int ConsoleReadRaw(byte* p, int n)
    {
        var flags = Lock(ref s_inputLock);
        var taken = s_com1.Read(p, n);
        var quit = s_com1.TakeQuit();
        Unlock(ref s_inputLock, flags);
        if (quit)
        {
            Quit(null);
        }
        return taken;
    }

    public static bool Port2Present => s_com2.Present;

    /// <summary>Writes bytes as they are to the second serial port; nothing happens without one.</summary>
    public static void Port2Write(byte* p, nuint n) => WriteWhole(ref s_com2, ref s_port2Lock, p, n);

    /// <summary>Takes up to n bytes of the second port's input, 0 if there is none.</summary>
    public static int Port2Read(byte* p, int n)
    {
        var flags = Lock(ref s_inputLock);
        var taken = s_com2.Read(p, n);
        Unlock(ref s_inputLock, flags);
        return taken;
    }

    /// <summary>Bytes the console hardware reported as lost.</summary>
    public static ulong ConsoleOverruns => s_com1.Overruns;

    private static void Com1Interrupt(TrapFrame* frame)
    {
        var flags = Lock(ref s_inputLock);
        var hasMore = s_com1.Receive();
        var quit = s_com1.TakeQuit();
        Unlock(ref s_inputLock, flags);
        if (quit)
        {
            Quit(frame);
        }
        if (hasMore && OnConsoleInput != null)
        {
            OnConsoleInput();
        }
    }

    private static void Quit(TrapFrame* frame)
    {
        if (OnQuit != null)
        {
            Print("^\\"u8);                             // as a terminal echoes it
            OnQuit(frame);
        }
    }

    private static void Com2Interrupt(TrapFrame* frame)
    {
        var flags = Lock(ref s_inputLock);
        var hasMore = s_com2.Receive();
        Unlock(ref s_inputLock, flags);
        if (hasMore && OnPort2Input != null)
        {
            OnPort2Input();
        }
    }
}
