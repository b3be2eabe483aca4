// Time: the TSC, measured at boot; the wall clock, read once.
//
// CK1  NanoTime never goes back: it starts at 0 with the first instruction, and a better rate (CK3) takes over at the
//      nanosecond the old one has reached, by one pointer store. A reading by the old rate was taken before that store, so
//      cores whose counters agree (Machine.Tsc.cs) agree here.
// CK2  Measuring takes 2 ms: against the HPET, else PIT channel 2, else what a hypervisor says, else the local APIC's
//      timer at the 1 GHz QEMU and KVM give it.
// CK3  With an HPET the rate is measured once more over the first second or so, at an alarm, at no cost in boot time.
// Context: anywhere after InitClock. Allocates nothing.
// Reference: IA-PC HPET 1.0a; Intel 8254 data sheet; CPUID leaf 0x40000010 (VMware, KVM).
using System.Runtime.CompilerServices;

namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private const ulong CalibrateNs = 2_000_000;
    private const ulong RefineAfterNs = 500_000_000;
    private const ulong RefineBeforeNs = 4_000_000_000;
    private const ulong PitHz = 1_193_182;
    private const ulong SpinTicks = 1UL << 30;              // a device that takes longer does not work

    private struct HpetSample
    {
        internal ulong Tsc;
        internal ulong Count;
    }

    private static TimeScale s_firstScale;
    private static TimeScale s_refinedScale;
    private static TimeScale* s_scale;                      // atomic
    private static ulong* s_hpet;
    private static ulong s_hpetFemtoseconds;                // 0 = no HPET
    private static ulong s_hpetMask;                        // the counter has 32 or 64 bits
    private static HpetSample s_hpetStart;
    private static long s_wallAtBootNs;                     // immutable after InitClock

    /// <summary>TSC ticks per second as measured.</summary>
    public static ulong TscHz => TimeScale.RateOf(s_scale->Multiplier);

    /// <summary>Nanoseconds since boot, monotonic.</summary>
    public static long NanoTime()
    {
        while (true)
        {
            var scale = s_scale;
            var ticks = Cpu.ReadTsc();
            if (scale == s_scale)                           // else another core may have shown more already
            {
                return (long)scale->ToNs(ticks);
            }
        }
    }

    /// <summary>Nanoseconds since 1970-01-01 UTC; counts from 1970 when the machine has no clock.</summary>
    public static long WallClockNs() => s_wallAtBootNs + NanoTime();

    private static ulong TicksToNs(ulong ticks) => TimeScale.Scale(ticks, s_scale->Multiplier);

    /// <summary>Measures the TSC and reads the wall clock.</summary>
    public static void InitClock()
    {
        var multiplier = MeasureByHpet();
        multiplier = multiplier != 0 ? multiplier : MeasureByPit();
        multiplier = multiplier != 0 ? multiplier : AskHypervisor();
        multiplier = multiplier != 0 ? multiplier : MeasureByApic();
        if (multiplier == 0)
        {
            RefuseMachine("no timer to measure the TSC by"u8);
        }
        s_firstScale.BaseTicks = Cpu.EntryTsc();
        s_firstScale.Multiplier = multiplier;
        s_scale = (TimeScale*)Unsafe.AsPointer(ref s_firstScale);
        s_wallAtBootNs = (ReadWallClock() * 1_000_000_000) - NanoTime();
        BootStep("clock"u8);
    }

    // Called at alarms of the boot core: the second measurement of CK3.
    private static void RefineClock()
    {
        if (s_hpetFemtoseconds == 0)
        {
            return;
        }
        var now = SampleHpet();
        var ns = HpetNs(now.Count - s_hpetStart.Count);
        if (ns < RefineAfterNs)
        {
            return;
        }
        s_hpetFemtoseconds = 0;                             // once
        var multiplier = TimeScale.MultiplierFor(now.Tsc - s_hpetStart.Tsc, ns);
        var limit = s_scale->Multiplier / 100;              // the first measurement was not that bad
        if (ns > RefineBeforeNs || multiplier < s_scale->Multiplier - limit || multiplier > s_scale->Multiplier + limit)
        {
            return;
        }
        s_refinedScale.BaseTicks = Cpu.ReadTsc();
        s_refinedScale.BaseNs = s_scale->ToNs(s_refinedScale.BaseTicks);
        s_refinedScale.Multiplier = multiplier;
        s_scale = (TimeScale*)Unsafe.AsPointer(ref s_refinedScale);
    }

    private static ulong MeasureByHpet()
    {
        var hpet = s_hpetAddress == 0 ? null : (ulong*)MapMmio(s_hpetAddress, 1024);
        if (hpet == null)
        {
            return 0;
        }
        var capabilities = Volatile.Read(ref hpet[0]);
        var femtoseconds = capabilities >> 32;
        if (femtoseconds is < 100_000 or > 100_000_000)
        {
            return 0;
        }
        s_hpet = hpet;
        s_hpetMask = (capabilities & (1 << 13)) != 0 ? ulong.MaxValue : uint.MaxValue;
        s_hpetFemtoseconds = femtoseconds;
        Volatile.Write(ref hpet[2], Volatile.Read(ref hpet[2]) | 1);     // counter on
        s_hpetStart = SampleHpet();
        HpetSample now;
        do
        {
            now = SampleHpet();
            if (now.Tsc - s_hpetStart.Tsc > SpinTicks)
            {
                s_hpetFemtoseconds = 0;
                return 0;                                   // it does not count
            }
        }
        while (HpetNs(now.Count - s_hpetStart.Count) < CalibrateNs);
        return TimeScale.MultiplierFor(now.Tsc - s_hpetStart.Tsc, HpetNs(now.Count - s_hpetStart.Count));
    }

    private static ulong HpetNs(ulong count)
    {
        count &= s_hpetMask;
        return count > uint.MaxValue ? ulong.MaxValue : count * s_hpetFemtoseconds / 1_000_000;
    }

    // The counter, and the TSC at the middle of the quickest of a few reads: a read is a trip to the hypervisor.
    private static HpetSample SampleHpet()
    {
        HpetSample best = default;
        var quickest = ulong.MaxValue;
        for (var i = 0; i < 4; i++)
        {
            var before = Cpu.ReadTsc();
            var count = Volatile.Read(ref s_hpet[0xf0 / 8]);
            var took = Cpu.ReadTsc() - before;
            if (took < quickest)
            {
                quickest = took;
                best.Tsc = before + (took / 2);
                best.Count = count;
            }
        }
        return best;
    }

    private static ulong MeasureByPit()
    {
        const ulong count = PitHz * CalibrateNs / 1_000_000_000;
        var gate = Cpu.In8(0x61);
        if (gate == 0xff)
        {
            return 0;                                       // no such port
        }
        Cpu.Out8(0x61, (byte)((gate & ~3) | 1));            // speaker off, gate on
        Cpu.Out8(0x43, 0xb0);                               // channel 2, mode 0
        Cpu.Out8(0x42, unchecked((byte)count));
        Cpu.Out8(0x42, (byte)(count >> 8));
        var start = Cpu.ReadTsc();
        var wasLow = false;
        ulong passed;
        do
        {
            passed = Cpu.ReadTsc() - start;
            if ((Cpu.In8(0x61) & 0x20) == 0)
            {
                wasLow = true;
            }
            else
            {
                break;
            }
        }
        while (passed < SpinTicks);
        Cpu.Out8(0x61, gate);
        return wasLow ? TimeScale.MultiplierFor(passed, CalibrateNs) : 0;
    }

    private static ulong AskHypervisor()
    {
        if (!s_hypervisor)
        {
            return 0;
        }
        var id = stackalloc uint[4];
        Cpu.Id(0x40000000, 0, id);
        if (id[0] is < 0x40000010 or > 0x400000ff)
        {
            return 0;                                       // leaves beyond the highest hold garbage
        }
        Cpu.Id(0x40000010, 0, id);
        return TimeScale.MultiplierFor(id[0], 1_000_000);   // kHz: so many ticks a millisecond
    }

    private static ulong MeasureByApic()
    {
        if (!MapApic())
        {
            return 0;
        }
        ApicWrite(ApicSpurious, 0x100 | SpuriousVector);
        ApicWrite(ApicTimerDivide, 0xb);
        ApicWrite(ApicTimerVector, ApicMasked);
        ApicWrite(ApicTimerInitial, uint.MaxValue);
        var start = Cpu.ReadTsc();
        uint passed;
        ulong ticks;
        do
        {
            passed = uint.MaxValue - ApicRead(ApicTimerCurrent);
            ticks = Cpu.ReadTsc() - start;
        }
        while (passed < CalibrateNs && ticks < SpinTicks);  // 1 GHz: a tick is a ns
        ApicWrite(ApicTimerInitial, 0);
        return passed < CalibrateNs ? 0 : TimeScale.MultiplierFor(ticks, passed);
    }

    // Seconds since 1970; 0 without a clock that shows a date. Two equal readings: none was taken during an update.
    private static long ReadWallClock()
    {
        RtcRegisters first = default;
        RtcRegisters second = default;
        for (var attempt = 0; attempt < 8; attempt++)
        {
            ReadRtc(ref first);
            ReadRtc(ref second);
            if (first.Second == second.Second && first.Minute == second.Minute && first.Hour == second.Hour
                && first.Day == second.Day && first.Month == second.Month && first.Year == second.Year)
            {
                return Rtc.TryDecode(in second, out var seconds) ? seconds : 0;
            }
        }
        return 0;
    }

    private static void ReadRtc(ref RtcRegisters r)
    {
        for (var i = 0; i < 10_000 && (Cmos(0x0a) & 0x80) != 0; i++)
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

    // Bit 7 of the index port would hold NMIs back.
    private static byte Cmos(byte register)
    {
        Cpu.Out8(0x70, register);
        return Cpu.In8(0x71);
    }
}
