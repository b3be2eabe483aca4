// The restricted code of the images that boot and that run on Linux, and the proof that this check sees.
using System;
using System.Collections.Generic;
using System.Linq;
using Xunit;
using Xunit.Abstractions;

namespace Unikernel.Tests.Restricted;

public sealed class BareMetal() : ImageUnderTest("Guest.elf", "Release");

public sealed class OnLinux() : ImageUnderTest("Guest.linux", "Linux");

/// <summary>One image, read once for all its tests.</summary>
public abstract class ImageUnderTest(string image, string configuration)
{
    private readonly Lazy<Check> _check = new(() => new Check(image, configuration));

    internal Check Check => _check.Value;
}

public class RestrictedOnBareMetal(BareMetal image, ITestOutputHelper output) : RestrictedCode(image, output), IClassFixture<BareMetal>
{
    protected override string[] Paths =>
        ["Unikernel.Kernel.Machine.TrapDispatch", "Unikernel.Kernel.Machine.AlarmInterrupt", "Unikernel.Kernel.Machine.ShootInterrupt", "Unikernel.Kernel.Machine.ServeNmi"];
}

public class RestrictedOnLinux(OnLinux image, ITestOutputHelper output) : RestrictedCode(image, output), IClassFixture<OnLinux>
{
    protected override string[] Paths => ["Unikernel.Kernel.Machine.RunCore", "Unikernel.Kernel.Machine.Signal"];
}

public abstract class RestrictedCode(ImageUnderTest image, ITestOutputHelper output)
{
    // The rest, small ones, is compiled into its callers and has no symbol.
    private const double LeastFound = 0.5;
    private const int LeastMarked = 300;
    private const int LeastAssembly = 40;
    private const int LeastReason = 20;     // characters

    private static readonly string[] s_known =
    [
        "Unikernel.Runtime.Sched.Proc.FindRunnable", "Unikernel.Runtime.Sched.Proc.GoPark", "Unikernel.Runtime.Sched.Proc.RunTimers",
        "Unikernel.Runtime.Sched.Proc.OnInterruptExit", "Unikernel.Runtime.Sched.Stacks.Take", "Unikernel.Runtime.Sched.TimerHeap.Add",
        "Unikernel.Runtime.Sched.Throw.Fatal", "Unikernel.Runtime.Abi.Unwinder.Step", "Unikernel.GoTimer.Expire",
        "SchedInterrupted", "SchedAsyncPreempt", "SwitchStack", "RhpAssignRef", "RhpCheckedLockCmpXchg", "memmove",
    ];

    private readonly Check _check = image.Check;

    /// <summary>Functions of this image alone that must have been walked.</summary>
    protected abstract string[] Paths { get; }

    [Fact]
    public void No_path_of_calls_leads_to_an_allocation_or_a_throw() =>
        Assert.True(_check.Walk.Violations.Count == 0, string.Join("\n\n", _check.Walk.Violations.Select(v => v.Describe(_check.Image))));

    [Fact]
    public void Thread_statics_are_found_through_the_word_that_FS_points_at() => Assert.Empty(_check.Image.WrongThreadStatics);

    [Fact]
    public void The_marked_methods_are_found_in_the_image()
    {
        int marked = _check.Marks.Methods.Count(m => m.IsNoAlloc);
        int indirect = _check.Walk.Reached.Sum(n => n.Indirect.Count);
        output.WriteLine($"{marked} methods marked, {_check.Marked.Count} in the image; {_check.Assembly.Count} assembly routines; {_check.Taken.Count} by their address; "
            + $"{_check.Walk.Reached.Count()} functions reached, with {indirect} calls that the code does not show:");
        foreach (Node n in _check.Walk.Reached.Where(n => n.Indirect.Count > 0 && !n.IsAssembly).OrderBy(n => n.Name, StringComparer.Ordinal))
        {
            output.WriteLine($"  {n.Name}: {string.Join(", ", n.Indirect.Select(_check.Image.Place).Distinct())}");
        }
        Assert.Empty(_check.Unknown);
        Assert.True(marked >= LeastMarked, $"only {marked} methods are marked");
        Assert.InRange(_check.Marked.Count, LeastFound * marked, double.MaxValue);
        Assert.InRange(_check.Assembly.Count, LeastAssembly, int.MaxValue);
        var reached = _check.Walk.Reached.SelectMany(n => n.Symbols.Append(n.Name)).ToHashSet();
        Assert.All(s_known.Concat(Paths), name => Assert.Contains(name, reached));
    }

    // Each of these calls what the walk cannot see, out of tables that are filled with functions of ours (the Taken roots).
    [Fact]
    public void The_hooks_of_the_kernel_are_roots() =>
        Assert.Superset(
            new HashSet<string> { "Unikernel.Runtime.Sched.Proc.OnAlarm", "Unikernel.Runtime.Sched.Traceback.OnNmi", "Unikernel.Runtime.Abi.Faults.OnFault", "Unikernel.Runtime.Pal.Tty.OnInput" },
            _check.Taken.Select(n => n.Name).ToHashSet());

    [Fact]
    public void What_breaks_the_rule_is_found_and_what_keeps_it_is_not()
    {
        string[] broken = [.. _check.WalkGuest().Violations.Select(v => v.Root.Name[(v.Root.Name.LastIndexOf('.') + 1)..]).Distinct().Order(StringComparer.Ordinal)];
        Assert.Equal(
            ["BadBounds", "BadBox", "BadCast", "BadChecked", "BadFarAway", "BadHook", "BadInterface", "BadLambda", "BadLazyStatic", "BadNew", "BadText"],
            broken.Where(b => b != ".cctor" && b != "cctor"));
        string[] good = [.. _check.GuestMarks.Methods.Where(m => m.IsNoAlloc && m.Name.Contains(".Good", StringComparison.Ordinal)).Select(m => m.Symbol)];
        Assert.Equal(2, good.Length);
        Assert.All(good, g => Assert.Contains(_check.Image.Nodes, n => n.Symbols.Contains(g)));
    }

    // Without the marks that let it pass, the same walk must find something: else a mark hides nothing, or the walk is blind.
    [Fact]
    public void Opt_outs_say_why_and_are_needed()
    {
        Assert.All(_check.Marks.Methods.Where(m => m.Reason != null), m => Assert.True(m.Reason!.Length >= LeastReason, m.Name));
        Assert.All(_check.Marks.MaySymbols, m => Assert.Contains(_check.Image.Nodes, n => n.Symbols.Contains(m.Symbol)));
        var all = new Walk(_check.Marked.Concat(_check.Assembly).Concat(_check.Image.Nodes.Where(_check.IsTrusted)), _ => false);
        string[] through = [.. all.Violations.Select(v => v.Root.Name).Distinct()];
        Assert.Contains("Unikernel.Runtime.Sched.GoStart.Start", through);
        Assert.Contains("AbiResolve", through);
    }
}
