#!/usr/bin/env bash
# Builds a sample or an application as a static Linux executable and runs it. See --help.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
    cat <<'TXT'
usage: ./run-linux.sh [options] [SAMPLE | path/to/app.csproj] [-- kernel arguments]

The same program as ./run-qemu.sh boots, as one Linux process without libc: cores are threads, interrupts signals.
The default sample is shell. The console is standard input and output.

  --mem SIZE       memory, for example 32M, 4G (default: half of this machine's)
  --timeout S      end the process after S seconds with exit code 124, with a goroutine dump first
  --gdb            run under gdb
  --perf           run under perf record -g; perf report then shows C# methods
  --callgrind      run under valgrind --tool=callgrind, on one core (callgrind asserts on signals in two threads)
  --no-build       run what was built last
  --list           list the samples
  --help           this text

At a terminal, Ctrl-] ends the process and Ctrl-\ or SIGQUIT ends it with all goroutines' traces.

Exit codes: the program's own (0 main returned, 2 panic or fatal error, 3 unusable machine), 124 timeout,
64 wrong usage, 65 build failed, 69 a tool is missing.
TXT
}

tool=run-linux
. "$root/iso/common.sh"

mem='' timeout='' build=1 app='' under=''
arguments=()
while [ $# -gt 0 ]; do
    case $1 in
        --mem) need "$@"; mem=$2; shift 2 ;;
        --timeout) need "$@"; timeout=$2; shift 2 ;;
        --gdb | --perf | --callgrind) under=${1#--}; shift ;;
        --no-build) build=0; shift ;;
        --list) samples; exit 0 ;;
        -h | --help) usage; exit 0 ;;
        --) shift; arguments=("$@"); break ;;
        -*) wrong "unknown option $1" ;;
        *) [ -z "$app" ] || wrong "one sample at a time: $app or $1?"; app=$1; shift ;;
    esac
done
[[ -z $mem || $mem =~ ^[1-9][0-9]*[kKmMgG]?$ ]] || wrong "--mem $mem: a size such as 512M"
[[ -z $timeout || $timeout =~ ^[0-9]+$ ]] || wrong "--timeout $timeout: seconds"
app=${app:-shell}
find_project
image=$root/artifacts/images/$name/$name.linux
"$root/iso/setup.sh" || exit $?
build_image Linux "$image"
[ "$under" != callgrind ] || arguments=(cores=1 ${arguments[@]+"${arguments[@]}"})
[ -z "$mem" ] || arguments=("mem=$mem" ${arguments[@]+"${arguments[@]}"})

cmd=("$image" ${arguments[@]+"${arguments[@]}"})
case $under in
    gdb) cmd=(gdb -q -ex 'handle SIGSEGV SIGURG SIG34 nostop noprint pass' --args "${cmd[@]}") ;;
    perf) cmd=(perf record -g -o perf.data "${cmd[@]}") ;;
    callgrind) cmd=(valgrind --tool=callgrind "${cmd[@]}") ;;
esac
if [ -n "$under" ] && ! command -v "${cmd[0]}" >/dev/null; then
    say "${cmd[0]} is missing (Debian packages: gdb, linux-perf, valgrind)"
    exit 69
fi
if [ -z "$timeout" ]; then
    exec "${cmd[@]}"
fi
rc=0
timeout --foreground -s QUIT -k 2 "$timeout" "${cmd[@]}" || rc=$?
[ "$rc" = 137 ] && rc=124
exit "$rc"
