// The console's input: a terminal with a line discipline, or (kernel argument tty=0) a plain pipe.
//
// TT1  One reader at a time; the others wait their turn, first come first served. The interrupt only readies the one
//      that waits for bytes. What nobody reads stays in the kernel's ring, or at the sender: nothing is lost.
// TT2  At a terminal Ctrl-\ never arrives here: the machine hands it to Traceback.OnQuit, whoever reads or does not.
// TT3  In pipe mode bytes pass as they are, Ctrl-\ and NUL too; Ctrl-D is the end of input for one read, and reading
//      goes on after it.
// TT4  Proc.ConsoleWaiters counts those who wait here: input may still come, so their waiting is no deadlock.
// Context: goroutine; OnInput in interrupt context. Allocates: the line buffer, on the first cooked read.
// Reference: design section 7; termios(3).
using System;
using System.Runtime.CompilerServices;
using Unikernel.Kernel;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Pal;

internal static unsafe class Tty
{
    private const byte CtrlD = 4;
    private const int RawBytes = 4096;

    private readonly struct Screen : IEcho
    {
        public void Echo(ReadOnlySpan<byte> text) => Write(text);
    }

    [InlineArray(RawBytes)]
    private struct Raw
    {
        private byte _first;
    }

    private static Raw s_raw;                           // taken from the kernel's ring, not yet looked at; whoever has the turn
    private static int s_rawAt;
    private static int s_rawLength;
    private static LineDiscipline<Screen>? s_lines;
    private static SpinLock s_turnLock;
    private static bool s_isReading;                    // TT1: somebody has the turn; guarded by s_turnLock
    private static GList s_turns;                       // waiting for it; guarded by s_turnLock
    private static Notifier s_input;

    internal static void Write(ReadOnlySpan<byte> text)
    {
        fixed (byte* p = text)
        {
            Machine.ConsoleWrite(p, (nuint)text.Length);
        }
    }

    /// <summary>Whether a read would return at once.</summary>
    internal static bool IsReady
    {
        get
        {
            if (!TryTakeTurn())
            {
                return false;
            }
            bool isReady = (s_lines != null && s_lines.IsReady) || Fill();
            GiveTurn();
            return isReady;
        }
    }

    /// <summary>Blocks until there is input; gives at least one byte, or 0 at the end of input.</summary>
    internal static int Read(Span<byte> to)
    {
        if (to.IsEmpty)
        {
            return 0;
        }
        TakeTurn();
        int n = Machine.ConsoleIsTerminal ? ReadLine(to) : ReadPipe(to);
        GiveTurn();
        return n;
    }

    /// <summary>The next byte as typed, without echo; -1 at the end of input.</summary>
    internal static int ReadByte()
    {
        TakeTurn();
        byte b = 0;
        int n = 1;
        if (s_lines != null && s_lines.IsReady)
        {
            n = s_lines.Take(new Span<byte>(ref b));    // what a cooked read left
        }
        else
        {
            b = NextByte();
            n = b == CtrlD && !Machine.ConsoleIsTerminal ? 0 : 1;
        }
        GiveTurn();
        return n == 0 ? -1 : b;
    }

    /// <summary>The next byte if one is here. The end of input is left to <see cref="ReadByte"/>.</summary>
    internal static bool TryReadByte(out byte value)
    {
        value = 0;
        if (!TryTakeTurn())
        {
            return false;
        }
        bool isThere = (s_lines == null || !s_lines.IsReady) && TakeByte(out value);
        GiveTurn();
        return isThere;
    }

    private static bool TakeByte(out byte value)
    {
        value = 0;
        if (!Fill() || (s_raw[s_rawAt] == CtrlD && !Machine.ConsoleIsTerminal))
        {
            return false;
        }
        value = s_raw[s_rawAt++];
        return true;
    }

    private static int ReadLine(Span<byte> to)
    {
        LineDiscipline<Screen> lines = s_lines ??= new LineDiscipline<Screen>(default);
        while (!lines.IsReady)
        {
            if (lines.Type(NextByte()) == TtyEvent.Interrupt)
            {
                Signals.RaiseInterrupt();
            }
        }
        return lines.Take(to);
    }

    private static int ReadPipe(Span<byte> to)
    {
        byte b = NextByte();
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

    private static byte NextByte()
    {
        while (!Fill())
        {
            WaitForInput();
        }
        return s_raw[s_rawAt++];
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

    private static bool TryTakeTurn()
    {
        s_turnLock.Acquire(LockRank.Console);
        bool isFree = !s_isReading;
        s_isReading = true;
        s_turnLock.Release();
        return isFree;
    }

    private static void TakeTurn()
    {
        s_turnLock.Acquire(LockRank.Console);
        if (!s_isReading)
        {
            s_isReading = true;
            s_turnLock.Release();
            return;
        }
        s_turns.Add(Proc.GetG());
        Atomic.Add(ref Proc.ConsoleWaiters, 1);
        Proc.GoPark(s_turnLock.Word, WaitReason.SyncMutexLock);     // s_isReading stays true: the turn is handed over
        Atomic.Add(ref Proc.ConsoleWaiters, -1);
    }

    private static void GiveTurn()
    {
        s_turnLock.Acquire(LockRank.Console);
        G* next = s_turns.Take();
        if (next == null)
        {
            s_isReading = false;
        }
        else
        {
            Proc.GoReady(next);
        }
        s_turnLock.Release();
    }

    private static void WaitForInput()
    {
        Machine.OnConsoleInput = &OnInput;
        if (Fill())
        {
            return;                                     // came before the handler was there
        }
        Atomic.Add(ref Proc.ConsoleWaiters, 1);
        s_input.Wait(WaitReason.IoWait);                // may end without cause: the caller looks again
        Atomic.Add(ref Proc.ConsoleWaiters, -1);
    }

    // Interrupt context.
    private static void OnInput() => s_input.Notify();
}
