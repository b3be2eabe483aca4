// Brings the ABI up: tables of the unwinder, fault handling, the image's module, CoreLib's own initialisers.
//
// SU1  Order: Init (no managed type may be used yet beyond restricted C#), then InitModules (CoreLib usable for
//      allocation and types), then the entry point __managed__Main, which runs the library initialisers.
// Context: boot. Allocates: InitModules does, through CoreLib.
using System.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Unikernel.Kernel;
using Unikernel.Runtime.Gc;

namespace Unikernel.Runtime.Abi;

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct AbiAddresses
{
    internal byte* EhFrameHdr;
    internal byte* TextStart;
    internal byte* TextEnd;
    internal byte* ManagedStart;
    internal byte* ManagedEnd;
    internal byte* UnboxStart;
    internal byte* UnboxEnd;
    internal void** ModulesStart;
    internal void** ModulesEnd;
    internal void* Image;
    internal nuint CatchReturn;
    internal nuint FinallyReturn;
    internal nuint FilterReturn;
    internal nuint ThrowHwReturn;
    internal nuint ThrowHw;
    internal nuint HelpersStart;
    internal nuint HelpersEnd;
    internal nuint MemopsStart;
    internal nuint MemopsEnd;
    internal void** Classlib;
    internal byte* SymbolsStart;
    internal byte* SymbolsEnd;
    internal byte* TlsStart;
    internal byte* TlsEnd;
    internal nuint TlsBytes;
    internal byte* DataStart;
    internal byte* DataEnd;
}

internal static unsafe partial class Startup
{
    private const int ClasslibCount = 14;

    /// <summary>Unwinding, symbol names and faults. Nothing here allocates.</summary>
    internal static void Init()
    {
        AbiAddresses* a = Addresses();
        Unwinder.Init(a->EhFrameHdr, a->TextStart, a->TextEnd, a->ThrowHwReturn);
        StackWalks.Init(a->ManagedStart, a->ManagedEnd, a->CatchReturn, a->FinallyReturn, a->FilterReturn);
        Modules.Init(a->Image, a->UnboxStart, a->UnboxEnd, a->Classlib, ClasslibCount);
        SymTab.Init(a->SymbolsStart, a->SymbolsEnd);
        Faults.Init(a->HelpersStart, a->HelpersEnd, a->MemopsStart, a->MemopsEnd, a->ThrowHw);
        *SecurityCookie() ^= Machine.Random64();
    }

    /// <summary>Makes the image's types, statics and string literals usable.</summary>
    internal static void InitModules()
    {
        AbiAddresses* a = Addresses();
        InitializeModules(a->Image, a->ModulesStart, (int)(a->ModulesEnd - a->ModulesStart), a->Classlib, ClasslibCount);
        Mgc.Start();
    }

    /// <summary>The image's writable data: statics, frozen objects, and whatever may point into the heap.</summary>
    internal static void DataRange(out byte* start, out byte* end)
    {
        start = Addresses()->DataStart;
        end = Addresses()->DataEnd;
    }

    /// <summary>What a goroutine's TLS block starts as: the template, then zeros up to the block's size.</summary>
    internal static void TlsTemplate(out byte* template, out nuint templateBytes, out nuint blockBytes)
    {
        AbiAddresses* a = Addresses();
        template = a->TlsStart;
        templateBytes = (nuint)(a->TlsEnd - a->TlsStart);
        blockBytes = a->TlsBytes;
    }

#if !SIM
    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("AbiGetAddresses")]
    private static extern AbiAddresses* Addresses();
#endif

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("AbiGetSecurityCookie")]
    private static extern ulong* SecurityCookie();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("InitializeModules")]
    private static extern void InitializeModules(void* osModule, void** modules, int count, void** classlib, int classlibCount);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("__managed__Main")]
    internal static extern int ManagedMain(int argc, byte** argv);
}
