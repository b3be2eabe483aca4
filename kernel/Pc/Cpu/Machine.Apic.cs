// Interrupt controllers: PICs masked, local APIC (x2APIC by MSR where the CPU has it, else by memory), I/O APIC; the alarm.
//
// AP1  Vectors: 0x20 alarm, 0x21 COM1, 0x22 COM2, 0x23 a core wants this one's attention, 0x24 shootdown, 0x30..0x3f what a masked PIC may still let slip, 0xff spurious.
// AP2  The alarm's rate is measured once against the TSC, and is every core's. It is never early: an interrupt before its time (rounding, or a
//      wait longer than the counter holds) sets the counter again instead of telling OnAlarm.
// AP3  LINT0 is masked, LINT1 is NMI (QEMU's nmi command, a PC's watchdog).
// AP4  Every core's local APIC is set up alike. The I/O APIC's interrupts go to the boot core.
// Context: SetAlarm in goroutine context, interrupts on or off. Reference: Intel SDM 3A chapter 11; 82093AA; 8259A.
namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private const byte AlarmVector = 0x20;
    private const byte Com1Vector = 0x21;
    private const byte Com2Vector = 0x22;
    private const byte PicVector = 0x30;
    private const byte SpuriousVector = 0xff;

    private const uint ApicBaseMsr = 0x1b;
    private const uint X2ApicMsr = 0x800;
    private const uint ApicIdRegister = 0x20;
    private const uint ApicTaskPriority = 0x80;
    private const uint ApicEoi = 0xb0;
    private const uint ApicSpurious = 0xf0;
    private const uint ApicTimerVector = 0x320;
    private const uint ApicLint0 = 0x350;
    private const uint ApicLint1 = 0x360;
    private const uint ApicTimerInitial = 0x380;
    private const uint ApicTimerCurrent = 0x390;
    private const uint ApicTimerDivide = 0x3e0;
    private const uint ApicMasked = 1 << 16;
    private const uint ApicDeliverNmi = 4 << 8;
    private const long MeasureNs = 200_000;
    private const long LongestWaitNs = 2_000_000_000;

    private static byte* s_apic;                // null with x2APIC; these are immutable after InitInterrupts
    private static bool s_hasApic;
    private static bool s_isX2Apic;
    private static byte* s_ioApic;
    private static uint s_ioApicPins;
    private static ulong s_apicTicksPerMs;

    /// <summary>The alarm of this core is due (interrupt context).</summary>
    public static delegate*<void> OnAlarm;

    // Finds and enables the local APIC; false when it cannot be mapped.
    private static bool MapApic()
    {
        if (s_hasApic)
        {
            return true;
        }
        var id = stackalloc uint[4];
        Cpu.Id(1, 0, id);
        s_isX2Apic = (id[2] & (1 << 21)) != 0;
        EnableApic();
        if (!s_isX2Apic)
        {
            s_apic = (byte*)MapMmio(Cpu.ReadMsr(ApicBaseMsr) & AddressMask, PageBytes);
        }
        s_hasApic = s_isX2Apic || s_apic != null;
        return s_hasApic;
    }

    // In the mode s_isX2Apic says.
    private static void EnableApic()
    {
        var msr = Cpu.ReadMsr(ApicBaseMsr) | (1 << 11);
        Cpu.WriteMsr(ApicBaseMsr, msr);         // x2APIC only from the enabled state
        if (s_isX2Apic)
        {
            Cpu.WriteMsr(ApicBaseMsr, msr | (1 << 10));
        }
    }

    private static uint ApicRead(uint register) =>
        s_isX2Apic ? (uint)Cpu.ReadMsr(X2ApicMsr + (register >> 4)) : Volatile.Read(ref *(uint*)(s_apic + register));

    private static void ApicWrite(uint register, uint value)
    {
        if (s_isX2Apic)
        {
            Cpu.WriteMsr(X2ApicMsr + (register >> 4), value);
        }
        else
        {
            Volatile.Write(ref *(uint*)(s_apic + register), value);
        }
    }

    private static void ApicEndOfInterrupt() => ApicWrite(ApicEoi, 0);

    /// <summary>Interrupt controllers, the alarm, console input; interrupts are on afterwards.</summary>
    public static void InitInterrupts()
    {
        if (!MapApic())
        {
            RefuseMachine("the local APIC cannot be mapped"u8);
        }
        MaskPics();
        InitLocalApic();
        MeasureApicTimer();
        SetInterruptHandler(AlarmVector, &AlarmInterrupt);
        ApicWrite(ApicTimerVector, AlarmVector);
        InitIoApic();
        InitInput();
        BootStep("interrupts"u8);
    }

    // All of AP4 but the alarm, which stays masked.
    private static void InitLocalApic()
    {
        ApicWrite(ApicTaskPriority, 0);
        ApicWrite(ApicSpurious, 0x100 | SpuriousVector);
        ApicWrite(ApicLint0, ApicMasked);
        ApicWrite(ApicLint1, ApicDeliverNmi);
        ApicWrite(ApicTimerDivide, 0xb);        // by 1
        ApicWrite(ApicTimerVector, ApicMasked | AlarmVector);
    }

    // Away from the exceptions' vectors first: a PIC may deliver a spurious interrupt even when masked.
    private static void MaskPics()
    {
        Cpu.Out8(0x20, 0x11);
        Cpu.Out8(0xa0, 0x11);
        Cpu.Out8(0x21, PicVector);
        Cpu.Out8(0xa1, PicVector + 8);
        Cpu.Out8(0x21, 4);
        Cpu.Out8(0xa1, 2);
        Cpu.Out8(0x21, 1);
        Cpu.Out8(0xa1, 1);
        Cpu.Out8(0x21, 0xff);
        Cpu.Out8(0xa1, 0xff);
    }

    private static void MeasureApicTimer()
    {
        ApicWrite(ApicTimerInitial, uint.MaxValue);
        var start = SampleApicTimer(out var startNs);
        uint end;
        long endNs;
        do
        {
            end = SampleApicTimer(out endNs);
        }
        while (endNs - startNs < MeasureNs);
        ApicWrite(ApicTimerInitial, 0);
        s_apicTicksPerMs = (ulong)(start - end) * 1_000_000 / (ulong)(endNs - startNs);
        s_apicTicksPerMs = s_apicTicksPerMs == 0 ? 1 : s_apicTicksPerMs;
    }

    // The counter, and the time at the middle of the quickest of a few reads.
    private static uint SampleApicTimer(out long ns)
    {
        uint count = 0;
        var quickest = long.MaxValue;
        ns = 0;
        for (var i = 0; i < 4; i++)
        {
            var before = NanoTime();
            var read = ApicRead(ApicTimerCurrent);
            var took = NanoTime() - before;
            if (took < quickest)
            {
                quickest = took;
                count = read;
                ns = before + (took / 2);
            }
        }
        return count;
    }

    /// <summary>Interrupts this core at NanoTime <paramref name="whenNs"/> or a little later; 0 takes its alarm back.</summary>
    public static void SetAlarm(long whenNs)
    {
        var flags = Cpu.DisableInterrupts();
        var core = CurrentCore;
        core->AlarmNs = whenNs;
        ArmTimer(core);
        Cpu.RestoreInterrupts(flags);
    }

    private static void ArmTimer(Core* core)
    {
        if (core->AlarmNs == 0)
        {
            ApicWrite(ApicTimerInitial, 0);
            return;
        }
        var wait = core->AlarmNs - NanoTime();
        wait = wait < 0 ? 0 : wait > LongestWaitNs ? LongestWaitNs : wait;
        var ticks = ((ulong)wait * s_apicTicksPerMs / 1_000_000) + 1;
        ApicWrite(ApicTimerInitial, ticks > uint.MaxValue ? uint.MaxValue : (uint)ticks);
    }

    private static void AlarmInterrupt(TrapFrame* frame)
    {
        var core = CurrentCore;
        if (core->Id == 0)
        {
            RefineClock();
        }
        if (core->AlarmNs == 0)
        {
            return;
        }
        if (NanoTime() < core->AlarmNs)
        {
            ArmTimer(core);
            return;
        }
        core->AlarmNs = 0;
        if (OnAlarm != null)
        {
            OnAlarm();
        }
    }

    private static void InitIoApic()
    {
        s_ioApic = (byte*)MapMmio(s_madt.IoApic == 0 ? DefaultIoApic : s_madt.IoApic, PageBytes);
        if (s_ioApic == null)
        {
            return;
        }
        var version = IoApicRead(1);
        s_ioApicPins = version == uint.MaxValue ? 0 : ((version >> 16) & 255) + 1;
        for (uint pin = 0; pin < s_ioApicPins; pin++)
        {
            IoApicWrite(0x10 + (pin * 2), ApicMasked);
        }
    }

    // An ISA interrupt to this core, as the MADT says it is wired: edge and high unless told otherwise.
    private static void RouteIsaInterrupt(byte irq, byte vector)
    {
        var pin = s_madt.IsaPin[irq & 15] - s_madt.IoApicBase;
        if (pin >= s_ioApicPins)
        {
            return;
        }
        var flags = s_madt.IsaFlags[irq & 15];
        var low = (flags & 3) == 3 ? 1u << 13 : 0;
        var level = (flags >> 2 & 3) == 3 ? 1u << 15 : 0;
        var id = ApicRead(ApicIdRegister);
        IoApicWrite(0x11 + (pin * 2), s_isX2Apic ? id << 24 : id & 0xff000000);
        IoApicWrite(0x10 + (pin * 2), vector | low | level);
    }

    private static uint IoApicRead(uint register)
    {
        Volatile.Write(ref *(uint*)s_ioApic, register);
        return Volatile.Read(ref *(uint*)(s_ioApic + 0x10));
    }

    private static void IoApicWrite(uint register, uint value)
    {
        Volatile.Write(ref *(uint*)s_ioApic, register);
        Volatile.Write(ref *(uint*)(s_ioApic + 0x10), value);
    }
}
