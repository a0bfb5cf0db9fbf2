// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * blk_zero.c - WRITE_ZEROES and DISCARD, which may take more than one call.
 *
 * As the kernel's blkdev_fallocate() and the file systems have it (6.1 to 6.18):
 *   PUNCH_HOLE|KEEP_SIZE   a device: WRITE ZEROES that may unmap, EOPNOTSUPP
 *                          where the device has none; a file: frees the blocks.
 *                          Both read back zero.
 *   ZERO_RANGE|KEEP_SIZE   a device: WRITE ZEROES without unmapping; a file:
 *                          unwritten extents, not everywhere (tmpfs).
 *   BLKDISCARD             a device: discard proper, which PUNCH_HOLE is not: that
 *                          writes zeroes where a device cannot unmap by it.
 *                          An ioctl, so a thread calls it.
 *
 * A device may say that it has WRITE ZEROES and turn out not to: it then fails
 * once with EOPNOTSUPP, and the kernel takes the capability back, for both
 * modes.  A loop device on tmpfs does so at the first ZERO_RANGE, so it gets
 * none.  Where the kernel has no way that is left we write zeroes ourselves: a
 * client that was offered WRITE_ZEROES is not told otherwise later.
 *
 *   command                 a file                    a device
 *   DISCARD                 punch                     BLKDISCARD
 *   WRITE_ZEROES            punch                     punch, or else write
 *   WRITE_ZEROES, NO_UNMAP  ZERO_RANGE, or else       ZERO_RANGE, or else write
 *                           punch and then allocate
 *   with FUA                and then fdatasync
 */
#include <config.h>

#include "path/blk_path.h"
#include "base/units.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

#define MODE_PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
#define MODE_ZERO  (FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE)
#define MODE_ALLOC FALLOC_FL_KEEP_SIZE

#define ZERO_BYTES (64u * KIB)
#define ZERO_SEGS  256u /* 16 MiB a write */

/* Only ever read; a block size of ours divides it. */
static uint8_t zero_block[ZERO_BYTES] __attribute__((aligned(4096)));
static struct iovec zero_iov[ZERO_SEGS];

_Static_assert(ZERO_BYTES % BLOCK_BYTES_MAX == 0, "zeroes are written in whole blocks");

static void send_falloc(struct blk_slot *s, int mode)
{
	s->io.op = BLK_IO_FALLOC;
	s->io.mode = mode;
	blk_io_submit(s->p->e, &s->io);
}

/* In a thread. */
static int discard_work(struct blk_io *io)
{
	uint64_t range[2] = { io->off, io->len };

	return ioctl(io->fd, BLKDISCARD, range) < 0 ? -errno : 0;
}

/* From zero_pos to the end of the command, as much as one write takes. */
static void send_zeroes(struct blk_slot *s)
{
	uint64_t left = s->zero_end - s->io.off;

	if (!zero_iov[0].iov_base)
		for (unsigned i = 0; i < ZERO_SEGS; i++)
			zero_iov[i] = (struct iovec){ zero_block, ZERO_BYTES };
	s->step = STEP_WRITE;
	s->io.op = BLK_IO_WRITE;
	if (left >= ZERO_BYTES) {
		s->io.iov = zero_iov;
		s->io.niov = (unsigned)MIN(left / ZERO_BYTES, ZERO_SEGS);
		s->io.len = (uint64_t)s->io.niov * ZERO_BYTES;
	} else {
		s->zero_tail = (struct iovec){ zero_block, left };
		s->io.iov = &s->zero_tail;
		s->io.niov = 1;
		s->io.len = left;
	}
	blk_io_submit(s->p->data, &s->io);
}

/* The file system below has no ZERO_RANGE, as far as we know. */
static bool no_zero_range(const struct blk_path *p)
{
	return p->no_zero_range || (p->facts.kind == BLK_LOOP && p->hold && p->hold->in_memory);
}

void blk_zero_start(struct blk_slot *s)
{
	const struct blk_path *p = s->p;
	bool device = p->facts.kind != BLK_FILE;

	s->zero_end = s->io.off + s->io.len;
	if (s->cmd->op == CMD_DISCARD && device) {
		s->io.op = BLK_IO_WORK;
		s->io.work = discard_work;
		blk_io_submit(p->e, &s->io);
	} else if (s->cmd->op == CMD_DISCARD) {
		send_falloc(s, MODE_PUNCH);
	} else if (device && p->zero_by_write) {
		send_zeroes(s);
	} else if (!(s->cmd->flags & CMD_F_NO_UNMAP)) {
		send_falloc(s, MODE_PUNCH);
	} else if (!no_zero_range(p)) {
		send_falloc(s, MODE_ZERO);
	} else if (device) {
		send_zeroes(s);
	} else {
		send_falloc(s, MODE_PUNCH);
	}
}

/* The kernel has taken the offer back. */
static bool do_without(struct blk_slot *s)
{
	struct blk_path *p = s->p;

	if (p->facts.kind != BLK_FILE) {
		p->zero_by_write = true;
		send_zeroes(s);
		return true;
	}
	if (s->io.mode != MODE_ZERO)
		return false;
	p->no_zero_range = true;
	send_falloc(s, MODE_PUNCH);
	return true;
}

static bool next_zeroes(struct blk_slot *s, int *res)
{
	uint32_t block = s->p->facts.block_bytes;

	if (*res < 0)
		return false;
	if ((uint32_t)*res < block) {
		*res = -EIO;
		return false;
	}
	s->io.off += (uint64_t)*res / block * block;
	*res = 0;
	if (s->io.off == s->zero_end)
		return false;
	send_zeroes(s);
	return true;
}

bool blk_zero_next(struct blk_slot *s, int *res)
{
	const struct cmd *cmd = s->cmd;

	if ((cmd->op != CMD_WRITE_ZEROES && cmd->op != CMD_DISCARD) || s->step == STEP_SYNC)
		return false;
	if (cmd->op == CMD_WRITE_ZEROES && s->step == STEP_MAIN && *res == -EOPNOTSUPP &&
	    do_without(s))
		return true;
	if (s->step == STEP_WRITE && next_zeroes(s, res))
		return true;
	if (*res < 0)
		return false;
	if (s->step == STEP_MAIN && cmd->op == CMD_WRITE_ZEROES && cmd->flags & CMD_F_NO_UNMAP &&
	    s->io.mode == MODE_PUNCH) {
		s->step = STEP_ALLOC;
		send_falloc(s, MODE_ALLOC);
		return true;
	}
	if (!(cmd->flags & CMD_F_FUA))
		return false;
	s->step = STEP_SYNC;
	s->io.op = BLK_IO_SYNC;
	blk_io_submit(s->p->e, &s->io);
	return true;
}
