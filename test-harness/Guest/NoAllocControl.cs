// The control of the check of restricted code: methods that are marked and break the rule, each in another way, and some
// that keep it. Nothing calls them; test-harness/Restricted must find exactly the first ones, in the linked image.
using System;
using System.Runtime.CompilerServices;
using Unikernel.Kernel;

namespace Unikernel.Tests.Guest;

[NoAlloc]
internal static unsafe class NoAllocControl
{
    private static readonly object s_lazy = Environment.TickCount64.ToString(System.Globalization.CultureInfo.InvariantCulture);
    private static delegate*<int, object> s_hook;

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static object BadNew() => new object();

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static object BadBox(int n) => n;

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static string BadText(int n) => $"{n}";

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static int BadBounds(int[] a, int i) => a[i];

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static int BadChecked(int a, int b) => checked(a + b);

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static object BadCast(object o) => (Version)o;

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static int BadInterface(IComparable c) => c.CompareTo(null);

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static Func<int> BadLambda() => static () => 1;

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static object BadLazyStatic() => s_lazy;

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static int BadFarAway(int n) => n == 0 ? 0 : Free.Step(n) + 1;

    // The call itself cannot be seen in the code; that the address was taken can.
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void BadHook() => s_hook = &Free.Box;

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static int GoodArithmetic(int* p, int n)
    {
        int sum = 0;
        for (int i = 0; i < n; i++)
        {
            sum += p[i];
        }
        return sum;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static object GoodTrust(int n) => Trusted(n);

    [MethodImpl(MethodImplOptions.NoInlining)]
    [MayAlloc("the control of this mark")]
    private static object Trusted(int n) => n;
}

// Not marked: only what marked code calls of it counts.
internal static class Free
{
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static int Step(int n) => Step2(n) * 3;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Step2(int n) => n > 1000 ? throw new InvalidOperationException() : n;

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static object Box(int n) => n;
}
