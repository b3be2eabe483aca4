#!/usr/bin/env bash
# Makes sure the tools that building and booting need are there: iso/setup.sh
# On Debian and Ubuntu it installs what is missing (as root or through sudo); elsewhere it names the packages.
# Exit codes: 0 all there, 69 something is missing and cannot be installed.
set -euo pipefail

# command (or file) : Debian package
needs='
qemu-system-x86_64:qemu-system-x86
gcc:gcc
ld:binutils
grub-mkrescue:grub-common
xorriso:xorriso
mformat:mtools
/usr/lib/grub/i386-pc/boot.img:grub-pc-bin
/usr/lib/grub/x86_64-efi/modinfo.sh:grub-efi-amd64-bin
/usr/share/OVMF/OVMF_CODE_4M.fd:ovmf
/usr/lib/x86_64-linux-musl/libc.a:musl-dev
'

say() { printf '%s\n' "setup: $*" >&2; }

if ! command -v dotnet >/dev/null; then
    say "the .NET SDK (10.0.4xx, see global.json) is missing: install it and put dotnet on the PATH"
    exit 69
fi

missing=()
for need in $needs; do
    what=${need%%:*}
    package=${need##*:}
    case $what in
        /*) [ -e "$what" ] || missing+=("$package") ;;
        *) command -v "$what" >/dev/null || missing+=("$package") ;;
    esac
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
    say "missing (Debian's package names): ${missing[*]}"
    say "install their counterparts of this system and try again"
    exit 69
fi
sudo=()
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        say "missing: ${missing[*]} (and there is neither root nor sudo to install them)"
        exit 69
    fi
    sudo=(sudo)
fi
say "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
{ "${sudo[@]}" apt-get update -q && "${sudo[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}"; } >&2 </dev/null ||
    { say "could not install: ${missing[*]}"; exit 69; }
