// The exit codes of bench/run.sh, those of the repository's other scripts.
namespace Unikernel.Bench.Runner;

internal static class ExitCode
{
    public const int Usage = 64;
    public const int BuildFailed = 65;
    public const int MissingTool = 69;
    public const int CannotWrite = 73;
    public const int Interrupted = 130;
}
