// QEMU's firmware configuration device, read for one file: a command line that needs no boot loader to carry it.
// FW1  The signature is checked before anything else is believed; sizes from the device are bounded by the buffer.
// Context: boot, after the hypervisor bit of CPUID was seen. Reference: QEMU docs/specs/fw_cfg.

namespace Unikernel.Kernel;

internal static unsafe class FwCfg
{
    private const ushort Selector = 0x510, Data = 0x511;
    private const ushort KeySignature = 0, KeyDirectory = 0x19;
    private const uint MaxFiles = 4096;

    /// <summary>Reads the file called name into buffer; the number of bytes, or -1 without the device or the file.</summary>
    public static int ReadFile(ReadOnlySpan<byte> name, byte* buffer, int capacity)
    {
        Cpu.Out16(Selector, KeySignature);
        if (ReadBigEndian(4) != 0x51454d55) // "QEMU"
        {
            return -1;
        }
        Cpu.Out16(Selector, KeyDirectory);
        var count = ReadBigEndian(4);
        if (count > MaxFiles)
        {
            return -1;
        }
        fixed (byte* wanted = name)
        {
            for (uint i = 0; i < count; i++)
            {
                var size = ReadBigEndian(4);
                var key = (ushort)ReadBigEndian(2);
                ReadBigEndian(2);
                var same = true;
                for (var j = 0; j < 56; j++)
                {
                    var b = Cpu.In8(Data);
                    same &= j >= name.Length + 1 || b == (j < name.Length ? wanted[j] : 0);
                }
                if (same)
                {
                    Cpu.Out16(Selector, key);
                    var n = size < (uint)capacity ? (int)size : capacity;
                    for (var j = 0; j < n; j++)
                    {
                        buffer[j] = Cpu.In8(Data);
                    }
                    return n;
                }
            }
        }
        return -1;
    }

    private static uint ReadBigEndian(int bytes)
    {
        uint value = 0;
        for (var i = 0; i < bytes; i++)
        {
            value = value << 8 | Cpu.In8(Data);
        }
        return value;
    }
}
