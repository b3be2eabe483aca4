// A span: a run of heap pages that holds slots of one size class, or one large object.
//
// MS1  Slot i begins at Base + i * SlotBytes. The object in it, if any, is at slot + 8: its header word comes first.
// MS2  Slots below FreeIndex are taken, unless they lie in a window somebody bumps through (their type word is 0 until an
//      object is there). A slot at or above FreeIndex is taken exactly when its bit in MarkBits.Alloc is set.
// MS3  SweptCycle is the last cycle whose marks have been taken over. A span is swept once a cycle, by whoever gets there
//      first, before it is allocated from and before the next cycle begins.
// MS4  Span structures are off-heap, never move and are used again: a pointer to one may be followed at any time.
// Context: as said at each field. Reference: Go's mheap.go (mspan).
using System.Runtime.InteropServices;

namespace Unikernel.Runtime.Mem;

internal enum SpanState : byte
{
    /// <summary>The structure is on the list of unused ones.</summary>
    Unused = 0,

    /// <summary>Holds objects.</summary>
    InUse = 1,
}

[StructLayout(LayoutKind.Sequential, Size = SizeBytes)]
internal unsafe struct MSpan
{
    internal const int SizeBytes = 64;

    internal byte* Base;                // immutable while in use
    internal nuint Pages;               // immutable while in use
    internal MSpan* Next;               // of a central's or the unused list; guarded by its lock
    internal nuint SlotBytes;           // immutable while in use
    internal uint Magic;                // SizeClasses.MagicOf; 0 = large
    internal uint Slots;                // immutable while in use
    internal uint FreeIndex;            // owner: the cache that has it; read by markers
    internal uint Taken;                // slots that were taken when it was swept
    internal uint SweptCycle;           // MS3; atomic
    internal byte Class;                // 0 = large
    internal bool IsNoScan;             // holds no references
    internal bool NeedsZero;            // its memory may not be zero
    internal SpanState State;           // atomic

    internal readonly byte* Limit => Base + (Slots * SlotBytes);

    /// <summary>The slot an address of this span lies in; Slots or more when it lies behind the last one.</summary>
    internal readonly uint SlotOf(byte* p)
    {
        ulong offset = (ulong)(p - Base);
        return Magic == 0 ? 0 : (uint)((offset * Magic) >> 32);
    }

    /// <summary>Where the object of a slot is.</summary>
    internal readonly byte* ObjectAt(uint slot) => Base + (slot * SlotBytes) + 8;
}
