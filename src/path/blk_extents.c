// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * blk_extents.c - allocation of a file by SEEK_DATA and SEEK_HOLE.
 *
 * A hole reads as zeroes, certainly; data may be anything.  Holes of a file
 * system may begin and end inside our blocks: a block counts as a hole only if
 * all of it is.  The number of seeks per answer is bounded, an answer may be
 * short.  Runs in a thread, since a seek may have to read metadata.
 */
#include <config.h>

#include "path/blk_path.h"
#include "core/req.h"
#include "base/units.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

#define EXTENTS_MAX 32 /* of one answer: at most 64 seeks */

/* Where the run that @off lies in ends, at most @end; *ret_hole: which kind it is. -errno. */
static int64_t run_end(int fd, uint64_t off, uint64_t end, bool *ret_hole)
{
	off_t data = lseek(fd, (off_t)off, SEEK_DATA), hole;

	if (data < 0 && errno != ENXIO)
		return -errno;
	if (data < 0 || (uint64_t)data > off) {
		*ret_hole = true;
		return (int64_t)(data < 0 ? end : MIN((uint64_t)data, end));
	}
	*ret_hole = false;
	hole = lseek(fd, (off_t)off, SEEK_HOLE);
	if (hole < 0)
		return -errno;
	/* Written and punched between the two looks: one block of data, then look again. */
	return (int64_t)MIN(MAX((uint64_t)hole, off + 1), end);
}

int blk_extents(int fd, uint64_t off, uint64_t len, uint32_t block_bytes, struct extent *ext,
		unsigned max)
{
	uint64_t end = off + len, mask = block_bytes - 1;
	unsigned n = 0;

	assert(len >= block_bytes && ((off | len) & mask) == 0 && max > 0);
	for (unsigned looks = 0; off < end && looks < EXTENTS_MAX; looks++) {
		bool hole = false;
		int64_t to = run_end(fd, off, end, &hole);
		uint64_t nblocks;

		if (to < 0)
			return (int)to;
		/* The block in which a run ends is data, unless a hole ends with it. */
		to = hole ? to & ~(int64_t)mask : (to + (int64_t)mask) & ~(int64_t)mask;
		if ((uint64_t)to == off) {
			hole = false;
			to += block_bytes;
		}
		nblocks = ((uint64_t)to - off) / block_bytes;
		if (n > 0 && ext[n - 1].hole == hole) {
			ext[n - 1].nblocks += nblocks;
		} else {
			if (n == max)
				break;
			ext[n++] = (struct extent){ nblocks, hole, hole };
		}
		off = (uint64_t)to;
	}
	return (int)n;
}

int blk_status_fd(const struct blk_path *p)
{
	if (p->facts.kind == BLK_FILE)
		return p->hold ? p->hold->fd : p->fd;
	/* A loop device that stands for the whole of the file keeps nothing back from it: it is
	 * only ever written O_DIRECT by us, and by nobody else. */
	if (p->facts.kind == BLK_LOOP && p->facts.loop_whole && p->hold)
		return p->hold->fd;
	return -1;
}

/* io->mode is the block size: this thread may not look into the path. */
int blk_extents_work(struct blk_io *io)
{
	struct blk_slot *s = container_of(io, struct blk_slot, io);
	struct cmd *cmd = s->cmd;
	int r = blk_extents(io->fd, io->off, io->len, (uint32_t)io->mode, cmd->extents,
			    cmd->max_extents);

	if (r > 0)
		cmd->nextents = (unsigned)r;
	return r;
}
