/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_ctl.c - bytes to the control protocol.  The first byte says to whom:
 *
 *   even  the daemon: the rest comes over a connection, in pieces of the first
 *         byte's size; each line that comes back must be a valid response, as
 *         many as there were requests at most
 *   odd   lunmuxctl: the rest is a response line
 *
 * The daemon's side runs on the simulated loop with a real LUN of two paths.
 */
#include "config.h"

#include "base/log.h"
#include "base/units.h"
#include "ctl/server_int.h"
#include "path/sim.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop *loop;
static struct lun *lun;
static struct ctl_server *server;

static void model_fate(void *model, struct sim_path *sp, struct cmd *cmd, struct sim_fate *f)
{
	f->outcome.verdict = V_OK;
	f->outcome.done_blocks = cmd->nblocks;
}

static void model_apply(void *model, struct sim_path *sp, struct cmd *cmd)
{
}

static void model_check(void *model, struct sim_path *sp, bool full, struct sim_check *c)
{
	c->info = (struct path_info){ .block_bytes = 512, .nblocks = 4096, .ident = "fuzz" };
}

static const struct sim_model_ops model_ops = { .fate = model_fate,
						.apply = model_apply,
						.check = model_check };

static void setup(void)
{
	static struct sim_path *sps[2];
	char rundir[] = "/tmp/fuzz_ctl.XXXXXX", dir[64], sock[80];
	struct ctl_conf conf = { .rundir = rundir, .version = "fuzz" };
	struct lun_params par;

	log_init("fuzz_ctl", NULL, LOG_L_ERR - 1);
	loop = loop_sim_new(NS_PER_SEC);
	lun_params_default(&par);
	strcpy(par.name, "fuzz");
	if (!mkdtemp(rundir) || lun_new(loop, &par, &lun) < 0)
		abort();
	snprintf(dir, sizeof(dir), "%s/fuzz", rundir);
	snprintf(sock, sizeof(sock), "%s/ctl.sock", dir);
	for (unsigned i = 0; i < 2; i++) {
		if (sim_path_new(loop, i ? "/dev/sg1" : "/dev/sg0", 8, &model_ops, NULL, i,
				 &sps[i]) < 0 ||
		    lun_add_path(lun, &sps[i]->path) < 0)
			abort();
	}
	if (mkdir(dir, 0700) < 0 || ctl_server_new(loop, lun, &conf, &server) < 0)
		abort();
	/* Nobody connects; no trace is left behind. */
	unlink(sock);
	rmdir(dir);
	rmdir(rundir);
}

static char buf[1 << 20]; /* what has come of a response */
static size_t len;

/* The lines at @peer: valid responses. How many. */
static unsigned take_responses(int peer)
{
	struct ctl_response resp;
	struct ctl_error err;
	unsigned n = 0;
	ssize_t got;
	char *nl;

	while ((got = recv(peer, buf + len, sizeof(buf) - len, MSG_DONTWAIT)) > 0)
		len += (size_t)got;
	while ((nl = memchr(buf, '\n', len))) {
		size_t line = (size_t)(nl - buf);

		if (ctl_response_decode(buf, line, &resp, &err) < 0)
			abort();
		ctl_response_clear(&resp);
		len -= line + 1;
		memmove(buf, nl + 1, len);
		n++;
	}
	return n;
}

/* The one client's descriptor, then one step of time. False when it is gone. */
static bool serve_once(void)
{
	struct ctl_client *c = TAILQ_FIRST(&server->clients);

	if (c && c->fd.events)
		ctl_client_io(&c->fd, c->fd.events);
	loop_sim_step(loop);
	return TAILQ_FIRST(&server->clients) != NULL;
}

static void to_daemon(const uint8_t *data, size_t size, size_t piece)
{
	unsigned asked = 1, answered = 0;
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv) < 0 ||
	    !ctl_client_new(server, sv[0], true))
		abort();
	len = 0; /* a connection that was cut may have left the beginning of one */
	for (size_t i = 0; i < size; i++)
		asked += data[i] == '\n';
	while (size > 0) {
		ssize_t n = send(sv[1], data, MIN(size, piece), MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
		if (!serve_once())
			break;
		answered += take_responses(sv[1]);
	}
	shutdown(sv[1], SHUT_WR);
	/* Every state has a bound, so this ends. */
	while (serve_once())
		answered += take_responses(sv[1]);
	answered += take_responses(sv[1]);
	assert(answered <= asked);
	close(sv[1]);
	assert(server->nclients == 0 && server->out_bytes == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctl_response resp;
	struct ctl_error err;

	if (size == 0)
		return 0;
	if (!loop)
		setup();
	if (data[0] % 2 == 0) {
		to_daemon(data + 1, size - 1, 1 + data[0]);
	} else if (ctl_response_decode((const char *)data + 1, size - 1, &resp, &err) == 0) {
		ctl_response_clear(&resp);
	}
	return 0;
}
