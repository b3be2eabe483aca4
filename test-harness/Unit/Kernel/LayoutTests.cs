// Structures that assembly or the processor lays out too.
using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Unikernel.Kernel;
using Xunit;

namespace Unikernel.Tests.Kernel;

public partial class LayoutTests
{
    private static string Source(string path, [CallerFilePath] string here = "") =>
        File.ReadAllText(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "..", "kernel", path));

    [Fact]
    public void ATrapFrameIsWhatTheStubPushes()
    {
        string[] pushed = [.. PushOrder().Matches(Source("Pc/Cpu/traps.S")).Select(m => m.Groups[1].Value)];
        Assert.Equal(15, pushed.Length);
        for (int i = 0; i < pushed.Length; i++)
        {
            string field = char.ToUpperInvariant(pushed[i][0]) + pushed[i][1..];
            Assert.Equal((14 - i) * 8, (int)Marshal.OffsetOf<TrapFrame>(field));
        }
        Assert.Equal(120, (int)Marshal.OffsetOf<TrapFrame>(nameof(TrapFrame.Vector)));
        Assert.Equal(136, (int)Marshal.OffsetOf<TrapFrame>(nameof(TrapFrame.Rip)));
        Assert.Equal(176, Unsafe.SizeOf<TrapFrame>());
    }

    [Fact]
    public unsafe void TheCoreBlockHasItsFixedOffsets()
    {
        Core core;
        Assert.Equal(0, (byte*)&core.Self - (byte*)&core);
        Assert.Equal(8, (byte*)&core.G - (byte*)&core);
        Assert.Equal(64, core.Runtime - (byte*)&core);
        Assert.Equal(Core.SizeBytes, sizeof(Core));
    }

    // AM1: the core stacks once lay where the heap's mark bits do.
    [Fact]
    public void RegionsOfAddressesDoNotOverlap()
    {
        var constants = typeof(Machine).GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)
            .Where(f => f.IsLiteral && f.FieldType == typeof(ulong)).ToDictionary(f => f.Name, f => (ulong)f.GetRawConstantValue()!);
        var regions = constants.Where(c => c.Key.EndsWith("Base", StringComparison.Ordinal))
            .Select(c => (Name: c.Key, First: c.Value, Last: c.Value + (constants[c.Key[..^4] + "Size"] - 1)))
            .OrderBy(r => r.First).ToArray();
        Assert.Contains(regions, r => r.Name == "CoreRegionBase");
        Assert.True(regions.Length >= 8);
        Assert.All(regions, r => Assert.InRange(r.First, 0xffff_8000_0000_0000, r.Last));
        Assert.All(regions.Zip(regions.Skip(1)), pair => Assert.True(pair.First.Last < pair.Second.First, $"{pair.First.Name} reaches into {pair.Second.Name}"));
    }

    [Fact]
    public unsafe void TheImageLayoutHasAWordForEveryQuadOfItsTable()
    {
        string table = Source("Pc/Boot/boot.S").Split("ImageLayoutTable:")[1].Split(".bss")[0];
        int words = table.Split('\n').Where(l => l.TrimStart().StartsWith(".quad", StringComparison.Ordinal)).Sum(l => l.Split(',').Length);
        Assert.Equal(words * 8, sizeof(ImageLayout));
    }

    [Fact]
    public void ACoreFindsItsStartBlockWhereTheTrampolineReadsIt()
    {
        var offsets = StartOffset().Matches(Source("Pc/Boot/trampoline.S"))
            .ToDictionary(m => m.Groups[1].Value.Replace("_", "", StringComparison.Ordinal), m => int.Parse(m.Groups[2].Value, CultureInfo.InvariantCulture), StringComparer.OrdinalIgnoreCase);
        Assert.Equal(Unsafe.SizeOf<Machine.CoreStart>(), offsets["SIZE"]);
        Assert.All(offsets.Where(o => o.Key != "SIZE"), o =>
        {
            string field = typeof(Machine.CoreStart).GetFields(BindingFlags.NonPublic | BindingFlags.Instance).Single(f => f.Name.Equals(o.Key, StringComparison.OrdinalIgnoreCase)).Name;
            Assert.Equal(o.Value, (int)Marshal.OffsetOf<Machine.CoreStart>(field));
        });
    }

    [Fact]
    public unsafe void FirmwareStructuresHaveTheirSizes()
    {
        Assert.Equal(24, sizeof(MemoryMapEntry));
        Assert.Equal(0, sizeof(BootInfo) % 8);
    }

    [GeneratedRegex(@"^\.set START_(\w+), (\d+)$", RegexOptions.Multiline)]
    private static partial Regex StartOffset();

    [GeneratedRegex(@"^    push (r\w+)$", RegexOptions.Multiline)]
    private static partial Regex PushOrder();
}
