#!/usr/bin/env bash
# Builds everything and runs all tests: ./test.sh [--fast] [--sim] [--seeds N] [--filter TEXT]
#   --fast         host tests only (no virtual machine)
#   --sim          the simulation only; SIM_SCENARIO=name SIM_SEED=n ./test.sh --sim runs one seed again and prints its trace
#   --seeds N      so many seeds of each scenario of the simulation, 800 if not given
#   --filter TEXT  only tests whose full name contains TEXT
# The last line is "N passed, N failed"; the exit code is non-zero if any failed or something broke before.
set -uo pipefail
cd "$(dirname "$0")"
fast=0
sim=0
filter=''
while [ $# -gt 0 ]; do
    case $1 in
        --fast) fast=1; shift ;;
        --sim) sim=1; shift ;;
        --seeds) [ $# -ge 2 ] || { echo "test.sh: --seeds needs a number" >&2; exit 64; }; export SIM_SEEDS=$2; shift 2 ;;
        --filter) [ $# -ge 2 ] || { echo "test.sh: --filter needs a text" >&2; exit 64; }; filter=$2; shift 2 ;;
        -h | --help) sed -n '2,7p' "$0"; exit 0 ;;
        *) echo "test.sh: unknown option $1" >&2; exit 64 ;;
    esac
done

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
passed=0
failed=0
finish() { printf '%s passed, %s failed\n' "$passed" "$failed"; [ "$failed" = 0 ]; exit $?; }
broken() { echo "test.sh: $*" >&2; failed=$((failed + 1)); finish; }
heading() { printf '\n== %s (%(%H:%M:%S)T)\n' "$1" -1; }

heading "Set-up"
[ "$sim" = 1 ] || iso/setup.sh || broken "set-up failed"

heading "Build"
dotnet restore Unikernel.sln --locked-mode -v q || broken "restore failed"
if [ "$sim" = 1 ]; then
    dotnet build test-harness/Sim/Sim.csproj -c Release --no-restore -v q -m:1 || broken "the build failed"
else
    # Not the solution: it adds properties of its own, and two builds of one project at once would collide.
    dotnet build test-harness/Everything.proj --no-restore -v q -m || broken "the build failed"

    heading "Format"
    # The simulation only compiles against the projects it is built with, those of configuration Sim.
    dotnet format Unikernel.sln --no-restore --verify-no-changes --severity warn --exclude test-harness/Sim/ \
        && Configuration=Sim dotnet format test-harness/Sim/Sim.csproj --no-restore --verify-no-changes --severity warn \
        || broken "dotnet format would change files"
fi

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
run() {
    heading "$1"
    local args=()
    [ -z "$filter" ] || args=(--filter "FullyQualifiedName~$filter")
    dotnet test "$2" -c Release --no-build --nologo -v q --logger "trx;LogFileName=$3.trx" --logger "console;verbosity=minimal" --results-directory "$results" \
        ${args[@]+"${args[@]}"} || true
    local counters p f
    counters=$(grep -o '<Counters [^>]*' "$results/$3.trx" 2>/dev/null) || { [ -n "$filter" ] && return; broken "$1 gave no result"; }
    p=$(sed 's/.* passed="\([0-9]*\)".*/\1/' <<<"$counters")
    f=$(sed 's/.* failed="\([0-9]*\)".*/\1/' <<<"$counters")
    echo "$1: $p passed, $f failed"
    passed=$((passed + p))
    failed=$((failed + f))
}
if [ "$sim" = 1 ] && [ -n "${SIM_SEED:-}" ]; then
    exec dotnet test test-harness/Sim/Sim.csproj -c Release --no-build --nologo --filter "FullyQualifiedName~ScenarioTests" \
        --logger "console;verbosity=detailed"
fi
[ "$sim" = 1 ] || run "Host: units, models, the class library on stock .NET" test-harness/Unit/Unit.csproj unit
[ "$sim" = 1 ] || run "Images: restricted code neither allocates nor throws" test-harness/Restricted/Restricted.csproj restricted
run "Simulation: the scheduler under many seeds, and with faults put in" test-harness/Sim/Sim.csproj sim
[ "$fast$sim" != 00 ] || run "QEMU and Linux: in-kernel tests, samples end to end" test-harness/Qemu/Qemu.csproj qemu
[ $((passed + failed)) -gt 0 ] || broken "no test ran"
echo
finish
