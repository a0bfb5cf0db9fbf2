/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_kernel.h - the kernel's nbd driver: what is asked of it over netlink and
 * in sysfs.
 *
 * All of these may sleep for as long as the device pleases, and the device may
 * wait for us: a change of its size or its queue waits for the requests in
 * flight, an open reads the partition table.  So they are for a thread, never
 * for the loop's.
 */
#ifndef EXPORT_NBD_KERNEL_H
#define EXPORT_NBD_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NBD_BACKEND_BYTES 512 /* identifier, terminator included */
#define NBD_ANY_INDEX (-1)
#define NBD_USER_BYTES 256 /* "mounted on /srv" */

/* The queue of the device. H13 of the integrity notes: requests that were in flight on a dead socket
 * are sent again when this timer fires, two seconds being the least that it does in time. */
#define NBD_IO_TIMEOUT_MS 2000u
/* One request: what merging in the LUN's elevator makes of several is this large, too. */
#define NBD_MAX_SECTORS_KB 1024u

struct nbd_device_spec {
	char backend[NBD_BACKEND_BYTES]; /* "lunmux:WWID:NAME" */
	size_t backend_key_len;		 /* so much of it, "lunmux:WWID:", says whose device it is */
	uint64_t size_bytes;
	uint32_t block_bytes; /* 512..4096, a power of two */
	uint16_t flags;	      /* transmission flags */
	uint64_t dead_sec;    /* without a socket for so long, requests fail */
};

struct nbd_kernel_ops {
	const char *name;
	/* The device that was attached with the same key; its whole identifier to @ret. 0 or more:
	 * its index; -ENOENT: there is none; -ENODEV: the driver is not there; another -errno. */
	int (*find)(const struct nbd_device_spec *spec, char ret[NBD_BACKEND_BYTES]);
	/* A new device on socket @fd (the caller's still): number @index, or NBD_ANY_INDEX. Its index,
	 * or -EBUSY: that one is in use; -EPERM; -ENODEV: as above; another -errno. */
	int (*connect)(const struct nbd_device_spec *spec, int index, int fd);
	/* Device @index, which has lost its socket, gets @fd; -1: it keeps what it has. Other values of
	 * @spec are set, too; size_bytes 0: it stays as it is. 0 says nothing about @fd: the kernel
	 * drops a socket that it has no need for. */
	int (*reconfigure)(const struct nbd_device_spec *spec, int index, int fd);
	/* Whoever uses it gets errors from now on. */
	int (*disconnect)(int index);
	/* The size as users see it, 0 when it is not attached. */
	uint64_t (*size_bytes)(int index);
	/* io_timeout, max_sectors_kb, scheduler. 0, or -errno of the first that could not be set, with
	 * its name in @what. */
	int (*tune)(int index, char *what, size_t size);
	/* Is it mounted, held, open? @who: by whom. */
	bool (*in_use)(int index, char *who, size_t size);
};

/* nbd_netlink.c, where the build has it. */
extern const struct nbd_kernel_ops nbd_kernel_netlink;

/* nbd_device.c. @root is "" but in tests. */
int nbd_device_find(const char *root, const char *backend, size_t key_len,
		    char ret[NBD_BACKEND_BYTES]);
uint64_t nbd_device_size(const char *root, int index);
int nbd_device_tune(const char *root, int index, char *what, size_t size);
bool nbd_device_in_use(const char *root, int index, char *who, size_t size);

#endif
