// The one module of the image: its tables, its class library functions, its code ranges.
//
// Reference: ReadyToRun header of ILCompiler 10.0.12 (16 bytes, then rows of 24: id, flags, start, end).
using System.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Unikernel.Runtime.Abi;

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct TypeManager
{
    internal void* OsModule;
    internal byte* Header;
    internal void** ClasslibFunctions;
    internal int ClasslibFunctionCount;
}

internal static unsafe class Modules
{
    private const int HeaderBytes = 16;
    private const int HeaderCountOffset = 12;
    private const int RowBytes = 24;
    private const int RowHasEnd = 1;
    private const uint ReadonlyBlobStart = 300;
    private const byte UnboxingStubTarget = 1;

    private static void* s_image;
    private static byte* s_unboxStart;
    private static byte* s_unboxEnd;
    private static void** s_classlib;
    private static int s_classlibCount;

    internal static void Init(void* image, byte* unboxStart, byte* unboxEnd, void** classlib, int classlibCount)
    {
        s_image = image;
        s_unboxStart = unboxStart;
        s_unboxEnd = unboxEnd;
        s_classlib = classlib;
        s_classlibCount = classlibCount;
    }

    [RuntimeExport("RhpRegisterOsModule")]
    internal static nint RegisterOsModule(nint module) => module;

    [RuntimeExport("RhpCreateTypeManager")]
    internal static TypeManager* CreateTypeManager(void* osModule, byte* header, void** classlib, int classlibCount)
    {
        TypeManager* m = (TypeManager*)OffHeap.Alloc((nuint)sizeof(TypeManager));
        m->OsModule = osModule;
        m->Header = header;
        m->ClasslibFunctions = classlib;
        m->ClasslibFunctionCount = classlibCount;
        return m;
    }

    [RuntimeExport("RhpGetModuleSection")]
    internal static void* GetSection(TypeManager** module, int id, int* length)
    {
        byte* header = (*module)->Header;
        int count = *(ushort*)(header + HeaderCountOffset);
        for (int i = 0; i < count; i++)
        {
            byte* row = header + HeaderBytes + (i * RowBytes);
            if (*(int*)row == id)
            {
                byte* start = *(byte**)(row + 8);
                byte* end = *(byte**)(row + 16);
                *length = (*(int*)(row + 4) & RowHasEnd) != 0 ? (int)(end - start) : sizeof(void*);
                return start;
            }
        }
        *length = 0;
        return null;
    }

    [RuntimeExport("RhFindBlob")]
    internal static bool FindBlob(TypeManager** module, uint id, byte** blob, uint* bytes)
    {
        int length;
        void* p = GetSection(module, (int)(ReadonlyBlobStart + id), &length);
        *blob = (byte*)p;
        *bytes = (uint)length;
        return p != null;
    }

    private static void* Classlib(int id) => (uint)id < (uint)s_classlibCount ? s_classlib[id] : null;

    [RuntimeExport("RhpGetClasslibFunctionFromCodeAddress")]
    internal static void* GetClasslibFunctionFromCodeAddress(nint address, int id) => Classlib(id);

    [RuntimeExport("RhpGetClasslibFunctionFromEEType")]
    internal static void* GetClasslibFunctionFromType(MethodTable* type, int id) => Classlib(id);

    [RuntimeExport("RhGetOSModuleFromPointer")]
    internal static void* GetOsModuleFromPointer(nuint address) => StackWalks.IsManaged(address) ? s_image : null;

    [RuntimeExport("RhGetModuleFileName")]
    internal static int GetModuleFileName(void* module, byte** name)
    {
        *name = (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference("unikernel"u8));
        return "unikernel"u8.Length;
    }

    [RuntimeExport("RhGetRuntimeVersion")]
    internal static byte* GetRuntimeVersion(int* bytes)
    {
        *bytes = "unikernel"u8.Length;
        return (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference("unikernel"u8));
    }

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("AbiGetKnobs")]
    private static extern byte* GetKnobs();

    // Count, then that many keys, then that many values: what the project file set at build time.
    [RuntimeExport("RhGetKnobValues")]
    internal static uint GetKnobValues(byte*** keys, byte*** values)
    {
        byte* blob = GetKnobs();
        uint count = *(uint*)blob;
        *keys = (byte**)(blob + 8);
        *values = (byte**)(blob + 8) + count;
        return count;
    }

    /// <summary>Where an unboxing stub (add rdi, 8; jmp) leads; any other address is itself.</summary>
    [RuntimeExport("RhGetCodeTarget")]
    internal static byte* GetCodeTarget(byte* code)
    {
        if (code < s_unboxStart || code >= s_unboxEnd)
        {
            return code;
        }
        bool isAdd = code[0] == 0x48 && code[1] == 0x83 && code[2] == 0xC7 && code[3] == 0x08;
        return isAdd && code[4] == 0xE9 ? code + 9 + *(int*)(code + 5) : code;
    }

    [RuntimeExport("RhGetTargetOfUnboxingAndInstantiatingStub")]
    internal static void* GetTargetOfUnboxingAndInstantiatingStub(nuint code)
    {
        FrameDescription d;
        if (!Unwinder.TryFind(code, &d) || d.Lsda == null)
        {
            return null;
        }
        byte* p = Lsda.MainBody(d.Lsda);
        if ((*p++ & Lsda.HasAssociatedData) == 0)
        {
            return null;
        }
        p += *(int*)p;
        return (*p++ & UnboxingStubTarget) == 0 ? null : p + *(int*)p;
    }

    [RuntimeExport("RhFindMethodStartAddress")]
    internal static nuint FindMethodStart(nuint code)
    {
        FrameDescription d;
        return StackWalks.IsManaged(code) && Unwinder.TryFind(code, &d)
            ? d.Lsda == null ? d.Start : Lsda.MethodStart(d.Lsda, d.Start)
            : 0;
    }
}
