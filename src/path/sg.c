/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sg.c - the path driver for SCSI generic devices: what core calls, and the life
 * of a path.
 *
 * A slot holds all that one command needs (header, CDB, sense, a small buffer),
 * and is made before the first command.  submit() fills one, flush() writes what
 * the turn has gathered, the loop says when results are there.
 *
 * A path whose device goes away is "lost": results are waited for, then its files
 * are closed, so that the kernel can forget the device and use the name again.
 * The next full check opens it anew, if sysfs says that the name still is the same
 * device and our LUN.
 *
 * Invariants: a slot is on the free list, in the queue, with the kernel, or ended
 * and waiting for its task.  A file has at most SG_CMDS_PER_FILE slots.
 */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "path/discover_sg.h"
#include "path/sg_priv.h"
#include "path/sg_sysfs.h"

static const struct path_ops sg_ops;

static struct sg_path *to_sg(struct path *p)
{
	assert(p->ops == &sg_ops);
	return container_of(p, struct sg_path, path);
}

/* --- commands --- */

static int sg_submit(struct path *p, struct cmd *cmd)
{
	struct sg_path *s = to_sg(p);
	struct sg_slot *slot;
	struct outcome o;

	if (s->state != SG_UP)
		return -ENODEV;
	slot = STAILQ_FIRST(&s->free_slots);
	if (!slot || s->stall_errno) {
		s->starving = true;
		return -EAGAIN;
	}
	assert(slot->state == SLOT_FREE && !slot->cmd && s->facts_valid);
	STAILQ_REMOVE_HEAD(&s->free_slots, link);
	slot->cmd = cmd;
	cmd->drv = slot;
	if (sg_encode(s, slot, &o)) {
		slot->state = SLOT_QUEUED;
		STAILQ_INSERT_TAIL(&s->queue, slot, link);
	} else {
		sg_slot_end_later(s, slot, &o);
	}
	return 0;
}

static void sg_flush(struct path *p)
{
	sg_hidden_watch(to_sg(p));
	sg_send_queue(to_sg(p));
}

static void slot_finish(struct sg_path *s, struct sg_slot *slot,
			const struct outcome *o)
{
	struct cmd *cmd = slot->cmd;

	assert(cmd && cmd->drv == slot && slot != sg_check_slot(s));
	cmd->outcome = *o;
	cmd->drv = NULL;
	/* The command that this flush was to follow has run, whatever became of the
	 * flush. */
	if (slot->flushing)
		cmd->outcome.flags &= ~(unsigned)VF_NOT_RUN;
	slot->cmd = NULL;
	slot->state = SLOT_FREE;
	/* The last one used is the first used again: its memory is warm. */
	STAILQ_INSERT_HEAD(&s->free_slots, slot, link);
	path_complete(cmd);
}

static bool outcome_is_good(const struct outcome *o)
{
	return o->verdict == V_OK || o->verdict == V_OK_INFO;
}

void sg_slot_done(struct sg_path *s, struct sg_slot *slot, const struct outcome *o)
{
	struct outcome both = *o;

	if (outcome_is_good(o) && slot->flush_after) {
		slot->outcome = *o;
		slot->flush_after = false;
		slot->flushing = true;
		sg_encode_flush(s, slot);
		if (s->state == SG_UP) {
			slot->state = SLOT_QUEUED;
			STAILQ_INSERT_TAIL(&s->queue, slot, link);
			loop_task_queue(s->loop, &s->send_task);
			return;
		}
		scsi_judge_write_errno(ENODEV, &both);
	} else if (outcome_is_good(o) && slot->flushing) {
		both.done_blocks = slot->outcome.done_blocks;
	}
	slot_finish(s, slot, &both);
}

void sg_slot_end_later(struct sg_path *s, struct sg_slot *slot, const struct outcome *o)
{
	slot->outcome = *o;
	slot->state = SLOT_ENDED;
	STAILQ_INSERT_TAIL(&s->ended, slot, link);
	loop_task_queue(s->loop, &s->ended_task);
}

static void complete_ended(struct loop_task *t)
{
	struct sg_path *s = container_of(t, struct sg_path, ended_task);
	struct sg_slot *slot;
	struct outcome o;

	while ((slot = STAILQ_FIRST(&s->ended))) {
		STAILQ_REMOVE_HEAD(&s->ended, link);
		o = slot->outcome;
		slot_finish(s, slot, &o);
	}
	if (s->starving && s->state == SG_UP && !s->stall_errno) {
		s->starving = false;
		path_room(&s->path);
	}
	sg_drained(s);
}

/* --- life --- */

static void sg_close(struct path *p)
{
	struct outcome canceled = {.verdict = V_CANCELED, .flags = VF_NOT_RUN};
	struct sg_path *s = to_sg(p);

	assert(s->state != SG_CLOSING && s->state != SG_CLOSED);
	s->state = SG_CLOSING;
	sg_hidden_stop(s);
	s->stall_errno = 0;
	loop_timer_stop(s->loop, &s->stall_timer);
	sg_cancel_queue(s, &canceled);
	sg_check_abort(s, "the path is closing");
	sg_drained(s);
}

static void closed(struct loop_task *t)
{
	struct sg_path *s = container_of(t, struct sg_path, close_task);

	assert(s->state == SG_CLOSING && s->inflight == 0 && STAILQ_EMPTY(&s->ended));
	sg_close_files(s);
	sg_io_stop(s);
	s->state = SG_CLOSED;
	path_closed(&s->path);
}

static void sg_path_free(struct sg_path *s)
{
	if (!s)
		return;
	assert(s->inflight == 0 && STAILQ_EMPTY(&s->queue) && STAILQ_EMPTY(&s->ended));
	if (s->counted)
		s->identity->npaths--;
	sg_close_files(s);
	sg_io_stop(s);
	sg_check_stop(s);
	sg_hidden_stop(s);
	loop_task_cancel(s->loop, &s->ended_task);
	loop_task_cancel(s->loop, &s->close_task);
	free(s->check.buf);
	free(s->slots);
	free(s->asides);
	free(s->files);
	free(s);
}

static void sg_release(struct path *p)
{
	sg_path_free(to_sg(p));
}

static void sg_activate(struct path *p)
{
	to_sg(p)->activate = true;
}

static const struct path_ops sg_ops = {
	.name = "sg",
	.submit = sg_submit,
	.outcome_text = sg_outcome_text,
	.flush = sg_flush,
	.check = sg_check,
	.activate = sg_activate,
	.close = sg_close,
	.release = sg_release,
};

static unsigned timeout_ms(uint64_t ns)
{
	return (unsigned)MIN(MAX(ns / NS_PER_MS, 1), (uint64_t)INT32_MAX);
}

static void configure(struct sg_path *s, const struct sg_conf *conf)
{
	uint64_t io_ns =
		conf->io_timeout_ns ? conf->io_timeout_ns : SG_TIMEOUT_DEFAULT_NS;

	snprintf(s->wwid, sizeof(s->wwid), "%s", conf->wwid);
	s->identity = conf->identity;
	s->allow_vpd80 = conf->allow_vpd80;
	s->io_timeout_ms = timeout_ms(io_ns);
	s->check_timeout_ms =
		timeout_ms(conf->check_timeout_ns ? conf->check_timeout_ns : io_ns);
	s->check_read_bytes = MIN(conf->check_read_bytes, CHECK_READ_BYTES_MAX);
	s->depth_cap = conf->depth;
	s->max_xfer_cap = conf->max_xfer_bytes
				  ? MIN(conf->max_xfer_bytes, CMD_BYTES_MAX)
				  : SG_XFER_DEFAULT_BYTES;
}

int sg_path_new(struct loop *l, const struct sg_conf *conf, const char *dev,
		struct path **ret, char *errbuf, size_t errbuf_size)
{
	struct sg_path *s;
	struct ident id;
	int rc;

	assert(conf->identity && conf->wwid);
	if (strlen(dev) >= PATH_NAME_BYTES) {
		snprintf(errbuf, errbuf_size, "%s: the name is longer than %d bytes",
			 dev, PATH_NAME_BYTES - 1);
		return -ENAMETOOLONG;
	}
	s = calloc(1, sizeof(*s));
	if (!s || !(s->check.buf = malloc(SG_CHECK_BYTES))) {
		snprintf(errbuf, errbuf_size, "%s: %s", dev, strerror(ENOMEM));
		free(s);
		return -ENOMEM;
	}
	s->loop = l;
	s->claim_fd = -1;
	s->path.ops = &sg_ops;
	snprintf(s->path.name, sizeof(s->path.name), "%s", dev);
	STAILQ_INIT(&s->free_slots);
	STAILQ_INIT(&s->queue);
	STAILQ_INIT(&s->ended);
	loop_task_init(&s->ended_task, LOOP_COLLECT, complete_ended);
	loop_task_init(&s->close_task, LOOP_COLLECT, closed);
	sg_io_init(s);
	sg_check_init(s);
	sg_hidden_init(s);
	configure(s, conf);
	rc = sg_open_files(s, errbuf, errbuf_size);
	if (rc < 0) {
		sg_path_free(s);
		return rc;
	}
	s->state = SG_UP;
	s->counted = true;
	s->identity->npaths++;
	/* While a file is open its name belongs to this device. */
	sg_kobject(s->sg, s->kobject, sizeof(s->kobject));
	s->sysfs_knows = discover_sg_ident(s->sg, s->allow_vpd80, &id);
	*ret = &s->path;
	return 0;
}

bool sg_path_get_stats(const struct path *p, struct sg_path_stats *ret)
{
	const struct sg_path *s = container_of(p, const struct sg_path, path);

	if (p->ops != &sg_ops)
		return false;
	*ret = s->stats;
	ret->nfiles = s->nfiles;
	return true;
}
