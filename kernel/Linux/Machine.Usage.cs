// How much memory is really in use, as Linux counts it.
//
// Context: any, on a stack with room for 128 bytes; allocates nothing. Reference: proc(5), /proc/pid/statm.
namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    /// <summary>
    /// Bytes in use: what of the process is resident, the pages of stacks included; without <c>/proc</c>, what of the
    /// machine's memory was given out.
    /// </summary>
    public static nuint UsedMemory
    {
        get
        {
            const int size = 128;
            var text = stackalloc byte[size];
            nint length = 0;
            fixed (byte* name = "/proc/self/statm\0"u8)
            {
                var file = Linux.Syscall(Linux.Open, (nint)name, 0, 0);
                if (file >= 0)
                {
                    length = Linux.Syscall(Linux.Read, file, (nint)text, size);
                    Linux.Syscall(Linux.Close, file, 0);
                }
            }

            // The second number: resident pages.
            nint at = 0;
            while (at < length && text[at] != (byte)' ')
            {
                at++;
            }
            nuint pages = 0;
            for (at++; at < length && text[at] is >= (byte)'0' and <= (byte)'9'; at++)
            {
                pages = (pages * 10) + (nuint)(text[at] - '0');
            }
            return pages != 0 ? pages * (nuint)PageBytes : TotalMemory - FreeMemory;
        }
    }
}
