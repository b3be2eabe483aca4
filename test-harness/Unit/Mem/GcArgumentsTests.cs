// GOGC and GOMEMLIMIT: what matches Go's grammar, what does not, and nothing is read behind the end.
using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.RegularExpressions;
using CsCheck;
using Unikernel.Runtime.Mem;
using Unikernel.Tests.Kernel;
using Xunit;

namespace Unikernel.Tests.Mem;

public unsafe partial class GcArgumentsTests
{
    private const int Default = 100;
    private const int Off = -1;
    private const long None = long.MaxValue;

    private static (bool IsOk, int Value) GcPercent(string text)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(text);
        using var guarded = new GuardedBuffer(bytes);
        bool isOk = GcArguments.TryGcPercent(guarded.Start, bytes.Length, out int value);
        return (isOk, value);
    }

    private static (bool IsOk, long Value) MemoryLimit(string text)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(text);
        using var guarded = new GuardedBuffer(bytes);
        bool isOk = GcArguments.TryMemoryLimit(guarded.Start, bytes.Length, out long value);
        return (isOk, value);
    }

    [Theory]
    [InlineData("", Default)]
    [InlineData("off", Off)]
    [InlineData("100", 100)]
    [InlineData("0", 0)]
    [InlineData("007", 7)]
    [InlineData("2147483647", int.MaxValue)]
    [InlineData("-1", Off)]
    [InlineData("-50", Off)]
    [InlineData("-2147483648", Off)]
    [InlineData("-0", 0)]
    public void Gogc(string text, int value) => Assert.Equal((true, value), GcPercent(text));

    [Theory]
    [InlineData("OFF")]
    [InlineData("offf")]
    [InlineData("of")]
    [InlineData("-")]
    [InlineData("--1")]
    [InlineData("+5")]
    [InlineData("1e3")]
    [InlineData("100%")]
    [InlineData(" 100")]
    [InlineData("100 ")]
    [InlineData("50.5")]
    [InlineData("0x10")]
    [InlineData("2147483648")]
    [InlineData("-2147483649")]
    [InlineData("18446744073709551616")]
    [InlineData("99999999999999999999999999999999999999")]
    public void Malformed_gogc_is_refused_and_gives_the_default(string text) => Assert.Equal((false, Default), GcPercent(text));

    [Theory]
    [InlineData("", None)]
    [InlineData("off", None)]
    [InlineData("0", 0)]
    [InlineData("1", 1)]
    [InlineData("12345", 12345)]
    [InlineData("64B", 64)]
    [InlineData("10KiB", 10L << 10)]
    [InlineData("64MiB", 64L << 20)]
    [InlineData("1GiB", 1L << 30)]
    [InlineData("2TiB", 2L << 40)]
    [InlineData("0KiB", 0)]
    [InlineData("0064MiB", 64L << 20)]
    [InlineData("9223372036854775807", long.MaxValue)]
    [InlineData("9223372036854775807B", long.MaxValue)]
    [InlineData("8388607TiB", 8388607L << 40)]
    [InlineData("9007199254740991KiB", 9007199254740991L << 10)]
    public void Gomemlimit(string text, long value) => Assert.Equal((true, value), MemoryLimit(text));

    [Theory]
    [InlineData("-1")]
    [InlineData("-1MiB")]
    [InlineData("+1")]
    [InlineData("B")]
    [InlineData("iB")]
    [InlineData("KiB")]
    [InlineData("1K")]
    [InlineData("1KB")]
    [InlineData("1Ki")]
    [InlineData("1iB")]
    [InlineData("1PiB")]
    [InlineData("1kiB")]
    [InlineData("1Kib")]
    [InlineData("1BB")]
    [InlineData("1MiKiB")]
    [InlineData("1 MiB")]
    [InlineData("1MiB ")]
    [InlineData("1.5GiB")]
    [InlineData("OFF")]
    [InlineData("9223372036854775808")]
    [InlineData("8388608TiB")]
    [InlineData("9007199254740992KiB")]
    [InlineData("18446744073709551617B")]
    [InlineData("99999999999999999999999999999999999999TiB")]
    public void Malformed_gomemlimit_is_refused_and_gives_none(string text) => Assert.Equal((false, None), MemoryLimit(text));

    [GeneratedRegex(@"\A(?<n>[0-9]+)((?<unit>[KMGT])i)?B\z|\A(?<n>[0-9]+)\z")]
    private static partial Regex Grammar();

    // Digits, a unit, and often one character changed; or anything.
    private static readonly Gen<string> s_text = Gen.OneOf(
        Gen.Char["0019KMGTiBof-+ \u00ff"].Array[0, 24].Select(c => new string(c)),
        Gen.Select(
            Gen.OneOfConst("", "-"), Gen.ULong, Gen.Int[0, 63], Gen.OneOfConst("", "", "B", "KiB", "MiB", "GiB", "TiB", "iB", "Ki"),
            (sign, n, shift, unit) => sign + (n >> shift).ToString(CultureInfo.InvariantCulture) + unit),
        Gen.Select(
            Gen.Int[0, 99_999], Gen.OneOfConst("", "B", "KiB", "MiB", "GiB", "TiB"), Gen.Int[0, 99], Gen.Char["09KiB-+ "],
            (n, unit, at, c) => (n.ToString(CultureInfo.InvariantCulture) + unit) is var t && at < t.Length ? t.Remove(at, 1).Insert(at, c.ToString()) : t));

    // Against the grammar as a regular expression and big integers.
    [Fact]
    public void Any_text_is_judged_as_the_grammar_says() =>
        s_text.Sample(text =>
        {
            Match match = Grammar().Match(text);
            (bool, long) expected = (text is "" or "off", None);
            if (match.Success)
            {
                string unit = match.Groups["unit"].Value;
                BigInteger value = BigInteger.Parse(match.Groups["n"].Value, CultureInfo.InvariantCulture)
                    << (unit.Length == 0 ? 0 : 10 * (1 + "KMGT".IndexOf(unit[0], System.StringComparison.Ordinal)));
                expected = value > long.MaxValue ? (false, None) : (true, (long)value);
            }
            bool isNumber = int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int percent) && text[0] != '+';
            (bool, int) expectedPercent = text == "off" ? (true, Off) : isNumber ? (true, int.Max(percent, Off)) : (text == "", Default);
            return MemoryLimit(text) == expected && GcPercent(text) == expectedPercent;
        }, iter: 20_000);
}
