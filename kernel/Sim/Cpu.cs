// The instructions of Cpu/Cpu.cs on a simulated core, as far as the code that runs there uses them.
// Context: whoever holds the turn. Allocates nothing.
using Unikernel.Kernel.Simulated;

namespace Unikernel.Kernel;

public static unsafe class Cpu
{
    public static ulong ReadTsc() => Simulation.Seed;

    /// <summary>No feature at all: no RDRAND, so <see cref="Machine.Random64"/> follows the seed.</summary>
    public static void Id(uint leaf, uint subleaf, uint* abcd) => abcd[0] = abcd[1] = abcd[2] = abcd[3] = 0;

    public static int Random(ulong* value) => 0;

    /// <summary>Somebody else has to do something first: gives the turn to another core.</summary>
    public static void Pause() => Simulation.Pause();

    public static void* GetCore() => Simulation.CurrentBlock;

    /// <summary>No block: nothing here uses the thread statics of goroutines.</summary>
    public static void* GetTls() => null;

    public static byte* MemSet(void* destination, int value, nuint n)
    {
        new Span<byte>(destination, (int)n).Fill((byte)value);
        return (byte*)destination;
    }

    public static byte* MemMove(void* destination, void* source, nuint n)
    {
        Buffer.MemoryCopy(source, destination, n, n);
        return (byte*)destination;
    }
}
