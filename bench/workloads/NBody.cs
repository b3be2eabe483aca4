// The benchmarks game's n-body: the sun and the four great planets, by a symplectic integrator.
using System;
using System.Diagnostics;
using System.Globalization;

namespace Unikernel.Bench;

internal static class NBody
{
    private const int Steps = 500_000;
    private const string EnergyBefore = "-0.169075164";
    private const string EnergyAfter = "-0.169096567";
    private const double SolarMass = 4 * Math.PI * Math.PI;
    private const double DaysPerYear = 365.24;
    private const double TimeStep = 0.01;

    private sealed class Body(double x, double y, double z, double vx, double vy, double vz, double mass)
    {
        internal double X = x, Y = y, Z = z;
        internal double Vx = vx * DaysPerYear, Vy = vy * DaysPerYear, Vz = vz * DaysPerYear;
        internal readonly double Mass = mass * SolarMass;
    }

    private static Body[] SolarSystem()
    {
        Body[] bodies =
        [
            new(0, 0, 0, 0, 0, 0, 1),
            new(4.84143144246472090e+00, -1.16032004402742839e+00, -1.03622044471123109e-01,
                1.66007664274403694e-03, 7.69901118419740425e-03, -6.90460016972063023e-05, 9.54791938424326609e-04),
            new(8.34336671824457987e+00, 4.12479856412430479e+00, -4.03523417114321381e-01,
                -2.76742510726411e-03, 4.99852801234917238e-03, 2.30417297573763929e-05, 2.85885980666130812e-04),
            new(1.28943695621391310e+01, -1.51111514016986312e+01, -2.23307578892655734e-01,
                2.96460137564761618e-03, 2.37847173959480950e-03, -2.96589568540237556e-05, 4.36624404335156298e-05),
            new(1.53796971148509165e+01, -2.59193146099879641e+01, 1.79258772950371181e-01,
                2.68067772490389322e-03, 1.62824170038242295e-03, -9.51592254519715870e-05, 5.15138902046611451e-05),
        ];
        // The sun moves so that the whole does not.
        double px = 0, py = 0, pz = 0;
        foreach (Body b in bodies)
        {
            px += b.Vx * b.Mass;
            py += b.Vy * b.Mass;
            pz += b.Vz * b.Mass;
        }
        Body sun = bodies[0];
        (sun.Vx, sun.Vy, sun.Vz) = (-px / SolarMass, -py / SolarMass, -pz / SolarMass);
        return bodies;
    }

    private static double Energy(Body[] bodies)
    {
        double e = 0;
        for (int i = 0; i < bodies.Length; i++)
        {
            Body a = bodies[i];
            e += 0.5 * a.Mass * ((a.Vx * a.Vx) + (a.Vy * a.Vy) + (a.Vz * a.Vz));
            for (int j = i + 1; j < bodies.Length; j++)
            {
                Body b = bodies[j];
                double dx = a.X - b.X, dy = a.Y - b.Y, dz = a.Z - b.Z;
                e -= a.Mass * b.Mass / Math.Sqrt((dx * dx) + (dy * dy) + (dz * dz));
            }
        }
        return e;
    }

    private static void Advance(Body[] bodies)
    {
        for (int i = 0; i < bodies.Length; i++)
        {
            Body a = bodies[i];
            for (int j = i + 1; j < bodies.Length; j++)
            {
                Body b = bodies[j];
                double dx = a.X - b.X, dy = a.Y - b.Y, dz = a.Z - b.Z;
                double square = (dx * dx) + (dy * dy) + (dz * dz);
                double magnitude = TimeStep / (square * Math.Sqrt(square));
                a.Vx -= dx * b.Mass * magnitude;
                a.Vy -= dy * b.Mass * magnitude;
                a.Vz -= dz * b.Mass * magnitude;
                b.Vx += dx * a.Mass * magnitude;
                b.Vy += dy * a.Mass * magnitude;
                b.Vz += dz * a.Mass * magnitude;
            }
        }
        foreach (Body b in bodies)
        {
            b.X += TimeStep * b.Vx;
            b.Y += TimeStep * b.Vy;
            b.Z += TimeStep * b.Vz;
        }
    }

    internal static void Run()
    {
        Body[] bodies = SolarSystem();
        Report.CheckText("energy before", Digits(Energy(bodies)), EnergyBefore);
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < Steps; i++)
        {
            Advance(bodies);
        }
        Report.Row("-", "time", "ms", Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        Report.CheckText("energy after", Digits(Energy(bodies)), EnergyAfter);
    }

    private static string Digits(double value) => value.ToString("F9", CultureInfo.InvariantCulture);
}
