/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sock.c - the listening Unix socket: stale ones are replaced, live ones kept.
 *
 * A socket file outlives its process, so bind(2) says EADDRINUSE for a crashed
 * daemon's as for a running one's; only connecting tells them apart.  Two
 * daemons that start together could both find it stale and each remove the
 * other's new one: a lock on the directory is held from the look to the bind.
 */
#include "config.h"

#include "ctl/server_int.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

bool ctl_peer_may_change(uid_t peer, uid_t self)
{
	return peer == 0 || peer == self;
}

static int stream_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

/* 0: nothing is at @addr any more. -EADDRINUSE: somebody listens there. */
static int remove_stale(const struct sockaddr_un *addr)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (lstat(addr->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = stream_socket();
	if (fd < 0)
		return fd;
	/* Never blocks: with a full backlog it is EAGAIN, and that too is a listener.
	 */
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 ||
	    errno == EAGAIN)
		return -EADDRINUSE;
	if (errno == ENOENT)
		return 0;
	if (errno != ECONNREFUSED)
		return -errno;
	return unlink(addr->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

/* The directory of @addr, locked until it is closed. */
static int lock_dir(const struct sockaddr_un *addr)
{
	_cleanup_close_ int fd = -1;
	char dir[sizeof(addr->sun_path)];
	int r;

	memcpy(dir, addr->sun_path, sizeof(dir));
	fd = open(dirname(dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* Whoever holds it is binding right now, so the socket is theirs. */
	do
		r = flock(fd, LOCK_EX | LOCK_NB);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
	return take_fd(&fd);
}

bool ctl_sock_is(int fd, const struct sockaddr_un *addr, struct stat *ret_st)
{
	struct sockaddr_un at = { 0 };
	socklen_t len = sizeof(at), on_len = sizeof(int);
	int on = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &on_len) == 0 && on &&
	       getsockname(fd, (struct sockaddr *)&at, &len) == 0 && at.sun_family == AF_UNIX &&
	       strcmp(at.sun_path, addr->sun_path) == 0 && lstat(addr->sun_path, ret_st) == 0 &&
	       S_ISSOCK(ret_st->st_mode);
}

int ctl_sock_listen(const struct sockaddr_un *addr, struct stat *ret_st)
{
	_cleanup_close_ int fd = -1, dir = lock_dir(addr);
	int r;

	if (dir < 0)
		return dir;
	r = remove_stale(addr);
	if (r < 0)
		return r;
	fd = stream_socket();
	if (fd < 0)
		return fd;
	/* The mode of a socket that is not bound yet becomes the file's (less the
	 * umask): there is no moment in which others could connect. chmod() then makes
	 * up for the umask. */
	if (fchmod(fd, 0660) < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0)
		return -errno;
	if (chmod(addr->sun_path, 0660) < 0 || listen(fd, 64) < 0 ||
	    lstat(addr->sun_path, ret_st) < 0) {
		r = -errno;
		unlink(addr->sun_path);
		return r;
	}
	return take_fd(&fd);
}
