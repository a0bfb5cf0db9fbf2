/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io.c - byte requests become block requests.
 *
 * Invariants: an io holds requests only from IO_WAITING to io_put(); it is
 * IO_RUNNING exactly while the LUN owns at least one of them; done() is called
 * once per io_start().
 *
 * It knows no client and no protocol: what is refused here is a number, the
 * export says it in its own words.
 */
#include <config.h>

#include "export/io.h"

#include "base/units.h"
#include "core/req.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* How a byte range lies on the blocks. */
struct io_map {
	uint64_t lba; /* of the main request */
	uint64_t nblocks;
	uint32_t head_skip, tail_skip; /* main request is a read-modify-write */
	bool head_edge, tail_edge;     /* WRITE_ZEROES: partial blocks before and after the main */
	bool zeroes_as_data;	       /* WRITE_ZEROES: no whole block in it, main is a WRITE */
};

int io_dev_init(struct io_dev *d, struct lun *lun)
{
	memset(d, 0, sizeof(*d));
	d->lun = lun;
	if (!lun_geometry(lun, &d->geo))
		return -EAGAIN;
	d->block_bytes = d->geo.block_bytes;
	if (d->block_bytes < BLOCK_BYTES_MIN || d->block_bytes > BLOCK_BYTES_MAX ||
	    (d->block_bytes & (d->block_bytes - 1)) != 0)
		return -EINVAL;
	d->block_shift = (unsigned)__builtin_ctz(d->block_bytes);
	/* Clients count bytes in a signed 64-bit off_t. */
	if (d->geo.nblocks > (uint64_t)INT64_MAX >> d->block_shift)
		return -EINVAL;
	d->size_bytes = d->geo.nblocks << d->block_shift;
	return 0;
}

bool io_dev_grow(struct io_dev *d)
{
	struct lun_geometry g;

	if (!d->lun || !lun_geometry(d->lun, &g) || g.nblocks <= d->geo.nblocks ||
	    g.nblocks > (uint64_t)INT64_MAX >> d->block_shift)
		return false;
	d->geo.nblocks = g.nblocks;
	d->size_bytes = g.nblocks << d->block_shift;
	return true;
}

void io_init(struct io *io, struct io_dev *dev, void (*room)(struct io *io),
	     void (*done)(struct io *io))
{
	memset(io, 0, sizeof(*io));
	io->dev = dev;
	io->room = room;
	io->done = done;
}

static bool io_is_write(const struct io *io)
{
	return io->op == IO_WRITE || io->op == IO_WRITE_ZEROES || io->op == IO_DISCARD;
}

/* Round a discard inwards; granules are counted from block 0. A range that ends with the device
 * may end with an incomplete granule. */
static void map_discard(const struct io_dev *d, uint64_t first, uint64_t end, struct io_map *m)
{
	uint64_t g = MAX(d->geo.discard_granularity_blocks, 1u);

	if (first % g != 0)
		first += g - first % g;
	if (end != d->geo.nblocks)
		end -= end % g;
	m->lba = first;
	m->nblocks = end > first ? end - first : 0;
}

static void map_zeroes(const struct io_dev *d, const struct io *io, uint64_t inner_first,
		       uint64_t inner_end, struct io_map *m)
{
	uint64_t mask = d->block_bytes - 1;

	if (inner_end <= inner_first) {
		/* One block, or two halves: the main request carries the zeroes as data. */
		m->zeroes_as_data = true;
		return;
	}
	m->lba = inner_first;
	m->nblocks = inner_end - inner_first;
	m->head_skip = m->tail_skip = 0;
	m->head_edge = (io->offset & mask) != 0;
	m->tail_edge = ((io->offset + io->length) & mask) != 0;
}

/* @io lies inside the device and is not empty. */
static void io_map(const struct io_dev *d, const struct io *io, struct io_map *m)
{
	uint64_t mask = d->block_bytes - 1, end = io->offset + io->length;
	uint64_t outer_end = (end + mask) >> d->block_shift;
	uint64_t inner_first = (io->offset + mask) >> d->block_shift;
	uint64_t inner_end = end >> d->block_shift;

	memset(m, 0, sizeof(*m));
	m->lba = io->offset >> d->block_shift;
	m->nblocks = outer_end - m->lba;
	m->head_skip = (uint32_t)(io->offset & mask);
	m->tail_skip = (uint32_t)((outer_end << d->block_shift) - end);
	if (io->op == IO_WRITE_ZEROES)
		map_zeroes(d, io, inner_first, inner_end, m);
	else if (io->op == IO_DISCARD)
		map_discard(d, inner_first, inner_end, m);
}

/* Buffer that the main request needs. */
static size_t map_main_bytes(const struct io_dev *d, const struct io *io, const struct io_map *m)
{
	size_t range = (size_t)m->nblocks << d->block_shift;

	switch (io->op) {
	case IO_READ:
		return range;
	case IO_WRITE:
		return m->head_skip || m->tail_skip ? range + d->block_bytes : range;
	case IO_WRITE_ZEROES:
		return m->zeroes_as_data ? range + d->block_bytes : 0;
	case IO_CACHE:
		return MIN(range, IO_CACHE_BYTES);
	case IO_STATUS:
		return IO_STATUS_BYTES;
	case IO_DISCARD:
	case IO_FLUSH:
		break;
	}
	return 0;
}

static int io_permitted(const struct io_dev *d, const struct io *io)
{
	const struct lun_geometry *geo = &d->geo;

	if (io_is_write(io) && geo->read_only)
		return -EPERM;
	if ((io->op == IO_DISCARD && !geo->can_discard) ||
	    (io->op == IO_STATUS && !geo->can_status) ||
	    (io->op == IO_WRITE_ZEROES && !geo->can_zero))
		return -EOPNOTSUPP;
	if (io->op == IO_WRITE_ZEROES && (io->flags & IO_F_FAST_ZERO) && !geo->can_fast_zero)
		return -EOPNOTSUPP;
	return 0;
}

static uint64_t arena_round(uint64_t bytes)
{
	uint64_t size = BUF_MIN_BYTES;

	if (bytes == 0)
		return 0;
	while (size < bytes)
		size <<= 1;
	return size;
}

/* io_check() that keeps the mapping. */
static int io_check_map(const struct io_dev *d, const struct io *io, struct io_map *m)
{
	int r;

	memset(m, 0, sizeof(*m));
	if (io->op == IO_FLUSH)
		return 0;
	if (io->offset > d->size_bytes || io->length > d->size_bytes - io->offset)
		return io->op == IO_WRITE || io->op == IO_WRITE_ZEROES ? -ENOSPC : -EINVAL;
	r = io_permitted(d, io);
	if (r < 0)
		return r;
	if (io->length == 0)
		return 1;
	if ((io->op == IO_READ || io->op == IO_WRITE) && io->length > REQ_BYTES_MAX)
		return -EOVERFLOW;
	io_map(d, io, m);
	if (m->nblocks == 0)
		return 1;
	/* The arena rounds up to a power of two: a range that is not whole blocks must not take
	 * twice the largest buffer, which would be all that there is for everybody. */
	if (arena_round(map_main_bytes(d, io, m)) > REQ_BYTES_MAX)
		return -EOVERFLOW;
	return 0;
}

int io_check(const struct io_dev *dev, const struct io *io)
{
	struct io_map m;

	return io_check_map(dev, io, &m);
}

uint64_t io_buffer_bytes(const struct io_dev *dev, const struct io *io)
{
	struct io_map m;
	uint64_t bytes;

	if (io_check_map(dev, io, &m) != 0)
		return 0;
	bytes = arena_round(map_main_bytes(dev, io, &m));
	if (m.head_edge)
		bytes += arena_round(2u * dev->block_bytes);
	if (m.tail_edge)
		bytes += arena_round(2u * dev->block_bytes);
	return bytes;
}

/* --- taking what is needed ----------------------------------------------------- */

static void io_req_done(struct req *req);

static unsigned io_req_flags(const struct io *io)
{
	unsigned flags = 0;

	if (io->flags & IO_F_FUA)
		flags |= REQ_F_FUA;
	if (io->op == IO_WRITE_ZEROES && io->flags & IO_F_NO_UNMAP)
		flags |= REQ_F_NO_UNMAP;
	if (io->op == IO_WRITE_ZEROES && io->flags & IO_F_FAST_ZERO)
		flags |= REQ_F_FAST_ZERO;
	return flags;
}

static enum req_op io_req_op(const struct io *io)
{
	switch (io->op) {
	case IO_READ:
	case IO_CACHE:
		return REQ_READ;
	case IO_WRITE:
		return REQ_WRITE;
	case IO_WRITE_ZEROES:
		return REQ_WRITE_ZEROES;
	case IO_DISCARD:
		return REQ_DISCARD;
	case IO_FLUSH:
		return REQ_FLUSH;
	case IO_STATUS:
		return REQ_STATUS;
	}
	__builtin_unreachable();
}

/* A write of zeroes to @nblocks, of which the first and last bytes stay. */
static void fill_zero_write(struct io *io, struct req *req, uint64_t lba, uint32_t nblocks,
			    uint32_t head_skip, uint32_t tail_skip)
{
	req->op = REQ_WRITE;
	req->flags = io->flags & IO_F_FUA ? REQ_F_FUA : 0;
	req->lba = lba;
	req->nblocks = nblocks;
	req->head_skip = head_skip;
	req->tail_skip = tail_skip;
	memset(req->data, 0, (size_t)nblocks << io->dev->block_shift);
}

static void fill_main(struct io *io, const struct io_map *m)
{
	struct req *req = io->req[0];

	if (m->zeroes_as_data) {
		fill_zero_write(io, req, m->lba, (uint32_t)m->nblocks, m->head_skip, m->tail_skip);
		return;
	}
	req->op = io_req_op(io);
	req->flags = req_is_write(req) ? io_req_flags(io) : 0;
	req->lba = m->lba;
	req->nblocks = (uint32_t)m->nblocks;
	if (io->op == IO_WRITE) {
		req->head_skip = m->head_skip;
		req->tail_skip = m->tail_skip;
	}
	if (io->op == IO_READ || io->op == IO_WRITE)
		io->data_skip = m->head_skip;
	if (io->op == IO_READ || io->op == IO_WRITE || io->op == IO_STATUS)
		io->data = (uint8_t *)req->data + io->data_skip;
	if (io->op == IO_CACHE) {
		req->nblocks = (uint32_t)MIN(m->nblocks, IO_CACHE_BYTES >> io->dev->block_shift);
		io->cache_left = (uint32_t)m->nblocks - req->nblocks;
	}
}

static void fill_edges(struct io *io, const struct io_map *m)
{
	const struct io_dev *d = io->dev;
	uint32_t mask = d->block_bytes - 1, used;
	unsigned n = 1;

	if (m->head_edge)
		fill_zero_write(io, io->req[n++], m->lba - 1, 1, (uint32_t)io->offset & mask, 0);
	if (m->tail_edge) {
		used = (uint32_t)(io->offset + io->length) & mask;
		fill_zero_write(io, io->req[n++], m->lba + m->nblocks, 1, 0, d->block_bytes - used);
	}
	assert(n == io->nreqs);
}

/* Take what is still missing. False: no room now. Only the first in the line can hold a part of
 * what it needs, so nobody waits for somebody who waits. */
static bool io_take(struct io *io, const struct io_map *m)
{
	const struct io_dev *d = io->dev;
	unsigned i;

	io->nreqs = 1u + m->head_edge + m->tail_edge;
	while (io->got < io->nreqs) {
		size_t bytes = io->got == 0 ? map_main_bytes(d, io, m) : 2u * d->block_bytes;

		io->req[io->got] = lun_req_get(d->lun, bytes);
		if (!io->req[io->got])
			return false;
		io->got++;
	}
	for (i = 0; i < io->nreqs; i++) {
		io->req[i]->done = io_req_done;
		io->req[i]->owner = io;
		io->req[i]->client = io->client;
	}
	fill_main(io, m);
	if (io->nreqs > 1)
		fill_edges(io, m);
	io->state = IO_ADMITTED;
	return true;
}

static bool io_waiter_fn(struct lun_waiter *w)
{
	struct io *io = container_of(w, struct io, waiter);
	struct io_map m = {0};

	assert(io->state == IO_WAITING);
	if (io->op != IO_FLUSH)
		io_map(io->dev, io, &m);
	if (!io_take(io, &m))
		return false;
	io->room(io);
	return true;
}

int io_admit(struct io *io)
{
	struct io_map m;
	int r;

	assert(io->state == IO_IDLE);
	r = io_check_map(io->dev, io, &m);
	if (r != 0)
		return r;
	io->err = 0;
	io->data = NULL;
	io->data_skip = 0;
	io->got = io->running = 0;
	io->edges_sent = io->canceled = false;
	io->cache_left = 0;
	memset(io->req, 0, sizeof(io->req));
	if (io_take(io, &m))
		return 0;
	io->state = IO_WAITING;
	io->waiter.fn = io_waiter_fn;
	lun_wait_room(io->dev->lun, &io->waiter);
	return -EAGAIN;
}

/* --- life in the LUN ------------------------------------------------------------ */

static void io_send(struct io *io, unsigned n)
{
	io->running |= 1u << n;
	lun_submit(io->req[n]);
}

void io_start(struct io *io)
{
	assert(io->state == IO_ADMITTED);
	io->state = IO_RUNNING;
	io_send(io, 0);
}

/* IO_CACHE: the next piece, in a request of its own: a late command may still name the last one.
 * The buffer that was just given back is there unless somebody waits for it; then the hint is not
 * worth more, and the rest is left out. False: no further piece. */
static bool io_cache_more(struct io *io)
{
	struct req *old = io->req[0], *req;
	uint64_t lba = old->lba + old->nblocks;
	uint32_t nblocks = MIN(old->nblocks, io->cache_left);
	size_t bytes = old->data_bytes;

	lun_req_put(old);
	io->req[0] = req = lun_req_get(io->dev->lun, bytes);
	if (!req) {
		io->got = 0;
		return false;
	}
	io->cache_left -= nblocks;
	req->op = REQ_READ;
	req->lba = lba;
	req->nblocks = nblocks;
	req->done = io_req_done;
	req->owner = io;
	io_send(io, 0);
	return true;
}

/* The next step of a request of several, if there is one. The edges of WRITE_ZEROES come after
 * its middle: if that is refused (FAST_ZERO) nothing has been touched. */
static bool io_next_step(struct io *io)
{
	unsigned n;

	if (io->err != 0)
		return false;
	if (io->cache_left > 0 && !io->canceled)
		return io_cache_more(io);
	if (io->nreqs > 1 && !io->edges_sent && !io->canceled) {
		io->edges_sent = true;
		for (n = 1; n < io->nreqs; n++)
			io_send(io, n);
		return true;
	}
	if (io->nreqs > 1 && !io->edges_sent)
		io->err = ECANCELED;
	return false;
}

static void io_req_done(struct req *req)
{
	struct io *io = req->owner;
	unsigned n;

	assert(io->state == IO_RUNNING);
	for (n = 0; io->req[n] != req; n++)
		assert(n + 1 < io->nreqs);
	assert(io->running & 1u << n);
	io->running &= ~(1u << n);
	/* An unknown end outweighs every other: it must not be answered. */
	if (req->err != 0 && (io->err == 0 || req->err == ESHUTDOWN))
		io->err = req->err;
	if (io->running != 0 || io_next_step(io))
		return;
	if (io->data) /* it may have come in another buffer */
		io->data = (uint8_t *)io->req[0]->data + io->data_skip;
	io->state = IO_DONE;
	io->done(io);
}

void io_abandon(struct io *io)
{
	unsigned n;

	if (io->state != IO_RUNNING)
		return;
	io->canceled = true;
	for (n = 0; n < io->nreqs; n++)
		if (io->running & 1u << n)
			lun_cancel(io->req[n]);
}

void io_put(struct io *io)
{
	unsigned n;

	assert(io->state != IO_RUNNING);
	if (io->state == IO_IDLE)
		return;
	if (io->state == IO_WAITING)
		lun_wait_cancel(io->dev->lun, &io->waiter);
	for (n = 0; n < io->got; n++)
		lun_req_put(io->req[n]);
	memset(io->req, 0, sizeof(io->req));
	io->got = 0;
	io->data = NULL;
	io->state = IO_IDLE;
}

/* --- the answer to IO_STATUS ------------------------------------------------------ */

bool io_next_extent(const struct io *io, unsigned *pos, uint64_t *covered_bytes,
		    struct io_extent *ret)
{
	const struct req *req = io->req[0];
	const struct extent *e = req->data;
	uint64_t head = io->offset & (io->dev->block_bytes - 1);
	/* A device may claim any length: cut before shifting. */
	uint64_t most = ((uint64_t)io->length >> io->dev->block_shift) + 2;
	uint64_t bytes;

	assert(io->op == IO_STATUS && io->state == IO_DONE && io->err == 0);
	ret->bytes = 0;
	for (; *pos < req->nextents && *covered_bytes < io->length; ++*pos) {
		if (e[*pos].nblocks == 0)
			continue;
		if (ret->bytes > 0 && (e[*pos].hole != ret->hole || e[*pos].zero != ret->zero))
			break;
		bytes = MIN(e[*pos].nblocks, most) << io->dev->block_shift;
		if (*covered_bytes == 0)
			bytes -= head;
		bytes = MIN(bytes, io->length - *covered_bytes);
		ret->hole = e[*pos].hole;
		ret->zero = e[*pos].zero;
		ret->bytes += bytes;
		*covered_bytes += bytes;
	}
	return ret->bytes > 0;
}
