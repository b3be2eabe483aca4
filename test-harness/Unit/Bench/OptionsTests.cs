// The command line of bench/run.sh.
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using Unikernel.Bench.Runner;
using Unikernel.Bench.Runner.Running;
using Xunit;

namespace Unikernel.Tests.Bench;

public class OptionsTests
{
    private static (Options? Options, int Exit, string Output, string Error) Parse(params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        (Options? options, int exit) = Options.Parse(arguments, output, error);
        return (options, exit, output.ToString(), error.ToString());
    }

    [Fact]
    public void By_default_everything_runs_natively_five_times()
    {
        Options options = Parse().Options!;
        Assert.Equal(["native"], options.Targets);
        Assert.Equal(Rows.All, options.Rows);
        Assert.Equal(5, options.Reps);
        Assert.Equal([1, 2], options.Procs);
        Assert.Null(options.Json);
        Assert.Null(options.Timeout);
    }

    [Fact]
    public void Chosen_rows_come_in_the_order_of_the_table()
    {
        Options options = Parse("--only", "nbody,mutex, nbody", "--target", "all", "--procs", "2,4", "--reps=1").Options!;
        Assert.Equal(["mutex", "nbody"], options.Rows);
        Assert.Equal(["native", "qemu"], options.Targets);
        Assert.Equal([2, 4], options.Procs);
    }

    [Fact]
    public void An_unknown_row_is_wrong_usage_and_lists_the_rows()
    {
        (Options? options, int exit, _, string error) = Parse("--only", "mutex,nothing");
        Assert.Null(options);
        Assert.Equal(64, exit);
        Assert.Contains("unknown row nothing", error);
        Assert.All(Rows.All, r => Assert.Contains(r, error));
    }

    [Theory]
    [InlineData("--bogus")]
    [InlineData("extra")]
    [InlineData("--reps", "0")]
    [InlineData("--reps", "many")]
    [InlineData("--reps")]
    [InlineData("--timeout", "0")]
    [InlineData("--timeout", "soon")]
    [InlineData("--procs", "1,zero")]
    [InlineData("--procs", "")]
    [InlineData("--only", ",")]
    [InlineData("--target", "kvm")]
    [InlineData("--plot", "plot.gif")]
    public void Wrong_usage_is_64(params string[] arguments)
    {
        (Options? options, int exit, _, string error) = Parse(arguments);
        Assert.Null(options);
        Assert.Equal(64, exit);
        Assert.NotEmpty(error);
    }

    [Fact]
    public void Help_names_every_option()
    {
        (Options? options, int exit, string output, _) = Parse("--help");
        Assert.Null(options);
        Assert.Equal(0, exit);
        string[] names = ["--target", "--only", "--reps", "--procs", "--timeout", "--json", "--plot", "--markdown", "--from"];
        Assert.All(names, n => Assert.Contains(n, output));
    }

    [Theory]
    [InlineData("bench/go/main.go", "{\"(\\w+)\", ")]
    [InlineData("bench/workloads/Program.cs", "\\(\"(\\w+)\", ")]
    public void Each_side_has_every_row(string source, string entry)
    {
        var there = Regex.Matches(File.ReadAllText(Repository.Path(source)), entry).Select(m => m.Groups[1].Value);
        Assert.Equal(Rows.All.Order(), there.Order());
    }

    [Fact]
    public void No_row_is_there_twice() => Assert.Equal(Rows.All.Count, Rows.All.Distinct().Count());
}
