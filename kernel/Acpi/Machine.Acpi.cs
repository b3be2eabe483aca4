// What the ACPI tables of this machine say: how to power off, where the HPET and the I/O APIC are, how many cores.
// Context: boot. Allocates nothing. A missing or broken table leaves its facts at their defaults.
namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private const ulong LowestTable = 1 << 10;

    private struct IsaPins
    {
        internal fixed byte Pins[16];
    }

    private static ulong s_hpetAddress;
    private static ulong s_ioApicAddress;
    private static IsaPins s_isaPins;           // ISA interrupt → I/O APIC pin
    private static int s_cores = 1;
    private static ushort s_pm1a;
    private static ushort s_pm1b;
    private static byte s_sleepTypeA;
    private static byte s_sleepTypeB;
    private static bool s_canPowerOff;

    /// <summary>Cores the firmware lists as usable.</summary>
    public static int CoreCount => s_cores;

    /// <summary>Reads the tables. Needs the direct map.</summary>
    public static void InitAcpi()
    {
        for (int i = 0; i < 16; i++)
        {
            s_isaPins.Pins[i] = (byte)i;
        }
        ulong rsdp = s_boot.Rsdp != 0 ? s_boot.Rsdp : FindRsdp();
        if (rsdp != 0 && IsInMemory(rsdp, 36) && Acpi.TryReadRoot(Physical(rsdp), out ulong root, out bool isExtended)
            && IsInMemory(root, Acpi.HeaderBytes)
            && Acpi.IsTable(Physical(root), isExtended ? "XSDT"u8 : "RSDT"u8, Acpi.HeaderBytes))
        {
            byte* table = Physical(root);
            uint step = isExtended ? 8u : 4u;
            for (uint at = Acpi.HeaderBytes; at + step <= *(uint*)(table + 4); at += step)
            {
                ulong address = isExtended ? *(ulong*)(table + at) : *(uint*)(table + at);
                if (IsInMemory(address, Acpi.HeaderBytes))
                {
                    ReadTable(Physical(address));
                }
            }
        }
        BootStep("acpi"u8);
    }

    private static byte* Physical(ulong address) => (byte*)(DirectMap + address);

    private static bool IsInMemory(ulong address, ulong bytes)
    {
        ulong end = s_boot.HighestAddress < 4UL << 30 ? 4UL << 30 : s_boot.HighestAddress;
        return address >= LowestTable && address < end && bytes <= end - address;
    }

    private static ulong FindRsdp()
    {
        for (ulong at = 0xe0000; at < 0x100000; at += 16)
        {
            if (Acpi.TryReadRoot(Physical(at), out _, out _))
            {
                return at;
            }
        }
        return 0;
    }

    private static void ReadTable(byte* table)
    {
        if (Acpi.IsTable(table, "FACP"u8, 72))
        {
            s_pm1a = (ushort)*(uint*)(table + 64);
            s_pm1b = (ushort)*(uint*)(table + 68);
            ulong dsdt = *(uint*)(table + 40);
            if (IsInMemory(dsdt, Acpi.HeaderBytes) && Acpi.IsTable(Physical(dsdt), "DSDT"u8, Acpi.HeaderBytes))
            {
                s_canPowerOff = s_pm1a != 0
                    && Acpi.TryFindS5(Physical(dsdt), *(uint*)(Physical(dsdt) + 4), out s_sleepTypeA, out s_sleepTypeB);
            }
        }
        else if (Acpi.IsTable(table, "HPET"u8, 56))
        {
            s_hpetAddress = *(ulong*)(table + 44);
        }
        else if (Acpi.IsTable(table, "APIC"u8, 44))
        {
            ReadMadt(table, *(uint*)(table + 4));
        }
    }

    private static void ReadMadt(byte* table, uint length)
    {
        int cores = 0;
        for (uint at = 44; at + 2 <= length;)
        {
            byte type = table[at];
            byte size = table[at + 1];
            if (size < 2 || size > length - at)
            {
                break;
            }
            switch (type)
            {
                case 0 when size >= 8 && (*(uint*)(table + at + 4) & 1) != 0:
                    cores++;
                    break;
                case 1 when size >= 12 && s_ioApicAddress == 0:
                    s_ioApicAddress = *(uint*)(table + at + 4);
                    break;
                case 2 when size >= 10 && table[at + 3] < 16 && *(uint*)(table + at + 4) < 24:
                    s_isaPins.Pins[table[at + 3]] = (byte)*(uint*)(table + at + 4);
                    break;
            }
            at += size;
        }
        s_cores = cores == 0 ? 1 : cores;
    }

    private static void PowerOff()
    {
        if (!s_canPowerOff)
        {
            return;
        }
        const int sleepEnable = 1 << 13;
        Cpu.Out16(s_pm1a, (ushort)((s_sleepTypeA << 10) | sleepEnable));
        if (s_pm1b != 0)
        {
            Cpu.Out16(s_pm1b, (ushort)((s_sleepTypeB << 10) | sleepEnable));
        }
        for (int i = 0; i < 1_000_000; i++)
        {
            Cpu.In8(0x80);      // it takes the chipset a moment
        }
    }
}
