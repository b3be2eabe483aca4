// Interface dispatch caches: the C# half of the stubs in Alloc.S.
//
// ID1  A cell is two words (stub, cache). Unresolved: low two bits of the cache word say how the interface type is
//      written there; resolved: it points at a cache block; below 0x1000: a vtable offset.
// ID2  A block only ever gains entries, code first, then type; a grown block holds all the old entries; the cache
//      word is stored before the stub. A reader that sees the new stub sees at least the entries it compares.
// ID3  Blocks live for ever and never move.
// Context: goroutine. Allocates: off-heap only.
using System.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;

namespace Unikernel.Runtime.Abi;

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct DispatchCell
{
    internal nuint Stub;
    internal nuint Cache;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct DispatchCellInfo
{
    internal const int InterfaceAndSlot = 0;
    internal const int MetadataToken = 1;
    internal const int VTableOffset = 2;

    internal int CellType;
    internal MethodTable* InterfaceType;
    internal ushort Slot;
    internal byte HasCache;
    internal uint Token;
    internal uint Offset;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct DispatchEntry
{
    internal MethodTable* Type;
    internal nuint Code;
}

[StructLayout(LayoutKind.Sequential, Size = 32)]
internal unsafe struct DispatchBlock
{
    internal MethodTable* InterfaceType;
    internal ushort Slot;
    internal int Capacity;
    internal int Next;          // entry to replace when full
}

internal static unsafe class Dispatch
{
    private const nuint PointerMask = 3;
    private const nuint MaxVTableOffset = 0x1000;
    private const int RelativePointer = 3;
    private const int IndirectRelativePointer = 2;
    private const int DirectPointer = 1;
    private const int MaxEntries = 32;

    private static Sched.SpinLock s_lock;       // writers take turns; readers do not wait (ID2)

    [RuntimeExport("RhpGetDispatchCellInfo")]
    internal static void GetInfo(DispatchCell* cell, DispatchCellInfo* info)
    {
        *info = default;
        nuint cache = cell->Cache;
        if ((cache & PointerMask) == 0)
        {
            info->HasCache = 1;
            if (cache < MaxVTableOffset)
            {
                info->CellType = DispatchCellInfo.VTableOffset;
                info->Offset = (uint)cache;
            }
            else
            {
                DispatchBlock* block = (DispatchBlock*)cache;
                info->CellType = DispatchCellInfo.InterfaceAndSlot;
                info->InterfaceType = block->InterfaceType;
                info->Slot = block->Slot;
            }
            return;
        }
        DispatchCell* last = cell;
        while (last->Stub != 0)
        {
            last++;
        }
        info->CellType = (int)(last->Cache >> 16);
        if (info->CellType != DispatchCellInfo.InterfaceAndSlot)
        {
            info->Token = (uint)(cache >> 2);
            return;
        }
        info->Slot = (ushort)last->Cache;
        nuint relative = ((nuint)(&cell->Cache) + (nuint)(nint)(int)cache) & ~PointerMask;
        switch ((int)(cache & PointerMask))
        {
            case DirectPointer:
                info->InterfaceType = (MethodTable*)(cache & ~PointerMask);
                break;
            case RelativePointer:
                info->InterfaceType = (MethodTable*)relative;
                break;
            case IndirectRelativePointer:
                info->InterfaceType = *(MethodTable**)relative;
                break;
        }
    }

    private static DispatchBlock* Block(DispatchCell* cell)
    {
        nuint cache = cell->Cache;
        return (cache & PointerMask) != 0 || cache < MaxVTableOffset ? null : (DispatchBlock*)cache;
    }

    private static DispatchEntry* Entries(DispatchBlock* block) => (DispatchEntry*)(block + 1);

    [RuntimeExport("RhpSearchDispatchCellCache")]
    internal static nuint Search(DispatchCell* cell, MethodTable* type)
    {
        DispatchBlock* block = Block(cell);
        if (block != null)
        {
            DispatchEntry* e = Entries(block);
            for (int i = 0; i < block->Capacity; i++)
            {
                if (e[i].Type == type)
                {
                    return e[i].Code;
                }
            }
        }
        return 0;
    }

    [RuntimeExport("RhpUpdateDispatchCellCache")]
    internal static nuint Update(DispatchCell* cell, nuint code, MethodTable* type, DispatchCellInfo* info)
    {
        if (info->CellType == DispatchCellInfo.InterfaceAndSlot)
        {
            s_lock.Acquire(Sched.LockRank.Dispatch);
            Add(cell, code, type, info);
            s_lock.Release();
        }
        return code;
    }

    private static void Add(DispatchCell* cell, nuint code, MethodTable* type, DispatchCellInfo* info)
    {
        DispatchBlock* block = Block(cell);
        int capacity = block == null ? 0 : block->Capacity;
        for (int i = 0; i < capacity; i++)
        {
            DispatchEntry* e = &Entries(block)[i];
            if (e->Type == type)
            {
                return;
            }
            if (e->Type == null)
            {
                Fill(e, type, code);
                return;
            }
        }
        if (capacity == MaxEntries)
        {
            // Megamorphic: replace one entry in turn. Clearing the type first keeps a reader from mixing old and new.
            DispatchEntry* e = &Entries(block)[block->Next];
            block->Next = (block->Next + 1) % MaxEntries;
            Volatile.Write(ref *(nuint*)&e->Type, 0);
            Fill(e, type, code);
            return;
        }
        int grown = capacity == 0 ? 1 : capacity * 2;
        DispatchBlock* next = (DispatchBlock*)OffHeap.Alloc((nuint)(sizeof(DispatchBlock) + (grown * sizeof(DispatchEntry))));
        if (next == null)
        {
            return;                             // uncached is slow, not wrong
        }
        next->InterfaceType = info->InterfaceType;
        next->Slot = info->Slot;
        next->Capacity = grown;
        for (int i = 0; i < capacity; i++)
        {
            Entries(next)[i] = Entries(block)[i];
        }
        Fill(&Entries(next)[capacity], type, code);
        Volatile.Write(ref cell->Cache, (nuint)next);           // ID2
        Volatile.Write(ref cell->Stub, Stub(grown));
    }

    private static void Fill(DispatchEntry* e, MethodTable* type, nuint code)
    {
        e->Code = code;
        Volatile.Write(ref *(nuint*)&e->Type, (nuint)type);     // ID2
    }

    private static nuint Stub(int entries) => entries switch
    {
        1 => (nuint)(delegate*<void>)&AbiDispatch1,
        2 => (nuint)(delegate*<void>)&AbiDispatch2,
        4 => (nuint)(delegate*<void>)&AbiDispatch4,
        8 => (nuint)(delegate*<void>)&AbiDispatch8,
        16 => (nuint)(delegate*<void>)&AbiDispatch16,
        _ => (nuint)(delegate*<void>)&AbiDispatch32,
    };

    [RuntimeExport("RhNewInterfaceDispatchCell")]
    internal static DispatchCell* NewCell(MethodTable* interfaceType, int slot)
    {
        DispatchCell* cells = (DispatchCell*)OffHeap.Alloc((nuint)(2 * sizeof(DispatchCell)));
        if (cells != null)
        {
            cells[0].Stub = (nuint)(delegate*<void>)&InitialStub;
            cells[0].Cache = (nuint)interfaceType | DirectPointer;
            cells[1].Stub = 0;
            cells[1].Cache = (nuint)slot;
        }
        return cells;
    }

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("RhpInitialDynamicInterfaceDispatch")]
    private static extern void InitialStub();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("AbiDispatch1")]
    private static extern void AbiDispatch1();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("AbiDispatch2")]
    private static extern void AbiDispatch2();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("AbiDispatch4")]
    private static extern void AbiDispatch4();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("AbiDispatch8")]
    private static extern void AbiDispatch8();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("AbiDispatch16")]
    private static extern void AbiDispatch16();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("AbiDispatch32")]
    private static extern void AbiDispatch32();
}
