/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check_sg_env.c - see check_sg_env.h. */
#include <config.h>

#include <stdio.h>

#include "base/fault.h"
#include "base/log.h"
#include "check_sg_env.h"

struct loop *loop;
struct path *path, *path2;
struct sg_path *sg;
struct sg_identity identity;
struct sg_conf conf;
char errbuf[512], last_error[512];
struct cmd cmds[512];
uint8_t buffer[1 << 20];

static void keep_errors(enum log_level level, const char *line, void *arg)
{
	if (level <= LOG_L_ERR)
		snprintf(last_error, sizeof(last_error), "%s", line);
}

void setup(void)
{
	loop = loop_sim_new(NS_PER_SEC);
	fake_sg_setup(loop);
	memset(&identity, 0, sizeof(identity));
	memset(cmds, 0, sizeof(cmds));
	conf = (struct sg_conf){.wwid = FAKE_WWID,
				.io_timeout_ns = 7 * NS_PER_SEC,
				.check_timeout_ns = 5 * NS_PER_SEC,
				.identity = &identity};
	path = path2 = NULL;
	last_error[0] = 0;
	log_set_level(LOG_L_ERR);
	log_set_hook(keep_errors, NULL);
}

struct path *open_as(const char *name)
{
	struct path *p;

	ck_assert_msg(sg_path_new(loop, &conf, name, &p, errbuf, sizeof(errbuf)) == 0,
		      "%s", errbuf);
	return p;
}

void use(struct path *p)
{
	sg = container_of(p, struct sg_path, path);
	fake_sg_attach(sg);
}

void check(bool full)
{
	if (!path) {
		path = open_as("/dev/sg4");
		use(path);
	}
	fake.nlog = 0;
	run_check(loop, path, full);
}

void open_good(void)
{
	check(true);
	ck_assert_msg(core.result == CHECK_OK, "%s", core.why);
	fake.nlog = 0;
}

static void close_path(struct path *p)
{
	unsigned before = core.closed;

	use(p);
	p->ops->close(p);
	run_all(loop);
	ck_assert_uint_eq(core.closed, before + 1);
	p->ops->release(p);
}

void teardown(void)
{
	if (path)
		close_path(path);
	if (path2)
		close_path(path2);
	ck_assert_uint_eq(fake.nopen, 0);
	fault_disarm_all();
	fake_sg_teardown();
	loop_free(loop);
	log_set_hook(NULL, NULL);
}

void assert_result(enum check_result want, const char *why)
{
	ck_assert_msg(core.result == want, "result %d, \"%s\"", core.result, core.why);
	ck_assert_msg(!why || strstr(core.why, why), "\"%s\" does not say \"%s\"",
		      core.why, why);
	ck_assert(core.has_info == (want == CHECK_OK || want == CHECK_MARGINAL));
}

const char *asked(void)
{
	static char text[1024];
	size_t n = 0;
	unsigned i;

	text[0] = 0;
	for (i = 0; i < fake.nlog; i++) {
		const struct fake_log *l = &fake.log[i];

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%02x",
				      i ? " " : "", l->cdb[0]);
		if (l->cdb[0] == 0x12 && (l->cdb[1] & 1))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "/%02x",
					      l->cdb[2]);
		ck_assert_uint_eq(l->timeout_ms, 5000);
		ck_assert_int_eq(l->fd, sg_check_file(sg)->lfd.fd);
	}
	return text;
}

struct cmd *make(unsigned i, enum cmd_op op, uint64_t lba, uint32_t nblocks)
{
	struct cmd *c = &cmds[i];

	*c = (struct cmd){.op = op, .lba = lba, .nblocks = nblocks, .path = path};
	if (op == CMD_READ || op == CMD_WRITE) {
		c->niov = 1;
		c->iov[0].iov_base = buffer + ((size_t)i * 8192) % sizeof(buffer);
		c->iov[0].iov_len = (size_t)nblocks * fake.block_bytes;
	}
	return c;
}

struct outcome *run_one(struct cmd *c)
{
	unsigned before = core.ndone;

	ck_assert_int_eq(path->ops->submit(path, c), 0);
	ck_assert_uint_eq(core.ndone, before);
	path->ops->flush(path);
	ck_assert_uint_eq(core.ndone, before); /* never from inside a call */
	run_until_done(loop, before + 1);
	ck_assert_ptr_eq(core.done[before], c);
	return &c->outcome;
}
