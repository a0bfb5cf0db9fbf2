# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A guest of qemu with a Debian kernel, for tests/uml/vmrun (which sources this where VMGUEST names it). Its processors
# are emulated: no /dev/kvm is needed. What it has beside User Mode Linux: two processors, HZ=250, debugfs with
# scsi_debug's errors for single devices, scsi_dh_alua. Kernel and modules come from VMKERNEL (see tests/vm/kernel).

# shellcheck disable=SC2034,SC2054,SC2154 # d, mem_mb and guest are vmrun's; options have commas

guest_needs()
{
	command -v qemu-system-x86_64 >/dev/null || skip "qemu-system-x86_64 is missing (package qemu-system-x86)"
	[ -r "${VMKERNEL:-}/vmlinuz" ] || skip "${VMKERNEL:-VMKERNEL}/vmlinuz is missing (made by tests/vm/kernel)"
}

# What the guest needs in the shared directory.
guest_files()	{ cp "$VMKERNEL/vmlinuz" "$VMKERNEL/initrd" "$d/"; }

# guest_command sets the command that runs it, as nobody: the job's output to standard output, the console to a file.
guest_command()
{
	guest=(qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot -accel tcg,thread=multi
		-machine q35,hpet=off -cpu max,la57=off -smp 2 -m "$mem_mb"
		-kernel "$d/vmlinuz" -initrd "$d/initrd"
		-append "console=ttyS0 quiet panic=-1 oops=panic tsc=reliable mitigations=off audit=0 vmdir=$d"
		-chardev "file,id=console,path=$d/console,append=on" -serial chardev:console
		-chardev stdio,id=out,signal=off -device virtio-serial-pci -device virtconsole,chardev=out
		-fsdev local,id=host,path=/,readonly=on,security_model=none,multidevs=remap
		-device virtio-9p-pci,fsdev=host,mount_tag=host
		-fsdev "local,id=vmdir,path=$d,security_model=none" -device virtio-9p-pci,fsdev=vmdir,mount_tag=vmdir)
}
