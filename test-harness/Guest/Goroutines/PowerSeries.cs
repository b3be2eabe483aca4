// Power series as goroutines: a series gives its next coefficient when asked, and every operation is a goroutine that
// asks others. A series that nobody asks any more waits until EndAll. Context: goroutine.
using System;
using System.Collections.Generic;

namespace Unikernel.Tests.Goroutines;

/// <summary>A fraction in lowest terms.</summary>
internal readonly record struct Rational(long Numerator, long Denominator)
{
    public static implicit operator Rational(long n) => new(n, 1);

    public static Rational operator +(Rational a, Rational b) => Of(checked((a.Numerator * b.Denominator) + (b.Numerator * a.Denominator)), checked(a.Denominator * b.Denominator));

    public static Rational operator *(Rational a, Rational b) => Of(checked(a.Numerator * b.Numerator), checked(a.Denominator * b.Denominator));

    public static Rational operator -(Rational a) => new(-a.Numerator, a.Denominator);

    public Rational Inverse() => Of(Denominator, Numerator);

    public override string ToString() => Denominator == 1 ? $"{Numerator}" : $"{Numerator}/{Denominator}";

    private static Rational Of(long n, long d)
    {
        long a = Math.Abs(n);
        long b = Math.Abs(d);
        while (b != 0)
        {
            (a, b) = (b, a % b);
        }
        a = d < 0 ? -a : a;
        return new Rational(n / a, d / a);
    }
}

internal sealed class PowerSeries
{
    private static readonly List<PowerSeries> s_all = [];       // guarded by itself

    private readonly Chan<int> _requests;
    private readonly Chan<Rational> _values = new();
    private readonly int _asker;

    private PowerSeries(Chan<int> requests, int asker)
    {
        _requests = requests;
        _asker = asker;
        lock (s_all)
        {
            s_all.Add(this);
        }
    }

    /// <summary>Ends the goroutines of all series: each finds one of its channels closed.</summary>
    public static void EndAll()
    {
        lock (s_all)
        {
            foreach (PowerSeries s in s_all)
            {
                if (s._asker == 0)
                {
                    s._requests.Close();
                }
                s._values.Close();
            }
            s_all.Clear();
        }
    }

    private static void Run(Action body) => Go.Run(() =>
    {
        try
        {
            body();
        }
        catch (GoPanicException e) when (e.Message == "send on closed channel")
        {
            // EndAll
        }
    });

    private static T Receive<T>(Chan<T> c)
    {
        if (!c.Receive(out T v))
        {
            Go.Goexit();
        }
        return v;
    }

    /// <summary>The next coefficient.</summary>
    public Rational Get()
    {
        _requests.Send(_asker);
        return Receive(_values);
    }

    public Rational[] Take(int n)
    {
        var a = new Rational[n];
        for (int i = 0; i < n; i++)
        {
            a[i] = Get();
        }
        return a;
    }

    private void Put(Rational v)
    {
        _ = Receive(_requests);
        _values.Send(v);
    }

    private void Copy(PowerSeries from)
    {
        while (true)
        {
            _ = Receive(_requests);
            _values.Send(from.Get());
        }
    }

    private static PowerSeries Start(Action<PowerSeries> body)
    {
        var s = new PowerSeries(new Chan<int>(), 0);
        Run(() => body(s));
        return s;
    }

    public static PowerSeries Of(Func<int, Rational> coefficient) => Start(z =>
    {
        for (int i = 0; ; i++)
        {
            z.Put(coefficient(i));
        }
    });

    public static PowerSeries operator +(PowerSeries u, PowerSeries v) => Start(z =>
    {
        while (true)
        {
            _ = Receive(z._requests);
            z._values.Send(u.Get() + v.Get());
        }
    });

    public static PowerSeries operator *(Rational c, PowerSeries u) => Start(z =>
    {
        while (true)
        {
            _ = Receive(z._requests);
            z._values.Send(c * u.Get());
        }
    });

    // (f + x U)(g + x V) = f g + x (f V + g U) + x² U V
    public static PowerSeries operator *(PowerSeries u, PowerSeries v) => Start(z =>
    {
        _ = Receive(z._requests);
        Rational f = u.Get();
        Rational g = v.Get();
        z._values.Send(f * g);
        (PowerSeries u0, PowerSeries u1) = u.Split();
        (PowerSeries v0, PowerSeries v1) = v.Split();
        PowerSeries middle = (f * v0) + (g * u0);
        PowerSeries high = u1 * v1;
        z.Put(middle.Get());
        z.Copy(middle + high);
    });

    /// <summary>Two of it, each asked at its own pace.</summary>
    /// <remarks>While it waits for a coefficient it still gives what came before: what it waits for may need that.</remarks>
    public (PowerSeries First, PowerSeries Second) Split()
    {
        var requests = new Chan<int>();
        PowerSeries[] both = [new(requests, 0), new(requests, 1)];
        Run(() => Serve(requests, both));
        return (both[0], both[1]);
    }

    private void Serve(Chan<int> requests, PowerSeries[] both)
    {
        const int Fetched = 2;
        Queue<Rational>[] ahead = [new(), new()];
        bool[] waits = [false, false];
        bool isFetching = false;
        Rational fetched = default;
        while (true)
        {
            int message = Receive(requests);
            if (message == Fetched)
            {
                isFetching = false;
                ahead[0].Enqueue(fetched);
                ahead[1].Enqueue(fetched);
            }
            else
            {
                waits[message] = true;
            }
            for (int asker = 0; asker < 2; asker++)
            {
                if (waits[asker] && ahead[asker].TryDequeue(out Rational v))
                {
                    waits[asker] = false;
                    both[asker]._values.Send(v);
                }
            }
            if (!isFetching && (waits[0] || waits[1]))
            {
                isFetching = true;
                Run(() =>
                {
                    fetched = Get();
                    requests.Send(Fetched);
                });
            }
        }
    }

    public PowerSeries Derivative() => Start(z =>
    {
        _ = Receive(z._requests);
        _ = Get();
        z._values.Send(Get());
        for (int i = 2; ; i++)
        {
            _ = Receive(z._requests);
            z._values.Send(i * Get());
        }
    });

    public PowerSeries Integral(Rational constant) => Start(z =>
    {
        z.Put(constant);
        for (int i = 1; ; i++)
        {
            _ = Receive(z._requests);
            z._values.Send(new Rational(1, i) * Get());
        }
    });

    /// <summary>The series that is what <paramref name="rule"/> makes of it.</summary>
    public static PowerSeries Solve(Func<PowerSeries, PowerSeries> rule)
    {
        PowerSeries? result = null;
        var z = new PowerSeries(new Chan<int>(), 0);
        (PowerSeries inner, PowerSeries outer) = z.Split();
        result = rule(inner);
        Run(() => z.Copy(result));
        return outer;
    }

    /// <summary>e to the power of it; its first coefficient must be 0.</summary>
    public PowerSeries Exp()
    {
        PowerSeries derivative = Derivative();
        return Solve(z => (z * derivative).Integral(1));
    }

    // 1 / (f + x U) = 1/f - x U Z / f
    public PowerSeries Inverse() => Start(z =>
    {
        _ = Receive(z._requests);
        Rational g = Get().Inverse();
        z._values.Send(g);
        var own = new PowerSeries(new Chan<int>(), 0);
        (PowerSeries fed, PowerSeries shown) = own.Split();
        PowerSeries rest = -g * (this * fed);
        Run(() =>
        {
            own.Put(g);
            own.Copy(rest);
        });
        _ = shown.Get();
        z.Copy(shown);
    });
}
