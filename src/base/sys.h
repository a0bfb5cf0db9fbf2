/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sys.h - the seam between the drivers and the kernel: calls that the
 * simulator answers by a model.  Each returns what libc returns, or -errno
 * instead of -1 with errno.  Production code goes straight to libc.
 */
#ifndef BASE_SYS_H
#define BASE_SYS_H

#include <stddef.h>
#include <sys/types.h>

struct sys_ops {
	int (*open)(const char *path, int flags);
	int (*close)(int fd);
	ssize_t (*read)(int fd, void *buf, size_t len);
	ssize_t (*write)(int fd, const void *buf, size_t len);
	int (*ioctl)(int fd, unsigned long request, void *arg);
	/* Whole text of a small file (sysfs) into @buf, NUL-terminated, the
	 * trailing newline cut. Length or -errno. */
	ssize_t (*read_file)(const char *path, char *buf, size_t size);
	/* Inode number of what @path leads to; 0 or -errno. */
	int (*inode)(const char *path, ino_t *ret);
};

extern const struct sys_ops sys_libc;
/* What the drivers call; tests and the simulator put their own here. */
extern const struct sys_ops *sys;

#endif
