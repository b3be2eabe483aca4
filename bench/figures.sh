#!/usr/bin/env bash
# Prints the figures of the first milestone against their targets: boot times (median of 5, QEMU process start to
# Main, under TCG), image sizes, exception costs, idle goroutines, build times. Needs built images: run `dotnet build
# Unikernel.sln` and `dotnet build bench/figures/figures.csproj -c Linux`.
#   bench/figures.sh [--reps N] [--builds]      --builds also times a clean and a no-op build of hello
set -euo pipefail
cd "$(dirname "$0")/.."
reps=5
builds=0
while [ $# -gt 0 ]; do
    case $1 in
        --reps) reps=${2:?--reps needs a number}; shift 2 ;;
        --builds) builds=1; shift ;;
        -h | --help) sed -n '2,5p' "$0"; exit 0 ;;
        *) echo "figures.sh: unknown option $1" >&2; exit 64 ;;
    esac
done

median() { sort -n | awk '{v[NR]=$1} END {printf "%s (%s-%s)\n", v[int((NR+1)/2)], v[1], v[NR]}'; }
row() { printf '%-34s %22s   target %s\n' "$1" "$2" "$3"; }

# Milliseconds from starting QEMU until the first byte hello prints.
boot_ms() {
    local route=$1 start line now cmd
    mapfile -t cmd < <(./run-qemu.sh --no-build --boot "$route" --print-command hello 2>/dev/null)
    start=$(date +%s%N)
    line=''
    { IFS= read -r -n 1 line || true; now=$(date +%s%N); cat >/dev/null || true; } \
        < <(timeout -k 5 60 "${cmd[@]}" </dev/null 2>/dev/null || true)
    [ -n "$line" ] || { echo "figures.sh: hello printed nothing by $route" >&2; exit 1; }
    echo $(((now - start) / 1000000))
}

boot_row() {
    local values
    values=$(for _ in $(seq "$reps"); do boot_ms "$1"; done | median)
    row "boot $1, ms to Main" "$values" "$2"
}
boot_row microvm "<= 90"
boot_row kernel "<= 130"
boot_row iso "<= 500"

strip -o /tmp/hello.stripped.$$ artifacts/images/hello/hello.elf
row "hello ELF stripped, MiB" "$(stat -c %s /tmp/hello.stripped.$$ | awk '{printf "%.2f", $1/1048576}')" "<= 4"
rm -f /tmp/hello.stripped.$$
row "hello ISO, MiB" "$(stat -c %s artifacts/images/hello/hello.iso | awk '{printf "%.2f", $1/1048576}')" "<= 24"
./run-qemu.sh --no-build --boot kernel --mem 32M --timeout 60 hello </dev/null >/dev/null 2>&1 &&
    row "hello boots in 32 MiB by PVH" yes yes || row "hello boots in 32 MiB by PVH" NO yes

./run-qemu.sh --no-build --boot kernel --timeout 120 bench/figures/figures.csproj </dev/null 2>/dev/null |
    while read -r name value unit; do
        case $name in
            throw_catch_1) row "throw+catch, 1 frame, $unit" "$value" "<= 60" ;;
            throw_catch_20) row "throw+catch, 20 frames, $unit" "$value" "<= 400" ;;
        esac
    done

# A million goroutines alive in 6 GiB: as the machine counts, and as a Linux process from outside (resident, page tables).
./run-qemu.sh --no-build --boot kernel --mem 6G --timeout 600 bench/figures/figures.csproj -- goroutines 1000000 </dev/null 2>/dev/null |
    while read -r name value unit; do
        case $name in
            goroutines_alive | goroutines_woken) row "$name in 6 GiB, QEMU" "$value" ">= 1000000" ;;
            goroutine_idle) row "idle goroutine, QEMU, $unit" "$value" "<= 4812" ;;
        esac
    done
# The program waits for a line, which it never gets before it has been looked at.
coproc figures { exec artifacts/images/figures/figures.linux goroutines 1000000 mem=6G; }
while read -r name value unit <&"${figures[0]}"; do
    case $name in
        goroutines_alive | goroutines_woken) row "$name in 6 GiB, native" "$value" ">= 1000000" ;;
        parked)
            bytes=$(awk '/^VmRSS|^VmPTE/ {n += $2} END {printf "%.0f", n * 1024 / 1000000}' "/proc/$figures_PID/status")
            row "idle goroutine, native, B" "$bytes" "<= 4812"
            echo >&"${figures[1]}"
            ;;
    esac
done

if [ "$builds" = 1 ]; then
    dotnet build samples/hello/hello.csproj -c Release -v q -nologo >/dev/null
    rm -rf artifacts/images/hello {kernel,runtime,drivers,iso,samples/hello}/{bin,obj} iso/SymTab/{bin,obj}
    t=$(date +%s%N)
    dotnet build samples/hello/hello.csproj -c Release -v q -nologo >/dev/null
    row "clean build of hello, s" "$((($(date +%s%N) - t) / 1000000000))" "<= 60"
    t=$(date +%s%N)
    dotnet build samples/hello/hello.csproj -c Release -v q -nologo >/dev/null
    row "no-op build of hello, s" "$((($(date +%s%N) - t) / 1000000000))" "<= 5"
fi
