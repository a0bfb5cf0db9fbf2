// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * blk_errno.c - errno to verdict, the one table.
 *
 * The block layer turns its status codes into these (blk_errors[] in the
 * kernel's block/blk-core.c); file systems, FUSE and NFS add some of their
 * own.  An errno that is not in the table is EIO's case: another path may do
 * better, and what happened here is unknown.
 */
#include <config.h>

#include "path/blk_errno.h"
#include "base/units.h"

#include <errno.h>

struct errno_row {
	int err;
	enum verdict verdict;
	unsigned flags;
	int client_err;
};

/* A ghost may still land; only writes leave one, see below. */
#define G VF_GHOST

static const struct errno_row errno_rows[] = {
	/* The answer belongs to the data or the request: every path would give it. */
	{ ENODATA, V_ERR, 0, EIO },	       /* medium error */
	{ EREMOTEIO, V_ERR, 0, EIO },	       /* target error */
	{ EILSEQ, V_ERR, 0, EIO },	       /* protection information */
	{ EBADE, V_ERR, 0, EIO },	       /* reservation conflict */
	{ ENOSPC, V_ERR, 0, ENOSPC },
	{ EDQUOT, V_ERR, 0, ENOSPC },
	{ EFBIG, V_ERR, 0, ENOSPC },	       /* a file system's or RLIMIT_FSIZE's bound */
	{ EOPNOTSUPP, V_ERR, 0, EOPNOTSUPP },
	{ EINVAL, V_ERR, 0, EINVAL },
	{ EROFS, V_ERR, 0, EPERM },
	{ EPERM, V_ERR, 0, EPERM },	       /* device set read-only, file sealed or immutable */
	{ EACCES, V_ERR, 0, EPERM },
	{ ETXTBSY, V_ERR, 0, EPERM },	       /* swap space */
	/* The way is gone. */
	{ ENOLINK, V_FAIL, G, EIO },	       /* transport */
	{ ETIMEDOUT, V_FAIL, G, EIO },
	{ ETIME, V_FAIL, G, EIO },	       /* command duration limit */
	{ ENODEV, V_FAIL, G, EIO },	       /* offline, removed */
	{ ENXIO, V_FAIL, G, EIO },
	{ ENOMEDIUM, V_FAIL, G | VF_IDENTITY, EIO },
	{ EMEDIUMTYPE, V_FAIL, G | VF_IDENTITY, EIO },
	{ ESTALE, V_FAIL, G | VF_IDENTITY, EIO }, /* NFS: the file has been replaced */
	{ ENOTCONN, V_FAIL, G, EIO },	       /* FUSE: its daemon has died */
	{ ECONNABORTED, V_FAIL, G, EIO },
	{ ESHUTDOWN, V_FAIL, G, EIO },
	{ EBADF, V_FAIL, VF_NOT_RUN, EIO },
	/* A shortage, nobody's fault. */
	{ EAGAIN, V_LATER, VF_NOT_RUN, EIO },
	{ ENOMEM, V_LATER, 0, EIO },
	{ EBUSY, V_LATER, 0, EIO },
	{ EINTR, V_LATER, 0, EIO },
	{ ECANCELED, V_LATER, 0, EIO },
	{ EREMCHG, V_LATER, 0, EIO },	       /* device-mapper: requeue */
	{ ETOOMANYREFS, V_LATER, 0, EIO },     /* zone resources */
	{ EOVERFLOW, V_LATER, 0, EIO },
	/* Anything else. */
	{ EIO, V_OTHER, G | VF_ALL_ERR, EIO },
};

#undef G

static bool leaves_ghost(enum cmd_op op)
{
	return op == CMD_WRITE || op == CMD_WRITE_ZEROES || op == CMD_DISCARD;
}

static const struct errno_row *find_row(int err)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(errno_rows) - 1; i++)
		if (errno_rows[i].err == err)
			break;
	return &errno_rows[i];
}

struct outcome blk_outcome_errno(int err, const struct blk_errno_ctx *ctx)
{
	const struct errno_row *row = find_row(err);
	struct outcome o = {
		.verdict = row->verdict,
		.flags = row->flags,
		.err = row->client_err,
		.sys_errno = err,
	};

	/* A detached loop device answers ENOSPC to writes, EINVAL to fallocate and EIO to
	 * flushes: that says nothing about the data. */
	if (ctx->too_small) {
		o.verdict = V_FAIL;
		o.flags = VF_IDENTITY | VF_GHOST;
		o.err = EIO;
	} else if (ctx->op == CMD_FLUSH && ctx->cached &&
		   (o.verdict == V_OTHER || o.verdict == V_ERR)) {
		/* Acknowledged writes are lost.  Asking again would be answered "all is well". */
		o.verdict = V_ERR;
		o.flags |= VF_CACHE;
	}
	if (!leaves_ghost(ctx->op) || ctx->cached)
		o.flags &= ~(unsigned)VF_GHOST;
	return o;
}

struct outcome blk_outcome_count(uint64_t got_bytes, uint32_t block_bytes, uint32_t nblocks,
				 const struct blk_errno_ctx *ctx)
{
	uint64_t got_blocks = got_bytes / block_bytes;
	struct outcome o = { .verdict = V_OK, .done_blocks = nblocks };

	if (got_blocks >= nblocks)
		return o;
	/* Less than a block is no progress, and no progress must not be asked for again here. */
	if (got_blocks == 0)
		return blk_outcome_errno(EIO, ctx);
	o.done_blocks = (uint32_t)got_blocks;
	return o;
}
