// Finds options in a command line. Pure.
//
// CL1  The line is words separated by spaces or tabs; a word is key or key=value; value may be "quoted" to hold spaces.
// CL2  The last occurrence of a key wins, so a later source (fw_cfg) overrides an earlier one.
// CL3  Words for the kernel are told from the program's by IsForKernel; nothing else of the line is hidden from Main.
// May not allocate.

namespace Unikernel.Kernel;

internal static unsafe class CommandLineParser
{
    /// <summary>Looks for key; value and valueLength describe the text behind '=' without its quotes (empty for a bare key).</summary>
    public static bool TryGet(byte* line, int length, byte* key, int keyLength, out byte* value, out int valueLength)
    {
        value = null;
        valueLength = 0;
        var found = false;
        var at = 0;
        while (NextWord(line, length, ref at, out var start, out var end))
        {
            if (end - start < keyLength || (end - start > keyLength && line[start + keyLength] != '='))
            {
                continue;
            }
            var same = true;
            for (var i = 0; i < keyLength && same; i++)
            {
                same = line[start + i] == key[i];
            }
            if (!same)
            {
                continue;
            }
            found = true;
            var from = end - start > keyLength ? start + keyLength + 1 : end;
            var to = end;
            if (to - from >= 2 && line[from] == '"' && line[to - 1] == '"')
            {
                from++;
                to--;
            }
            value = line + from;
            valueLength = to - from;
        }
        return found;
    }

    /// <summary>The next word from at on, which moves behind it. Quotes keep spaces inside; an open quote runs to the end.</summary>
    public static bool NextWord(byte* line, int length, ref int at, out int start, out int end)
    {
        while (at < length && IsSpace(line[at]))
        {
            at++;
        }
        start = at;
        var quoted = false;
        while (at < length && (quoted || !IsSpace(line[at])))
        {
            quoted ^= line[at] == '"';
            at++;
        }
        end = at;
        return end > start;
    }

    /// <summary>
    /// Whether a word is for the kernel and not for the program's Main: its own switches, and NAME=value with an
    /// upper-case name, which is an environment variable.
    /// </summary>
    public static bool IsForKernel(byte* word)
    {
        var n = 0;
        while (word[n] is (>= (byte)'A' and <= (byte)'Z') or (byte)'_' or (>= (byte)'0' and <= (byte)'9'))
        {
            n++;
        }
        if (n > 0 && word[n] == (byte)'=' && word[0] is >= (byte)'A' and <= (byte)'Z')
        {
            return true;
        }
        return Equal(word, "bootchart"u8) || Equal(word, "mark=1"u8) || Equal(word, "tty=0"u8) || Equal(word, "tty=1"u8)
            || StartsWith(word, "mem="u8) || StartsWith(word, "cores="u8) || StartsWith(word, "port2="u8);
    }

    private static bool Equal(byte* word, ReadOnlySpan<byte> text) => StartsWith(word, text) && word[text.Length] == 0;

    private static bool StartsWith(byte* word, ReadOnlySpan<byte> text)
    {
        fixed (byte* t = text)
        {
            for (var i = 0; i < text.Length; i++)
            {
                if (word[i] != t[i])
                {
                    return false;   // also at the word's NUL, which text does not hold
                }
            }
        }
        return true;
    }

    private static bool IsSpace(byte b) => b is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n';
}
