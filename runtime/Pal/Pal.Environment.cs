// Environment: kernel arguments are the environment variables; processes and users do not exist.
//
// EN1  GetEnv(NAME) answers the kernel argument NAME=value. The text lives for ever in the command line.
using System;
using System.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Unikernel.Kernel;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Pal;

internal static unsafe class PalEnvironment
{
    private const int AbortExitCode = 2;

    [RuntimeExport("SystemNative_GetEnv")]
    internal static byte* GetEnv(byte* name)
    {
        int n = 0;
        while (name[n] != 0)
        {
            n++;
        }
        if (n == 0 || !Machine.TryGetArg(new ReadOnlySpan<byte>(name, n), out byte* value, out int length))
        {
            return null;
        }
        for (Variable* v = s_variables; v != null; v = v->Next)
        {
            if (v->Source == value)
            {
                return (byte*)(v + 1);
            }
        }
        Variable* made = (Variable*)Memory.Malloc((nuint)(sizeof(Variable) + length + 1));
        if (made == null)
        {
            return null;
        }
        made->Next = s_variables;
        made->Source = value;
        byte* text = (byte*)(made + 1);
        new ReadOnlySpan<byte>(value, length).CopyTo(new Span<byte>(text, length));
        text[length] = 0;
        s_variables = made;
        return text;
    }

    // EN1: each value asked for gets one NUL-terminated copy, behind this header.
    private struct Variable
    {
        internal Variable* Next;
        internal byte* Source;
    }

    private static Variable* s_variables;

    [RuntimeExport("SystemNative_GetEnviron")]
    internal static byte** GetEnviron()
    {
        byte** none = (byte**)Memory.Calloc(1, (nuint)sizeof(byte*));
        return none;
    }

    [RuntimeExport("SystemNative_FreeEnviron")]
    internal static void FreeEnviron(byte** environ) => Memory.Free(environ);

    [RuntimeExport("SystemNative_GetCwd")]
    internal static byte* GetCwd(byte* buffer, int length)
    {
        if (length < 2)
        {
            Errno.Fail(Errno.Erange);
            return null;
        }
        buffer[0] = (byte)'/';
        buffer[1] = 0;
        return buffer;
    }

    [RuntimeExport("SystemNative_GetHostName")]
    internal static int GetHostName(byte* buffer, int length) => CopyText("unikernel"u8, buffer, length);

    [RuntimeExport("SystemNative_GetUnixRelease")]
    internal static byte* GetUnixRelease() => Literal("0\0"u8);

    [RuntimeExport("SystemNative_GetPid")]
    internal static int GetPid() => 1;

    [RuntimeExport("SystemNative_GetEUid")]
    internal static uint GetEUid() => 0;

    [RuntimeExport("SystemNative_GetEGid")]
    internal static uint GetEGid() => 0;

    [RuntimeExport("SystemNative_GetGroups")]
    internal static int GetGroups(int count, uint* groups) => 0;

    [RuntimeExport("SystemNative_GetPwUidR")]
    internal static int GetPwUidR(uint uid, void* passwd, byte* buffer, int length) => throw Unsupported.Users();

    [RuntimeExport("SystemNative_Abort")]
    internal static void Abort() => Machine.Exit(AbortExitCode);

    [RuntimeExport("SystemNative_Exit")]
    internal static void Exit(int code) => Machine.Exit(code);

    [RuntimeExport("SystemNative_ForkAndExecProcess")]
    internal static int ForkAndExec() => throw Unsupported.Processes();

    [RuntimeExport("SystemNative_Kill")]
    internal static int Kill(int pid, int signal) => throw Unsupported.Processes();

    [RuntimeExport("SystemNative_SNPrintF_1S")]
    internal static int SnPrintS(byte* buffer, int length, byte* format, byte* argument) =>
        throw new PlatformNotSupportedException("Terminal descriptions are not interpreted.");

    [RuntimeExport("SystemNative_SNPrintF_1I")]
    internal static int SnPrintI(byte* buffer, int length, byte* format, int argument) =>
        throw new PlatformNotSupportedException("Terminal descriptions are not interpreted.");

    private static int CopyText(ReadOnlySpan<byte> text, byte* buffer, int length)
    {
        if (length <= text.Length)
        {
            return Errno.Fail(Errno.Erange);
        }
        text.CopyTo(new Span<byte>(buffer, length));
        buffer[text.Length] = 0;
        return 0;
    }

    private static byte* Literal(ReadOnlySpan<byte> text) => (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(text));
}
