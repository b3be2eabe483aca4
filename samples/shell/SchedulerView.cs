// The shell's `ps`, `mpg` and `busy`: looking at the scheduler, and giving it something to do.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace Unikernel.Samples;

/// <summary>Shows the scheduler.</summary>
internal static class SchedulerView
{
    private const int MaxListed = 1000;
    private const int MaxBusy = 10_000;
    private const int RefreshMs = 200;
    private const int LookForKeyMs = 20;

    /// <summary><c>ps</c>: a line per goroutine.</summary>
    public static void PrintGoroutines(string[] args)
    {
        if (args.Length != 0)
        {
            Console.WriteLine("usage: ps");
            return;
        }

        Print(SchedulerText.Table(Go.Snapshot(MaxListed)));
    }

    /// <summary><c>mpg</c>: the picture, redrawn in place until a key is pressed; once when nobody watches.</summary>
    public static void ShowPicture(string[] args)
    {
        if (args.Length > 1 || (args.Length == 1 && args[0] != "once"))
        {
            Console.WriteLine("usage: mpg [once]");
            return;
        }

        if (args.Length == 1 || !Terminal.IsInteractive)
        {
            Print(SchedulerText.Picture(Go.Snapshot(0), Terminal.IsInteractive));
            return;
        }

        Terminal.Write("\e[?25l"u8);                        // no cursor
        int drawn = 0;
        do
        {
            drawn = Redraw(drawn);
        }
        while (!KeyWithin(RefreshMs));
        Terminal.Write("\e[?25h"u8);
    }

    /// <summary><c>busy</c>: goroutines that compute for ever, in the background.</summary>
    public static void MakeBusy(string[] args)
    {
        int n = Go.GoMaxProcs;
        if (args.Length > 1
            || (args.Length == 1 && !int.TryParse(args[0], NumberStyles.None, CultureInfo.InvariantCulture, out n))
            || n is < 1 or > MaxBusy)
        {
            Console.WriteLine($"usage: busy [N]   N goroutines, 1 to {MaxBusy}; one per core without it");
            return;
        }

        for (int i = 0; i < n; i++)
        {
            Go.Run(Crash.Compute);
        }
    }

    // Up to the first line of the last picture, and over it; how many lines it is now.
    private static int Redraw(int drawn)
    {
        List<string> lines = SchedulerText.Picture(Go.Snapshot(0), isColored: true);
        lines.Add("any key ends");
        var text = new StringBuilder();
        if (drawn > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"\e[{drawn}A");
        }

        foreach (string line in lines)
        {
            text.Append(line).Append("\e[K\n");             // the rest of the old line goes
        }

        Terminal.Write(Encoding.UTF8.GetBytes(text.Append("\e[J").ToString()));
        return lines.Count;
    }

    private static bool KeyWithin(int milliseconds)
    {
        for (int waited = 0; waited < milliseconds; waited += LookForKeyMs)
        {
            if (Terminal.TryReadByte(out _))
            {
                return true;
            }

            Go.Sleep(TimeSpan.FromMilliseconds(LookForKeyMs));
        }

        return false;
    }

    private static void Print(List<string> lines)
    {
        foreach (string line in lines)
        {
            Console.WriteLine(line);
        }
    }
}
