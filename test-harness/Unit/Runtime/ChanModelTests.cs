// What a channel does without waiting needs no scheduler: it is checked against a queue.
using System;
using System.Collections.Generic;
using CsCheck;
using Xunit;

namespace Unikernel.Tests.Runtime;

public class ChanModelTests
{
    // Numbers below 50 receive, below 99 send, 99 closes.
    [Fact]
    public void Nonblocking_operations_behave_like_a_bounded_queue()
    {
        Gen.Select(Gen.Int[0, 8], Gen.Int[0, 99].Array[0, 300]).Sample((capacity, operations) =>
        {
            var c = new Chan<string>(capacity);
            var model = new Queue<string>();
            bool isClosed = false;
            for (int i = 0; i < operations.Length; i++)
            {
                if (operations[i] < 50)
                {
                    bool isReady = c.TryReceive(out string v, out bool ok);
                    bool hasValue = model.TryDequeue(out string? expected);
                    if (ok != hasValue || v != expected || isReady != (hasValue || isClosed))
                    {
                        return false;
                    }
                }
                else if (operations[i] < 99)
                {
                    string v = $"{i}";
                    if (isClosed)
                    {
                        if (PanicOf(() => c.TrySend(v)) != "send on closed channel")
                        {
                            return false;
                        }
                    }
                    else if (c.TrySend(v) != (model.Count < capacity))
                    {
                        return false;
                    }
                    else if (model.Count < capacity)
                    {
                        model.Enqueue(v);
                    }
                }
                else if (isClosed)
                {
                    if (PanicOf(c.Close) != "close of closed channel")
                    {
                        return false;
                    }
                }
                else
                {
                    c.Close();
                    isClosed = true;
                }
                if (c.Len != model.Count || c.Cap != capacity)
                {
                    return false;
                }
            }
            return true;
        });
    }

    [Fact]
    public void Nil_channel_is_never_ready()
    {
        Chan<int> none = default;
        Assert.False(none.TrySend(1));
        Assert.False(none.TryReceive(out _, out bool ok));
        Assert.False(ok);
        Assert.Equal(0, none.Len);
        Assert.Equal(0, none.Cap);
        Assert.Equal("close of nil channel", PanicOf(none.Close));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(int.MaxValue)]
    public void Impossible_capacity(int capacity) =>
        Assert.Equal("makechan: size out of range", PanicOf(() => _ = new Chan<int>(capacity)));

    private static string PanicOf(Action action) => Assert.Throws<GoPanicException>(action).Message;
}
