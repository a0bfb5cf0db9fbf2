/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sg_kernel_priv.h - shared by sg_kernel.c (files), sg_flight.c (commands) and sg_heard.c (what the
 * driver says to core).
 */
#ifndef SIM_SG_KERNEL_PRIV_H
#define SIM_SG_KERNEL_PRIV_H

#include "sg_kernel.h"

#include "array_priv.h"

#include "base/units.h"

#define FILES_MAX 192u

struct kfile {
	struct nexus *n; /* NULL: closed */
	bool attr;	 /* of sysfs, not of /dev */
	size_t at;	 /* read so far */
	int reserved;
	unsigned ncmds, nready;
};

/* What the kernel knows of a device, and the model of its path. */
struct kdev {
	unsigned minor; /* N of /dev/sgN */
	struct loop_timer poll;
	unsigned polls;	   /* in a row that brought nothing */
	bool gone;	   /* deleted */
	bool refused;	   /* write() has said ENODEV */
	uint32_t ioerr_cnt; /* of results; info.unexplained are those that the kernel keeps */
	/* The check that runs: its first command was written at check_tick of the nexus. */
	bool checking, bad_luck, reset;
	uint64_t check_began_ns;
};

/* One world at a time in a process: base/sys.h has no room for a context. */
extern struct sg_kernel {
	struct world *w;
	struct kfile file[FILES_MAX];
	struct kdev dev[SIM_PATHS_MAX];
	struct sg_identity identity;
	TAILQ_HEAD(, kcmd) live, spare;
	struct cmd scratch;
	/* The result that the driver has read last. */
	const struct cmd *read_cmd;
	enum verdict expect;
	/* What a seed draws for it. */
	struct prng prng, sleeper;
	unsigned hidden_rate; /* one command in so many is sent again by the kernel; 0: none */
	unsigned sleep_rate; /* one write() in so many sleeps; 0: none */
	uint64_t slept_ns; /* in this turn */
	uint64_t check_us; /* a command of a check takes up to so long */
	bool eh; /* error handling stops the host */
	uint64_t eh_until_ns[SIM_PATHS_MAX]; /* by host */
} sgk;

static inline struct kdev *dev_of(const struct nexus *n)
{
	return &sgk.dev[n->id];
}

static inline struct sg_path *sg_of(const struct nexus *n)
{
	return container_of(n->path, struct sg_path, path);
}

/* A kdev's timer: wakes the watchers of its files. */
void dev_poll(struct loop_timer *t);

/* --- sg_flight.c --- */

struct kcmd *kcmd_new(struct nexus *n, unsigned file, const struct sg_io_hdr *h);
void kcmd_free(struct kcmd *c);
/* Between the memory that @h names, flat or scattered, and @flat. */
void kcmd_copy(const struct sg_io_hdr *h, uint8_t *flat, size_t len, bool in);
/* As write() answers; @c is gone if that is an error. */
ssize_t kcmd_send_data(struct kcmd *c, const struct sg_slot *slot);
ssize_t kcmd_send_check(struct kcmd *c);
/* The oracle: the driver has written nonsense. */
_Noreturn void kcmd_wrong(const struct nexus *n, const struct sg_io_hdr *h, const char *what);

#endif
