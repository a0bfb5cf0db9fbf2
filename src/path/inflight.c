/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inflight.c - see inflight.h.
 *
 * The order in which a start goes on makes two of them with one WWID see each
 * other: the new file, locked and naming the WWID, has its place before the
 * directories of the others are looked through.
 */
#include <config.h>

#include "path/inflight.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/sys.h"
#include "core/ledger_table.h"
#include "core/path.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define TABLE "inflight"
#define TABLE_NEW "inflight.new"

/* --- a table that somebody has left ------------------------------------------------- */

struct old_table {
	int fd; /* -1: there is none */
	bool live; /* its process is */
	void *mem;
	size_t bytes;
	enum ledger_kind kind;
	const char *why;
};

static int lock_fd(int fd)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &fl) < 0 ? -errno : 0;
}

static void old_close(struct old_table *o)
{
	free(o->mem);
	if (o->fd >= 0)
		close(o->fd);
	o->fd = -1;
	o->mem = NULL;
}

/* Into memory of ours: the file may change or shrink at any moment. */
static int old_load(struct old_table *o, const struct stat *st)
{
	size_t max = ledger_table_bytes(LEDGER_SLOTS_MAX) + 1;

	o->bytes = 0;
	if (!S_ISREG(st->st_mode))
		return 0;
	max = (size_t)st->st_size < max ? (size_t)st->st_size : max;
	o->mem = malloc(max + 1);
	if (!o->mem)
		return -ENOMEM;
	while (o->bytes < max) {
		ssize_t n = pread(o->fd, (char *)o->mem + o->bytes, max - o->bytes, (off_t)o->bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break; /* cut short: that will be seen */
		o->bytes += (size_t)n;
	}
	return 0;
}

/* 0: *ret is valid, with fd -1 if there is no such file. */
static int old_open(int dir, const char *file, const char *boot_id, const char *wwid,
		    struct old_table *ret)
{
	struct old_table o = { .fd = -1 };
	struct stat st;
	int r;

	/* What is locked and has lost its name meanwhile is not it any more. */
	do {
		old_close(&o);
		o.fd = openat(dir, file, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (o.fd < 0) {
			r = -errno;
			*ret = o;
			return r == -ENOENT ? 0 : r;
		}
		o.live = lock_fd(o.fd) < 0;
		if (fstat(o.fd, &st) < 0)
			st.st_nlink = 0;
	} while (!st.st_nlink);
	r = old_load(&o, &st);
	if (r < 0) {
		old_close(&o);
		return r;
	}
	o.kind = ledger_table_kind(o.mem, o.bytes, boot_id, wwid, &o.why);
	*ret = o;
	return 0;
}

static int old_pid(const struct old_table *o)
{
	return o->bytes >= sizeof(struct ledger_head) ? ((const struct ledger_head *)o->mem)->pid : 0;
}

/* --- taking over ---------------------------------------------------------------------- */

struct takeover {
	const struct inflight_conf *conf;
	char boot_id[BOOT_ID_BYTES];
	struct ledger_find find;
	struct inflight *into;
};

static void alarm_broken(struct takeover *t, const char *dir, const char *file, const char *why)
{
	t->find.whole = true;
	if (!t->find.debts.unflushed)
		t->find.debts.unflushed = 1; /* for all we know */
	log_err("%s/%s/%s: %s: what an earlier process has left is not known, and all writes wait until "
		"nothing of it can land", t->conf->rundir, dir, file, why);
}

static void take_slots(struct takeover *t, const struct old_table *o, const char *dir, const char *file)
{
	unsigned broken = t->find.nbroken;
	bool whole = t->find.whole;

	ledger_find_slots(&t->find, o->mem, o->bytes);
	broken = t->find.nbroken - broken;
	if (broken) {
		char why[64];

		snprintf(why, sizeof(why), "%u entries have a wrong checksum", broken);
		alarm_broken(t, dir, file, why);
	} else if (t->find.whole && !whole) {
		alarm_broken(t, dir, file, "its entries count in other blocks, or are too many");
	}
}

/* The file of our own NAME, which the new one will replace. */
static int take_own(struct takeover *t, int dir, struct old_table *o)
{
	const char *name = t->conf->name;
	char aside[32];
	int r = old_open(dir, TABLE, t->boot_id, t->conf->wwid, o);

	if (r < 0) {
		log_err("%s/%s/" TABLE ": %s", t->conf->rundir, name, strerror(-r));
		return r;
	}
	if (o->fd < 0)
		return 0;
	if (o->live) {
		log_err("%s/%s/" TABLE ": another lunmuxd has it (pid %d)", t->conf->rundir, name, old_pid(o));
		return -EBUSY;
	}
	switch (o->kind) {
	case LEDGER_OURS:
		take_slots(t, o, name, TABLE);
		break;
	case LEDGER_OTHER_BOOT:
		log_info("%s/%s/" TABLE ": of an earlier boot, which has ended its writes", t->conf->rundir, name);
		break;
	case LEDGER_BAD:
		alarm_broken(t, name, TABLE, o->why);
		break;
	case LEDGER_OTHER_LUN:
		/* Whoever serves that one next will look for it. */
		snprintf(aside, sizeof(aside), TABLE ".%d", (int)getpid());
		if (renameat(dir, TABLE, dir, aside) < 0)
			log_warn("%s/%s/" TABLE ": of another LUN, and cannot be put aside: %s", t->conf->rundir,
				 name, strerror(errno));
		break;
	}
	return 0;
}

static void store_found(const struct takeover *t, struct inflight *into)
{
	ledger_find_store(&t->find, into->slots);
	ledger_debts_store(into->debts, t->find.debts);
}

/* A table that lies elsewhere, or was put aside. */
static int take_other(struct takeover *t, int dir, const char *name, const char *file)
{
	const struct inflight_conf *conf = t->conf;
	struct old_table o;
	bool names_us, spent = false;
	int r = old_open(dir, file, t->boot_id, conf->wwid, &o);

	if (r < 0) {
		log_warn("%s/%s/%s: cannot be looked into: %s", conf->rundir, name, file, strerror(-r));
		return 0;
	}
	if (o.fd < 0)
		return 0;
	names_us = ledger_table_names(o.mem, o.bytes, conf->wwid);
	if (o.live) {
		if (names_us)
			log_err("%s is served already, by lunmuxd %s (pid %d): two would not know of each other's "
				"writes", conf->wwid, name, old_pid(&o));
		old_close(&o);
		return names_us ? -EBUSY : 0;
	}
	switch (o.kind) {
	case LEDGER_OURS:
		take_slots(t, &o, name, file);
		spent = true;
		break;
	case LEDGER_OTHER_BOOT:
		spent = true;
		break;
	case LEDGER_OTHER_LUN:
		break;
	case LEDGER_BAD:
		/* It may be somebody else's as well, and stays for that one. */
		if (names_us || !conf->is_other || !conf->is_other(conf->arg, name))
			alarm_broken(t, name, file, o.why);
		spent = names_us;
		break;
	}
	store_found(t, t->into);
	if (spent && unlinkat(dir, file, 0) < 0)
		log_warn("%s/%s/%s: cannot be removed: %s", conf->rundir, name, file, strerror(errno));
	old_close(&o);
	return 0;
}

static int take_dir(struct takeover *t, int rundir, const char *name)
{
	bool own = strcmp(name, t->conf->name) == 0;
	int fd = openat(rundir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), r = 0;
	const struct dirent *e;
	DIR *d;

	if (fd < 0)
		return 0; /* a file, or closed to us: no table of ours */
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	while (r == 0 && (e = readdir(d))) {
		if (strncmp(e->d_name, TABLE, strlen(TABLE)) != 0 || strcmp(e->d_name, TABLE_NEW) == 0)
			continue;
		if (e->d_name[strlen(TABLE)] == '.' || (!e->d_name[strlen(TABLE)] && !own))
			r = take_other(t, fd, name, e->d_name);
	}
	closedir(d);
	return r;
}

static int take_others(struct takeover *t)
{
	DIR *d = opendir(t->conf->rundir);
	const struct dirent *e;
	int r = 0;

	if (!d)
		return -errno;
	while (r == 0 && (e = readdir(d)))
		if (e->d_name[0] != '.')
			r = take_dir(t, dirfd(d), e->d_name);
	closedir(d);
	return r;
}

/* --- the file ---------------------------------------------------------------------------- */

/* All of it has memory now: a store that finds none would end the process. */
static int file_allocate(int fd, size_t bytes)
{
	static const char zeroes[4096];
	int r;

	/* tmpfs gives up for any signal, also for one whose handler restarts what it can. */
	do
		r = fallocate(fd, 0, 0, (off_t)bytes);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return 0;
	if (errno != EOPNOTSUPP)
		return -errno;
	for (size_t at = 0; at < bytes; at += sizeof(zeroes)) {
		size_t n = bytes - at < sizeof(zeroes) ? bytes - at : sizeof(zeroes);

		if (pwrite(fd, zeroes, n, (off_t)at) != (ssize_t)n)
			return errno ? -errno : -ENOSPC;
	}
	return 0;
}

static int file_make(struct inflight *f, int dir, const struct takeover *t, unsigned nslots)
{
	struct statfs fs;
	int r;

	unlinkat(dir, TABLE_NEW, 0);
	f->fd = openat(dir, TABLE_NEW, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (f->fd < 0)
		return -errno;
	f->bytes = ledger_table_bytes(nslots);
	r = lock_fd(f->fd);
	if (r == 0)
		r = file_allocate(f->fd, f->bytes);
	if (r < 0)
		return r;
	if (fstatfs(f->fd, &fs) == 0 && fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC)
		log_warn("%s is not on a tmpfs: a write may have to wait for that disk", t->conf->rundir);
	f->mem = mmap(NULL, f->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, f->fd, 0);
	if (f->mem == MAP_FAILED) {
		f->mem = NULL;
		return -errno;
	}
	f->slots = ledger_table_slots(f->mem);
	f->debts = ledger_table_debts(f->mem);
	ledger_table_make(f->mem, nslots, t->boot_id, t->conf->wwid, (int)getpid());
	if (t->find.block_bytes)
		ledger_table_set_block_bytes(f->mem, t->find.block_bytes);
	store_found(t, f);
	return renameat(dir, TABLE_NEW, dir, TABLE) < 0 ? -errno : 0;
}

static int take_all(struct inflight *f, struct takeover *t, int dir, unsigned nslots)
{
	struct old_table own = { .fd = -1 };
	int r = take_own(t, dir, &own);

	if (r == 0) {
		t->into = f;
		r = file_make(f, dir, t, nslots);
		if (r < 0) {
			unlinkat(dir, TABLE_NEW, 0);
			log_err("%s/%s/" TABLE ": cannot be made: %s", t->conf->rundir, t->conf->name,
				strerror(-r));
		} else {
			r = take_others(t);
		}
	}
	/* Its lock goes with it, and only now. */
	old_close(&own);
	return r;
}

int inflight_open(struct inflight *f, const struct inflight_conf *conf)
{
	struct takeover t = { .conf = conf, .find.room = conf->max_ghosts - 1 };
	char path[512];
	int dir, r;

	*f = (struct inflight){ .fd = -1 };
	if (conf->boot_id)
		snprintf(t.boot_id, sizeof(t.boot_id), "%s", conf->boot_id);
	else if (sys->read_file("/proc/sys/kernel/random/boot_id", t.boot_id, sizeof(t.boot_id)) < 0)
		log_warn("the kernel does not say which boot this is: writes of an earlier one count as well");
	snprintf(path, sizeof(path), "%s/%s", conf->rundir, conf->name);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) {
		r = -errno;
		log_err("%s: %s", path, strerror(-r));
		return r;
	}
	t.find.slots = calloc(conf->max_ghosts, sizeof(struct ledger_slot));
	r = t.find.slots ? take_all(f, &t, dir, ledger_slots(conf->max_reqs, conf->max_ghosts)) : -ENOMEM;
	f->block_bytes = t.find.block_bytes;
	f->nwrites = t.find.nwrites;
	f->whole = t.find.whole;
	free(t.find.slots);
	close(dir);
	if (r < 0)
		inflight_close(f);
	else if (f->block_bytes)
		ledger_table_set_block_bytes(f->mem, f->block_bytes);
	return r;
}

void inflight_set_block_bytes(struct inflight *f, uint32_t block_bytes)
{
	ledger_table_set_block_bytes(f->mem, block_bytes);
}

void inflight_close(struct inflight *f)
{
	if (f->mem)
		munmap(f->mem, f->bytes);
	if (f->mem || f->fd > 0)
		close(f->fd);
	f->mem = NULL;
	f->fd = -1;
}

/* --- what the kernel still does --------------------------------------------------------------- */

static long read_count(const char *path, bool second)
{
	char text[64], *end;
	long v;

	if (sys->read_file(path, text, sizeof(text)) <= 0)
		return -1;
	v = strtol(text, &end, 10);
	if (end != text && second) {
		const char *at = end;

		v = strtol(at, &end, 10);
		return end == at ? -1 : v;
	}
	return end == text ? -1 : v;
}

/* sg: all commands of the LU by this nexus. A blocked device keeps some where nothing counts them. */
static bool sg_is_idle(unsigned minor)
{
	char path[128], state[32];

	snprintf(path, sizeof(path), "/sys/dev/char/21:%u/device/state", minor);
	if (sys->read_file(path, state, sizeof(state)) <= 0 || strcmp(state, "running") != 0)
		return false;
	snprintf(path, sizeof(path), "/sys/dev/char/21:%u/device/device_busy", minor);
	return read_count(path, false) == 0;
}

static long block_count(unsigned major, unsigned minor, const char *attr, bool second)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major, minor, attr);
	return read_count(path, second);
}

/* "inflight" is "READS WRITES", and tells the truth only where the kernel counts: with iostats on,
 * and where requests or device-mapper do it (a native NVMe multipath head did not before 6.4). */
static bool block_is_idle(unsigned major, unsigned minor)
{
	bool part = block_count(major, minor, "partition", false) > 0;
	char path[128], text[128];

	if (block_count(major, minor, part ? "../queue/iostats" : "queue/iostats", false) != 1)
		return false;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/dm/name", major, minor);
	if (block_count(major, minor, part ? "../mq/0/nr_tags" : "mq/0/nr_tags", false) <= 0 &&
	    sys->read_file(path, text, sizeof(text)) <= 0)
		return false;
	return block_count(major, minor, "inflight", true) == 0;
}

static bool dev_is_idle(uint32_t dev_id)
{
	unsigned major = (dev_id & ~PATH_DEV_FILE) >> 20, minor = dev_id & 0xfffff;

	if (dev_id == PATH_DEV_FILE)
		return true;
	return major == 21 ? sg_is_idle(minor) : block_is_idle(major, minor);
}

void inflight_look_again(struct inflight_look *k)
{
	k->round++;
}

/* When @dev_id was seen idle, 0: not yet. */
static uint64_t look_at(struct inflight_look *k, uint32_t dev_id, uint64_t now_ns)
{
	unsigned i;

	for (i = 0; i < k->n && k->dev[i].dev_id != dev_id; i++)
		;
	if (i == k->n) {
		if (i == sizeof(k->dev) / sizeof(k->dev[0]))
			return 0;
		k->dev[i].dev_id = dev_id;
		k->dev[i].round = k->round - 1;
		k->dev[i].quiet_ns = 0;
		k->n++;
	}
	if (!k->dev[i].quiet_ns && k->dev[i].round != k->round && dev_is_idle(dev_id))
		k->dev[i].quiet_ns = now_ns;
	k->dev[i].round = k->round;
	return k->dev[i].quiet_ns;
}

uint64_t inflight_until(struct inflight_look *k, const struct ledger_slot *slot, uint64_t now_ns,
			uint64_t ghost_time_ns)
{
	uint64_t until = 0;

	for (unsigned i = 0; i < 2; i++) {
		uint32_t dev = slot->path[i];
		bool last_word = (dev & PATH_DEV_FILE) || dev >> 20 == 7; /* a loop device */
		uint64_t quiet_ns;

		if (!dev)
			continue;
		quiet_ns = dev == UINT32_MAX ? 0 : look_at(k, dev, now_ns);
		if (!quiet_ns)
			return UINT64_MAX;
		quiet_ns += last_word ? 0 : ghost_time_ns;
		until = quiet_ns > until ? quiet_ns : until;
	}
	return until ? until : UINT64_MAX;
}
