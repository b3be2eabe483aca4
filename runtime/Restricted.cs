// What of the runtime is restricted by default (kernel/NoAlloc.cs): the folders whose code the allocator, the collector,
// the scheduler and traps run. docs/restricted-code.md tells how it is checked.
using Unikernel.Kernel;

[assembly: NoAlloc("Unikernel.Runtime.Sched")]              // Sched, Stack, and the heap of timers
[assembly: NoAlloc("Unikernel.Runtime.Mem")]
[assembly: NoAlloc("Unikernel.Runtime.Gc")]
[assembly: NoAlloc("Unikernel.Runtime.Abi.Allocation")]
[assembly: NoAlloc("Unikernel.Runtime.Abi.Unwinder")]

// Assembly is restricted without being named. Of it may allocate:
[assembly: MayAlloc("asks the class library which method an interface call means, on behalf of the caller", "AbiResolve")]
[assembly: MayAlloc("only hands out the address at which the class library starts a thread", "RhGetThreadEntryPointAddress")]
