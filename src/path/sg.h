/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sg.h - paths over the SCSI generic driver: /dev/sgN, any transport.
 */
#ifndef PATH_SG_H
#define PATH_SG_H

#include "base/limits.h"
#include "core/path_ops.h"
#include "scsi/wwid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct path;

/*
 * What all sg paths of one LUN must agree on.  Its owner has one for each LUN,
 * zeroed before the first sg_path_new() and alive until the last release(); the
 * paths fill it in.  The first path whose check ends well sets it.
 */
struct sg_identity {
	bool known;
	struct ident id;
	char from[PATH_NAME_BYTES]; /* the path that set it */
	/* Of the last good check of any path: what a path in state unavailable, which
	 * may not even tell its capacity (SPC-6 "Unavailable state"), is taken to have.
	 */
	struct path_info info;
	/* A path has been told that the write cache is on. The unit attention that tells the
	 * others waits for a command of theirs, and a flush may be the first: it is sent. */
	bool cache_on;
	bool told_handler, told_sd; /* what is said once, not for each path */
	unsigned npaths;
};

struct sg_conf {
	const char *wwid; /* as configured, any printed form; copied */
	bool allow_vpd80; /* a WWID made of vendor, product and serial number will do */
	unsigned depth;	  /* cap of commands at once; 0: what the kernel says */
	uint64_t io_timeout_ns; /* when the kernel's error handling starts; 0: 30 s */
	uint64_t check_timeout_ns; /* the same for the commands of a check; 0:
				      io_timeout_ns */
	/* Each check of a path that serves ends with a READ of so much, rounded up to blocks,
	 * at most CHECK_READ_BYTES_MAX; 0: without. */
	uint32_t check_read_bytes;
	/* Largest data of one command; 0: 1 MiB.  sg copies, in memory that it takes
	 * from the kernel's emergency stock for each command: more is not faster. */
	uint32_t max_xfer_bytes;
	struct sg_identity *identity; /* shared by the LUN's paths; required */
};

/*
 * Open @dev ("/dev/sg3", or a link to it) and claim the block device that stands
 * beside it.  From then on only this process, under these credentials, can use
 * the path: open last, after every fork and setuid.
 *
 * 0: *ret is for lun_add_path(); release it by ops->release() if that is not done.
 * -errno: *ret untouched, @errbuf has "DEV: what: why; hint" for the log.
 */
int sg_path_new(struct loop *l, const struct sg_conf *conf, const char *dev,
		struct path **ret, char *errbuf, size_t errbuf_size);

/* Counters since sg_path_new(). */
struct sg_path_stats {
	unsigned nfiles; /* open sg files for data; two more are the check's and the
			    reserve */
	uint64_t writes, reads; /* system calls: commands sent, results fetched */
	uint64_t batches; /* rows of writes without a look at the loop in between */
	/* Longest time that the loop stood in one batch: write() sleeps when the host
	 * has no tag. */
	uint64_t batch_max_ns;
	uint64_t edom, enomem, eagain; /* write() had no room: not errors of the path */
	uint64_t reserve_used;	       /* sent by the reserve file after ENOMEM */
	uint64_t empty_wakes;	       /* readable, but nothing to read */
	uint64_t strangers;	       /* results that belong to no command of ours */
	uint64_t hangups, reopens;
};

/* False, and *ret untouched, if @p is not a path of this driver. */
bool sg_path_get_stats(const struct path *p, struct sg_path_stats *ret);

#endif
