// A machine under test: a QEMU, or the program as a Linux process.
//
// VM1  A Vm ends with its Dispose, whatever happened: no process is left behind.
// VM2  When time runs out the guest gets an NMI (a Linux process: SIGQUIT), so that it prints its goroutines, before it is killed; the exception
//      carries the whole console log.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Net.Sockets;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace Unikernel.TestHarness;

/// <summary>How an image is booted.</summary>
public enum BootRoute
{
    /// <summary>PVH on q35 with SeaBIOS.</summary>
    Kernel,

    /// <summary>PVH on the older pc machine.</summary>
    KernelPc,

    /// <summary>PVH on q35 with a hole in its memory: a quarter of a gigabyte below, the rest above 4 GiB.</summary>
    KernelHole,

    /// <summary>PVH on microvm.</summary>
    Microvm,

    /// <summary>No virtual machine: the same program as a Linux process.</summary>
    Linux,

    /// <summary>The same, built in configuration Checked.</summary>
    Checked,
}

/// <summary>A failure in the guest, with its console log.</summary>
public sealed class VmException(string message, string log) : Exception($"{message}\n--- console ---\n{log}");

/// <summary>One running QEMU. Console text is collected as it comes; use from one test at a time.</summary>
public sealed class Vm : IAsyncDisposable
{
    private const int ExitCodeUnknown = -1;
    private static readonly TimeSpan s_dumpTime = TimeSpan.FromSeconds(2);

    private readonly Process _qemu;         // or the Linux process itself
    private readonly bool _isLinux;
    private readonly string _directory;
    private readonly StringBuilder _log = new();
    private readonly Task _reader;
    private int _matched;       // log before this has been consumed by Expect

    private Vm(Process qemu, string directory, bool isLinux)
    {
        _qemu = qemu;
        _isLinux = isLinux;
        _directory = directory;
        _reader = Task.Run(ReadConsole);
    }

    /// <summary>Root of the repository.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Everything the guest has printed.</summary>
    public string Log
    {
        get
        {
            lock (_log)
            {
                return _log.ToString();
            }
        }
    }

    /// <summary>Processor time the process (QEMU, or the program) has used.</summary>
    public TimeSpan CpuTime
    {
        get
        {
            _qemu.Refresh();
            return _qemu.TotalProcessorTime;
        }
    }

    /// <summary>What the guest wrote to its second serial port; whole after <see cref="WaitForExit"/>.</summary>
    public byte[] SecondPort => File.Exists(SecondPortPath) ? File.ReadAllBytes(SecondPortPath) : [];

    private string SecondPortPath => Path.Combine(_directory, "com2");

    /// <summary>Boots artifacts/images/<paramref name="image"/> with kernel <paramref name="arguments"/>.</summary>
    /// <param name="image">Name of the sample or application.</param>
    /// <param name="arguments">Kernel arguments; tty=0 is added.</param>
    /// <param name="route">Boot route.</param>
    /// <param name="memory">QEMU's -m, or mem=.</param>
    /// <param name="cpu">QEMU's -cpu.</param>
    /// <param name="cores">QEMU's -smp, or cores=.</param>
    public static Vm Start(string image, string arguments = "", BootRoute route = BootRoute.Kernel, string memory = "512M", string cpu = "max", int cores = 1)
    {
        string directory = Directory.CreateTempSubdirectory("unikernel-vm").FullName;
        string path = Path.Combine(Root, "artifacts", "images", image, image);
        if (route is BootRoute.Linux or BootRoute.Checked)
        {
            return Start(path + (route == BootRoute.Linux ? ".linux" : ".checked"), [$"mem={memory}", $"cores={cores}", $"port2={directory}/com2", "tty=0", .. arguments.Split(' ')], directory, true);
        }
        List<string> command =
        [
            "-accel", "tcg,thread=multi", "-cpu", cpu, "-m", memory, "-smp", $"{cores}", "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
            "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
            "-monitor", $"unix:{directory}/monitor,server=on,wait=off",
            "-kernel", path + ".elf",
            "-append", $"tty=0 {arguments}",
        ];
        command.AddRange(route switch
        {
            BootRoute.Microvm => ["-M", "microvm,isa-serial=on"],
            BootRoute.KernelHole => ["-M", "q35,max-ram-below-4g=256M", "-serial", $"file:{directory}/com2"],
            BootRoute.KernelPc => ["-M", "pc", "-serial", $"file:{directory}/com2"],
            _ => ["-M", "q35", "-serial", $"file:{directory}/com2"],
        });
        return Start("qemu-system-x86_64", command, directory, false);
    }

    private static Vm Start(string program, List<string> command, string directory, bool isLinux)
    {
        var start = new ProcessStartInfo(program, command)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        return new Vm(Process.Start(start)!, directory, isLinux);
    }

    /// <summary>Types text at the console.</summary>
    public async Task Send(string text) => await Send(Encoding.UTF8.GetBytes(text));

    /// <summary>Types bytes at the console; 4 is the end of input.</summary>
    public async Task Send(ReadOnlyMemory<byte> bytes)
    {
        await _qemu.StandardInput.BaseStream.WriteAsync(bytes);
        await _qemu.StandardInput.BaseStream.FlushAsync();
    }

    /// <summary>Waits until the guest has printed <paramref name="text"/> after what was expected before.</summary>
    public async Task Expect(string text, int seconds = 60)
    {
        long deadline = Environment.TickCount64 + (seconds * 1000L);
        while (true)
        {
            lock (_log)
            {
                int at = _log.ToString().IndexOf(text, _matched, StringComparison.Ordinal);
                if (at >= 0)
                {
                    _matched = at + text.Length;
                    return;
                }
            }
            if (_qemu.HasExited && _reader.IsCompleted)
            {
                throw new VmException($"the guest ended (QEMU code {_qemu.ExitCode}) without printing \"{text}\"", Log);
            }
            if (Environment.TickCount64 > deadline)
            {
                await Dump();
                throw new VmException($"no \"{text}\" in {seconds} s", Log);
            }
            await Task.Delay(10);
        }
    }

    /// <summary>Waits for the guest to end; its exit code, or 0 after a power-off.</summary>
    public async Task<int> WaitForExit(int seconds = 120)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        try
        {
            await _qemu.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            await Dump();
            throw new VmException($"the guest did not end in {seconds} s", Log);
        }
        await _reader;
        int code = _qemu.ExitCode;
        return _isLinux ? code : code == 0 ? 0 : (code & 1) == 1 ? (code - 1) / 2 : ExitCodeUnknown;
    }

    private async Task Dump()
    {
        if (_isLinux)
        {
            using Process kill = Process.Start("kill", ["-QUIT", $"{_qemu.Id}"]);
            await kill.WaitForExitAsync();
            await Task.Delay(s_dumpTime);
            return;
        }
        try
        {
            using var monitor = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await monitor.ConnectAsync(new UnixDomainSocketEndPoint(Path.Combine(_directory, "monitor")));
            await monitor.SendAsync("nmi\n"u8.ToArray());
            await Task.Delay(s_dumpTime);
        }
        catch (SocketException)
        {
            // QEMU is gone: the log says what there is to say
        }
    }

    private async Task ReadConsole()
    {
        Task<string> errors = _qemu.StandardError.ReadToEndAsync();
        char[] buffer = new char[4096];
        int n;
        while ((n = await _qemu.StandardOutput.ReadAsync(buffer)) > 0)
        {
            lock (_log)
            {
                _log.Append(buffer, 0, n);
            }
        }
        string text = await errors;
        if (text.Length > 0)
        {
            lock (_log)
            {
                _log.Append("\n[QEMU] ").Append(text);
            }
        }
    }

    private static string FindRoot()
    {
        string? at = AppContext.BaseDirectory;
        while (at is not null && !File.Exists(Path.Combine(at, "Unikernel.sln")))
        {
            at = Path.GetDirectoryName(at);
        }
        return at ?? throw new InvalidOperationException("Unikernel.sln is in no folder above the tests.");
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (!_qemu.HasExited)
        {
            _qemu.Kill();
        }
        await _qemu.WaitForExitAsync();
        await _reader;
        _qemu.Dispose();
        Directory.Delete(_directory, true);
    }
}
