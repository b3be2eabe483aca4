using Xunit;

// Runs share the process's garbage collector settings, and the controls the addresses of the stacks.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
