#!/usr/bin/env bash
# Measures the same programs on Unikernel and on Go and compares them: bench/run.sh --help. This script builds the runner
# (bench/Runner), which builds the rest.
# UNIKERNEL_BENCH_OURS and UNIKERNEL_BENCH_GO, for tests of the runner, name programs to run instead of the built ones.
# Exit codes: 0 reported, 64 wrong usage, 65 build failed, 69 a tool is missing, 73 a report cannot be written, 130 Ctrl-C
# (with a report of what there was).
set -euo pipefail
runner=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/Runner

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
command -v dotnet >/dev/null || { echo "run.sh: the .NET SDK (see global.json) is missing" >&2; exit 69; }
log=$(dotnet build "$runner/Runner.csproj" -c Release -v q 2>&1) || { printf '%s\n' "$log" "run.sh: the runner does not build" >&2; exit 65; }
exec dotnet "$runner/bin/Release/net10.0/Unikernel.Bench.Runner.dll" "$@"
