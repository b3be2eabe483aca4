// Environment variables, names and numbers of the one program there is.
//
// EN1  A word NAME=value of the kernel's command line, NAME in upper case (letters, digits, _), is an environment
//      variable; the last of equal names counts. Double quotes group as in the command line and are not part of it.
// EN2  The list is made once, on first use, and never changes: pointers into it stay good. (A change made by
//      Environment.SetEnvironmentVariable is kept by the class library itself.)
// EN3  Process 1, user and group 0 ("root", home "/"), host "unikernel", directory "/".
// Context: goroutine. Allocates: off-heap; exceptions.
using System;
using System.Runtime;
using System.Runtime.InteropServices;
using Unikernel.Kernel;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Pal;

internal static unsafe class PalEnvironment
{
    private const int MaxVariables = 256;
    private const int AbortExitCode = 2;
    private const int X64 = 1;                      // Architecture.X64

    private static byte** s_variables;              // immutable once set (EN2), ends with null

    [RuntimeExport("SystemNative_GetEnviron")]
    internal static byte** GetEnviron()
    {
        if (s_variables == null)
        {
            s_variables = EnvironmentBlock.Parse(CText.Of(Machine.CommandLine), MaxVariables);
        }
        return s_variables;
    }

    [RuntimeExport("SystemNative_FreeEnviron")]
    internal static void FreeEnviron(byte** environ)
    {
        // EN2: it stays.
    }

    [RuntimeExport("SystemNative_GetEnv")]
    internal static byte* GetEnv(byte* name)
    {
        ReadOnlySpan<byte> wanted = CText.Of(name);
        byte** v = GetEnviron();
        for (; v != null && *v != null; v++)
        {
            ReadOnlySpan<byte> variable = CText.Of(*v);
            if (variable.Length > wanted.Length && variable[wanted.Length] == (byte)'=' && variable.StartsWith(wanted))
            {
                return *v + wanted.Length + 1;
            }
        }
        return null;
    }

    [RuntimeExport("SystemNative_GetCwd")]
    internal static byte* GetCwd(byte* buffer, int length)
    {
        if (length < 2)
        {
            Errno.Fail(Errno.Erange);
            return null;
        }
        CText.Copy("/"u8, buffer, length);
        return buffer;
    }

    [RuntimeExport("SystemNative_GetProcessPath")]
    internal static byte* GetProcessPath() => CText.Allocate("/unikernel"u8);

    [RuntimeExport("SystemNative_GetHostName")]
    internal static int GetHostName(byte* buffer, int length) =>
        CText.Copy("unikernel"u8, buffer, length) ? 0 : Errno.Fail(Errno.Erange);

    [RuntimeExport("SystemNative_GetUnixRelease")]
    internal static byte* GetUnixRelease() => CText.Allocate("0.1"u8);

    [RuntimeExport("SystemNative_GetUnixVersion")]
    internal static int GetUnixVersion(byte* buffer, int* capacity)
    {
        ReadOnlySpan<byte> text = "Unikernel 0.1"u8;
        if (CText.Copy(text, buffer, *capacity))
        {
            return 0;
        }
        *capacity = text.Length + 1;
        return -1;
    }

    [RuntimeExport("SystemNative_GetOSArchitecture")]
    internal static int GetOsArchitecture() => X64;

    [RuntimeExport("SystemNative_GetPid")]
    internal static int GetPid() => 1;

    [RuntimeExport("SystemNative_GetEUid")]
    internal static uint GetEUid() => 0;

    [RuntimeExport("SystemNative_GetEGid")]
    internal static uint GetEGid() => 0;

    [RuntimeExport("SystemNative_SetEUid")]
    internal static int SetEUid(uint uid) => throw Unsupported.Users();

    [RuntimeExport("SystemNative_GetGroups")]
    internal static int GetGroups(int count, uint* groups) => 0;

    [RuntimeExport("SystemNative_GetGroupList")]
    internal static int GetGroupList(byte* name, uint group, uint* groups, int* count) => throw Unsupported.Users();

    [RuntimeExport("SystemNative_GetGroupName")]
    internal static byte* GetGroupName(uint gid) => gid == 0 ? CText.Allocate("root"u8) : null;

    [StructLayout(LayoutKind.Sequential)]
    internal struct Passwd
    {
        internal byte* Name;
        internal byte* Password;
        internal uint UserId;
        internal uint GroupId;
        internal byte* UserInfo;
        internal byte* HomeDirectory;
        internal byte* Shell;
    }

    [RuntimeExport("SystemNative_GetPwUidR")]
    internal static int GetPwUidR(uint uid, Passwd* passwd, byte* buffer, int length)
    {
        *passwd = default;
        if (uid != 0)
        {
            return -1;                              // nobody has that number
        }
        ReadOnlySpan<byte> text = "root\0/\0"u8;
        const int homeOffset = 5;
        if (!CText.Copy(text, buffer, length))
        {
            return Errno.Erange;
        }
        passwd->Name = buffer;
        passwd->HomeDirectory = buffer + homeOffset;
        passwd->Password = passwd->UserInfo = passwd->Shell = buffer + text.Length;     // empty
        return 0;
    }

    [RuntimeExport("SystemNative_GetPwNamR")]
    internal static int GetPwNamR(byte* name, Passwd* passwd, byte* buffer, int length)
    {
        *passwd = default;
        return CText.Of(name).SequenceEqual("root"u8) ? GetPwUidR(0, passwd, buffer, length) : -1;
    }

    [RuntimeExport("SystemNative_Exit")]
    internal static void Exit(int code)
    {
        Gc.GcStats.PrintIfAsked();
        Machine.Exit(code);
    }

    // Environment.FailFast and the like; the class library has printed why.
    [RuntimeExport("SystemNative_Abort")]
    internal static void Abort()
    {
        Traceback.Dump();
        Machine.Exit(AbortExitCode);
    }
}

/// <summary>Reads environment variables off a command line (EN1). Total: takes any bytes.</summary>
internal static unsafe class EnvironmentBlock
{
    /// <summary>A list of NAME=value texts that ends with null, in one block of malloc; null when memory is out.</summary>
    internal static byte** Parse(ReadOnlySpan<byte> line, int maxVariables)
    {
        nuint table = (nuint)(maxVariables + 1) * (nuint)sizeof(byte*);
        byte** variables = (byte**)Memory.Malloc(table + (nuint)line.Length + 2);
        if (variables == null)
        {
            return null;
        }
        Parse(line, variables, maxVariables, (byte*)variables + table);
        return variables;
    }

    /// <summary><paramref name="text"/> has room for the line, a NUL and one byte more.</summary>
    internal static int Parse(ReadOnlySpan<byte> line, byte** variables, int maxVariables, byte* text)
    {
        int count = 0;
        int at = 0;
        while (at < line.Length && count < maxVariables)
        {
            if (line[at] is (byte)' ' or (byte)'\t')
            {
                at++;
                continue;
            }
            byte* start = text;
            bool isQuoted = false;
            for (; at < line.Length && (isQuoted || line[at] is not ((byte)' ' or (byte)'\t')); at++)
            {
                if (line[at] == (byte)'"')
                {
                    isQuoted = !isQuoted;
                }
                else
                {
                    *text++ = line[at];
                }
            }
            int nameLength = NameLength(new ReadOnlySpan<byte>(start, (int)(text - start)));
            if (nameLength == 0)
            {
                text = start;
                continue;
            }
            *text++ = 0;                            // in the place of the blank, or of the line's end
            int same = Find(variables, count, new ReadOnlySpan<byte>(start, nameLength + 1));
            if (same >= 0)
            {
                variables[same] = start;
            }
            else
            {
                variables[count++] = start;
            }
        }
        variables[count] = null;
        return count;
    }

    // Length of NAME when the word is NAME=anything, else 0.
    private static int NameLength(ReadOnlySpan<byte> word)
    {
        int n = 0;
        while (n < word.Length && (word[n] is >= (byte)'A' and <= (byte)'Z'
            || (n > 0 && word[n] is (byte)'_' or (>= (byte)'0' and <= (byte)'9'))))
        {
            n++;
        }
        return n < word.Length && word[n] == (byte)'=' ? n : 0;
    }

    private static int Find(byte** variables, int count, ReadOnlySpan<byte> nameAndEquals)
    {
        for (int i = 0; i < count; i++)
        {
            if (CText.Of(variables[i]).StartsWith(nameAndEquals))
            {
                return i;
            }
        }
        return -1;
    }
}
