// Interrupt controllers: PIC masked, local APIC (xAPIC by memory), I/O APIC; the one-shot alarm.
//
// AP1  Vectors: 0x20 alarm, 0x21 COM1, 0x22 COM2, 0xff spurious.
// AP2  The alarm's rate is measured once against the TSC; SetAlarm rounds up, so it is never early.
// Context: SetAlarm in goroutine context with interrupts on or off. Reference: Intel SDM 3A chapter 11; 82093AA.
namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private const byte AlarmVector = 0x20;
    private const byte Com1Vector = 0x21;
    private const byte Com2Vector = 0x22;
    private const byte SpuriousVector = 0xff;

    private const uint ApicBaseMsr = 0x1b;
    private const int ApicIdRegister = 0x20;
    private const int ApicTaskPriority = 0x80;
    private const int ApicEoi = 0xb0;
    private const int ApicSpurious = 0xf0;
    private const int ApicTimerVector = 0x320;
    private const int ApicTimerInitial = 0x380;
    private const int ApicTimerCurrent = 0x390;
    private const int ApicTimerDivide = 0x3e0;
    private const uint ApicMasked = 1 << 16;
    private const ulong DefaultIoApic = 0xfec00000;
    private const long MeasureNs = 200_000;

    private static byte* s_apic;
    private static byte* s_ioApic;
    private static ulong s_apicTicksPerMs;

    /// <summary>The alarm is due (interrupt context).</summary>
    public static delegate*<void> OnAlarm;

    private static bool ApicPresent()
    {
        if (s_apic == null)
        {
            s_apic = (byte*)MapMmio(Cpu.ReadMsr(ApicBaseMsr) & AddressMask, PageBytes);
        }
        return s_apic != null;
    }

    private static uint ApicRead(int register) => Volatile.Read(ref *(uint*)(s_apic + register));

    private static void ApicWrite(int register, uint value) => Volatile.Write(ref *(uint*)(s_apic + register), value);

    private static void ApicEndOfInterrupt() => ApicWrite(ApicEoi, 0);

    /// <summary>Interrupt controllers, the alarm, console input; interrupts are on afterwards.</summary>
    public static void InitInterrupts()
    {
        Cpu.Out8(0x21, 0xff);                                   // both PICs masked
        Cpu.Out8(0xa1, 0xff);
        if (!ApicPresent())
        {
            RefuseMachine("the local APIC cannot be mapped"u8);
        }
        Cpu.WriteMsr(ApicBaseMsr, Cpu.ReadMsr(ApicBaseMsr) | (1 << 11));
        ApicWrite(ApicTaskPriority, 0);
        ApicWrite(ApicSpurious, 0x100 | SpuriousVector);
        ApicWrite(ApicTimerDivide, 0xb);
        ApicWrite(ApicTimerVector, ApicMasked | AlarmVector);
        MeasureApicTimer();
        SetInterruptHandler(AlarmVector, &AlarmInterrupt);
        ApicWrite(ApicTimerVector, AlarmVector);
        s_ioApic = (byte*)MapMmio(s_ioApicAddress == 0 ? DefaultIoApic : s_ioApicAddress, PageBytes);
        InitInput();
        BootStep("interrupts"u8);
    }

    private static void MeasureApicTimer()
    {
        ApicWrite(ApicTimerInitial, uint.MaxValue);
        long start = NanoTime();
        long passed;
        do
        {
            passed = NanoTime() - start;
        }
        while (passed < MeasureNs);
        uint ticks = uint.MaxValue - ApicRead(ApicTimerCurrent);
        ApicWrite(ApicTimerInitial, 0);
        s_apicTicksPerMs = (ulong)ticks * 1_000_000 / (ulong)passed;
        s_apicTicksPerMs = s_apicTicksPerMs == 0 ? 1 : s_apicTicksPerMs;
    }

    /// <summary>Interrupts at NanoTime <paramref name="whenNs"/> or a little later; 0 takes the alarm back.</summary>
    public static void SetAlarm(long whenNs)
    {
        if (whenNs == 0)
        {
            ApicWrite(ApicTimerInitial, 0);
            return;
        }
        long wait = whenNs - NanoTime();
        ulong ticks = wait <= 0 ? 1 : (ulong)(((UInt128)(ulong)wait * s_apicTicksPerMs / 1_000_000) + 1);
        ApicWrite(ApicTimerInitial, ticks > uint.MaxValue ? uint.MaxValue : (uint)ticks);    // woken early, the caller sets it again
    }

    private static void AlarmInterrupt(TrapFrame* frame)
    {
        if (OnAlarm != null)
        {
            OnAlarm();
        }
    }

    // An edge-triggered ISA interrupt to this core.
    private static void RouteIsaInterrupt(byte irq, byte vector)
    {
        if (s_ioApic == null)
        {
            return;
        }
        uint pin = s_isaPins.Pins[irq & 15];
        IoApicWrite(0x11 + (pin * 2), ApicRead(ApicIdRegister) & 0xff000000);
        IoApicWrite(0x10 + (pin * 2), vector);
    }

    private static void IoApicWrite(uint register, uint value)
    {
        Volatile.Write(ref *(uint*)s_ioApic, register);
        Volatile.Write(ref *(uint*)(s_ioApic + 0x10), value);
    }
}
