/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sg_kernel.c - files, what wakes their watchers, and life. See sg_kernel.h. */
#include "sg_kernel_priv.h"

#include "fate.h"

#include "base/sys.h"
#include "path/sg_sysfs.h"

#include <assert.h>
#include <errno.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SGK_WWID "36000000000000000000000000000" "00a1"
#define FD_FIRST 100000
/* Between two looks at files that stay readable, and as many as nobody needs. */
#define POLL_NS (20 * NS_PER_US)
#define POLLS_MAX 4000u

struct sg_kernel sgk;

/* --- polling ------------------------------------------------------------------------- */

static bool file_is_readable(const struct kfile *f)
{
	return f->nready || dev_of(f->n)->gone;
}

/* Level-triggered: as long as one is readable and watched. */
static bool is_wanted(const struct nexus *n)
{
	const struct sg_path *s = sg_of(n);

	for (unsigned i = 0; s->files && i < sg_all_files(s); i++) {
		const struct loop_fd *l = &s->files[i].lfd;

		if (l->fd >= 0 && (l->events & LOOP_READ) && file_is_readable(&sgk.file[l->fd - FD_FIRST]))
			return true;
	}
	return false;
}

void dev_poll(struct loop_timer *t)
{
	struct kdev *d = container_of(t, struct kdev, poll);
	struct nexus *n = &sgk.w->array.nexus[d - sgk.dev];

	if (n->path && ++d->polls > POLLS_MAX)
		world_fail(sgk.w, "O6", "path %u looks at its files for ever", n->id);
	for (unsigned i = 0; n->path && i < sg_all_files(sg_of(n)); i++) {
		struct loop_fd *l = &sg_of(n)->files[i].lfd;

		if (l->fd >= 0 && (l->events & LOOP_READ) && file_is_readable(&sgk.file[l->fd - FD_FIRST]))
			l->fn(l, LOOP_READ);
	}
	if (n->path && is_wanted(n))
		loop_timer_in(sgk.w->loop, t, POLL_NS);
}

void sgk_watch(struct nexus *n)
{
	struct kdev *d = dev_of(n);

	sgk.read_cmd = NULL; /* what was to be made of it has been */
	if (n->path && !loop_timer_running(&d->poll) && is_wanted(n))
		loop_timer_in(sgk.w->loop, &d->poll, 0);
}

void sgk_poll(struct nexus *n)
{
	if (n->path && is_wanted(n))
		dev_poll(&dev_of(n)->poll);
}

/* --- files --------------------------------------------------------------------------------- */

static struct kfile *file_of(int fd)
{
	assert(fd >= FD_FIRST && fd < FD_FIRST + (int)FILES_MAX && sgk.file[fd - FD_FIRST].n);
	return &sgk.file[fd - FD_FIRST];
}

/* The device that @name names, "sg3..."; *ret_rest is what follows. */
static struct nexus *nexus_by_name(const char *name, const char **ret_rest)
{
	unsigned n;
	int end;

	if (sscanf(name, "sg%u%n", &n, &end) != 1 || n < 1 || n > sgk.w->cfg.npaths)
		return NULL;
	*ret_rest = name + end;
	for (unsigned i = 0; i < sgk.w->cfg.npaths; i++)
		if (sgk.dev[i].minor == n)
			return &sgk.w->array.nexus[i];
	return NULL;
}

/* "/sys/class/scsi_generic/sg3/device/ATTR". */
static struct nexus *nexus_of_attr(const char *path, const char *attr)
{
	const char *at = strstr(path, "/scsi_generic/"), *rest;
	struct nexus *n = at ? nexus_by_name(at + 14, &rest) : NULL;

	if (!n || dev_of(n)->gone || strncmp(rest, "/device/", 8) || strcmp(rest + 8, attr))
		return NULL;
	return n;
}

static int sgk_open(const char *path, int flags)
{
	struct nexus *n = nexus_of_attr(path, "vpd_pg83");
	bool attr = n != NULL;
	const char *rest;

	if (!attr && strncmp(path, "/dev/", 5) == 0)
		n = nexus_by_name(path + 5, &rest);
	if (!n)
		return -ENOENT;
	if (dev_of(n)->gone)
		return -ENXIO;
	for (unsigned i = 0; i < FILES_MAX; i++) {
		if (sgk.file[i].n)
			continue;
		sgk.file[i] = (struct kfile){ .n = n, .attr = attr, .reserved = 32768 };
		return FD_FIRST + (int)i;
	}
	return -EMFILE;
}

static int sgk_close(int fd)
{
	struct kfile *f = file_of(fd);

	if (f->ncmds)
		world_fail(sgk.w, "O5", "path %u closes a file with %u commands in flight", f->n->id, f->ncmds);
	f->n = NULL;
	return 0;
}

static int sgk_ioctl(int fd, unsigned long request, void *arg)
{
	struct kfile *f = file_of(fd);
	struct sg_scsi_id *id = arg;
	int *v = arg;

	switch (request) {
	case SG_GET_VERSION_NUM:
		*v = 30536;
		return 0;
	case SG_GET_SCSI_ID:
		if (dev_of(f->n)->gone)
			return -ENODEV;
		*id = (struct sg_scsi_id){ .host_no = f->n->cfg->host >= 0 ? f->n->cfg->host : 100 + (int)f->n->id,
					   .lun = 1 };
		return 0;
	case SG_GET_SG_TABLESIZE:
		*v = 256;
		return 0;
	case BLKSECTGET:
		*v = 1 << 20;
		return 0;
	case SG_SET_RESERVED_SIZE:
		f->reserved = *v;
		return 0;
	case SG_GET_RESERVED_SIZE:
		*v = f->reserved;
		return 0;
	case SG_SET_FORCE_PACK_ID:
		return 0;
	default:
		return -EINVAL;
	}
}

static ssize_t sgk_read_file(const char *path, char *buf, size_t size)
{
	struct nexus *n;

	if ((n = nexus_of_attr(path, "ioerr_cnt")))
		return snprintf(buf, size, "%#x", dev_of(n)->ioerr_cnt + n->info.unexplained);
	if ((n = nexus_of_attr(path, "queue_depth")))
		return snprintf(buf, size, "%u", n->info.depth ? n->info.depth : 32);
	return -ENOENT;
}

/* What sysfs calls by a name is another inode for another device. */
static int sgk_inode(const char *path, ino_t *ret)
{
	const char *at = strstr(path, "/scsi_generic/"), *rest;
	struct nexus *n = at ? nexus_by_name(at + 14, &rest) : NULL;

	if (!n || *rest || dev_of(n)->gone)
		return -ENOENT;
	*ret = n->id + 1;
	return 0;
}

static ssize_t sgk_write(int fd, const void *buf, size_t len)
{
	const struct sg_io_hdr *h = buf;
	struct kfile *f = file_of(fd);
	struct nexus *n = f->n;
	struct sg_path *s = sg_of(n);
	const struct sg_slot *slot = h->usr_ptr;
	struct kcmd *c;
	ssize_t r;

	if (len != sizeof(*h) || h->interface_id != 'S' || h->flags != 0x10 || !h->timeout)
		kcmd_wrong(n, h, "not what sg wants");
	if (slot - s->slots != (h->pack_id & 0xffff))
		kcmd_wrong(n, h, "usr_ptr and pack_id name two slots");
	if (dev_of(n)->gone) {
		dev_of(n)->refused = true;
		return -ENODEV;
	}
	if (f->ncmds >= SG_CMDS_PER_FILE)
		return -EDOM;
	if (sgk.sleep_rate && sgk.w->phase == WP_LOAD && prng_below(&sgk.sleeper, sgk.sleep_rate) == 0)
		sgk.slept_ns += draw(&sgk.sleeper, 1, 5000) * NS_PER_MS;
	c = kcmd_new(n, (unsigned)(fd - FD_FIRST), h);
	r = slot == sg_check_slot(s) ? kcmd_send_check(c) : kcmd_send_data(c, slot);
	f->ncmds += r > 0;
	return r;
}

static struct kcmd *next_result(unsigned file)
{
	struct kcmd *c;

	TAILQ_FOREACH (c, &sgk.live, link)
		if (c->ready && c->file == file)
			return c;
	return NULL;
}

static ssize_t sgk_read(int fd, void *buf, size_t len)
{
	struct kfile *f = file_of(fd);
	uint8_t page[64];
	struct kcmd *c;

	if (f->attr) {
		size_t n = MIN(len, lu_page_83(f->n, page) - f->at);

		memcpy(buf, page + f->at, n);
		f->at += n;
		return (ssize_t)n;
	}
	c = next_result((unsigned)(fd - FD_FIRST));
	if (!c)
		return -EAGAIN;
	if (c->hdr.dxfer_direction == SG_DXFER_FROM_DEV)
		kcmd_copy(&c->hdr, c->data, c->hdr.dxfer_len - MIN((unsigned)c->hdr.resid, c->hdr.dxfer_len), false);
	memcpy(c->hdr.sbp, c->sense, c->hdr.sb_len_wr);
	memcpy(buf, &c->hdr, sizeof(c->hdr));
	sgk.read_cmd = c->cmd;
	sgk.expect = c->expect;
	f->ncmds--;
	f->nready--;
	dev_of(f->n)->polls = 0;
	if (c->defers)
		nexus_defers(f->n);
	kcmd_free(c);
	return sizeof(c->hdr);
}

static const struct sys_ops sgk_ops = {
	.open = sgk_open,
	.close = sgk_close,
	.read = sgk_read,
	.write = sgk_write,
	.ioctl = sgk_ioctl,
	.read_file = sgk_read_file,
	.inode = sgk_inode,
};

void sgk_turn_over(void)
{
	if (!sgk.slept_ns)
		return;
	loop_sim_advance(sgk.w->loop, sgk.slept_ns);
	sgk.w->slept_ns += sgk.slept_ns;
	sgk.slept_ns = 0;
}

/* --- life -------------------------------------------------------------------------------------------- */

/* The name of a device that is gone is free: it goes to the next one that is found, which may be what has
 * left before it. */
static void swap_names(struct nexus *n)
{
	struct kdev *d = dev_of(n), *other;

	for (unsigned i = 0; i < sgk.w->cfg.npaths; i++) {
		other = &sgk.dev[i];
		if (other == d || !other->gone || sgk.w->array.nexus[i].path || !draw_pct(&sgk.sleeper, 50))
			continue;
		unsigned mine = d->minor;

		d->minor = other->minor;
		other->minor = mine;
		return;
	}
}

void sgk_hang_up(struct nexus *n)
{
	swap_names(n);
	dev_of(n)->gone = dev_of(n)->bad_luck = n->down = true;
	sgk_watch(n);
}

void sgk_heal(struct nexus *n)
{
	dev_of(n)->gone = false;
}

bool sgk_renamed(const struct nexus *n)
{
	return strtoul(sg_of(n)->sg + 2, NULL, 10) != dev_of(n)->minor;
}

struct path *sgk_path_new(struct nexus *n)
{
	struct sg_conf conf = {
		.wwid = SGK_WWID,
		.io_timeout_ns = SGK_IO_TIMEOUT_NS,
		.check_timeout_ns = SGK_CHECK_TIMEOUT_NS,
		.check_read_bytes = n->id % 3 == 1 ? 4096 : 0,
		.identity = &sgk.identity,
	};
	char dev[16], err[300];
	struct path *p;
	int r;

	dev_of(n)->gone = dev_of(n)->refused = dev_of(n)->checking = false;
	snprintf(dev, sizeof(dev), "/dev/sg%u", dev_of(n)->minor);
	r = sg_path_new(n->w->loop, &conf, dev, &p, err, sizeof(err));
	if (r < 0)
		world_fail(sgk.w, "O6", "path %u cannot be opened: %s", n->id, err);
	return p;
}

void sgk_path_vanish(struct nexus *n)
{
	struct sg_path *s = sg_of(n);

	free(s->check.buf);
	free(s->slots);
	free(s->asides);
	free(s->files);
	free(s);
}

static void dev_init(unsigned i)
{
	sgk.dev[i] = (struct kdev){ .ioerr_cnt = sgk.dev[i].ioerr_cnt, .minor = i + 1 };
	loop_timer_init(&sgk.dev[i].poll, dev_poll);
}

void sgk_killed(void)
{
	struct kcmd *c;

	while ((c = TAILQ_FIRST(&sgk.live)))
		kcmd_free(c);
	memset(sgk.file, 0, sizeof(sgk.file));
	memset(&sgk.identity, 0, sizeof(sgk.identity));
	memset(sgk.eh_until_ns, 0, sizeof(sgk.eh_until_ns));
	for (unsigned i = 0; i < SIM_PATHS_MAX; i++)
		dev_init(i);
	sgk.read_cmd = NULL;
	sgk.slept_ns = 0;
}

/* What sg and its kernel have not got. */
static void fit(struct swarm *s)
{
	for (unsigned i = 0; i < s->npaths; i++) {
		s->path[i].info.caps &= ~(unsigned)PATH_CAP_OWN_CACHE;
		s->path[i].info.max_segs = 0;
		s->path[i].info_on_cheap = true;
	}
}

void sgk_init(struct world *w)
{
	memset(&sgk, 0, sizeof(sgk));
	sgk.w = w;
	TAILQ_INIT(&sgk.live);
	TAILQ_INIT(&sgk.spare);
	for (unsigned i = 0; i < SIM_PATHS_MAX; i++)
		dev_init(i);
	fit(&w->cfg);
	prng_init(&sgk.prng, w->seed, ENT_KERNEL);
	prng_init(&sgk.sleeper, w->seed, ENT_SLEEP);
	sgk.sleep_rate = draw_pct(&sgk.sleeper, 15) ? (unsigned)draw(&sgk.sleeper, 50, 1000) : 0;
	sgk.hidden_rate = draw_pct(&sgk.prng, 30) ? (unsigned)draw(&sgk.prng, 20, 200) : 0;
	sgk.check_us = draw_pct(&sgk.prng, 50) ? 1000 : 30000;
	sgk.eh = draw_pct(&sgk.prng, 50);
	sys = &sgk_ops;
	sg_sys_root = sg_proc_root = "/nonexistent";
}

void sgk_fini(void)
{
	struct kcmd *c;

	if (!sgk.w)
		return;
	sgk_killed();
	while ((c = TAILQ_FIRST(&sgk.spare))) {
		TAILQ_REMOVE(&sgk.spare, c, link);
		free(c->data);
		free(c);
	}
	sgk.w = NULL;
	sys = &sys_libc;
}
