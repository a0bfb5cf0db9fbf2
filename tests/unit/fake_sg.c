/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fake_sg.c - see fake_sg.h. */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "fake_sg.h"
#include "path/sg_sysfs.h"

#define FD_FIRST       1000
#define INJECTS_MAX    8
#define RESERVED_BYTES 32768

static struct fake_file {
	bool open, claim;
	int reserved;
	unsigned n;
} files[FAKE_FILES];

struct fake_sg fake;
struct fake_core core;
static struct sg_path *attached;
static TAILQ_HEAD(, fake_cmd) cmds;
static struct fake_inject injects[INJECTS_MAX];
static unsigned ninjects;

/* --- injected fates --- */

void fake_sg_inject(const struct fake_inject *in)
{
	ck_assert_uint_lt(ninjects, INJECTS_MAX);
	injects[ninjects++] = *in;
}

void fake_sg_sense(int opcode, int page, unsigned skip, unsigned times, uint8_t key,
		   uint8_t asc, uint8_t ascq)
{
	struct fake_inject in = {
		.opcode = opcode,
		.page = page,
		.skip = skip,
		.times = times,
		.status = 2,
		.sense_len = 18,
	};

	in.sense[0] = 0x70;
	in.sense[2] = key;
	in.sense[7] = 10;
	in.sense[12] = asc;
	in.sense[13] = ascq;
	fake_sg_inject(&in);
}

static bool inject_matches(const struct fake_inject *in, const struct fake_cmd *c)
{
	int page = c->cdb[1] & 1 ? c->cdb[2] : -2;

	if (in->opcode >= 0 && in->opcode != c->cdb[0])
		return false;
	return c->cdb[0] != 0x12 || in->page == -1 || in->page == page;
}

static void fate(struct fake_cmd *c)
{
	unsigned i;

	for (i = 0; i < ninjects; i++) {
		struct fake_inject *in = &injects[i];

		if (!in->times || !inject_matches(in, c))
			continue;
		if (in->skip) {
			in->skip--;
			continue;
		}
		in->times--;
		if (in->execute)
			fake_sg_execute(c);
		c->hdr.host_status = in->host_status;
		c->hdr.status = in->status;
		c->hdr.resid = in->execute ? in->resid : (int)c->hdr.dxfer_len;
		c->hdr.sb_len_wr = in->sense_len;
		memcpy(c->hdr.sbp, in->sense, in->sense_len);
		return;
	}
	fake_sg_execute(c);
}

/* --- the driver --- */

static void wake(int fd)
{
	unsigned i;

	for (i = 0; attached && i < sg_all_files(attached); i++) {
		struct loop_fd *f = &attached->files[i].lfd;

		if (f->fd == fd && (f->events & LOOP_READ))
			f->fn(f, LOOP_READ);
	}
}

static void complete(struct loop_timer *t)
{
	struct fake_cmd *c = container_of(t, struct fake_cmd, timer);

	if (fake.hold)
		return;
	fate(c);
	c->ready = true;
	wake(c->fd);
}

void fake_sg_release_one(unsigned nth)
{
	struct fake_cmd *c = TAILQ_FIRST(&cmds);

	while (nth--)
		c = TAILQ_NEXT(c, link);
	fate(c);
	c->ready = true;
}

void fake_sg_release(void)
{
	struct fake_cmd *c;

	fake.hold = false;
	TAILQ_FOREACH (c, &cmds, link) {
		if (!c->ready && !loop_timer_running(&c->timer))
			loop_timer_in(fake.loop, &c->timer, 0);
	}
}

/* A hang-up is told at once, and again and again while the file is watched. */
void fake_sg_remove(void)
{
	int fd, i;

	fake.removed = true;
	for (fd = 0; fd < FAKE_FILES; fd++) {
		for (i = 0; i < 40 && files[fd].open && !files[fd].claim; i++)
			wake(fd + FD_FIRST);
	}
}

static struct fake_file *file_of(int fd)
{
	ck_assert_msg(fd >= FD_FIRST && fd < FD_FIRST + FAKE_FILES, "fd %d is not ours",
		      fd);
	ck_assert_msg(files[fd - FD_FIRST].open, "fd %d is not open", fd);
	return &files[fd - FD_FIRST];
}

static int fake_open(const char *path, int flags)
{
	bool claim = strncmp(path, "/dev/sg", 7) != 0;
	int fd;

	if (strncmp(path, "/dev/", 5))
		return sys_libc.open(path, flags);
	if (!claim && (fake.open_errno || fake.removed))
		return fake.removed ? -ENXIO : -fake.open_errno;
	if (claim && fake.claim_errno)
		return -fake.claim_errno;
	ck_assert_int_eq(flags & O_NONBLOCK, O_NONBLOCK);
	ck_assert_int_eq(flags & O_ACCMODE, claim ? O_RDONLY : O_RDWR);
	ck_assert_int_eq(flags & O_EXCL, claim ? O_EXCL : 0);
	for (fd = 0; files[fd].open; fd++)
		ck_assert_int_lt(fd, FAKE_FILES - 1);
	files[fd] = (struct fake_file){
		.open = true, .claim = claim, .reserved = RESERVED_BYTES};
	fake.nopen += !claim;
	fake.claims_open += claim;
	return fd + FD_FIRST;
}

static int fake_close(int fd)
{
	struct fake_file *f;

	if (fd < FD_FIRST)
		return sys_libc.close(fd);
	f = file_of(fd);
	ck_assert_uint_eq(f->n, 0);
	f->open = false;
	fake.nopen -= !f->claim;
	fake.claims_open -= f->claim;
	return 0;
}

static int fake_ioctl(int fd, unsigned long request, void *arg)
{
	struct fake_file *f = file_of(fd);
	struct sg_scsi_id *id = arg;
	int *v = arg;

	switch (request) {
	case SG_GET_VERSION_NUM:
		*v = fake.version_num;
		return 0;
	case SG_GET_SCSI_ID:
		if (fake.removed)
			return -ENODEV;
		memset(id, 0, sizeof(*id));
		id->host_no = 2;
		id->scsi_id = 5;
		id->lun = 1;
		id->d_queue_depth = (short)fake.queue_depth;
		return 0;
	case SG_GET_SG_TABLESIZE:
		*v = fake.tablesize;
		return 0;
	case BLKSECTGET:
		*v = 4 << 20;
		return 0;
	case SG_SET_RESERVED_SIZE:
		f->reserved = MIN(*v, 1 << 20);
		return 0;
	case SG_GET_RESERVED_SIZE:
		*v = f->reserved;
		return 0;
	case SG_SET_FORCE_PACK_ID:
		ck_assert_int_eq(*v, 0);
		return 0;
	default:
		return -EINVAL;
	}
}

static ssize_t fake_read_file(const char *path, char *buf, size_t size)
{
	static const struct {
		const char *suffix;
		const int *value;
	} numbers[] = {
		{"/device/queue_depth", &fake.queue_depth},
		{"/host2/can_queue", &fake.can_queue},
	};
	size_t i;

	if (strstr(path, "/device/ioerr_cnt"))
		return snprintf(buf, size, "%#x", (unsigned)fake.ioerr_cnt);
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		const char *at = strstr(path, numbers[i].suffix);

		if (at && at[strlen(numbers[i].suffix)] == 0)
			return snprintf(buf, size, "%d", *numbers[i].value);
	}
	return sys_libc.read_file(path, buf, size);
}

/* Between the user's memory, flat or scattered, and @flat. */
static void copy(const struct sg_io_hdr *h, uint8_t *flat, size_t len, bool in)
{
	struct iovec one = {.iov_base = h->dxferp, .iov_len = h->dxfer_len};
	const struct iovec *v = h->iovec_count ? h->dxferp : &one;
	unsigned i, n = h->iovec_count ? h->iovec_count : 1;
	size_t total = 0, part;

	for (i = 0; i < n; i++)
		total += v[i].iov_len;
	ck_assert_uint_ge(total, h->dxfer_len);
	for (i = 0; i < n && len; i++, len -= part) {
		part = MIN(v[i].iov_len, len);
		if (in)
			memcpy(flat, v[i].iov_base, part);
		else
			memcpy(v[i].iov_base, flat, part);
		flat += part;
	}
}

static void note(const struct fake_cmd *c)
{
	struct fake_log *l = &fake.log[fake.nlog++ % FAKE_LOG];

	memcpy(l->cdb, c->cdb, 16);
	l->cdb_len = c->hdr.cmd_len;
	l->dxfer_len = c->hdr.dxfer_len;
	l->iovec_count = c->hdr.iovec_count;
	l->timeout_ms = c->hdr.timeout;
	l->direction = c->hdr.dxfer_direction;
	l->fd = c->fd;
	memset(l->data, 0, sizeof(l->data));
	if (c->hdr.dxfer_direction == SG_DXFER_TO_DEV)
		memcpy(l->data, c->data,
		       MIN(sizeof(l->data), (size_t)c->hdr.dxfer_len));
}

static ssize_t fake_write(int fd, const void *buf, size_t len)
{
	const struct sg_io_hdr *h = buf;
	struct fake_file *f = file_of(fd);
	struct fake_cmd *c;

	ck_assert_uint_eq(len, sizeof(*h));
	ck_assert_int_eq(h->interface_id, 'S');
	ck_assert_uint_eq(h->flags, 0x10); /* at the tail; neither direct nor mmap */
	ck_assert_uint_ge(h->cmd_len, 6);
	ck_assert_uint_le(h->cmd_len, 16);
	ck_assert_uint_gt(h->timeout, 0);
	if (fake.write_blocks_ns)
		loop_sim_advance(fake.loop, fake.write_blocks_ns);
	if (fake.removed)
		return -ENODEV;
	if (fake.write_errno)
		return -fake.write_errno;
	if (f->n >= 16)
		return -EDOM;
	f->n++;
	fake.max_per_file = MAX(fake.max_per_file, f->n);
	c = calloc(1, sizeof(*c));
	c->hdr = *h;
	c->fd = fd;
	memcpy(c->cdb, h->cmdp, h->cmd_len);
	c->data = calloc(1, h->dxfer_len + 1);
	if (h->dxfer_direction == SG_DXFER_TO_DEV)
		copy(h, c->data, h->dxfer_len, true);
	note(c);
	TAILQ_INSERT_TAIL(&cmds, c, link);
	loop_timer_init(&c->timer, complete);
	loop_timer_in(fake.loop, &c->timer, fake.delay_ns);
	return (ssize_t)len;
}

static struct fake_cmd *next_result(int fd)
{
	struct fake_cmd *c, *found = NULL;

	TAILQ_FOREACH (c, &cmds, link) {
		if (!c->ready || (c->fd == fd) == fake.crossed)
			continue;
		found = c;
		if (!fake.reverse)
			break;
	}
	return found;
}

static ssize_t fake_read(int fd, void *buf, size_t len)
{
	struct sg_io_hdr *h = buf;
	struct fake_cmd *c;

	if (fd < FD_FIRST)
		return sys_libc.read(fd, buf, len);
	file_of(fd);
	ck_assert_uint_eq(len, sizeof(*h));
	c = next_result(fd);
	if (!c)
		return -EAGAIN;
	fake.crossed = false;
	if (c->hdr.dxfer_direction == SG_DXFER_FROM_DEV)
		copy(&c->hdr, c->data,
		     c->hdr.dxfer_len - (unsigned)MAX(c->hdr.resid, 0), false);
	*h = c->hdr;
	if (fake.stranger == 1)
		h->pack_id ^= 1 << 20;
	else if (fake.stranger == 2)
		h->usr_ptr = &fake;
	fake.stranger = 0;
	file_of(c->fd)->n--;
	TAILQ_REMOVE(&cmds, c, link);
	free(c->data);
	free(c);
	return sizeof(*h);
}

static int fake_inode(const char *path, ino_t *ret)
{
	return sys_libc.inode(path, ret);
}

static const struct sys_ops fake_ops = {
	.open = fake_open,
	.close = fake_close,
	.read = fake_read,
	.write = fake_write,
	.ioctl = fake_ioctl,
	.read_file = fake_read_file,
	.inode = fake_inode,
};

void fake_sg_setup(struct loop *l)
{
	static const uint8_t naa[16] = {0x60, [15] = 0xa1};
	unsigned i;

	fake = (struct fake_sg){
		.loop = l,
		.version = 7,
		.vendor = "ACME",
		.product = "Disk",
		.revision = "1.0",
		.serial = "SER1",
		.vpd = true,
		.page83 = true,
		.pageb0 = true,
		.pageb1 = true,
		.pageb2 = true,
		.block_bytes = 512,
		.nblocks = FAKE_DISK_BYTES / 512,
		.cap16 = true,
		.lbpme = true,
		.lbprz = true,
		.mode6 = true,
		.mode10 = true,
		.mode_page = true,
		.wce = true,
		.dpofua = true,
		.sync = true,
		.fua = true,
		.unmap = true,
		.write_same16 = true,
		.ndob = true,
		.lba_status = true,
		.max_unmap_blocks = 1000,
		.max_write_same = 0x10000,
		.rpm = 1,
		.version_num = 30536,
		.queue_depth = 16,
		.can_queue = 1000,
		.tablesize = 2048,
		.delay_ns = NS_PER_MS,
	};
	memcpy(fake.naa, naa, 16);
	fake.disk = calloc(1, FAKE_DISK_BYTES);
	fake.mapped = calloc(FAKE_DISK_BYTES / 512, sizeof(bool));
	for (i = 0; i < FAKE_DISK_BYTES; i++)
		fake.disk[i] = (uint8_t)(i * 7 + (i >> 9) * 13);
	memset(files, 0, sizeof(files));
	memset(&core, 0, sizeof(core));
	TAILQ_INIT(&cmds);
	ninjects = 0;
	attached = NULL;
	sys = &fake_ops;
	sg_sys_root = sg_proc_root = "/nonexistent";
}

void fake_sg_attach(struct sg_path *s)
{
	attached = s;
}

void fake_sg_teardown(void)
{
	struct fake_cmd *c;

	while ((c = TAILQ_FIRST(&cmds))) {
		TAILQ_REMOVE(&cmds, c, link);
		loop_timer_stop(fake.loop, &c->timer);
		free(c->data);
		free(c);
	}
	free(fake.disk);
	free(fake.mapped);
	sys = &sys_libc;
}

unsigned fake_sg_count(int opcode)
{
	unsigned i, n = 0;

	for (i = 0; i < MIN(fake.nlog, FAKE_LOG); i++)
		n += fake.log[i].cdb[0] == opcode;
	return n;
}

/* --- core --- */

void path_complete(struct cmd *cmd)
{
	ck_assert_uint_lt(core.ndone, ARRAY_SIZE(core.done));
	ck_assert_ptr_null(cmd->drv);
	core.done[core.ndone++] = cmd;
	if (core.on_done)
		core.on_done(cmd);
}

bool path_is_usable(const struct path *p)
{
	return !core.unusable;
}

void path_room(struct path *p)
{
	core.rooms++;
}

void path_checked(struct path *p, enum check_result result,
		  const struct path_info *info, const char *why)
{
	core.nchecked++;
	core.result = result;
	core.has_info = info != NULL;
	if (info)
		core.info = *info;
	snprintf(core.why, sizeof(core.why), "%s", why ? why : "");
}

void path_told(struct path *p, unsigned news)
{
	core.news |= news;
}

void path_wrote(struct path *p, uint64_t took_ns)
{
	core.wrote_max_ns = MAX(core.wrote_max_ns, took_ns);
}

void path_full(struct path *p)
{
	core.fulls++;
}

void path_depth(struct path *p, unsigned depth)
{
	core.depths++;
	core.depth = depth;
}

void path_lost(struct path *p, const char *why)
{
	core.lost++;
	snprintf(core.lost_why, sizeof(core.lost_why), "%s", why);
}

void path_doubt(struct path *p, const char *why)
{
	core.doubts++;
}

void path_closed(struct path *p)
{
	core.closed++;
}

const char *access_state_name(enum access_state s)
{
	static const char *const names[] = {"active/optimized", "active/non-optimized",
					    "standby", "unavailable", "transitioning"};

	return names[s];
}

void run_until_done(struct loop *l, unsigned n)
{
	uint64_t end_ns = loop_now_ns(l) + 60 * NS_PER_SEC;

	while (core.ndone < n && loop_now_ns(l) < end_ns && loop_sim_step(l))
		;
	ck_assert_uint_eq(core.ndone, n);
}

void run_all(struct loop *l)
{
	unsigned steps = 0;

	while (loop_sim_step(l))
		ck_assert_uint_lt(++steps, 1000000);
}

void run_check(struct loop *l, struct path *p, bool full)
{
	unsigned before = core.nchecked;
	uint64_t end_ns = loop_now_ns(l) + 600 * NS_PER_SEC;

	p->ops->check(p, full);
	ck_assert_uint_eq(core.nchecked, before); /* never from inside the call */
	while (core.nchecked == before && loop_now_ns(l) < end_ns && loop_sim_step(l))
		;
	ck_assert_uint_eq(core.nchecked, before + 1);
}
