// A 16550 serial port: polled output, input by interrupt into a ring of 64 KiB.
//
// UA1  Nothing received is dropped here: with a full ring the receive interrupt is turned off and the bytes stay in the
//      UART, whose own flow control (QEMU's character device, or RTS on hardware) holds the sender back.
// UA2  Every look at the port drains it until LSR.DR is clear, so a lost interrupt edge costs nothing.
// UA3  Ring fields are only touched with interrupts off by the one that has the ports' input lock (CO1).
// UA4  With WatchesQuit set, Ctrl-\ is noticed when it arrives, whether or not anybody reads, and is not in the ring.
// Context: anywhere; interrupt handler for Receive. Allocates nothing. Reference: PC16550D data sheet.

namespace Unikernel.Kernel;

internal unsafe struct Uart
{
    public const uint RingSize = 65536;

    private const int PauseReads = 5000;    // of the status register, some 40 ns each or more
    // Interrupt at 14 bytes, or when the line falls silent: QEMU hands over as many bytes at a time as this level says.
    private const byte FifoOn = 0xc1;
    private const byte CtrlBackslash = 0x1c;
    private const byte LsrDataReady = 1, LsrOverrun = 2, LsrHoldingEmpty = 0x20, LsrIdle = 0x40;

    public ushort Port;
    public bool Present;
    public bool Crlf;
    public bool Enabled;        // receive interrupt wanted
    public bool WatchesQuit;
    private bool _hasQuit;
    private int _fifoDepth;
    private bool _paused;       // ring full, receive interrupt off
    private uint _head;         // next to write, mod RingSize
    private uint _tail;         // next to read
    public ulong Overruns;      // bytes the hardware says it lost
    private fixed byte _ring[(int)RingSize];

    public uint Available => _head - _tail;

    /// <summary>Sets 115200 8N1 with FIFOs. A byte that waits already is kept.</summary>
    public void Init(ushort port)
    {
        Port = port;
        Cpu.Out8((ushort)(port + 7), 0x5a);
        Present = Cpu.In8((ushort)(port + 7)) == 0x5a;
        if (!Present)
        {
            return;
        }
        Cpu.Out8((ushort)(port + 1), 0);            // interrupts off
        Cpu.Out8((ushort)(port + 3), 0x80);         // divisor latch
        Cpu.Out8(port, 1);
        Cpu.Out8((ushort)(port + 1), 0);
        Cpu.Out8((ushort)(port + 3), 3);            // 8N1
        _fifoDepth = 16;
        if ((Cpu.In8((ushort)(port + 2)) & 0xc0) == 0)
        {
            // Turning the FIFO on drops what arrives around it. A sender that is at it already is heard byte by
            // byte until it pauses; one that never does is left without the FIFO.
            var quiet = (Cpu.In8((ushort)(port + 5)) & LsrDataReady) != 0 ? 0 : PauseReads;
            while (quiet < PauseReads && _head - _tail < RingSize)
            {
                if ((Cpu.In8((ushort)(port + 5)) & LsrDataReady) != 0)
                {
                    Push(Cpu.In8(port));
                    quiet = 0;
                }
                else
                {
                    quiet++;
                }
            }
            if (quiet == PauseReads)
            {
                Cpu.Out8((ushort)(port + 2), FifoOn);
            }
            else
            {
                _fifoDepth = 1;
            }
        }
        else
        {
            Cpu.Out8((ushort)(port + 2), FifoOn);
        }
        Cpu.Out8((ushort)(port + 4), 0x0b);         // DTR, RTS, OUT2 (interrupt line)
    }

    public void EnableReceive()
    {
        if (Present)
        {
            Enabled = true;
            _paused = true;
            Receive();
        }
    }

    /// <summary>Whether Ctrl-\ has arrived since the last call. Interrupts are off.</summary>
    public bool TakeQuit()
    {
        var has = _hasQuit;
        _hasQuit = false;
        return has;
    }

    /// <summary>Moves what the UART holds into the ring. Interrupts are off. True when bytes were added.</summary>
    public bool Receive()
    {
        if (!Present)
        {
            return false;
        }
        var before = _head;
        while (true)
        {
            var lsr = Cpu.In8((ushort)(Port + 5));
            if ((lsr & LsrOverrun) != 0)
            {
                Overruns++;
            }
            if ((lsr & LsrDataReady) == 0)
            {
                if (_paused && Enabled)
                {
                    _paused = false;
                    Cpu.Out8((ushort)(Port + 1), 1);
                }
                break;
            }
            if (_head - _tail == RingSize)
            {
                if (!_paused)
                {
                    _paused = true;
                    Cpu.Out8((ushort)(Port + 1), 0);
                }
                break;
            }
            Push(Cpu.In8(Port));
        }
        return _head != before;
    }

    /// <summary>Takes up to n bytes of input; 0 when there is none. Interrupts are off.</summary>
    public int Read(byte* p, int n)
    {
        Receive();
        var taken = 0;
        while (taken < n && _head != _tail)
        {
            p[taken++] = _ring[_tail++ % RingSize];
        }
        if (taken > 0 && _paused)
        {
            Receive();
        }
        return taken;
    }

    /// <summary>Writes all bytes, waiting for the transmitter as long as it takes.</summary>
    public void Write(byte* p, nuint n)
    {
        if (!Present)
        {
            return;
        }
        var room = 0;
        for (nuint i = 0; i < n; i++)
        {
            if (p[i] == '\n' && Crlf)
            {
                room = Put((byte)'\r', room);
            }
            room = Put(p[i], room);
        }
    }

    /// <summary>Waits until the last bit has left the port; bounded, for use on the way out.</summary>
    public void Flush()
    {
        for (var i = 0; Present && i < 1_000_000 && (Cpu.In8((ushort)(Port + 5)) & LsrIdle) == 0; i++)
        {
        }
    }

    private int Put(byte b, int room)
    {
        if (room == 0)
        {
            while ((Cpu.In8((ushort)(Port + 5)) & LsrHoldingEmpty) == 0)
            {
            }
            room = _fifoDepth;  // it is empty
        }
        Cpu.Out8(Port, b);
        return room - 1;
    }

    private void Push(byte b)
    {
        if (b == CtrlBackslash && WatchesQuit)
        {
            _hasQuit = true;
            return;
        }
        _ring[_head++ % RingSize] = b;
    }
}
