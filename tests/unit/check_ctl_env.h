/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_ctl_env.h - a LUN with simulated paths and its control socket in a
 * directory of its own, for check_ctl_*.c.  The loop is made by the includer.
 */
#ifndef TESTS_UNIT_CHECK_CTL_ENV_H
#define TESTS_UNIT_CHECK_CTL_ENV_H

#include "base/log.h"
#include "base/units.h"
#include "ctl/server_int.h"
#include "daemon/live.h"
#include "path/sim.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define ENV_PATHS_MAX 8

static struct loop *loop;
static struct lun *lun;
static struct ctl_server *server;
static struct sim_path *sps[ENV_PATHS_MAX];
static char rundir[64], lundir[96], sockpath[128];
static uint64_t path_blocks[ENV_PATHS_MAX];    /* what it tells; 0: what all do */
static bool path_slow[ENV_PATHS_MAX];	      /* a check takes a second */
static bool path_down[ENV_PATHS_MAX];	      /* checks of the path fail */
static const char *path_other[ENV_PATHS_MAX]; /* what they find is another LUN */
static const char *model_product = "LIO-ORG  disk\xff";

static void model_fate(void *model, struct sim_path *sp, struct cmd *cmd,
		       struct sim_fate *f)
{
	f->end_ns = f->apply_ns = 100 * NS_PER_US;
	f->outcome.verdict = V_OK;
	f->outcome.done_blocks = cmd->nblocks;
}

static void model_apply(void *model, struct sim_path *sp, struct cmd *cmd)
{
}

static void model_check(void *model, struct sim_path *sp, bool full,
			struct sim_check *c)
{
	c->end_ns = path_slow[sp->id] ? NS_PER_SEC : NS_PER_MS;
	if (path_down[sp->id]) {
		c->result = CHECK_DOWN;
		c->why = "INQUIRY: host_status 01";
		return;
	}
	if (path_other[sp->id]) {
		c->result = CHECK_IDENTITY;
		c->why = path_other[sp->id];
		return;
	}
	c->result = CHECK_OK;
	c->info = (struct path_info){.block_bytes = 512,
				     .nblocks = path_blocks[sp->id] ? path_blocks[sp->id] : 2097152,
				     .depth = 32,
				     .prio = sp->id < 2 ? 50 : 10,
				     .ident = "3600a0980"};
	snprintf(c->info.product, sizeof(c->info.product), "%s", model_product);
}

static const struct sim_model_ops model_ops = {
	.fate = model_fate, .apply = model_apply, .check = model_check};

static size_t exports_bytes; /* so much text from the exports */

static json_t *env_refused(void *arg)
{
	return json_pack("[{s:s, s:s, s:i}]", "name", "/dev/sg9", "cause", "/dev/sg9: in use: mpatha",
			 "age_ms", 5000);
}

/* A device of a kernel that ends what was begun when it has been looked at @looks times. */
static struct {
	const char *state; /* NULL: there was never one */
	const char *end, *error;
	int attempts, looks;
	bool in_use, slow;
} env_dev;

static json_t *env_device(void *arg)
{
	if (env_dev.end && env_dev.looks-- <= 0) {
		env_dev.state = env_dev.end;
		env_dev.end = NULL;
		env_dev.attempts++;
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:i}", "type", "nbd-kernel", "path",
			 strcmp(env_dev.state, "attached") ? "-" : "/dev/nbd3", "state", env_dev.state,
			 "error", env_dev.error ? env_dev.error : "", "attempts", env_dev.attempts);
}

static bool env_attach(void *arg, const char *device, struct ctl_error *err)
{
	if (env_dev.state && !strcmp(env_dev.state, "attached")) {
		ctl_fail(err, CTL_E_FAILED, "it is attached already");
		return false;
	}
	env_dev.state = "attaching";
	env_dev.looks = env_dev.slow ? 1000 : 3;
	env_dev.error = device && !strcmp(device, "/dev/nbd9") ? "/dev/nbd9: it is in use" : NULL;
	env_dev.end = env_dev.error ? "detached" : "attached";
	return true;
}

static bool env_detach(void *arg, bool force, struct ctl_error *err)
{
	env_dev.state = "detaching";
	env_dev.looks = env_dev.slow ? 1000 : 3;
	env_dev.error = env_dev.in_use && !force ? "/dev/nbd3 is in use: mounted on /srv" : NULL;
	env_dev.end = env_dev.error ? "attached" : "detached";
	return true;
}

static const struct ctl_device_ops env_device_ops = {
	.attach = env_attach, .detach = env_detach, .show = env_device};

/* It goes over at once; what it says of itself then is @upgrade_error, if it did not work. */
static unsigned upgrades;
static const char *upgrade_error;

static bool env_upgrade(void *arg, struct ctl_error *err)
{
	(void)arg;
	(void)err;
	upgrades += !upgrade_error;
	return true;
}

static json_t *env_upgrade_show(void *arg)
{
	static unsigned shown;
	/* It takes a moment. */
	bool begun = upgrades > shown || upgrade_error;
	json_t *j = json_pack("{s:s, s:i, s:i, s:s}", "state", upgrades > shown ? "checking" : "none", "count",
			      shown, "wait_ms", shown ? 20 : 0, "error",
			      upgrade_error && begun ? upgrade_error : "");

	(void)arg;
	shown = upgrades;
	return j;
}

static const struct ctl_upgrade_ops env_upgrade_ops = {.begin = env_upgrade, .show = env_upgrade_show};

/* The one that can be added is /dev/sg20. */
static struct path *env_add(void *arg, const char *name, bool *ret_new, struct ctl_error *err)
{
	struct path *p = lun_find_path(lun, "/dev/sg20");

	if (strcmp(name, "sg20") && strcmp(name, "/dev/sg20")) {
		ctl_fail(err, CTL_E_FAILED, "%s: it is in use: mounted on /srv", name);
		return NULL;
	}
	*ret_new = !p;
	if (p)
		return p;
	ck_assert_int_eq(sim_path_new(loop, "/dev/sg20", 64, &model_ops, NULL, ENV_PATHS_MAX - 1,
				      &sps[ENV_PATHS_MAX - 1]), 0);
	ck_assert_int_eq(lun_add_path(lun, &sps[ENV_PATHS_MAX - 1]->path), 0);
	return &sps[ENV_PATHS_MAX - 1]->path;
}

static bool env_remove(void *arg, struct path *p, struct ctl_error *err)
{
	lun_remove_path(lun, p, "test");
	return true;
}

static const struct ctl_path_ops env_path_ops = {.add = env_add, .remove = env_remove};

static json_t *env_exports(void *arg)
{
	json_t *text;
	char *fill;

	if (env_dev.state)
		return json_pack("[{s:s}, o]", "type", "test", env_device(arg));
	if (!exports_bytes)
		return json_pack("[{s:s}]", "type", "test");
	fill = malloc(exports_bytes);
	memset(fill, 'x', exports_bytes);
	text = json_stringn(fill, exports_bytes);
	free(fill);
	return text;
}

/* The configuration of the LUN, for reload and set. */
static struct live live;
static char conf_path[128];

static void __attribute__((unused)) write_conf(const char *settings)
{
	FILE *f = fopen(conf_path, "w");

	ck_assert_ptr_nonnull(f);
	fprintf(f, "multipaths {\n\tmultipath {\n\t\twwid 3600a0980\n\t\talias db01\n%s\t}\n}\n",
		settings);
	ck_assert_int_eq(fclose(f), 0);
}

static json_t *env_end_of(json_t *result, const struct live_error *lerr, struct ctl_error *err)
{
	if (!result) {
		ctl_fail(err, lerr->config ? CTL_E_CONFIG : CTL_E_BAD_ARGUMENT, "%s", lerr->message);
		ctl_hint(err, "%s", lerr->hint);
	}
	return result;
}

static json_t *env_reload(void *arg, struct ctl_error *err)
{
	struct live_error lerr;

	return env_end_of(live_reload(&live, &lerr), &lerr, err);
}

static json_t *env_set(void *arg, const char *key, const char *value, struct ctl_error *err)
{
	struct live_error lerr;

	return env_end_of(live_set(&live, key, value, &lerr), &lerr, err);
}

static void env_config(struct lun_params *par)
{
	struct conf_errors errs = {NULL};
	struct config *c;

	snprintf(conf_path, sizeof(conf_path), "%s/lunmux.conf", rundir);
	write_conf("");
	ck_assert_int_eq(config_load(conf_path, &c, &errs), 0);
	memset(&live, 0, sizeof(live));
	live_init(&live, c, config_find(c, "db01"));
	live.file = conf_path;
	live_params(live.lc, par);
	par->expect_paths = false;
}

/* @l: taken. Log lines are kept off the test's output. */
static void env_start(struct loop *l, unsigned npaths)
{
	struct lun_params par;
	struct ctl_conf conf = {.version = "1.2.3",
				.exports = env_exports,
				.refused = env_refused,
				.reload = env_reload,
				.set = env_set,
				.device = &env_device_ops,
				.paths = &env_path_ops,
				.upgrade = &env_upgrade_ops};

	log_init("check_ctl", NULL, LOG_L_ERR - 1);
	loop = l;
	snprintf(rundir, sizeof(rundir), "/tmp/check_ctl.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(rundir));
	snprintf(lundir, sizeof(lundir), "%s/db01", rundir);
	snprintf(sockpath, sizeof(sockpath), "%s/ctl.sock", lundir);
	ck_assert_int_eq(mkdir(lundir, 0755), 0);
	env_config(&par);
	ck_assert_int_eq(lun_new(loop, &par, &lun), 0);
	live.lun = lun;
	for (unsigned i = 0; i < npaths; i++) {
		char name[32];

		snprintf(name, sizeof(name), "/dev/sg%u", i + 3);
		ck_assert_int_eq(
			sim_path_new(loop, name, 64, &model_ops, NULL, i, &sps[i]), 0);
		snprintf(sps[i]->path.dev, sizeof(sps[i]->path.dev), "%u:0:0:1", i + 2);
		ck_assert_int_eq(lun_add_path(lun, &sps[i]->path), 0);
	}
	conf.rundir = rundir;
	ck_assert_int_eq(ctl_server_new(loop, lun, &conf, &server), 0);
}

/* Everything is given back: the sanitizer finds what was not. */
static void env_end(void (*step)(void))
{
	ctl_server_free(server);
	lun_stop(lun, 0);
	while (lun_get_state(lun) != LUN_STOPPED)
		step();
	step();
	lun_free(lun);
	loop_free(loop);
	ck_assert_int_eq(access(sockpath, F_OK), -1);
	live_free(&live);
	unlink(conf_path);
	ck_assert_int_eq(rmdir(lundir), 0);
	ck_assert_int_eq(rmdir(rundir), 0);
}

/* The socket of a daemon that crashed. */
static void __attribute__((unused)) leave_stale_socket(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_uint_lt(strlen(path), sizeof(a.sun_path));
	strcpy(a.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	close(fd);
}

/* A connected, non-blocking client socket. */
static int __attribute__((unused)) env_connect(void)
{
	struct sockaddr_un a;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	ck_assert_int_eq(ctl_socket_addr(rundir, "db01", &a), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

#endif
