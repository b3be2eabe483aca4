// The call graph of a linked image, read from its machine code.
//
// IM1  An edge is a direct call or jump, the fall from the end of one function into the next, a call or jump through a
//      cell of the image that holds a function's address, or the taking of a function's address: who has it may call it.
// IM2  A call through a register or through memory that is filled at run time is no edge; it is counted, with its place.
// IM3  A call through r11 is a call of an interface's method (the convention of .NET's ahead-of-time compiler): it can need the
//      class library's resolver, so it is an edge to a node of its own.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Iced.Intel;
using Unikernel.Iso.Symbols;

namespace Unikernel.Tests.Restricted;

/// <summary>How one function leads to another.</summary>
internal enum EdgeKind
{
    Call,
    Jump,
    Fall,
    Cell,
    Address,
}

/// <summary>One way out of a function; Ip is where.</summary>
internal readonly record struct Edge(EdgeKind Kind, Node To, ulong Ip);

/// <summary>A function of the image.</summary>
internal sealed class Node(string name, string[] symbols, ulong start, ulong end)
{
    /// <summary>For people.</summary>
    public string Name { get; } = name;

    /// <summary>Every link symbol at its start.</summary>
    public string[] Symbols { get; } = symbols;

    public ulong Start { get; } = start;

    public ulong End { get; } = end;

    /// <summary>Written in assembly, by its line numbers.</summary>
    public bool IsAssembly { get; init; }

    public List<Edge> Edges { get; } = [];

    /// <summary>Places that call what the code does not show.</summary>
    public List<ulong> Indirect { get; } = [];

    public override string ToString() => Name;
}

internal sealed class Image
{
    private const string BootSection = ".boot";         // 32-bit code that runs before anything else

    private readonly ElfFile _elf;
    private readonly SymbolModel _model;
    private readonly Dictionary<ulong, Node> _byStart = [];

    private Image(byte[] file)
    {
        _elf = new ElfFile(file);
        _model = SymbolModel.Read(file);
        ILookup<ulong, string> symbols = _elf.CodeSymbols().ToLookup(s => s.Address, s => s.Name);
        foreach (Function f in _model.Functions)
        {
            if (_elf.SectionOf(f.Address) is var section && section != BootSection)
            {
                var node = new Node(f.Name, [.. symbols[f.Address].Distinct()], f.Address, f.Address + f.Size) { IsAssembly = IsAssembly(f) };
                Nodes.Add(node);
                _byStart.Add(node.Start, node);
            }
        }
        foreach (Node node in Nodes)
        {
            Decode(node);
        }
    }

    /// <summary>Sorted by address.</summary>
    public List<Node> Nodes { get; } = [];

    /// <summary>What a call of an interface's method leads to.</summary>
    public Node InterfaceCall { get; } = new("(a call of an interface's method)", ["<interface call>"], 0, 0);

    public static Image Read(string path) => new(File.ReadAllBytes(path));

    /// <summary>Instructions that take FS for where a goroutine's thread statics lie, which only the word there says (ADR 3).</summary>
    public List<string> WrongThreadStatics { get; } = [];

    /// <summary>The function that contains an address.</summary>
    public Node? Find(ulong address)
    {
        int low = 0;
        int high = Nodes.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (Nodes[middle].End <= address)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }
        return low < Nodes.Count && Nodes[low].Start <= address ? Nodes[low] : null;
    }

    /// <summary>file:line of an instruction, or its address.</summary>
    public string Place(ulong ip)
    {
        Function? f = _model.Functions.Find(f => f.Address <= ip && ip - f.Address < f.Size);
        FunctionRow? row = f?.Rows.LastOrDefault(r => r.Offset <= ip - f.Address);
        return row is { Line: > 0 } at ? $"{_model.Files[at.File]}:{at.Line}" : $"0x{ip:x}";
    }

    private bool IsAssembly(Function f) => f.Rows.Count > 0 && _model.Files[f.Rows[0].File].EndsWith(".S", StringComparison.Ordinal);

    private void Decode(Node node)
    {
        ReadOnlySpan<byte> bytes = _elf.Code(node.Start, (int)(node.End - node.Start));
        Decoder decoder = Decoder.Create(64, new ByteArrayCodeReader(bytes.ToArray()), node.Start);
        var last = FlowControl.Next;
        bool ends = false;
        while (decoder.IP < node.End)
        {
            Instruction i = decoder.Decode();
            if (i.IsInvalid)
            {
                throw new InvalidDataException($"0x{i.IP:x} in {node.Name} is no instruction");
            }
            if (i.Mnemonic is Mnemonic.Nop or Mnemonic.Int3 && last != FlowControl.Next)
            {
                continue;               // between functions
            }
            last = i.FlowControl;
            ends = last is FlowControl.Return or FlowControl.UnconditionalBranch or FlowControl.IndirectBranch or FlowControl.Exception || i.Mnemonic == Mnemonic.Hlt;
            Read(node, in i);
        }
        if (!ends && last != FlowControl.Call && _byStart.TryGetValue(node.End, out Node? next))
        {
            node.Edges.Add(new Edge(EdgeKind.Fall, next, node.End));
        }
    }

    private void Read(Node node, in Instruction i)
    {
        if (i.MemorySegment == Register.FS && !IsAskedOfFs(node, in i))
        {
            WrongThreadStatics.Add($"{node.Name}: {i} at {Place(i.IP)}");
        }
        switch (i.FlowControl)
        {
            case FlowControl.Call when i.IsCallNear:        // not a system call
                AddEdge(node, EdgeKind.Call, i.NearBranchTarget, i.IP);
                break;
            case FlowControl.ConditionalBranch:
            case FlowControl.UnconditionalBranch:
                if (i.NearBranchTarget < node.Start || i.NearBranchTarget >= node.End)
                {
                    AddEdge(node, EdgeKind.Jump, i.NearBranchTarget, i.IP);
                }
                break;
            case FlowControl.IndirectCall:
            case FlowControl.IndirectBranch:
                ReadIndirect(node, in i);
                break;
            default:
                if (Address(in i) is { } taken && _byStart.TryGetValue(taken, out Node? to) && to != node)
                {
                    node.Edges.Add(new Edge(EdgeKind.Address, to, i.IP));
                }
                break;
        }
    }

    // Where the block is, and the canary of the C library's functions.
    private static bool IsAskedOfFs(Node node, in Instruction i)
    {
        const ulong canary = 0x28;
        bool isPlain = i.MemoryBase == Register.None && i.MemoryIndex == Register.None;
        return isPlain && ((i.MemoryDisplacement64 == 0 && i.Mnemonic == Mnemonic.Mov && (i.Op0Kind == OpKind.Register || node.Name == "SwitchStack"))
            || (i.MemoryDisplacement64 == canary && i.Op0Kind == OpKind.Register));
    }

    private void ReadIndirect(Node node, in Instruction i)
    {
        bool isMemory = i.Op0Kind == OpKind.Memory;
        if (isMemory && i.IsIPRelativeMemoryOperand && _elf.Word(i.IPRelativeMemoryAddress) is { } cell && _byStart.TryGetValue(cell, out Node? to))
        {
            node.Edges.Add(new Edge(EdgeKind.Cell, to, i.IP));
        }
        else if (isMemory && i.MemoryBase == Register.R11 && i.MemoryIndex == Register.None && i.MemoryDisplacement64 == 0)
        {
            node.Edges.Add(new Edge(EdgeKind.Call, InterfaceCall, i.IP));
        }
        else
        {
            node.Indirect.Add(i.IP);
        }
    }

    // The address of code that an instruction puts into a register, at once or out of a constant cell.
    private ulong? Address(in Instruction i)
    {
        if (i.IsIPRelativeMemoryOperand)
        {
            return i.Mnemonic == Mnemonic.Lea ? i.IPRelativeMemoryAddress : _elf.Constant(i.IPRelativeMemoryAddress);
        }
        return i.Code is Code.Mov_r64_imm64 or Code.Mov_rm64_imm32 ? i.GetImmediate(1) : null;
    }

    private void AddEdge(Node node, EdgeKind kind, ulong target, ulong ip)
    {
        Node to = Find(target) ?? throw new InvalidDataException($"{node.Name} at 0x{ip:x} goes to 0x{target:x}, where no function is");
        if (to != node)
        {
            node.Edges.Add(new Edge(kind, to, ip));
        }
    }
}
