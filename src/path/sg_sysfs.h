/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sg_sysfs.h - what sysfs knows of an sg device, and who else uses its disk.
 *
 * @sg is the bare name, "sg3".
 */
#ifndef PATH_SG_SYSFS_H
#define PATH_SG_SYSFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* "/sys" and "/proc"; tests put trees of their own here. */
extern const char *sg_sys_root, *sg_proc_root;

/* Attribute device/@attr as text, or as bytes. Length or -errno; text as
 * sys->read_file(). */
ssize_t sg_attr_text(const char *sg, const char *attr, char *buf, size_t size);
ssize_t sg_attr_bytes(const char *sg, const char *attr, void *buf, size_t size);
/* The same of the SCSI host. */
ssize_t sg_host_text(int host, const char *attr, char *buf, size_t size);
/* A whole number at the start of an attribute; false, and *ret untouched, if there is
 * none. */
bool sg_attr_long(const char *sg, const char *attr, long *ret);
bool sg_host_long(int host, const char *attr, long *ret);
/* A counter of the kernel's, written as 0x1f; false, and *ret untouched, if there is none. */
bool sg_attr_counter(const char *sg, const char *attr, uint32_t *ret);
/* NUMA node of the adapter, -1 unknown. */
int sg_host_node(int host);

/*
 * Which device @sg is now, "21:3 2:0:0:1 4711": device number, SCSI address, and the
 * inode of its directory in sysfs, which no later device gets again.  False, and "",
 * if sysfs has none of that name.
 */
bool sg_kobject(const char *sg, char *ret, size_t size);

/* Name of the target as its transport has it: FC node WWN, iSCSI name, SAS address; ""
 * where there is none. */
void sg_node_name(const char *sg, char *ret, size_t size);

/* Name of the block device beside it, "sda", "sr0"; false if no driver has made one. */
bool sg_block_name(const char *sg, char *ret, size_t size);

/*
 * Hold block device @block against everybody else.
 *   0       *ret_fd holds it until it is closed; -errno: it could not be opened (no node,
 *           no permission: @msg says so), but nobody is seen to use it
 *   -EBUSY  somebody does; @msg says who and what to do
 */
int sg_claim(const char *block, int *ret_fd, char *msg, size_t msg_size);

#endif
