// The console as programs see it below Console: single keys and raw bytes.
using System;
using Unikernel.Kernel;
using Unikernel.Runtime.Pal;

namespace Unikernel;

/// <summary>
/// The serial console below <see cref="Console"/>: for programs that want single keys. Reading blocks the goroutine,
/// never the core. One goroutine reads at a time, the others wait their turn. Nothing here allocates.
/// </summary>
public static class Terminal
{
    /// <summary>Whether somebody types: echo, line editing, CR LF. False when input and output are piped (<c>tty=0</c>).</summary>
    public static bool IsInteractive => Machine.ConsoleIsTerminal;

    /// <summary>Writes bytes to the console as they are; at a terminal LF becomes CR LF.</summary>
    /// <param name="text">The bytes, usually UTF-8.</param>
    public static void Write(ReadOnlySpan<byte> text) => Tty.Write(text);

    /// <summary>
    /// The next byte as typed, without echo or editing. At a terminal every key is given (Ctrl-D as 4) except Ctrl-\,
    /// which ends the kernel with every goroutine's trace, as SIGQUIT does a Go program. In a pipe Ctrl-D is the end of input, after which reading goes on.
    /// </summary>
    /// <returns>0 to 255, or -1 at the end of input.</returns>
    public static int ReadByte() => Tty.ReadByte();

    /// <summary>The next byte if one has arrived. The end of input is left to <see cref="ReadByte"/>.</summary>
    /// <param name="value">The byte, or 0.</param>
    /// <returns>False when nothing is here yet, or another goroutine is reading.</returns>
    public static bool TryReadByte(out byte value) => Tty.TryReadByte(out value);
}
