// Random bits: RDRAND where the CPU has it, mixed with the TSC; without it, a generator seeded by time.
namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private const uint RdrandBit = 1u << 30;
    private static ulong s_randomState;     // atomic
    private static int s_hasRdrand;         // 0 not asked yet, 1 yes, 2 no

    /// <summary>64 random bits. Without RDRAND they are not fit for secrets.</summary>
    public static ulong Random64()
    {
        if (s_hasRdrand == 0)
        {
            uint* id = stackalloc uint[4];
            Cpu.Id(1, 0, id);
            s_hasRdrand = (id[2] & RdrandBit) != 0 ? 1 : 2;
        }
        ulong hardware = 0;
        if (s_hasRdrand == 1 && Cpu.Random(&hardware) == 0)
        {
            hardware = 0;
        }
        // SplitMix64 (Steele, Lea, Flood 2014) over everything seen so far.
        ulong z = Interlocked.Add(ref s_randomState, 0x9e3779b97f4a7c15 + Cpu.ReadTsc()) ^ hardware;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
}
