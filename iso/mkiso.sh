#!/usr/bin/env bash
# Makes a hybrid BIOS/UEFI ISO of an image: iso/mkiso.sh IN.elf OUT.iso
# Kernel arguments are not baked in: the runner hands them over by fw_cfg, on hardware edit the GRUB entry (key e).
set -euo pipefail
[ $# -eq 2 ] || { echo "usage: iso/mkiso.sh IN.elf OUT.iso" >&2; exit 64; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/tree/boot/grub"
objcopy --strip-all "$1" "$work/tree/boot/kernel.elf"
cat >"$work/tree/boot/grub/grub.cfg" <<'CFG'
set timeout=0
set gfxpayload=text
menuentry unikernel {
    multiboot2 /boot/kernel.elf
}
CFG
if ! grub-mkrescue --compress=no --fonts= --locales= --themes= \
    --install-modules="multiboot2 normal iso9660 part_msdos part_gpt part_acorn part_amiga part_apple part_bsd part_dfly part_dvh part_plan part_sun part_sunpc fat search search_fs_file configfile" \
    -o "$work/out.iso" "$work/tree" >"$work/log" 2>&1; then
    cat "$work/log" >&2
    exit 1
fi
mv "$work/out.iso" "$2"
