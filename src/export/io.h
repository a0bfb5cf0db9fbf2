/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io.h - byte requests over the LUN, for every export.
 *
 * The LUN speaks blocks, clients speak bytes.  A struct io is embedded in the
 * export's own request and runs through:
 *
 *   io_admit()   range, permission and size are checked; request and buffer are
 *                taken, so that a payload is received directly at io->data
 *   (WRITE: the export fills io->data[0 .. length-1])
 *   io_start()  to the LUN; done() is called once, later
 *   (READ: the export sends io->data[0 .. length-1])
 *   io_put()     request and buffer go back
 *
 * Requests that do not start and end at blocks: WRITE is a read-modify-write
 * under the LUN's range lock, READ reads whole blocks and shows the part asked
 * for, WRITE_ZEROES writes its edges as data and zeroes the blocks between,
 * DISCARD is rounded inwards (to the discard granularity, too).
 *
 * Nothing is allocated.  Everything is called in the loop's thread.
 */
#ifndef EXPORT_IO_H
#define EXPORT_IO_H

#include "core/lun.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The LUN in bytes. Its geometry does not change once it is known, but that it may grow (what paths
 * can do may change: the LUN copes, or says EOPNOTSUPP). */
struct io_dev {
	struct lun *lun;
	struct lun_geometry geo;
	uint64_t size_bytes;
	uint32_t block_bytes;
	unsigned block_shift;
};

/* 0; -EAGAIN: no path has passed its check, the geometry is not known yet (see lun_observe());
 * -EINVAL: a block size or a size that cannot be served. */
int io_dev_init(struct io_dev *d, struct lun *lun);
/* To be called when the LUN has told of a change, see lun_observe(): true if it has grown. */
bool io_dev_grow(struct io_dev *d);

enum io_op {
	IO_READ,
	IO_WRITE,
	IO_WRITE_ZEROES,
	IO_DISCARD,
	IO_FLUSH,  /* offset and length are 0 */
	IO_CACHE,  /* read and throw away; any length; may stop early, it is a hint */
	IO_STATUS, /* allocation, see io_next_extent(); only where geometry says can_status */
};

enum io_flag {
	IO_F_FUA = 1 << 0,	 /* WRITE, WRITE_ZEROES, DISCARD; without effect on the others */
	IO_F_NO_UNMAP = 1 << 1,	 /* WRITE_ZEROES: keep the blocks provisioned */
	IO_F_FAST_ZERO = 1 << 2, /* WRITE_ZEROES: quickly, or EOPNOTSUPP and nothing is touched */
};

enum io_state {
	IO_IDLE,     /* holds nothing */
	IO_WAITING,  /* in line for requests or buffers */
	IO_ADMITTED, /* has all it needs; the export's */
	IO_RUNNING,  /* the LUN's, until done() */
	IO_DONE,     /* done() was called; the export's until io_put() */
};

#define IO_NREQS 3 /* WRITE_ZEROES: middle, head edge, tail edge */
#define IO_CACHE_BYTES (1u * MIB) /* read at once for IO_CACHE */
#define IO_STATUS_BYTES 4096u	  /* 256 extents in one answer */

struct io {
	/* --- set by the export before io_admit() ------------------------------- */
	enum io_op op;
	unsigned flags;	 /* enum io_flag */
	uint64_t offset; /* bytes */
	uint32_t length; /* bytes; READ and WRITE at most REQ_BYTES_MAX */
	struct lun_client *client; /* joined; NULL: nobody special */
	/* Called once after -EAGAIN of io_admit(), when the io has become IO_ADMITTED. From a
	 * task; may call io_start() and io_put() of this io, but io_admit() of none: leave
	 * that to a task of your own. */
	void (*room)(struct io *io);
	/* Called once after io_start(), never from inside it, with io->err set.
	 * May call any io function, also for this io. */
	void (*done)(struct io *io);

	/* --- for the export to read --------------------------------------------- */
	enum io_state state;
	/* READ, WRITE: the payload, length bytes; from IO_ADMITTED to io_put(). What was read lies
	 * there in done(), not before: it may be another place then. STATUS: the LUN's
	 * answer, IO_STATUS_BYTES; what io_next_extent() has passed may be overwritten by half
	 * its size. Else NULL. */
	uint8_t *data;
	/* Valid in done(): 0 or a positive errno as in lun_submit(): EIO, ENOSPC, EPERM,
	 * EOPNOTSUPP; ECANCELED after io_abandon(). ESHUTDOWN: its end is unknown, do NOT
	 * answer: close the client's connection, it sends the request again elsewhere. */
	int err;

	/* --- private ------------------------------------------------------------- */
	struct io_dev *dev;
	uint32_t data_skip; /* bytes of the buffer before data */
	struct lun_waiter waiter;
	struct req *req[IO_NREQS]; /* 0: the main one; 1, 2: edges of WRITE_ZEROES */
	unsigned nreqs;		   /* needed; the rest is NULL */
	unsigned got;		   /* taken so far */
	unsigned running;	   /* bit n: req[n] is the LUN's */
	bool edges_sent, canceled;
	uint32_t cache_left;	   /* IO_CACHE: blocks still to read */
};

/* A zeroed or a used @io is IO_IDLE. Fills what io_admit() needs besides op, flags, offset and
 * length. Once per io; a request slot that is used again need not call it again. */
void io_init(struct io *io, struct io_dev *dev, void (*room)(struct io *io),
	     void (*done)(struct io *io));

/* Check and take what the request needs.
 *  0         IO_ADMITTED: fill io->data (WRITE), then io_start()
 *  1         nothing to do (empty range, a discard of less than one unit): a success to be
 *            answered at once; the io stays IO_IDLE
 *  -EAGAIN   no room: IO_WAITING, room() will be called. Waiting is first come, first served.
 * Refused, the io stays IO_IDLE and the number is the client's answer:
 *  -EINVAL      READ, DISCARD, CACHE, STATUS outside the device
 *  -ENOSPC      WRITE, WRITE_ZEROES outside the device
 *  -EPERM       the LUN is read-only
 *  -EOVERFLOW   READ or WRITE of more than REQ_BYTES_MAX, or so little less that the blocks around
 *               a range that is not whole blocks (WRITE: and one more) exceed it
 *  -EOPNOTSUPP  the LUN does not offer it */
int io_admit(struct io *io);

/* The same checks without taking anything: 0, 1, or the client's answer. For requests that must
 * be judged before their turn comes. */
int io_check(const struct io_dev *dev, const struct io *io);

/* IO_ADMITTED -> IO_RUNNING. */
void io_start(struct io *io);

/* The client has gone. A running io: what was not sent to a path ends with ECANCELED, the rest
 * runs to its end; done() is called in any case. Harmless in other states. */
void io_abandon(struct io *io);

/* Give back what the io holds; also leaves the line (IO_WAITING). Not while IO_RUNNING
 * (asserted). Harmless when IO_IDLE. Afterwards IO_IDLE. */
void io_put(struct io *io);

/* Bytes of buffers that io_admit() would take, as the buffer arena rounds them; 0: none. */
uint64_t io_buffer_bytes(const struct io_dev *dev, const struct io *io);

/* IO_STATUS, in done() with err 0: extent number *@pos (start with 0; advanced), in bytes, cut to
 * the range asked for; neighbours of the same kind are joined. Covers the range from its start;
 * may end before its end. False at the end. */
struct io_extent {
	uint64_t bytes;
	bool hole, zero;
};
bool io_next_extent(const struct io *io, unsigned *pos, uint64_t *covered_bytes,
		    struct io_extent *ret);

#endif
