// What the class library asks of the platform (runtime/Pal), seen from a program.
using System;
using System.Diagnostics;
using System.IO;
using System.IO.MemoryMappedFiles;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Threading;
using System.Threading.Tasks;
using Xunit;

namespace Unikernel.Tests.Platform;

public class PlatformTests
{
    private static void Refused(Action action) => Assert.Throws<PlatformNotSupportedException>(action);

    [Fact]
    public void Files_do_not_exist_and_are_refused()
    {
        Assert.False(File.Exists("/etc/passwd"));
        Assert.False(Directory.Exists("/tmp"));
        Assert.True(Directory.Exists("/"));
        Refused(() => File.ReadAllText("/x"));
        Refused(() => File.WriteAllText("/x", "text"));
        Refused(() => File.Delete("/x"));
        Refused(() => Directory.CreateDirectory("/x"));
        Refused(() => Directory.GetFiles("/"));
        Refused(() => Path.GetTempFileName());
        Refused(() => DriveInfo.GetDrives());
        Refused(() => MemoryMappedFile.CreateNew(null, 4096).Dispose());
        Refused(() =>
        {
            using var watcher = new FileSystemWatcher("/");
            watcher.EnableRaisingEvents = true;
        });
        Assert.Throws<FileNotFoundException>(() => FileVersionInfo.GetVersionInfo("/x"));
    }

    [Fact]
    public void Processes_and_libraries_do_not_exist()
    {
        Refused(() => Process.Start("ls")?.Dispose());
        Assert.False(NativeLibrary.TryLoad("libnothing.so", out _));
    }

    [Fact]
    public void The_environment_is_described()
    {
        Assert.Equal("/", Environment.CurrentDirectory);
        Assert.Equal("/unikernel", Environment.ProcessPath);
        Assert.Equal("/", AppContext.BaseDirectory);
        Assert.Equal("unikernel", Environment.MachineName);
        Assert.Equal("root", Environment.UserName);
        Assert.Equal("/", Environment.GetFolderPath(Environment.SpecialFolder.UserProfile));
        Assert.Equal(1, Environment.ProcessId);
        Assert.Equal(4096, Environment.SystemPageSize);
        Assert.StartsWith("Unikernel", RuntimeInformation.OSDescription, StringComparison.Ordinal);
        Assert.Equal(Architecture.X64, RuntimeInformation.OSArchitecture);
    }

    [Fact]
    public void Environment_variables_can_be_set()
    {
        Assert.Null(Environment.GetEnvironmentVariable("NOT_THERE"));
        Environment.SetEnvironmentVariable("PAL_TEST", "1");
        Assert.Equal("1", Environment.GetEnvironmentVariable("PAL_TEST"));
    }

    [Fact]
    public void The_time_zone_is_utc()
    {
        Assert.Equal(TimeSpan.Zero, TimeZoneInfo.Local.BaseUtcOffset);
        Assert.Throws<TimeZoneNotFoundException>(() => TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin"));
        Assert.InRange(DateTime.UtcNow.Year, 2024, 2200);
    }

    [Fact]
    public void Random_numbers_differ()
    {
        Assert.NotEqual(Guid.NewGuid(), Guid.NewGuid());
        Assert.NotEqual(RandomNumberGenerator.GetBytes(16), RandomNumberGenerator.GetBytes(16));
        Assert.NotEqual(new Random().NextInt64(), new Random().NextInt64());
    }

    [Fact]
    public unsafe void Native_memory_keeps_its_content()
    {
        var random = new Random(1);
        var blocks = new (nint Address, int Bytes, byte Value)[200];
        for (int i = 0; i < 20_000; i++)
        {
            ref var b = ref blocks[random.Next(blocks.Length)];
            Assert.False(new Span<byte>((void*)b.Address, b.Bytes).ContainsAnyExcept(b.Value));
            NativeMemory.Free((void*)b.Address);
            int bytes = random.Next(8) == 0 ? random.Next(20_000) : random.Next(600);
            byte value = (byte)i;
            void* p = NativeMemory.Alloc((nuint)bytes);
            new Span<byte>(p, bytes).Fill(value);
            b = ((nint)p, bytes, value);
        }
        foreach (var b in blocks)
        {
            NativeMemory.Free((void*)b.Address);
        }
        void* aligned = NativeMemory.AlignedAlloc(100, 8192);
        Assert.Equal(0, (nint)aligned % 8192);
        NativeMemory.AlignedFree(aligned);
        Assert.Throws<OutOfMemoryException>(() => (nint)NativeMemory.Alloc(nuint.MaxValue / 4));
    }

    [Fact]
    public void Locks_are_fair_enough_and_exclude()
    {
        const int threads = 8;
        const int turns = 500;
        object gate = new();
        int count = 0;
        var all = new Thread[threads];
        for (int i = 0; i < threads; i++)
        {
            all[i] = new Thread(() =>
            {
                for (int k = 0; k < turns; k++)
                {
                    lock (gate)
                    {
                        int seen = count;
                        if (k % 50 == 0)
                        {
                            Thread.Yield();
                        }
                        count = seen + 1;
                    }
                }
            });
            all[i].Start();
        }
        foreach (Thread t in all)
        {
            t.Join();
        }
        Assert.Equal(threads * turns, count);
    }

    [Fact]
    public void Monitors_wait_and_pulse()
    {
        object gate = new();
        int state = 0;
        var other = new Thread(() =>
        {
            lock (gate)
            {
                while (state == 0)
                {
                    Monitor.Wait(gate);
                }
                state = 2;
                Monitor.PulseAll(gate);
            }
        });
        other.Start();
        lock (gate)
        {
            state = 1;
            Monitor.PulseAll(gate);
            while (state != 2)
            {
                Monitor.Wait(gate);
            }
            Assert.False(Monitor.Wait(gate, 20));
        }
        other.Join();
    }

    [Fact]
    public void Wait_handles_signal_and_time_out()
    {
        using var semaphore = new Semaphore(0, 5);
        using var auto = new AutoResetEvent(false);
        using var manual = new ManualResetEvent(false);
        var other = new Thread(() =>
        {
            Thread.Sleep(5);
            semaphore.Release(2);
            auto.Set();
            Thread.Sleep(5);
            manual.Set();
        });
        other.Start();
        Assert.True(semaphore.WaitOne());
        Assert.True(semaphore.WaitOne());
        Assert.False(semaphore.WaitOne(5));
        Assert.True(auto.WaitOne());
        Assert.False(auto.WaitOne(5));
        Assert.Equal(1, WaitHandle.WaitAny([auto, manual]));
        Assert.False(WaitHandle.WaitAll([auto, manual], 5));
        other.Join();
    }

    [Fact]
    public void Threads_have_a_megabyte_of_stack()
    {
        int depth = 0;
        var t = new Thread(() => depth = Descend(4096));
        t.Start();
        t.Join();
        Assert.Equal(4096, depth);
    }

    private static int Descend(int n)
    {
        Span<byte> frame = stackalloc byte[256];
        frame[n & 255] = 1;
        return n == 0 ? 0 : frame[n & 255] + Descend(n - 1);
    }

    [Fact]
    public void The_thread_pool_timers_and_tasks_run()
    {
        Assert.Equal(2470, Task.WhenAll(Enumerable.Range(0, 20).Select(i => Task.Run(() => i * i))).GetAwaiter().GetResult().Sum());
        long sum = 0;
        Parallel.For(0, 1000, i => Interlocked.Add(ref sum, i));
        Assert.Equal(499_500, sum);
        int ticks = 0;
        using var periodic = new Timer(_ => Interlocked.Increment(ref ticks), null, 1, 5);
        Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref ticks) >= 3, TimeSpan.FromSeconds(10)));
        Assert.Equal(7, Delayed().GetAwaiter().GetResult());
    }

    private static async Task<int> Delayed()
    {
        await Task.Delay(10);
        await Task.Yield();
        return 7;
    }

    [Fact]
    public void Signals_can_be_registered_for()
    {
        using var registration = PosixSignalRegistration.Create(PosixSignal.SIGTERM, _ => { });
        Assert.Throws<PlatformNotSupportedException>(() => PosixSignalRegistration.Create((PosixSignal)100, _ => { }).Dispose());
    }

    [Fact]
    public void The_console_is_no_terminal_to_the_class_library()
    {
        Assert.True(Console.IsInputRedirected);
        Assert.True(Console.IsOutputRedirected);
        Assert.Throws<InvalidOperationException>(() => Console.ReadKey());
        Assert.Equal("utf-8", Console.OutputEncoding.WebName);
        Console.ForegroundColor = ConsoleColor.Red;
        Console.ResetColor();
    }

    // Bit for bit what stock .NET on Linux gives; sin, cos, tan and the like may differ from it in the last bit or two.
    [Fact]
    public void Powers_exponentials_and_logarithms_are_those_of_stock_net()
    {
        Assert.Equal(29.67413253642086, Math.Pow(Opaque(2.5), 3.7));
        Assert.Equal(999999999999.9994, Math.Pow(Opaque(0.1), -12));
        Assert.Equal(4.4816890703380645, Math.Exp(Opaque(1.5)));
        Assert.Equal(7.678723813110872E-305, Math.Exp(Opaque(-700.25)));
        Assert.Equal(2.302585092994046, Math.Log(Opaque(10)));
        Assert.Equal(996.5784284662087, Math.Log2(Opaque(1e300)));
        Assert.Equal(2.4000030682527225, Opaque(5.7e10) % 3.3);
        Assert.Equal(1.4142135623730951, Math.Sqrt(Opaque(2)));
        Assert.Equal(-0.34999350217129294, Math.Sin(Opaque(1e6)), 1e-15);
        Assert.Equal(3, Math.Cbrt(Opaque(27)), 1e-15);
    }

    // Not folded by the compiler.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static double Opaque(double x) => x;
}
