/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shim.c - fails the n-th call of a kind in a process that is started with it as LD_PRELOAD.
 *
 * The process and sweep.py share a page, the file SWEEP_FILE: the test says which kind and which call, and
 * when to begin; the shim counts, and says what it has failed.  Without the file it does nothing.
 *
 *   alloc  memory
 *   sys    system calls, and what libc makes of them; not close(), which cannot fail in a way that a caller
 *          could do something about, nor epoll_ctl(): libev loses watchers of its own then, and says nothing
 *   intr   EINTR from those that wait, or may: to be taken as if nothing had been
 *   lib    libraries: JSON, netlink, udev, FUSE, io_uring, the loop
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <unistd.h>

/* As sweep.py has it. */
struct page {
	unsigned kind; /* bit an enum kind; 0: nothing is counted */
	unsigned nth, count, struck;
	char what[48];
};

enum kind { ALLOC, SYS, LIB, INTR };

static struct page *page;
static __thread bool has_memory; /* none of it is failed now */

static void attach(void) __attribute__((constructor));
static void attach(void)
{
	const char *name = getenv("SWEEP_FILE");
	int fd;
	void *p;

	if (!name || page)
		return;
	fd = (int)syscall(2, name, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	p = (void *)syscall(9, 0, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	syscall(3, fd);
	if (p != MAP_FAILED)
		page = p;
}

static bool strikes(enum kind kind, const char *what)
{
	static const int errors[] = { EIO, ENOMEM, EMFILE, EACCES, ENOSPC };
	unsigned n;

	if (!page || (kind == ALLOC && has_memory) || !(__atomic_load_n(&page->kind, __ATOMIC_ACQUIRE) >> kind & 1))
		return false;
	n = __atomic_add_fetch(&page->count, 1, __ATOMIC_RELAXED);
	if (n != page->nth)
		return false;
	strncpy(page->what, what, sizeof(page->what) - 1);
	page->struck = 1;
	errno = kind == ALLOC ? ENOMEM : kind == INTR ? EINTR : errors[n % 5];
	return true;
}

/* --- memory: dlsym() itself needs it ------------------------------------------------------------ */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);

void *malloc(size_t size)
{
	return strikes(ALLOC, "malloc") ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return strikes(ALLOC, "calloc") ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	return strikes(ALLOC, "realloc") ? NULL : __libc_realloc(p, size);
}

int posix_memalign(void **ret, size_t align, size_t size)
{
	if (strikes(ALLOC, "posix_memalign"))
		return ENOMEM;
	*ret = __libc_memalign(align, size);
	return *ret ? 0 : ENOMEM;
}

/* --- the rest ------------------------------------------------------------------------------------- */

#define REAL(name) \
	static __typeof__(name) *real; \
	if (!real) \
		real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* @fail: what it returns then. */
#define WRAP(kind, type, name, params, args, fail) \
	type name params \
	{ \
		REAL(name); \
		return strikes(kind, #name) ? (fail) : real args; \
	}

/* One that a signal may interrupt. */
#define WAIT(type, name, params, args) \
	type name params \
	{ \
		REAL(name); \
		return strikes(SYS, #name) || strikes(INTR, #name) ? -1 : real args; \
	}

WRAP(ALLOC, void *, mmap, (void *at, size_t len, int prot, int flags, int fd, off_t off), (at, len, prot, flags, fd, off),
     MAP_FAILED)
WAIT(int, accept4, (int fd, struct sockaddr *a, socklen_t *len, int flags), (fd, a, len, flags))
WRAP(SYS, int, access, (const char *path, int mode), (path, mode), -1)
WRAP(SYS, int, bind, (int fd, const struct sockaddr *a, socklen_t len), (fd, a, len), -1)
WRAP(SYS, int, chmod, (const char *path, mode_t mode), (path, mode), -1)
WRAP(SYS, int, connect, (int fd, const struct sockaddr *a, socklen_t len), (fd, a, len), -1)
WRAP(SYS, int, epoll_create1, (int flags), (flags), -1)
WRAP(SYS, int, eventfd, (unsigned n, int flags), (n, flags), -1)
WAIT(int, fallocate, (int fd, int mode, off_t off, off_t len), (fd, mode, off, len))
WRAP(SYS, int, fchmod, (int fd, mode_t mode), (fd, mode), -1)
WAIT(int, fdatasync, (int fd), (fd))
WAIT(int, flock, (int fd, int op), (fd, op))
WRAP(SYS, int, fstat, (int fd, struct stat *st), (fd, st), -1)
WRAP(SYS, int, fstatfs, (int fd, struct statfs *st), (fd, st), -1)
WAIT(int, ftruncate, (int fd, off_t len), (fd, len))
WRAP(SYS, int, getpeername, (int fd, struct sockaddr *a, socklen_t *len), (fd, a, len), -1)
WRAP(SYS, int, getsockname, (int fd, struct sockaddr *a, socklen_t *len), (fd, a, len), -1)
WRAP(SYS, int, getsockopt, (int fd, int l, int o, void *v, socklen_t *len), (fd, l, o, v, len), -1)
WRAP(SYS, int, listen, (int fd, int n), (fd, n), -1)
WRAP(SYS, off_t, lseek, (int fd, off_t off, int whence), (fd, off, whence), -1)
WRAP(SYS, int, lstat, (const char *path, struct stat *st), (path, st), -1)
WRAP(SYS, int, memfd_create, (const char *name, unsigned flags), (name, flags), -1)
WRAP(SYS, int, mkdir, (const char *path, mode_t mode), (path, mode), -1)
WRAP(SYS, int, mlockall, (int flags), (flags), -1)
WRAP(SYS, DIR *, opendir, (const char *path), (path), NULL)
WRAP(SYS, DIR *, fdopendir, (int fd), (fd), NULL)
WRAP(SYS, int, pipe2, (int fds[2], int flags), (fds, flags), -1)
WAIT(ssize_t, pread, (int fd, void *b, size_t n, off_t off), (fd, b, n, off))
WAIT(ssize_t, pwrite, (int fd, const void *b, size_t n, off_t off), (fd, b, n, off))
WRAP(SYS, ssize_t, preadv2, (int fd, const struct iovec *v, int n, off_t off, int f), (fd, v, n, off, f), -1)
WRAP(SYS, ssize_t, pwritev2, (int fd, const struct iovec *v, int n, off_t off, int f), (fd, v, n, off, f), -1)
WRAP(SYS, ssize_t, readlink, (const char *path, char *b, size_t n), (path, b, n), -1)
WRAP(SYS, char *, realpath, (const char *path, char *b), (path, b), NULL)
WAIT(ssize_t, recv, (int fd, void *b, size_t n, int flags), (fd, b, n, flags))
WAIT(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags))
WRAP(SYS, int, renameat, (int a, const char *f, int b, const char *t), (a, f, b, t), -1)
WAIT(ssize_t, send, (int fd, const void *b, size_t n, int flags), (fd, b, n, flags))
WAIT(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
WRAP(SYS, int, setsockopt, (int fd, int l, int o, const void *v, socklen_t len), (fd, l, o, v, len), -1)
WRAP(SYS, int, socket, (int domain, int type, int proto), (domain, type, proto), -1)
WRAP(SYS, int, socketpair, (int domain, int type, int proto, int fds[2]), (domain, type, proto, fds), -1)
WRAP(SYS, int, stat, (const char *path, struct stat *st), (path, st), -1)
WRAP(SYS, int, statx, (int fd, const char *path, int flags, unsigned mask, struct statx *st),
     (fd, path, flags, mask, st), -1)
WRAP(SYS, int, unlink, (const char *path), (path), -1)
WRAP(SYS, int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags), -1)

/* Eight bytes are an eventfd's: it can only say that there is nothing, or no room. */
ssize_t read(int fd, void *b, size_t n)
{
	REAL(read);
	return n != 8 && (strikes(SYS, "read") || strikes(INTR, "read")) ? -1 : real(fd, b, n);
}

ssize_t write(int fd, const void *b, size_t n)
{
	REAL(write);
	return n != 8 && (strikes(SYS, "write") || strikes(INTR, "write")) ? -1 : real(fd, b, n);
}

WRAP(SYS, FILE *, fopen, (const char *path, const char *mode), (path, mode), NULL)

int scandir(const char *dir, struct dirent ***ret, int (*want)(const struct dirent *),
	    int (*cmp)(const struct dirent **, const struct dirent **))
{
	REAL(scandir);
	return strikes(SYS, "scandir") ? -1 : real(dir, ret, want, cmp);
}

int pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	REAL(pthread_create);
	return strikes(SYS, "pthread_create") ? EAGAIN : real(t, attr, fn, arg);
}

int open(const char *path, int flags, ...)
{
	REAL(open);
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return strikes(SYS, "open") ? -1 : real(path, flags, mode);
}

int openat(int fd, const char *path, int flags, ...)
{
	REAL(openat);
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return strikes(SYS, "openat") ? -1 : real(fd, path, flags, mode);
}

int fcntl(int fd, int cmd, ...)
{
	REAL(fcntl);
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	return strikes(SYS, "fcntl") ? -1 : real(fd, cmd, arg);
}

int ioctl(int fd, unsigned long request, ...);
int ioctl(int fd, unsigned long request, ...)
{
	static int (*real)(int, unsigned long, ...);
	va_list ap;
	void *arg;

	if (!real)
		real = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	return strikes(SYS, "ioctl") ? -1 : real(fd, request, arg);
}

/* --- libraries: those that are not there are not called --------------------------------------------- */

#define LIBRARY(type, name, params, args, fail) \
	type name params; \
	WRAP(LIB, type, name, params, args, fail)

WRAP(LIB, json_t *, json_array, (void), (), NULL)
WRAP(LIB, json_t *, json_object, (void), (), NULL)
WRAP(LIB, json_t *, json_integer, (json_int_t n), (n), NULL)
WRAP(LIB, json_t *, json_string, (const char *s), (s), NULL)
WRAP(LIB, char *, json_dumps, (const json_t *j, size_t flags), (j, flags), NULL)

/* Without memory for a string jansson 2.14 frees what it has never had. */
json_t *json_loadb(const char *b, size_t n, size_t flags, json_error_t *e)
{
	REAL(json_loadb);
	json_t *j;

	if (strikes(LIB, "json_loadb")) {
		strcpy(e->text, "out of memory");
		return NULL;
	}
	has_memory = true;
	j = real(b, n, flags, e);
	has_memory = false;
	return j;
}

int json_object_set_new(json_t *o, const char *key, json_t *v)
{
	REAL(json_object_set_new);
	if (!strikes(LIB, "json_object_set_new"))
		return real(o, key, v);
	json_decref(v);
	return -1;
}

int json_array_append_new(json_t *a, json_t *v)
{
	REAL(json_array_append_new);
	if (!strikes(LIB, "json_array_append_new"))
		return real(a, v);
	json_decref(v);
	return -1;
}

LIBRARY(void *, ev_loop_new, (unsigned flags), (flags), NULL)
LIBRARY(void *, udev_new, (void), (), NULL)
LIBRARY(void *, udev_monitor_new_from_netlink, (void *u, const char *name), (u, name), NULL)
LIBRARY(int, udev_monitor_enable_receiving, (void *m), (m), -EIO)
LIBRARY(int, udev_monitor_filter_add_match_subsystem_devtype, (void *m, const char *s, const char *d), (m, s, d), -ENOMEM)
LIBRARY(void *, udev_monitor_receive_device, (void *m), (m), NULL)
LIBRARY(int, io_uring_queue_init_params, (unsigned n, void *ring, void *p), (n, ring, p), -ENOMEM)
LIBRARY(void *, io_uring_get_probe_ring, (void *ring), (ring), NULL)
LIBRARY(int, io_uring_submit, (void *ring), (ring), -EAGAIN)
LIBRARY(int, io_setup, (int n, void *ctx), (n, ctx), -EAGAIN)
LIBRARY(void *, fuse_session_new, (void *a, const void *o, size_t n, void *u), (a, o, n, u), NULL)
LIBRARY(int, fuse_session_mount, (void *s, const char *at), (s, at), -1)
