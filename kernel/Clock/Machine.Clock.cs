// Time: the TSC, calibrated once; the wall clock, read once.
//
// CK1  NanoTime never goes back and does not overflow: ns = tsc * mul >> 32 with 128-bit products.
// CK2  Calibration takes at most a few ms: against the HPET, else PIT channel 2, else the LAPIC timer at QEMU's 1 GHz.
// Context: anywhere after InitClock. Allocates nothing. Reference: IA-PC HPET 1.0a; Intel 8254 data sheet.
namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private const long NsPerSecond = 1_000_000_000;
    private const ulong CalibrateNs = 2_000_000;
    private const uint PitHz = 1_193_182;
    private const ulong FallbackTscHz = 2_000_000_000;

    private static ulong s_tscBase;
    private static ulong s_nsPerTsc32;      // fixed point, 32 fractional bits
    private static long s_wallAtBootNs;

    /// <summary>TSC ticks per second as measured at boot.</summary>
    public static ulong TscHz => s_nsPerTsc32 == 0 ? 0 : (ulong)(((UInt128)NsPerSecond << 32) / s_nsPerTsc32);

    private static ulong TscToNs(ulong ticks)
    {
        ulong high = Math.BigMul(ticks, s_nsPerTsc32, out ulong low);
        return (high << 32) | (low >> 32);
    }

    /// <summary>Nanoseconds since boot, monotonic.</summary>
    public static long NanoTime() => (long)TscToNs(Cpu.ReadTsc() - s_tscBase);

    /// <summary>Nanoseconds since 1970-01-01 UTC.</summary>
    public static long WallClockNs() => s_wallAtBootNs + NanoTime();

    /// <summary>Measures the TSC and reads the wall clock.</summary>
    public static void InitClock()
    {
        s_tscBase = Cpu.EntryTsc();
        if (!CalibrateByHpet() && !CalibrateByPit() && !CalibrateByApic())
        {
            SetTscHz(FallbackTscHz);
            Print("unikernel: no timer to measure the TSC by: assuming 2 GHz\n"u8);
        }
        s_wallAtBootNs = (ReadWallClock() * NsPerSecond) - NanoTime();
        BootStep("clock"u8);
    }

    private static void SetTscHz(ulong hz) => s_nsPerTsc32 = (ulong)(((UInt128)NsPerSecond << 32) / hz);

    private static bool Calibrated(ulong tscTicks, ulong ns)
    {
        ulong hz = (ulong)((UInt128)tscTicks * (UInt128)NsPerSecond / (ns == 0 ? 1 : ns));
        if (hz is < 100_000_000 or > 10_000_000_000)
        {
            return false;
        }
        SetTscHz(hz);
        return true;
    }

    private static bool CalibrateByHpet()
    {
        if (s_hpetAddress == 0)
        {
            return false;
        }
        byte* hpet = (byte*)MapMmio(s_hpetAddress, 1024);
        if (hpet == null)
        {
            return false;
        }
        ulong femtoseconds = *(ulong*)hpet >> 32;
        if (femtoseconds is 0 or > 100_000_000)
        {
            return false;
        }
        *(ulong*)(hpet + 0x10) |= 1;                            // counter on
        ulong wanted = CalibrateNs * 1_000_000 / femtoseconds;
        ulong start = HpetCounter(hpet);
        ulong tsc = Cpu.ReadTsc();
        ulong passed;
        ulong limit = tsc + (1UL << 32);
        do
        {
            passed = HpetCounter(hpet) - start;
            if (Cpu.ReadTsc() > limit)
            {
                return false;                                   // it does not count
            }
        }
        while (passed < wanted);
        return Calibrated(Cpu.ReadTsc() - tsc, passed * femtoseconds / 1_000_000);
    }

    private static ulong HpetCounter(byte* hpet) => Volatile.Read(ref *(ulong*)(hpet + 0xf0));

    private static bool CalibrateByPit()
    {
        const uint count = (uint)(PitHz * CalibrateNs / NsPerSecond);
        byte gate = Cpu.In8(0x61);
        if (gate == 0xff)
        {
            return false;                                       // no such port
        }
        Cpu.Out8(0x61, (byte)((gate & ~2) | 1));                // speaker off, gate on
        Cpu.Out8(0x43, 0xb0);                                   // channel 2, mode 0
        Cpu.Out8(0x42, unchecked((byte)count));
        Cpu.Out8(0x42, (byte)(count >> 8));
        ulong start = Cpu.ReadTsc();
        ulong now;
        do
        {
            now = Cpu.ReadTsc();
            if (now - start > 1UL << 28)
            {
                return false;                                   // its output never rises
            }
        }
        while ((Cpu.In8(0x61) & 0x20) == 0);
        return Calibrated(now - start, CalibrateNs) && now - start > CalibrateNs / 10;
    }

    private static bool CalibrateByApic()
    {
        if (!ApicPresent())
        {
            return false;
        }
        ApicWrite(ApicTimerDivide, 0xb);
        ApicWrite(ApicTimerVector, ApicMasked);
        ApicWrite(ApicTimerInitial, uint.MaxValue);
        ulong start = Cpu.ReadTsc();
        uint passed;
        do
        {
            passed = uint.MaxValue - ApicRead(ApicTimerCurrent);
            if (Cpu.ReadTsc() - start > 1UL << 30)
            {
                return false;
            }
        }
        while (passed < CalibrateNs);                           // 1 GHz: a tick is a ns
        ulong ticks = Cpu.ReadTsc() - start;
        ApicWrite(ApicTimerInitial, 0);
        return Calibrated(ticks, passed);
    }

    private static long ReadWallClock()
    {
        RtcRegisters first = default;
        RtcRegisters second = default;
        for (int attempt = 0; attempt < 8; attempt++)
        {
            ReadRtc(ref first);
            ReadRtc(ref second);
            if (first.Second == second.Second && first.Minute == second.Minute && first.Hour == second.Hour && first.Day == second.Day)
            {
                return Rtc.TryDecode(in second, out long seconds) ? seconds : 0;
            }
        }
        return 0;
    }

    private static void ReadRtc(ref RtcRegisters r)
    {
        for (int i = 0; i < 100_000 && (Cmos(0x0a) & 0x80) != 0; i++)
        {
            // an update is in progress
        }
        r.Second = Cmos(0);
        r.Minute = Cmos(2);
        r.Hour = Cmos(4);
        r.Day = Cmos(7);
        r.Month = Cmos(8);
        r.Year = Cmos(9);
        r.Century = Cmos(0x32);
        r.StatusB = Cmos(0x0b);
    }

    private static byte Cmos(byte register)
    {
        Cpu.Out8(0x70, (byte)(register | 0x80));
        return Cpu.In8(0x71);
    }
}
