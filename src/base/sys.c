/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sys.c - the real kernel behind sys.h: libc, with errno as the return value. */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/sys.h"

static int libc_open(const char *path, int flags)
{
	int fd = open(path, flags, 0);

	return fd < 0 ? -errno : fd;
}

static int libc_close(int fd)
{
	/* Linux has released the number even if it says EINTR. */
	if (close(fd) < 0 && errno != EINTR)
		return -errno;
	return 0;
}

static ssize_t libc_read(int fd, void *buf, size_t len)
{
	ssize_t n = read(fd, buf, len);

	return n < 0 ? -errno : n;
}

static ssize_t libc_write(int fd, const void *buf, size_t len)
{
	ssize_t n = write(fd, buf, len);

	return n < 0 ? -errno : n;
}

static int libc_ioctl(int fd, unsigned long request, void *arg)
{
	int rc = ioctl(fd, request, arg);

	return rc < 0 ? -errno : rc;
}

/* -EFBIG if text and terminator do not fit: half a value is worse than none. */
static ssize_t libc_read_file(const char *path, char *buf, size_t size)
{
	_cleanup_close_ int fd = -1;
	size_t len = 0;

	assert(size > 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (len < size) {
		ssize_t n = read(fd, buf + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	if (len == size)
		return -EFBIG;
	if (len > 0 && buf[len - 1] == '\n')
		len--;
	buf[len] = '\0';
	return (ssize_t)len;
}

static int libc_inode(const char *path, ino_t *ret)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	*ret = st.st_ino;
	return 0;
}

const struct sys_ops sys_libc = {
	.open = libc_open,
	.close = libc_close,
	.read = libc_read,
	.write = libc_write,
	.ioctl = libc_ioctl,
	.read_file = libc_read_file,
	.inode = libc_inode,
};

const struct sys_ops *sys = &sys_libc;
