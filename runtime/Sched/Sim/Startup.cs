// No linked image: its addresses are all zero.
using System.Runtime.CompilerServices;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Abi;

internal static unsafe partial class Startup
{
    private static AbiAddresses* Addresses() => (AbiAddresses*)Unsafe.AsPointer(ref NoImage.Addresses);
}

/// <summary>Zero for ever.</summary>
internal static unsafe class NoImage
{
    internal static AbiAddresses Addresses;
}
