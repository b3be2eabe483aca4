// The time stamp counters of two cores, compared while the second is being started.
//
// TS2  In a round the boot core reads its counter, the other core its own, the boot core its own again. In the quickest of
//      some rounds the middle reading lies between the outer two, or the counters differ.
// TS3  Those that differ are set right by the other core's IA32_TSC_ADJUST, once; where that is missing or does not help, a
//      line says so, and time may be seen to go back by as much.
// Context: MatchTsc on the boot core in StartCore, AnswerTsc on the core being started. Reference: Intel SDM 3B 18.17.3.

namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private const uint TscAdjustMsr = 0x3b;
    private const int TscRounds = 16;
    private const long TscRoundsNs = 500_000;           // virtual cores that take turns on one make each round last very long
    private const int TscRead = 1;                       // what the other core is to do when it has the turn
    private const int TscAdjust = 2;

    private struct TscExchange
    {
        internal int Turn;                              // 0 = the boot core's; atomic: it orders the rest
        internal ulong Reading;
        internal long Adjustment;
    }

    // False when the other core has ceased to answer.
    private static bool MatchTsc(TscExchange* exchange, int id)
    {
        if (!MeasureTsc(exchange, out var ahead))
        {
            return false;
        }
        if (ahead == 0)
        {
            return true;
        }
        var leaf = stackalloc uint[4];
        Cpu.Id(0, 0, leaf);
        var highest = leaf[0];
        Cpu.Id(7, 0, leaf);
        if (highest >= 7 && (leaf[1] & 2) != 0)
        {
            exchange->Adjustment = -ahead;
            if (!HandTurn(exchange, TscAdjust) || !MeasureTsc(exchange, out ahead))
            {
                return false;
            }
        }
        if (ahead != 0)
        {
            Print("unikernel: the time stamp counter of core "u8);
            PrintDecimal((ulong)id);
            Print(ahead < 0 ? " is behind by "u8 : " is ahead by "u8);
            PrintDecimal((ulong)(ahead < 0 ? -ahead : ahead));
            Print(" ticks: time may go back by as much between cores\n"u8);
        }
        return true;
    }

    // How far the other core's counter is ahead; 0 if that cannot be told from 0.
    private static bool MeasureTsc(TscExchange* exchange, out long ahead)
    {
        ahead = 0;
        var quickest = ulong.MaxValue;
        var end = NanoTime() + TscRoundsNs;
        for (var round = 0; round < TscRounds && (round == 0 || NanoTime() < end); round++)
        {
            var before = Cpu.ReadTscInOrder();
            if (!HandTurn(exchange, TscRead))
            {
                return false;
            }
            var after = Cpu.ReadTscInOrder();
            if (after - before < quickest)
            {
                quickest = after - before;
                var isInside = exchange->Reading - before <= quickest;
                ahead = isInside ? 0 : (long)(exchange->Reading - before - (quickest / 2));
            }
        }
        return true;
    }

    // Gives the turn away and waits until it is back.
    private static bool HandTurn(TscExchange* exchange, int turn)
    {
        Volatile.Write(ref exchange->Turn, turn);
        for (var end = NanoTime() + RunningWithinNs; Volatile.Read(ref exchange->Turn) != 0;)
        {
            Cpu.Pause();
            if (NanoTime() > end)
            {
                Volatile.Write(ref exchange->Turn, 0);
                return false;
            }
        }
        return true;
    }

    private static void AnswerTsc(TscExchange* exchange)
    {
        var turn = Volatile.Read(ref exchange->Turn);
        if (turn == 0)
        {
            return;
        }
        if (turn == TscAdjust)
        {
            Cpu.WriteMsr(TscAdjustMsr, Cpu.ReadMsr(TscAdjustMsr) + (ulong)exchange->Adjustment);
        }
        else
        {
            exchange->Reading = Cpu.ReadTscInOrder();
        }
        Volatile.Write(ref exchange->Turn, 0);
    }
}
