// The graph and the walk on a small image of every kind of edge, made here by the assembler.
using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using Xunit;

namespace Unikernel.Tests.Restricted;

public class WalkTests
{
    private const string Source = """
            .intel_syntax noprefix
            .text
            .macro FN name
            .globl  \name
            .type   \name, @function
        \name:
            .endm
            .macro END name
            .size   \name, . - \name
            .endm

            FN RhpNewFast
            ret
            END RhpNewFast
            FN calls
            call    RhpNewFast
            ret
            END calls
            FN jumps
            cmp     eax, 1
            je      RhpNewFast
            ret
            END jumps
            FN deep
            call    middle
            ret
            END deep
            FN middle
            nop
        inside:
            jmp     calls
            END middle
            FN into
            jmp     inside
            END into
            FN falls
            mov     eax, 1
            END falls
            FN fallen
            jmp     RhpNewFast
            END fallen
            FN takes
            lea     rax, [rip + calls]
            ret
            END takes
            FN immediate
            mov     rax, offset calls
            ret
            END immediate
            FN through
            call    [rip + cell]
            ret
            END through
            FN loads
            mov     rax, [rip + cell]
            ret
            END loads
            FN dispatches
            lea     r11, [rip + cell]
            call    [r11]
            ret
            END dispatches
            FN unseen
            call    rax
            call    [rdi + 24]
            ret
            END unseen
            FN clean
            push    rbx
            call    leaf
        1:  dec     eax
            jnz     1b
            syscall
            pop     rbx
            ret
            END clean
            .balign 16
            FN leaf
            ret
            END leaf
            .section .rodata
        cell:
            .quad   calls
        """;

    private static readonly Lazy<Image> s_image = new(Build);

    private static Image Build()
    {
        string directory = Directory.CreateTempSubdirectory("restricted").FullName;
        try
        {
            File.WriteAllText($"{directory}/a.s", Source + "\n");
            Run("as", ["--64", "-o", $"{directory}/a.o", $"{directory}/a.s"]);
            Run("ld", ["-Ttext=0x401000", "-e", "clean", "-o", $"{directory}/a.elf", $"{directory}/a.o"]);
            return Image.Read($"{directory}/a.elf");
        }
        finally
        {
            Directory.Delete(directory, true);
        }
    }

    private static void Run(string program, string[] arguments)
    {
        using Process p = Process.Start(program, arguments);
        p.WaitForExit();
        Assert.Equal(0, p.ExitCode);
    }

    private static Node Of(string name) => s_image.Value.Nodes.Single(n => n.Symbols.Contains(name));

    private static Walk From(string name, params string[] trusted) => new([Of(name)], n => n.Symbols.Any(trusted.Contains));

    [Theory]
    [InlineData("calls", "calls RhpNewFast")]
    [InlineData("jumps", "goes on to RhpNewFast")]
    [InlineData("deep", "calls middle > goes on to calls > calls RhpNewFast")]
    [InlineData("into", "goes on to middle > goes on to calls > calls RhpNewFast")]
    [InlineData("falls", "runs on into fallen > goes on to RhpNewFast")]
    [InlineData("takes", "takes the address of calls > calls RhpNewFast")]
    [InlineData("immediate", "takes the address of calls > calls RhpNewFast")]
    [InlineData("through", "calls calls > calls RhpNewFast")]
    [InlineData("loads", "takes the address of calls > calls RhpNewFast")]
    [InlineData("dispatches", "calls (a call of an interface's method)")]
    public void Every_kind_of_way_is_followed_and_told(string root, string path)
    {
        Violation v = Assert.Single(From(root).Violations);
        string[] steps = [.. v.Describe(s_image.Value).Split('\n').Skip(1).Select(l => l.Trim()[(l.Trim().IndexOf(' ', StringComparison.Ordinal) + 1)..])];
        Assert.Equal(path, string.Join(" > ", steps));
        Assert.StartsWith($"{root} is restricted, but\n", v.Describe(s_image.Value), StringComparison.Ordinal);
    }

    [Fact]
    public void Clean_code_passes()
    {
        Walk walk = From("clean");
        Assert.Empty(walk.Violations);
        Assert.Equal(["clean", "leaf"], walk.Reached.Select(n => n.Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void What_cannot_be_seen_is_counted()
    {
        Assert.Equal(2, Of("unseen").Indirect.Count);
        Assert.Empty(Of("dispatches").Indirect);
        Assert.Empty(Of("through").Indirect);
        Assert.Empty(From("unseen").Violations);
    }

    [Fact]
    public void Nothing_is_looked_for_behind_what_is_trusted()
    {
        Assert.Empty(From("deep", "middle").Violations);
        Assert.Empty(From("deep", "calls").Violations);
        Assert.Single(From("middle", "middle").Violations);      // as a root it is looked at
    }

    [Fact]
    public void A_way_is_the_shortest_and_each_culprit_is_named_once()
    {
        var walk = new Walk(s_image.Value.Nodes.Where(n => !Walk.IsSink(n)), _ => false);
        Assert.All(walk.Violations, v => Assert.Single(v.Path));
        Assert.Equal(["calls", "dispatches", "fallen", "jumps"], walk.Violations.Select(v => v.Root.Name).Order(StringComparer.Ordinal));
    }
}
