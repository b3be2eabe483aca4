// What the ACPI tables of this machine say: how to power off, where the HPET and the I/O APIC are, how many cores.
// AM1  A missing or broken table leaves its facts at the PC's defaults; it never ends the boot.
// Context: boot, after InitMemory. Allocates page tables only.
using System.Runtime.CompilerServices;

namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private const ulong DefaultIoApic = 0xfec00000;
    private const uint MaxTables = 256;

    private static FadtInfo s_fadt;             // these are immutable after InitAcpi
    private static MadtInfo s_madt;
    private static ulong s_hpetAddress;
    private static byte s_sleepTypeA;
    private static byte s_sleepTypeB;
    private static bool s_hasS5;

    /// <summary>Cores the firmware lists as usable, of those that can be used.</summary>
    public static int CoreCount => s_madt.Cores == 0 ? 1 : s_madt.Cores > MaxCores ? MaxCores : s_madt.Cores;

    /// <summary>Reads the tables.</summary>
    public static void InitAcpi()
    {
        for (var i = 0; i < 16; i++)
        {
            s_madt.IsaPin[i] = (byte)i;
        }
        if (FindRoot(out var root, out var isExtended))
        {
            var table = MapTable(root, out var length);
            if (table != null && Acpi.SignatureOf(table) == (isExtended ? Acpi.Signature("XSDT"u8) : Acpi.Signature("RSDT"u8)))
            {
                for (uint i = 0; i < MaxTables && Acpi.TryReadEntry(table, length, isExtended, i, out var address); i++)
                {
                    ReadTable(address);
                }
            }
        }
        BootStep("acpi"u8);
    }

    // From the loader, else from where a BIOS leaves it.
    private static bool FindRoot(out ulong table, out bool isExtended)
    {
        if (s_boot.HasRsdp && Acpi.TryReadRoot((byte*)Unsafe.AsPointer(ref s_boot.Rsdp[0]), 36, out table, out isExtended))
        {
            return true;
        }
        if (s_boot.RsdpAddress != 0)
        {
            var p = MapFirmware(s_boot.RsdpAddress, 36);
            if (p != null && Acpi.TryReadRoot(p, 36, out table, out isExtended))
            {
                return true;
            }
        }
        var low = MapFirmware(0x400, 0x100000 - 0x400);
        if (low != null)
        {
            var ebda = (ulong)*(ushort*)(low + 0xe) << 4;       // segment at 0x40e
            if (ebda is >= 0x80000 and < 0xa0000 && Scan(low - 0x400, ebda, ebda + 1024, out table, out isExtended))
            {
                return true;
            }
            return Scan(low - 0x400, 0xe0000, 0x100000, out table, out isExtended);
        }
        table = 0;
        isExtended = false;
        return false;
    }

    private static bool Scan(byte* memory, ulong start, ulong end, out ulong table, out bool isExtended)
    {
        for (var at = start; at < end; at += 16)
        {
            if (Acpi.TryReadRoot(memory + at, end - at, out table, out isExtended))
            {
                return true;
            }
        }
        table = 0;
        isExtended = false;
        return false;
    }

    // A whole table with a good checksum, or null.
    private static byte* MapTable(ulong address, out uint length)
    {
        length = 0;
        var table = address < 1024 ? null : MapFirmware(address, Acpi.HeaderBytes);
        if (table == null)
        {
            return null;
        }
        length = Acpi.LengthOf(table);
        return length == 0 || MapFirmware(address, length) == null || !Acpi.IsSumZero(table, length) ? null : table;
    }

    private static void ReadTable(ulong address)
    {
        var table = MapTable(address, out var length);
        if (table == null)
        {
            return;
        }
        var signature = Acpi.SignatureOf(table);
        if (signature == Acpi.Signature("FACP"u8))
        {
            var fadt = (FadtInfo*)Unsafe.AsPointer(ref s_fadt);
            if (!Acpi.TryReadFadt(table, length, fadt))
            {
                return;
            }
            var dsdt = MapTable(fadt->Dsdt, out var dsdtLength);
            s_hasS5 = dsdt != null && Acpi.SignatureOf(dsdt) == Acpi.Signature("DSDT"u8)
                && Acpi.TryFindS5(dsdt + Acpi.HeaderBytes, dsdtLength - Acpi.HeaderBytes, out s_sleepTypeA, out s_sleepTypeB);
            if (fadt->SleepControl != 0 && MapMmio(fadt->SleepControl, 1) == null)
            {
                fadt->SleepControl = 0;
            }
        }
        else if (signature == Acpi.Signature("HPET"u8))
        {
            Acpi.TryReadHpet(table, length, out s_hpetAddress);
        }
        else if (signature == Acpi.Signature("APIC"u8))
        {
            Acpi.TryReadMadt(table, length, (MadtInfo*)Unsafe.AsPointer(ref s_madt));
        }
    }

    // Returns when this machine cannot be powered off.
    private static void PowerOff()
    {
        const ushort sleepEnable = 1 << 13;
        if (!s_hasS5)
        {
            return;
        }
        if (s_fadt.SleepControl != 0)
        {
            *(byte*)(MmioBase + s_fadt.SleepControl) = (byte)(s_sleepTypeA << 2 | 0x20);    // mapped by ReadTable
        }
        else if (s_fadt.Pm1a != 0)
        {
            if ((Cpu.In16(s_fadt.Pm1a) & 1) == 0 && s_fadt.SmiCommand != 0 && s_fadt.AcpiEnable != 0)
            {
                Cpu.Out8((ushort)s_fadt.SmiCommand, s_fadt.AcpiEnable);
                for (var i = 0; i < 1_000_000 && (Cpu.In16(s_fadt.Pm1a) & 1) == 0; i++)
                {
                }
            }
            Cpu.Out16(s_fadt.Pm1a, (ushort)(s_sleepTypeA << 10 | sleepEnable));
            if (s_fadt.Pm1b != 0)
            {
                Cpu.Out16(s_fadt.Pm1b, (ushort)(s_sleepTypeB << 10 | sleepEnable));
            }
        }
        for (var i = 0; i < 1_000_000; i++)
        {
            Cpu.In8(0x80);      // it takes the chipset a moment
        }
    }

    // Every way there is, the last of which cannot fail.
    private static void Reset()
    {
        if (s_fadt.ResetPort != 0)
        {
            Cpu.Out8(s_fadt.ResetPort, s_fadt.ResetValue);
        }
        Cpu.Out8(0xcf9, 2);
        Cpu.Out8(0xcf9, 6);
        Cpu.Out8(0x64, 0xfe);
        Cpu.TripleFault();
    }
}
