namespace Unikernel.Kernel;

/// <summary>Pages of a stack, from <see cref="Low"/> up to, but not including, <see cref="Hi"/>.</summary>
public unsafe struct StackPages
{
    public byte* Low;
    public byte* Hi;
}
