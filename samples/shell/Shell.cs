// The shell: reads a line, runs a command, until `exit` or the end of the input.
//
// On a terminal it prompts and edits (LineEditor). Fed from a pipe it prints what the commands print and nothing
// else, so that a script's output can be compared. Commands may read the input too: the shell takes no byte
// beyond the line it runs. It has the life cycle of the Kernel class: one Run a line.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace Unikernel.Samples;

/// <summary>The <c>shell</c> sample.</summary>
internal sealed class Shell : Sys.Kernel
{
    private const string Prompt = "unikernel> ";
    private const int MaxShownName = 40;

    private readonly bool _interactive = Terminal.IsInteractive;
    private readonly LineEditor _editor;
    private readonly LineReader _reader = new();

    public Shell() => _editor = new LineEditor(Prompt, Complete);

    /// <summary>What the kernel ends with: what <c>exit</c> was given, else 0.</summary>
    public int ExitCode { get; private set; }

    /// <summary>Ends the shell after the command that is running.</summary>
    public void Exit(int code)
    {
        ExitCode = code;
        Stop();
    }

    /// <inheritdoc/>
    protected override void BeforeRun()
    {
        if (_interactive)
        {
            Console.WriteLine("Unikernel: .NET on bare metal, goroutines included. Type help, or Ctrl-D to leave.");
        }
    }

    /// <summary>Reads a line and runs it.</summary>
    protected override void Run()
    {
        if (ReadLine() is { } line)
        {
            Execute(line);
        }
        else
        {
            Stop();
        }
    }

    private void Execute(string line)
    {
        string[] words = line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        if (words.Length == 0)
        {
            return;
        }

        if (Commands.Find(words[0]) is { } command)
        {
            command.Run(this, words[1..]);
        }
        else
        {
            Console.WriteLine($"{Printable(words[0])}: no such command; help lists them");
        }
    }

    private string? ReadLine() => _interactive ? EditLine() : NextLine();

    /// <summary>A line from the terminal; null at Ctrl-D.</summary>
    private string? EditLine()
    {
        _editor.Begin();
        Show();
        while (true)
        {
            int next = Terminal.ReadByte();
            if (next < 0)
            {
                return null;
            }

            EditorEvent what = _editor.Feed((byte)next);
            while (what == EditorEvent.None && Terminal.TryReadByte(out byte more))
            {
                what = _editor.Feed(more);
            }

            if (what == EditorEvent.None)
            {
                _editor.Refresh();
            }

            Show();
            switch (what)
            {
                case EditorEvent.None:
                    break;
                case EditorEvent.Line:
                    return _editor.Line;
                case EditorEvent.EndOfInput:
                    Console.WriteLine("exit");
                    return null;
                case EditorEvent.LineTooLong:
                    Console.WriteLine($"the line was longer than {LineEditor.MaxChars} characters and was not run");
                    return "";
                default:
                    return "";
            }
        }
    }

    private void Show()
    {
        Terminal.Write(_editor.Output);
        _editor.ClearOutput();
    }

    /// <summary>A line from a pipe; null at its end.</summary>
    private string? NextLine()
    {
        while (true)
        {
            int next = Terminal.ReadByte();
            switch (next < 0 ? _reader.Finish() : _reader.Feed((byte)next))
            {
                case LineEvent.Line:
                    return _reader.Line;
                case LineEvent.LineTooLong:
                    Console.WriteLine($"a line of {_reader.LineBytes} bytes was longer than {LineReader.MaxBytes} and was not run");
                    break;
                default:
                    break;
            }

            if (next < 0)
            {
                return null;
            }
        }
    }

    private static List<string> Complete(string head)
    {
        string[] words = head.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        bool inside = words.Length > 0 && !head.EndsWith(' ');
        string typed = inside ? words[^1] : "";
        int index = words.Length - (inside ? 1 : 0);
        IReadOnlyList<string> choice =
            index == 0 ? Commands.Names
            : index == 1 && Commands.Find(words[0]) is { } command ? command.Choices
            : [];

        var fitting = new List<string>();
        foreach (string candidate in choice)
        {
            if (candidate.StartsWith(typed, StringComparison.Ordinal))
            {
                fitting.Add(candidate);
            }
        }

        return fitting;
    }

    /// <summary>Text as it may be shown: cut, and with every control character spelled out.</summary>
    internal static string Printable(string text)
    {
        var shown = new StringBuilder();
        foreach (char c in text.AsSpan(0, Math.Min(text.Length, MaxShownName)))
        {
            if (char.IsControl(c) || char.IsSurrogate(c))
            {
                shown.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            }
            else
            {
                shown.Append(c);
            }
        }

        if (text.Length > MaxShownName)
        {
            shown.Append(CultureInfo.InvariantCulture, $"… ({text.Length} characters)");
        }

        return shown.ToString();
    }
}
