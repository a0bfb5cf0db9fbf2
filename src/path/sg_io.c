/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sg_io.c - the sg files: write() commands, read() results.
 *
 * Commands are gathered by submit() and written one after the other in flush(),
 * so that two looks at the clock time the whole row.  write() saying EDOM, ENOMEM
 * or EAGAIN is the kernel's way to say "not now": the command stays at the head
 * of the queue, and submit() takes no more.
 *
 * A result is believed if it names a slot that was sent through the very file it
 * came from, by its number, its address and its generation.  One that does not
 * means that somebody's memory is not what it should be: the path takes no more.
 *
 * After a device is deleted its files hang up for ever, and poll says so at once
 * while read() says EAGAIN until the last results are in.  The loop shows a
 * hang-up as "readable", so a wake-up without a result asks the device.
 */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/sys.h"
#include "path/sg_priv.h"

/* --- sending --- */

static int file_write(struct sg_path *s, struct sg_file *f, struct sg_slot *slot)
{
	ssize_t n;

	if (fault_strikes(FAULT_SG_WRITE_EDOM))
		return -EDOM;
	if (fault_strikes(FAULT_SG_WRITE_ENOMEM))
		return -ENOMEM;
	n = sys->write(f->lfd.fd, &slot->hdr, sizeof(slot->hdr));
	if (n < 0)
		return (int)n;
	if (n != sizeof(slot->hdr))
		return -EPROTO;
	slot->state = SLOT_SENT;
	slot->file = f;
	f->inflight++;
	s->inflight++;
	s->stats.writes++;
	return 0;
}

static bool is_back_pressure(struct sg_path *s, int rc)
{
	switch (rc) {
	case -EDOM:
		s->stats.edom++;
		return true;
	case -ENOMEM:
		s->stats.enomem++;
		return true;
	case -EAGAIN:
	case -EINTR:
	case -EBUSY:
		s->stats.eagain++;
		return true;
	default:
		return false;
	}
}

/* One of a file's commands can use the buffer that sg keeps for the file. For each other one sg allocates pieces of
 * 32 KiB, and clears them, whatever its size (drivers/scsi/sg.c, sg_build_indirect()). */
static struct sg_file *pick_file(struct sg_path *s, uint32_t bytes)
{
	unsigned i;

	for (i = 0; bytes > 0 && i < s->nfiles; i++)
		if (s->files[i].inflight == 0 && s->files[i].buffer_bytes >= bytes)
			return &s->files[i];
	/* The others, and what has no data, by those with the small buffers. */
	for (i = 0; i < s->nfiles; i++)
		if (s->files[i].inflight < SG_CMDS_PER_FILE)
			return &s->files[i];
	return NULL;
}

/* One command goes through the memory that was put aside for it, when there is no
 * other. */
static int write_by_reserve(struct sg_path *s, struct sg_slot *slot)
{
	struct sg_file *f = sg_reserve_file(s);
	int rc;

	if (f->inflight > 0 || slot->hdr.dxfer_len > f->buffer_bytes)
		return -ENOMEM;
	rc = file_write(s, f, slot);
	if (rc == 0)
		s->stats.reserve_used++;
	return rc;
}

static int slot_write(struct sg_path *s, struct sg_slot *slot)
{
	struct sg_file *f = pick_file(s, slot->hdr.dxfer_len);
	int rc;

	/* More slots than files have room for would be our own mistake. */
	assert(f);
	rc = file_write(s, f, slot);
	if (rc == -ENOMEM) {
		s->stats.enomem++;
		rc = write_by_reserve(s, slot);
		if (rc == -ENOMEM)
			s->stats.enomem--; /* counted by the caller */
	}
	return rc;
}

void sg_write_refused(struct sg_path *s, int rc)
{
	if (rc == -EPERM && !s->told_eperm) {
		s->told_eperm = true;
		log_err("%s: write: %s: an sg file works only for the credentials that "
			"opened it, and "
			"this process has changed its own since (user, groups or "
			"capabilities)",
			s->path.name, strerror(EPERM));
	}
	if (rc == -ENODEV || rc == -ENXIO)
		sg_lost(s, "the device has been removed");
	else if (rc == -EPERM)
		sg_lost(s, "sg refuses our credentials");
}

static void write_failed(struct sg_path *s, struct sg_slot *slot, int rc)
{
	struct outcome o;

	scsi_judge_write_errno(-rc, &o);
	sg_slot_end_later(s, slot, &o);
	sg_write_refused(s, rc);
}

static void stall(struct sg_path *s, int rc)
{
	uint64_t now_ns = loop_now_ns(s->loop);
	struct outcome o;

	if (!s->stall_errno)
		s->stall_since_ns = now_ns;
	s->stall_errno = -rc;
	/* Nothing of ours is left that could make room: let core decide anew. */
	if (s->inflight == 0 && now_ns - s->stall_since_ns >= SG_STALL_LIMIT_NS) {
		scsi_judge_write_errno(-rc, &o);
		sg_cancel_queue(s, &o);
		s->stall_errno = 0;
		return;
	}
	loop_timer_in(s->loop, &s->stall_timer, SG_STALL_RETRY_NS);
}

static void room_again(struct sg_path *s)
{
	s->stall_errno = 0;
	loop_timer_stop(s->loop, &s->stall_timer);
	if (s->starving && s->state == SG_UP && !STAILQ_EMPTY(&s->free_slots)) {
		s->starving = false;
		path_room(&s->path);
	}
}

static void count_batch(struct sg_path *s, uint64_t start_ns)
{
	uint64_t took_ns = loop_clock_ns(s->loop) - start_ns;

	s->stats.batches++;
	s->stats.batch_max_ns = MAX(s->stats.batch_max_ns, took_ns);
	path_wrote(&s->path, took_ns);
}

void sg_send_queue(struct sg_path *s)
{
	struct sg_slot *slot;
	uint64_t start_ns;
	int rc = 0;

	if (s->state != SG_UP || STAILQ_EMPTY(&s->queue))
		return;
	/* What has waited for room, or follows a write, was meant for the LUN that core knew. */
	if (!path_is_usable(&s->path) && !fault_strikes(PLANT_SG_QUEUE)) {
		sg_cancel_queue(s, &(struct outcome){.verdict = V_CANCELED, .flags = VF_NOT_RUN});
		room_again(s);
		return;
	}
	start_ns = loop_clock_ns(s->loop);
	while (s->state == SG_UP && (slot = STAILQ_FIRST(&s->queue))) {
		rc = slot_write(s, slot);
		if (is_back_pressure(s, rc)) {
			if (fault_strikes(PLANT_SG_PRESSURE))
				STAILQ_REMOVE_HEAD(&s->queue, link);
			break;
		}
		/* write_failed() may have ended the whole queue, this slot is out of it
		 * by then. */
		STAILQ_REMOVE_HEAD(&s->queue, link);
		if (rc < 0)
			write_failed(s, slot, rc);
	}
	count_batch(s, start_ns);
	if (s->state != SG_UP)
		return;
	if (rc < 0 && !STAILQ_EMPTY(&s->queue))
		stall(s, rc);
	else
		room_again(s);
}

int sg_send_check(struct sg_path *s)
{
	uint64_t start_ns = loop_clock_ns(s->loop);
	int rc;

	rc = file_write(s, sg_check_file(s), sg_check_slot(s));
	count_batch(s, start_ns);
	is_back_pressure(s, rc);
	return rc;
}

void sg_cancel_queue(struct sg_path *s, const struct outcome *o)
{
	struct sg_slot *slot;

	while ((slot = STAILQ_FIRST(&s->queue))) {
		STAILQ_REMOVE_HEAD(&s->queue, link);
		sg_slot_end_later(s, slot, o);
	}
}

/* --- results --- */

/* NULL: no command of ours on @f has such a name. */
static struct sg_slot *find_slot(struct sg_path *s, const struct sg_file *f,
				 const struct sg_io_hdr *h)
{
	unsigned index = (unsigned)h->pack_id & 0xffff;
	struct sg_slot *slot;

	if (h->pack_id < 0 || index > s->nslots)
		return NULL;
	slot = &s->slots[index];
	if (h->usr_ptr != slot || h->pack_id != slot->hdr.pack_id ||
	    slot->state != SLOT_SENT || slot->file != f)
		return NULL;
	return slot;
}

static void take_back(struct sg_path *s, struct sg_slot *slot)
{
	assert(slot->file->inflight > 0 && s->inflight > 0);
	slot->file->inflight--;
	s->inflight--;
	slot->file = NULL;
}

static void result(struct sg_path *s, struct sg_slot *slot, const struct sg_io_hdr *h)
{
	struct outcome o;

	take_back(s, slot);
	if (slot == sg_check_slot(s)) {
		slot->state = SLOT_FREE;
		sg_check_result(s, h);
		return;
	}
	sg_judge(s, slot, h, &o);
	sg_slot_done(s, slot, &o);
}

/* The result is there and cannot be fetched. The header may still tell whose it was. */
static void read_failed(struct sg_path *s, struct sg_file *f, const struct sg_io_hdr *h,
			int err)
{
	struct sg_slot *slot = find_slot(s, f, h);
	struct sg_io_hdr lost;
	struct outcome o;
	char why[96];

	snprintf(why, sizeof(why), "read: %s", strerror(err));
	sg_lost(s, why);
	if (!slot)
		return;
	take_back(s, slot);
	if (slot == sg_check_slot(s)) {
		slot->state = SLOT_FREE;
		lost = slot->hdr;
		lost.host_status = 0x07; /* DID_ERROR */
		sg_check_result(s, &lost);
		return;
	}
	scsi_judge_read_errno(err, &o);
	sg_slot_done(s, slot, &o);
}

/* Results fetched from @f. */
static unsigned reap(struct sg_path *s, struct sg_file *f)
{
	struct sg_io_hdr h;
	struct sg_slot *slot;
	unsigned n = 0;
	ssize_t len;

	/* All results are in when nothing is in flight: no read() just to hear EAGAIN.
	 */
	while (f->inflight > 0) {
		memset(&h, 0, sizeof(h));
		h.interface_id = 'S';
		h.pack_id = -1;
		len = sys->read(f->lfd.fd, &h, sizeof(h));
		if (len == -EINTR)
			continue;
		if (len == -EAGAIN)
			break;
		/* Kernels before 4.20 say so when they have no result and never will.
		 */
		if (len == -ENODEV) {
			sg_lost(s, "the device has been removed");
			break;
		}
		if (len != sizeof(h)) {
			read_failed(s, f, &h, len < 0 ? (int)-len : EPROTO);
			break;
		}
		s->stats.reads++;
		slot = find_slot(s, f, &h);
		if (!slot) {
			s->stats.strangers++;
			log_err("%s: sg gave a result for an unknown command (pack_id "
				"%d)",
				s->path.name, h.pack_id);
			sg_lost(s, "a result for an unknown command");
			break;
		}
		n++;
		sg_hidden_seen(s, &h);
		result(s, slot, &h);
	}
	return n;
}

/* After results: what waited for them. */
static void reaped(struct sg_path *s)
{
	if (s->state == SG_UP) {
		/* In the flush phase, so that what core sends in this turn goes with
		 * it. */
		if (!STAILQ_EMPTY(&s->queue))
			loop_task_queue(s->loop, &s->send_task);
		else
			room_again(s);
	}
	sg_drained(s);
}

void sg_watch(struct sg_path *s, bool on)
{
	unsigned i;

	for (i = 0; i < sg_all_files(s); i++) {
		if (s->files[i].lfd.fd >= 0)
			loop_fd_set(s->loop, &s->files[i].lfd, on ? LOOP_READ : 0);
	}
}

static void empty_wake(struct sg_path *s, struct sg_file *f)
{
	struct sg_scsi_id id;

	if (fault_strikes(PLANT_SG_SPIN))
		return;
	s->stats.empty_wakes++;
	f->empty_wakes++;
	if (s->state == SG_UP &&
	    sys->ioctl(f->lfd.fd, SG_GET_SCSI_ID, &id) == -ENODEV) {
		s->stats.hangups++;
		sg_lost(s, "the device has been removed");
		return;
	}
	if (f->empty_wakes < SG_EMPTY_WAKES_MAX)
		return;
	if (s->state == SG_UP)
		sg_lost(s, "its file is always ready and has no results");
	sg_watch(s, false);
	loop_timer_in(s->loop, &s->drain_timer, SG_DRAIN_NS);
}

void sg_file_event(struct loop_fd *lfd, int events)
{
	struct sg_file *f = container_of(lfd, struct sg_file, lfd);
	struct sg_path *s = f->sg;

	if (reap(s, f) == 0)
		empty_wake(s, f);
	else
		f->empty_wakes = 0;
	reaped(s);
}

/* --- the end of a device --- */

void sg_lost(struct sg_path *s, const char *why)
{
	struct outcome o;

	if (s->state != SG_UP)
		return;
	log_warn("%s: %s; %u commands are in flight", s->path.name, why, s->inflight);
	s->state = SG_LOST;
	s->stall_errno = 0;
	loop_timer_stop(s->loop, &s->stall_timer);
	sg_watch(s, false);
	loop_timer_in(s->loop, &s->drain_timer, SG_DRAIN_NS);
	scsi_judge_write_errno(ENODEV, &o);
	sg_cancel_queue(s, &o);
	sg_check_abort(s, why);
	path_lost(&s->path, why);
}

static void drain(struct loop_timer *t)
{
	struct sg_path *s = container_of(t, struct sg_path, drain_timer);
	unsigned i;

	for (i = 0; i < sg_all_files(s); i++) {
		if (s->files[i].inflight > 0)
			reap(s, &s->files[i]);
	}
	if (s->inflight > 0)
		loop_timer_in(s->loop, &s->drain_timer, SG_DRAIN_NS);
	reaped(s);
}

void sg_drained(struct sg_path *s)
{
	if (s->inflight > 0)
		return;
	if (s->state == SG_LOST) {
		/* The kernel keeps the device, and its name taken, until the last file
		 * is closed. */
		sg_close_files(s);
		s->state = SG_SHUT;
	} else if (s->state == SG_CLOSING && STAILQ_EMPTY(&s->ended) &&
		   !s->check.running) {
		loop_task_queue(s->loop, &s->close_task);
	}
}

static void stall_over(struct loop_timer *t)
{
	sg_send_queue(container_of(t, struct sg_path, stall_timer));
}

static void send_again(struct loop_task *t)
{
	sg_send_queue(container_of(t, struct sg_path, send_task));
}

void sg_io_init(struct sg_path *s)
{
	loop_timer_init(&s->stall_timer, stall_over);
	loop_timer_init(&s->drain_timer, drain);
	loop_task_init(&s->send_task, LOOP_FLUSH, send_again);
}

void sg_io_stop(struct sg_path *s)
{
	loop_timer_stop(s->loop, &s->stall_timer);
	loop_timer_stop(s->loop, &s->drain_timer);
	loop_task_cancel(s->loop, &s->send_task);
}
