#!/usr/bin/env bash
# Builds a sample or an application, boots it in QEMU, and exits with the guest's exit code. See --help.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
    cat <<'TXT'
usage: ./run-qemu.sh [options] [SAMPLE | path/to/app.csproj] [-- kernel arguments]

Sets up what is missing, builds, boots, and exits with the guest's exit code. The default sample is shell.

  --boot iso|uefi|kernel|microvm   how to boot (default iso: BIOS from the hybrid ISO)
  --accel auto|kvm|tcg             auto probes whether KVM is usable and fast (cached); default auto
  --smp N                          virtual cores (default 1)
  --mem SIZE                       memory, for example 32M, 1G (default 1G)
  --net user|none                  network device (default none)
  --hostfwd HOSTPORT:GUESTPORT     forward a TCP port of 127.0.0.1, implies --net user; may be repeated
  --serial stdio|unix:PATH         where the console goes (default stdio); unix: waits for one client
  --gdb                            wait for gdb on 127.0.0.1:1234 before the first instruction
  --timeout S                      end the guest after S seconds with exit code 124
                                   (default: none at a terminal, else 600)
  --no-build                       boot what was built last
  --print-command                  print the QEMU command, one argument a line, instead of running it
  --list                           list the samples
  --help                           this text

Standard output carries the guest's console only. Standard input, when piped, reaches the guest whole; its end is
Ctrl-D. At a terminal, Ctrl-] ends QEMU; every other key goes to the guest.

Exit codes: the guest's own (0 main returned, 2 panic or fatal error, 3 unusable machine), 124 timeout,
64 wrong usage, 65 build failed, 69 a tool is missing and cannot be installed, 70 QEMU failed.
A guest's code above 127 arrives modulo 128.
TXT
}

tool=run-qemu
. "$root/iso/common.sh"

boot=iso accel=auto smp=1 mem=1G net=none serial=stdio gdb=0 build=1 print=0 timeout='' app=''
forwards=()
arguments=()
while [ $# -gt 0 ]; do
    case $1 in
        --boot) need "$@"; boot=$2; shift 2 ;;
        --accel) need "$@"; accel=$2; shift 2 ;;
        --smp) need "$@"; smp=$2; shift 2 ;;
        --mem) need "$@"; mem=$2; shift 2 ;;
        --net) need "$@"; net=$2; shift 2 ;;
        --hostfwd) need "$@"; forwards+=("$2"); shift 2 ;;
        --serial) need "$@"; serial=$2; shift 2 ;;
        --gdb) gdb=1; shift ;;
        --timeout) need "$@"; timeout=$2; shift 2 ;;
        --no-build) build=0; shift ;;
        --print-command) print=1; shift ;;
        --list) samples; exit 0 ;;
        -h | --help) usage; exit 0 ;;
        --) shift; arguments=("$@"); break ;;
        -*) wrong "unknown option $1" ;;
        *) [ -z "$app" ] || wrong "one sample at a time: $app or $1?"; app=$1; shift ;;
    esac
done
case $boot in iso | uefi | kernel | microvm) ;; *) wrong "--boot $boot: iso, uefi, kernel or microvm" ;; esac
case $accel in auto | kvm | tcg) ;; *) wrong "--accel $accel: auto, kvm or tcg" ;; esac
case $net in user | none) ;; *) wrong "--net $net: user or none" ;; esac
case $serial in stdio | unix:?*) ;; *) wrong "--serial $serial: stdio or unix:PATH" ;; esac
[[ $smp =~ ^[1-9][0-9]{0,2}$ ]] || wrong "--smp $smp: a number from 1"
[[ $mem =~ ^[1-9][0-9]*[kKmMgG]?$ ]] || wrong "--mem $mem: a size such as 512M"
[[ -z $timeout || $timeout =~ ^[0-9]+$ ]] || wrong "--timeout $timeout: seconds"
for f in ${forwards[@]+"${forwards[@]}"}; do
    [[ $f =~ ^[0-9]{1,5}:[0-9]{1,5}$ ]] || wrong "--hostfwd $f: HOSTPORT:GUESTPORT"
    net=user
done

app=${app:-shell}
find_project
image=$root/artifacts/images/$name/$name.elf

"$root/iso/setup.sh" || exit $?
build_image Release "$image"

# ---- KVM or TCG: by a probe of its speed and instructions, once per boot of this machine
cpu=max
probe_kvm() {
    [ -w /dev/kvm ] || return 1
    local cache=${XDG_CACHE_HOME:-$HOME/.cache}/unikernel id verdict candidate rc
    id=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null || echo none)
    if [ -f "$cache/kvm" ] && read -r verdict candidate <"$cache/kvm" && [ "$verdict" = "$id" ]; then
        [ "$candidate" != no ] || return 1
        cpu=$candidate
        return 0
    fi
    mkdir -p "$cache"
    local elf
    elf=$(mktemp)
    # 32-bit code in a 64-bit object: QEMU boots PVH kernels as ELF64.
    gcc -c -x assembler "$root/iso/probe/probe.S" -o "$elf.o" &&
        ld -Ttext=0x100000 -e probe -z max-page-size=4096 --no-warn-rwx-segments -N -o "$elf" "$elf.o" ||
        { say "the KVM probe cannot be built: using TCG"; rm -f "$elf" "$elf.o"; return 1; }
    candidate=no
    for c in host host,-arch-capabilities; do
        rc=0
        # In a shell of its own, which keeps a report of QEMU's abort to itself.
        (timeout -k 1 2 qemu-system-x86_64 -accel kvm -cpu "$c" -M q35 -m 64M -nodefaults -no-user-config -display none \
            -no-reboot -bios qboot.rom -device isa-debug-exit,iobase=0xf4,iosize=4 -kernel "$elf"; exit $?) \
            >/dev/null 2>&1 </dev/null || rc=$?
        say "KVM probe, -cpu $c: $rc (33 is good, 65 is too slow)"
        if [ "$rc" = 33 ]; then
            candidate=$c
            break
        fi
    done
    rm -f "$elf" "$elf.o"
    printf '%s %s\n' "$id" "$candidate" >"$cache/kvm"
    [ "$candidate" != no ] || return 1
    cpu=$candidate
}
if [ "$accel" = auto ]; then
    if probe_kvm; then accel=kvm; else accel=tcg; fi
elif [ "$accel" = kvm ]; then
    [ -w /dev/kvm ] || { say "/dev/kvm is missing or not writable"; exit 69; }
    cpu=host
fi

# ---- the command
interactive=0
[ "$serial" = stdio ] && [ -t 0 ] && interactive=1
[ "$interactive" = 1 ] || [ "$serial" != stdio ] || arguments+=(tty=0)
[ -n "$timeout" ] || { [ "$interactive" = 1 ] && timeout=0 || timeout=600; }

tmp=$(mktemp -d)
qemu='' feeder='' watchdog='' filter='' tty_state=''
cleanup() {
    for pid in $watchdog $feeder $qemu; do kill "$pid" 2>/dev/null || true; done
    [ -z "$tty_state" ] || stty "$tty_state" 2>/dev/null || true
    [ "$print" = 1 ] || rm -rf "$tmp"       # a printed command names files in it
}
trap cleanup EXIT
trap 'exit 130' INT TERM

cmd=(qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot -m "$mem" -smp "$smp" -cpu "$cpu")
if [ "$accel" = tcg ]; then cmd+=(-accel tcg,thread=multi); else cmd+=(-accel kvm); fi
if [ "$boot" = microvm ]; then
    cmd+=(-M "microvm,isa-serial=on" -global virtio-mmio.force-legacy=false)
else
    cmd+=(-M q35)
fi
cmd+=(-device isa-debug-exit,iobase=0xf4,iosize=4)

# The kernel says on the debug port when the console is its own: before that, firmware might read the serial port.
ready=$tmp/ready
: >"$ready"
cmd+=(-chardev "file,id=ready,path=$ready" -device isa-debugcon,iobase=0xe9,chardev=ready)

line=${arguments[*]+"${arguments[*]}"}
case $boot in
    kernel | microvm)
        cmd+=(-kernel "$image" -append "$line")
        [ "$boot" = kernel ] && [ "$accel" = kvm ] && cmd+=(-bios qboot.rom)
        ;;
    iso | uefi)
        iso=${image%.elf}.iso
        if [ ! -f "$iso" ] || [ "$image" -nt "$iso" ]; then
            "$root/iso/mkiso.sh" "$image" "$iso" || { say "making the ISO failed"; exit 65; }
        fi
        # Firmware prints on the serial port too: the kernel marks where its own output begins.
        [ "$boot" = uefi ] && line="$line mark=1"
        printf '%s' "$line" >"$tmp/cmdline"
        cmd+=(-cdrom "$iso" -fw_cfg "name=opt/unikernel/cmdline,file=$tmp/cmdline")
        if [ "$boot" = uefi ]; then
            cmd+=(-drive "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd"
                -drive "if=pflash,format=raw,snapshot=on,file=/usr/share/OVMF/OVMF_VARS_4M.fd")
        fi
        ;;
esac
if [ "$net" = user ]; then
    netdev=user,id=n0
    for f in ${forwards[@]+"${forwards[@]}"}; do netdev+=",hostfwd=tcp:127.0.0.1:${f%%:*}-:${f##*:}"; done
    if [ "$boot" = microvm ]; then
        cmd+=(-netdev "$netdev" -device virtio-net-device,netdev=n0)
    else
        cmd+=(-netdev "$netdev" -device virtio-net-pci,netdev=n0,disable-legacy=on)
    fi
fi
if [ "$serial" = stdio ]; then
    signal=off
    [ "$interactive" = 1 ] && signal=on
    cmd+=(-chardev "stdio,id=console,signal=$signal" -serial chardev:console)
else
    cmd+=(-chardev "socket,id=console,path=${serial#unix:},server=on,wait=on" -serial chardev:console)
fi
if [ "$gdb" = 1 ]; then
    cmd+=(-gdb tcp:127.0.0.1:1234 -S)
    say "waiting for gdb:  gdb $image -ex 'target remote 127.0.0.1:1234'"
fi
if [ "$print" = 1 ]; then
    printf '%s\n' "${cmd[@]}"
    exit 0
fi
mkfifo "$tmp/mon.in" "$tmp/mon.out"
cmd+=(-chardev "pipe,id=mon,path=$tmp/mon" -mon chardev=mon,mode=readline)

# ---- run
exec 3<&0
if [ "$boot" = uefi ] && [ "$serial" = stdio ]; then
    mkfifo "$tmp/output"
    {
        while IFS= read -r text; do
            case $text in *$'\036'*) break ;; esac
        done
        cat
    } <"$tmp/output" 3<&- &
    filter=$!
    exec 4>"$tmp/output"
else
    exec 4>&1
fi
if [ "$interactive" = 1 ]; then
    tty_state=$(stty -g)
    stty intr '^]' quit undef susp undef
    say "Ctrl-] ends QEMU"
    "${cmd[@]}" <&3 >&4 &
elif [ "$serial" = stdio ]; then
    mkfifo "$tmp/input"
    {
        while [ ! -s "$ready" ]; do sleep 0.01; done
        # Ended with the script, it takes its cat along, which might wait for input for ever.
        cat <&3 &
        reader=$!
        trap 'kill $reader 2>/dev/null; exit' TERM
        wait "$reader" || true
        printf '\004\004\004'       # a last line without newline takes one, a program the shell runs one, the shell one
    } >"$tmp/input" 2>/dev/null 4>&- &
    feeder=$!
    "${cmd[@]}" <"$tmp/input" >&4 &
else
    "${cmd[@]}" </dev/null >&4 &
fi
qemu=$!
if [ "$timeout" != 0 ]; then
    {
        # The sleep holds none of the script's descriptors and dies with the watchdog.
        sleep "$timeout" >/dev/null 2>&1 &
        nap=$!
        trap 'kill $nap 2>/dev/null; exit' TERM
        wait "$nap"
        : >"$tmp/timed-out"
        say "no end after $timeout s: asking the guest for a goroutine dump"
        printf 'nmi\n' >"$tmp/mon.in"
        sleep 2
        kill "$qemu" 2>/dev/null
    } >/dev/null 3<&- 4>&- &
    watchdog=$!
fi
rc=0
wait "$qemu" || rc=$?
qemu=''
exec 4>&-
[ -z "$filter" ] || wait "$filter" || true
if [ -e "$tmp/timed-out" ]; then
    exit 124
fi
if [ "$rc" = 0 ]; then
    exit 0                          # powered off, or reset with -no-reboot
elif [ $((rc & 1)) = 1 ] && [ "$rc" -ge 1 ]; then
    if [ "$rc" = 1 ] && [ ! -s "$ready" ]; then
        say "QEMU failed (its message is above)"
        exit 70
    fi
    exit $(((rc - 1) / 2))          # isa-debug-exit: (code << 1) | 1
fi
say "QEMU ended with $rc"
exit 70
