/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exports.c - the ways out: NBD always, FUSE where it is configured. */
#include "daemon/daemon.h"

#include "base/log.h"
#include "export/nbd_server.h"
#ifdef HAVE_FUSE
#include "export/fuse.h"
#endif

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void export_stopped(void *arg)
{
	struct daemon *d = arg;

	if (d->exports_running && --d->exports_running == 0)
		loop_task_queue(d->loop, &d->exit_task);
}

static int exports_nbd(struct daemon *d)
{
	const struct export_conf *ec = &d->lc->export;
	struct nbd_conf conf;
	int r, n;

	nbd_conf_default(&conf);
	snprintf(conf.export_name, sizeof(conf.export_name), "%s", ec->name);
	snprintf(conf.description, sizeof(conf.description), "%.200s", d->lc->wwid);
	if (ec->unix_path)
		n = snprintf(conf.unix_path, sizeof(conf.unix_path), "%s", ec->unix_path);
	else
		n = snprintf(conf.unix_path, sizeof(conf.unix_path), "%s/nbd.sock", d->dir);
	if (n >= (int)sizeof(conf.unix_path)) {
		log_err("%s: a socket's path may have at most %zu bytes",
			ec->unix_path ? ec->unix_path : d->dir, sizeof(conf.unix_path) - 1);
		return -ENAMETOOLONG;
	}
	if (ec->tcp.host) {
		snprintf(conf.tcp_host, sizeof(conf.tcp_host), "%s", ec->tcp.host);
		conf.tcp_port = ec->tcp.port;
	}
	conf.max_conns = ec->max_connections;
	conf.handshake_ns = ec->handshake_timeout_ns;
	conf.stopped = export_stopped;
	conf.arg = d;
	conf.unix_fd = d->upgrade.in.unix_fd;
	conf.tcp_fd = d->upgrade.in.tcp_fd;
	r = nbd_server_new(d->loop, d->lun, &conf, &d->nbd);
	if (r < 0)
		return r;
	d->exports_running++;
	if (d->upgrade.adopting)
		nbd_server_carry(d->nbd, d->upgrade.in.size_bytes, d->upgrade.in.block_bytes);
	return 0;
}

/* Clients may connect before a path is there: they wait in the socket's backlog. */
int exports_start_early(struct daemon *d)
{
	return exports_nbd(d);
}

/* What needs to know the size. */
int exports_start(struct daemon *d)
{
	if (!d->lc->export.fuse_path)
		return 0;
#ifdef HAVE_FUSE
	struct fuse_conf conf = { .path = d->lc->export.fuse_path, .stopped = export_stopped, .arg = d };
	char err[320] = "";
	int r = fuse_export_new(d->loop, d->lun, &conf, &d->fuse, err, sizeof(err));

	if (r < 0)
		log_err("%s", err[0] ? err : strerror(-r));
	else
		d->exports_running++;
	return r;
#else
	log_err("fuse %s: this lunmuxd was built without FUSE", d->lc->export.fuse_path);
	return -ENOTSUP;
#endif
}

void exports_reconfigured(struct daemon *d)
{
	const struct export_conf *ec = &d->live.lc->export;

	if (d->nbd && !d->exports_stopping)
		nbd_server_set_limits(d->nbd, ec->max_connections, ec->handshake_timeout_ns);
}

void exports_stop(struct daemon *d)
{
	if (d->exports_stopping)
		return;
	d->exports_stopping = true;
	if (d->nbd)
		nbd_server_stop(d->nbd);
#ifdef HAVE_FUSE
	if (d->fuse)
		fuse_export_stop(d->fuse);
#endif
}

void exports_free(struct daemon *d)
{
#ifdef HAVE_FUSE
	fuse_export_free(d->fuse);
	d->fuse = NULL;
#endif
	nbd_server_free(d->nbd);
	d->nbd = NULL;
	/* Last: its connection was the server's. */
	attach_free(d);
}

void exports_uri(const struct daemon *d, char *buf, unsigned size)
{
	nbd_server_uri(d->nbd, buf, size);
}

static json_t *client_json(const struct nbd_client_info *c, uint64_t now_ns)
{
	return json_pack("{s:I, s:s, s:s, s:b, s:f, s:I, s:I, s:I, s:I, s:i, s:I, s:I, s:I, s:b, s:b}", "id",
			 (json_int_t)c->id, "peer", c->peer, "state", c->state, "dead", c->dead,
			 "seconds", (double)(now_ns - c->since_ns) / 1e9, "requests",
			 (json_int_t)c->requests, "errors", (json_int_t)c->errors, "bytes_read",
			 (json_int_t)c->bytes_read, "bytes_written", (json_int_t)c->bytes_written,
			 "inflight", (int)c->inflight, "buffer_bytes", (json_int_t)c->buffer_bytes,
			 "unsent_bytes", (json_int_t)c->unsent_bytes, "unaligned",
			 (json_int_t)c->unaligned, "structured_replies", c->structured, "metadata",
			 c->metadata);
}

json_t *exports_json(void *arg)
{
	struct daemon *d = arg;
	json_t *nbd, *clients = json_array(), *all = json_array();
	struct nbd_client_info c;
	struct nbd_server_stats st;
	uint64_t cursor = 0;
	char uri[512] = "";

	if (!d->nbd || !clients || !all) {
		json_decref(clients);
		return all;
	}
	while (nbd_server_next_client(d->nbd, &cursor, &c))
		json_array_append_new(clients, client_json(&c, loop_now_ns(d->loop)));
	nbd_server_get_stats(d->nbd, &st);
	exports_uri(d, uri, sizeof(uri));
	nbd = json_pack("{s:s, s:s, s:i, s:I, s:I, s:I, s:i, s:o}", "type", "nbd", "uri", uri,
			"connections", (int)st.clients, "accepted", (json_int_t)st.accepted, "refused",
			(json_int_t)st.refused, "cut", (json_int_t)st.cut, "orphans", (int)st.orphans,
			"clients", clients);
	json_array_append_new(all, nbd);
	if (d->attach)
		json_array_append_new(all, attach_json(d));
	if (d->fuse)
		json_array_append_new(all, json_pack("{s:s, s:s}", "type", "fuse", "path",
						     d->lc->export.fuse_path));
	return all;
}
