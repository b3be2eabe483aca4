namespace Unikernel.Kernel;
public static unsafe class SymTab { public static bool Init(byte* a, byte* b) => false; public static int Format(nuint pc, bool r, byte* b, int n) => 0; public static int FormatLocation(nuint pc, bool r, byte* b, int n) => 0; }
