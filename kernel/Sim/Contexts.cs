// Stacks that take turns: each is a thread of .NET, one of which runs.
//
// CX1  A thread waits on a word of its own; handing over is setting the other's word, then waiting for one's own.
// CX2  A context is known to the runtime by its token, the value that SwitchStack saves: small, so never an address.
// CX3  The threads are kept from run to run. One whose goroutine has ended is unwound first and hands over then.
// Context: whoever holds the turn. Allocates: contexts; threads. Reference: futex(2).
using System.Collections.Generic;
using System.Runtime.InteropServices;

namespace Unikernel.Kernel.Simulated;

/// <summary>A stack in use.</summary>
internal sealed class Context(int token, Action start)
{
    internal readonly int Token = token;
    internal readonly Action Start = start;
    internal ulong StackHi;                     // of the simulated stack; 0 = a core's own
    internal Worker? Worker;                    // null: not begun, or ended
}

/// <summary>The thread under a context.</summary>
internal sealed unsafe class Worker
{
    private const int StackBytes = 512 * 1024;
    private const int FutexCall = 202;
    private const int WaitPrivate = 128;
    private const int WakePrivate = 129;

    private readonly int* _word = (int*)NativeMemory.AlignedAlloc(64, 64);
    private readonly Action<Worker>? _main;

    internal Context? Job;

    /// <summary>For the calling thread itself, or, with <paramref name="main"/>, for a new one.</summary>
    internal Worker(Action<Worker>? main)
    {
        *_word = 0;
        _main = main;
        if (main != null)
        {
            Thread thread = new(() => _main!(this), StackBytes) { IsBackground = true, Name = "simulated stack" };
            thread.Start();
        }
    }

    internal void Resume()
    {
        Volatile.Write(ref *_word, 1);
        _ = Call(FutexCall, _word, WakePrivate, 1, null);
    }

    internal void Wait()
    {
        while (Interlocked.Exchange(ref *_word, 0) == 0)
        {
            _ = Call(FutexCall, _word, WaitPrivate, 0, null);
        }
    }

    [DllImport("libc", EntryPoint = "syscall")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nint Call(nint number, int* word, nint operation, nint value, void* timeout);
}

internal static class Contexts
{
    private static readonly List<Context> s_all = [];       // of this run; by token - 1
    private static readonly Stack<Worker> s_idle = new();
    private static readonly Worker s_controller = new(null);
    private static Context? s_next;                         // who goes on after the one that ends (CX3)

    /// <summary>Threads that exist.</summary>
    internal static int Threads { get; private set; }

    internal static Context New(Action start)
    {
        Context context = new(s_all.Count + 1, start);
        s_all.Add(context);
        return context;
    }

    internal static Context ByToken(nuint token) => s_all[(int)token - 1];

    internal static bool IsToken(nuint value) => value - 1 < (nuint)s_all.Count;

    /// <summary>The turn goes to <paramref name="first"/>; returns when the run is over and every stack unwound.</summary>
    internal static void RunAll(Context first)
    {
        Resume(first);
        s_controller.Wait();
        s_all.Clear();
    }

    /// <summary>The turn goes from one stack to another; returns when it comes back.</summary>
    internal static void HandOver(Context from, Context to)
    {
        Worker self = from.Worker!;
        Resume(to);
        self.Wait();
        if (Simulation.IsOver)
        {
            throw new RunOverException();
        }
    }

    /// <summary>The running stack is done with; the turn goes to <paramref name="to"/>.</summary>
    [System.Diagnostics.CodeAnalysis.DoesNotReturn]
    internal static void EndFor(Context to)
    {
        s_next = to;
        throw new RunOverException();
    }

    private static void Resume(Context context)
    {
        if (context.Worker == null)
        {
            if (!s_idle.TryPop(out Worker? worker))
            {
                worker = new Worker(Main);
                Threads++;
            }
            context.Worker = worker;
            worker.Job = context;
        }
        context.Worker.Resume();
    }

    private static void Main(Worker self)
    {
        while (true)
        {
            self.Wait();
            Context job = self.Job!;
            try
            {
                job.Start();
                Simulation.Finish(Ending.Exception, "a stack was left by its first method");
            }
            catch (RunOverException)
            {
            }
            catch (Exception e)
            {
                Simulation.Finish(Ending.Exception, e.ToString());
            }
            job.Worker = null;
            Context? next = Simulation.IsOver ? s_all.Find(c => c.Worker != null) : s_next;
            s_idle.Push(self);
            if (next == null)
            {
                s_controller.Resume();
            }
            else
            {
                Resume(next);
            }
        }
    }
}
