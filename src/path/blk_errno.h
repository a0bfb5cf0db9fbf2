/* SPDX-License-Identifier: GPL-2.0-or-later */
/* blk_errno.h - what the errno of a block path means for the command. */
#ifndef PATH_BLK_ERRNO_H
#define PATH_BLK_ERRNO_H

#include "base/verdict.h"
#include "core/cmd.h"

#include <stdbool.h>
#include <stdint.h>

/* The facts beside the errno that change its meaning. */
struct blk_errno_ctx {
	enum cmd_op op;
	/* A page cache lies below this path (a file, a loop device): the kernel tells of a lost
	 * page once, and a flush that is repeated then succeeds without it. And nothing that
	 * has ended lands later: no fabric is in between. */
	bool cached;
	/* The device is smaller than the command's end: detached, shrunk. */
	bool too_small;
};

/* The outcome of a command that ended with -@err (err > 0). */
struct outcome blk_outcome_errno(int err, const struct blk_errno_ctx *ctx);
/* The outcome of a transfer of @got_bytes out of @nblocks blocks. */
struct outcome blk_outcome_count(uint64_t got_bytes, uint32_t block_bytes, uint32_t nblocks,
				 const struct blk_errno_ctx *ctx);

#endif
