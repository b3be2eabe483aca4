#!/usr/bin/env bash
# Makes a minimal Linux guest whose only process is a given static program: bench/guest.sh PROGRAM
# Prints two lines: the kernel's path and the initramfs's. The kernel is Debian's for clouds (linux-image-cloud-amd64),
# downloaded once by apt-get from the machine's own sources into artifacts/bench/guest and not installed.
# Exit codes: 0 made, 64 wrong usage, 69 the kernel cannot be had.
set -euo pipefail
case ${1:-} in -h | --help) sed -n '2,5p' "$0"; exit 0 ;; esac
[ $# = 1 ] && [ -f "$1" ] || { echo "usage: bench/guest.sh PROGRAM" >&2; exit 64; }
program=$(realpath "$1")
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
directory=$root/artifacts/bench/guest
mkdir -p "$directory"
cd "$directory"

work=''
trap '[ -z "$work" ] || rm -rf "$work"' EXIT

none() { echo "guest.sh: $*" >&2; exit 69; }

# The package that linux-image-cloud-amd64 depends on: the one with the kernel in it.
package() { apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p'; }

fetch() {
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || none "the guest's kernel is Debian's, and there is no apt-get"
    local name
    name=$(package)
    if [ -z "$name" ]; then
        apt-get update -q >&2 </dev/null || true
        name=$(package)
    fi
    [ -n "$name" ] || none "apt knows no linux-image-cloud-amd64"
    work=$(mktemp -d -p "$directory")
    # Lists may be older than what the mirror still has.
    (cd "$work" && { apt-get download -q "$name" || { apt-get update -q && apt-get download -q "$(package)"; }; }) >&2 </dev/null ||
        none "cannot download $name"
    dpkg -x "$work"/*.deb "$work/package"
    mv "$work"/package/boot/vmlinuz-* "$directory"
}

kernel=$(compgen -G "$directory/vmlinuz-*" | sort -V | tail -n 1) || true
if [ -z "$kernel" ]; then
    fetch
    kernel=$(compgen -G "$directory/vmlinuz-*" | tail -n 1)
fi

# ---- the initramfs: a cpio archive in the "newc" format, written here as cpio is seldom installed
padding() { head -c $(((4 - $1 % 4) % 4)) /dev/zero; }
inode=0
entry() { # NAME MODE [FILE | -] [MAJOR MINOR]
    local name=$1 file=${3:--} size=0
    inode=$((inode + 1))
    [ "$file" = - ] || size=$(stat -L -c %s "$file")
    printf '070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X' \
        "$inode" "$2" 0 0 1 0 "$size" 0 0 "${4:-0}" "${5:-0}" $((${#name} + 1)) 0
    printf '%s\0' "$name"
    padding $((110 + ${#name} + 1))
    [ "$file" = - ] || cat "$file"
    padding "$size"
}
{
    entry dev 0040755
    entry dev/console 0020600 - 5 1
    entry proc 0040755
    entry init 0100755 "$program"
    inode=-1
    entry 'TRAILER!!!' 0
} | gzip -6 >initramfs.gz

printf '%s\n' "$kernel" "$directory/initramfs.gz"
