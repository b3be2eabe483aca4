// The console as programs see it: a terminal with a line discipline, or (kernel argument tty=0) a plain pipe.
//
// TT1  One reader at a time; the interrupt only marks it ready. Input waits in the kernel's ring, nothing is lost.
// TT2  Ctrl-\ typed at a terminal dumps every goroutine, in any mode, and is not passed on.
// TT3  In pipe mode bytes pass as they are; Ctrl-D is the end of input for one read, and reading goes on after it.
// Context: goroutine; OnInput in interrupt context. Allocates: the line buffer, on first use.
using System;
using System.Runtime.CompilerServices;
using Unikernel.Kernel;
using Unikernel.Runtime.Pal;
using Unikernel.Runtime.Sched;

namespace Unikernel;

/// <summary>
/// The serial console below <see cref="Console"/>: for programs that want single keys. Reading blocks the goroutine,
/// never the core. Allocates nothing per call.
/// </summary>
public static unsafe class Terminal
{
    private const byte CtrlD = 4;
    private const byte CtrlBackslash = 0x1C;
    private const int RawBytes = 256;

    private struct Sink : ILineSink
    {
        public readonly void Echo(ReadOnlySpan<byte> text) => Write(text);
    }

    [InlineArray(RawBytes)]
    private struct Raw
    {
        private byte _first;
    }

    private static Raw s_raw;
    private static int s_rawAt;
    private static int s_rawLength;
    private static G* s_reader;                 // waiting, or null
    private static LineDiscipline<Sink>? s_lines;

    /// <summary>Whether somebody types: echo, line editing, CR LF. False when input and output are piped.</summary>
    public static bool IsInteractive => Machine.ConsoleIsTerminal;

    /// <summary>Writes bytes to the console; at a terminal LF becomes CR LF.</summary>
    public static void Write(ReadOnlySpan<byte> text)
    {
        fixed (byte* p = text)
        {
            Machine.ConsoleWrite(p, (nuint)text.Length);
        }
    }

    /// <summary>The next byte as typed, without echo; -1 at the end of input (Ctrl-D), after which reading goes on.</summary>
    public static int ReadByte()
    {
        byte b = NextRaw();
        return b == CtrlD && !IsInteractive ? -1 : b;
    }

    /// <summary>The next byte if one has arrived; false otherwise. The end of input is left to <see cref="ReadByte"/>.</summary>
    public static bool TryReadByte(out byte value)
    {
        value = 0;
        if (!Fill() || (s_raw[s_rawAt] == CtrlD && !IsInteractive))
        {
            return false;
        }
        value = s_raw[s_rawAt++];
        return true;
    }

    /// <summary>Blocks until there is input; gives at least one byte, or 0 at the end of input.</summary>
    internal static int Read(Span<byte> to)
    {
        if (to.Length == 0)
        {
            return 0;
        }
        if (!IsInteractive)
        {
            return ReadPipe(to);
        }
        s_lines ??= new LineDiscipline<Sink>(default);
        while (s_lines.WantsInput)
        {
            s_lines.Type(NextRaw());
        }
        return s_lines.Take(to);
    }

    private static int ReadPipe(Span<byte> to)
    {
        byte b = NextRaw();
        if (b == CtrlD)
        {
            return 0;
        }
        to[0] = b;
        int n = 1;
        while (n < to.Length && Fill() && s_raw[s_rawAt] != CtrlD)
        {
            to[n++] = s_raw[s_rawAt++];
        }
        return n;
    }

    private static byte NextRaw()
    {
        while (true)
        {
            if (Fill())
            {
                byte b = s_raw[s_rawAt++];
                if (b == CtrlBackslash && IsInteractive)
                {
                    Proc.Dump();                // TT2
                    continue;
                }
                return b;
            }
            Wait();
        }
    }

    // True when s_raw holds something.
    private static bool Fill()
    {
        if (s_rawAt < s_rawLength)
        {
            return true;
        }
        s_rawAt = 0;
        fixed (Raw* p = &s_raw)
        {
            s_rawLength = Machine.ConsoleReadRaw((byte*)p, RawBytes);
        }
        return s_rawLength > 0;
    }

    private static void Wait()
    {
        Machine.OnConsoleInput = &OnInput;
        nuint flags = Machine.DisableInterrupts();      // between looking and parking no interrupt may slip by
        if (Fill())
        {
            Machine.RestoreInterrupts(flags);
            return;
        }
        s_reader = Proc.GetG();
        Proc.ConsoleWaiters++;
        Machine.RestoreInterrupts(flags);
        Proc.GoPark(WaitReason.IoWait);
        Proc.ConsoleWaiters--;
    }

    private static void OnInput()
    {
        G* gp = s_reader;
        if (gp != null)
        {
            s_reader = null;
            Proc.ReadyFromInterrupt(gp);
        }
    }
}
