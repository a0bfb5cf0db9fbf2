/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.c - RUNDIR/NAME: made if it is not there, held by a lock on the state
 * file so that a second daemon for the same LUN is turned away before it
 * touches a socket or a path.
 */
#include "daemon/daemon.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int state_mkdir(const char *dir, mode_t mode)
{
	struct stat st;

	if (mkdir(dir, mode) == 0)
		return 0;
	if (errno != EEXIST) {
		int r = -errno;

		log_err("%s: cannot be made: %s (-R names another run directory)", dir, strerror(-r));
		return r;
	}
	if (stat(dir, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	log_err("%s: is not a directory", dir);
	return -ENOTDIR;
}

static bool state_is_at(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int state_open(struct daemon *d)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[PATH_MAX];
	int r;

	if (snprintf(d->dir, sizeof(d->dir), "%s/%s", d->rundir, d->lc->alias) >= (int)sizeof(d->dir)) {
		log_err("%s: the name of the run directory is too long", d->rundir);
		return -ENAMETOOLONG;
	}
	if ((r = state_mkdir(d->rundir, 0755)) < 0 || (r = state_mkdir(d->dir, 0750)) < 0)
		return r;
	/* Clients are told the socket's path: it must mean the same to them. */
	if (d->dir[0] != '/' && realpath(d->dir, path) && strlen(path) < sizeof(d->dir))
		memcpy(d->dir, path, strlen(path) + 1);
	snprintf(path, sizeof(path), "%s/state", d->dir);
	d->lock_fd = d->upgrade.in.lock_fd; /* with its lock: nobody has come between */
	if (d->lock_fd < 0 || !state_is_at(d->lock_fd, path))
		d->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (d->lock_fd < 0) {
		r = -errno;
		log_err("%s: %s", path, strerror(-r));
		return r;
	}
	if (fcntl(d->lock_fd, F_OFD_SETLK, &fl) < 0) {
		char text[64] = "";
		ssize_t n = pread(d->lock_fd, text, sizeof(text) - 1, 0);

		text[n > 0 ? n : 0] = '\0';
		text[strcspn(text, "\n")] = '\0';
		log_err("%s: another lunmuxd serves this LUN (%s)", path, text[0] ? text : "no pid known");
		close(d->lock_fd);
		d->lock_fd = -1;
		return -EBUSY;
	}
	state_write(d, "starting");
	return 0;
}

/* For people and scripts; nothing of ours reads it back but the message above. */
void state_write(struct daemon *d, const char *state)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "pid %d\nstate %s\n", (int)getpid(), state);

	if (d->lock_fd < 0)
		return;
	if (ftruncate(d->lock_fd, 0) < 0 || pwrite(d->lock_fd, text, (size_t)n, 0) != n)
		log_warn("%s/state: could not be written: %s", d->dir, strerror(errno));
}

void state_close(struct daemon *d)
{
	if (d->lock_fd < 0)
		return;
	state_write(d, "stopped");
	close(d->lock_fd);
	d->lock_fd = -1;
}
