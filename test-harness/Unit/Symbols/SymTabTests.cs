// The symbol table: what the build tool writes is what the in-guest reader says, and damage is survived.
using System;
using System.Diagnostics;
using System.IO;
using System.Text;
using CsCheck;
using Unikernel.Iso.Symbols;
using Unikernel.Kernel;
using Xunit;

namespace Unikernel.Tests.Symbols;

public unsafe class SymTabTests
{
    private const string Source = """
        .file 1 "/somewhere/src/alpha.cs"
        .text
        .globl first, second
        .type first, @function
        first:
        .loc 1 10
            nop
            nop
        .loc 1 12
            nop
            ret
        .size first, . - first
        .type second, @function
        second:
        .loc 1 20
            ret
        .size second, . - second
        """;

    private static readonly byte[] s_blob = Build();

    private static byte[] Build()
    {
        string directory = Directory.CreateTempSubdirectory("symtab").FullName;
        try
        {
            File.WriteAllText($"{directory}/a.s", Source + "\n");
            Run("gcc", ["-c", "-g", "-o", $"{directory}/a.o", $"{directory}/a.s"]);
            Run("ld", ["-Ttext=0x401000", "-e", "first", "-o", $"{directory}/a.elf", $"{directory}/a.o"]);
            return BlobWriter.Write(SymbolModel.Read(File.ReadAllBytes($"{directory}/a.elf")));
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

    private static (string Name, string Location) Look(nuint pc, bool isReturnAddress)
    {
        byte* text = stackalloc byte[200];
        string name = Encoding.UTF8.GetString(text, SymTab.Format(pc, isReturnAddress, text, 200));
        string location = Encoding.UTF8.GetString(text, SymTab.FormatLocation(pc, isReturnAddress, text, 200));
        return (name, location);
    }

    [Fact]
    public void Addresses_have_the_names_and_lines_of_the_source_and_damage_is_survived()
    {
        fixed (byte* p = s_blob)
        {
            Assert.True(SymTab.Init(p, p + s_blob.Length));
            Assert.Equal(("first", "src/alpha.cs:10"), Look(0x401000, false));
            Assert.Equal(("first", "src/alpha.cs:12"), Look(0x401003, false));
            Assert.Equal(("second", "src/alpha.cs:20"), Look(0x401004, false));
            Assert.Equal(("first", "src/alpha.cs:12"), Look(0x401004, true));
            Assert.Equal(("", ""), Look(0x400fff, false));
            Assert.Equal(("", ""), Look(0x500000, false));
        }
        Gen.Select(Gen.Int[0, 1 << 20], Gen.Byte, Gen.Int[0, 1 << 20]).Sample((at, value, cut) =>
        {
            byte[] damaged = (byte[])s_blob.Clone();
            damaged[at % damaged.Length] = value;
            fixed (byte* p = damaged)
            {
                SymTab.Init(p, p + (cut % (damaged.Length + 1)));
                for (nuint pc = 0x401000; pc < 0x401008; pc++)
                {
                    Look(pc, false);
                }
            }
        }, threads: 1);
    }

    [Fact]
    public void A_file_that_is_no_ELF_is_refused() =>
        Gen.Byte.Array[0, 300].Sample(bytes => Assert.Throws<InvalidDataException>(() => SymbolModel.Read(bytes)));
}
