/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_nbd.c - a client of random bytes in random pieces, from the greeting to
 * its end, against the whole server over a LUN in memory.
 *
 * Input: a byte of switches, then pieces: n and n bytes, or a verb (0: a second
 * passes; 254: 64 KiB of zeroes are sent; 255: replies are read).  Whatever
 * comes, at the end nothing may be held: no request, no buffer, no connection.
 */
#include <config.h>

#include "export/nbd_server.h"

#include "base/log.h"
#include "base/units.h"
#include "loop/loop_body.h"
#include "rig.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { START_IN_TRANSMISSION = 1, HOLD = 2, FAIL = 4, STRUCTURED = 8, KEEP_OPEN = 16 };

static struct rig rig;
static bool ready;
static bool stopped;

static void on_stopped(void *arg)
{
	stopped = true;
}

static void set_up(void)
{
	const struct rig_conf conf = {
		.nblocks = 256,
		.caps = PATH_CAP_DISCARD | PATH_CAP_WRITE_ZEROES | PATH_CAP_FAST_ZERO | PATH_CAP_STATUS,
	};

	log_set_level(0);
	rig_start(&rig, &conf);
	ready = true;
}

/* Into transmission by the shortest way, so that inputs need not find it. */
static void begin(int fd, uint8_t how)
{
	static const uint8_t flags[] = { 0, 0, 0, 3 };
	static const uint8_t structured[] = "IHAVEOPT\0\0\0\10\0\0\0\0";
	static const uint8_t meta[] = "IHAVEOPT\0\0\0\12\0\0\0\34\0\0\0\1d\0\0\0\1\0\0\0\17"
				      "base:allocation";
	static const uint8_t go[] = "IHAVEOPT\0\0\0\7\0\0\0\7\0\0\0\1d\0\0";

	(void)!write(fd, flags, sizeof(flags));
	if (how & STRUCTURED) {
		(void)!write(fd, structured, sizeof(structured) - 1);
		(void)!write(fd, meta, sizeof(meta) - 1);
	}
	(void)!write(fd, go, sizeof(go) - 1);
	rig_pump(&rig);
}

static void read_replies(int fd)
{
	static uint8_t sink[1 << 16];

	while (recv(fd, sink, sizeof(sink), MSG_DONTWAIT) > 0)
		rig_pump(&rig);
}

/* Returns the bytes of input that it used. */
static size_t piece(int fd, const uint8_t *data, size_t size)
{
	static uint8_t zeroes[1 << 16];
	size_t n = data[0];

	switch (n) {
	case 0:
		rig_advance(&rig, NS_PER_SEC);
		return 1;
	case 255:
		read_replies(fd);
		return 1;
	case 254: /* a payload */
		(void)!send(fd, zeroes, sizeof(zeroes), MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	default:
		n = MIN(n, size - 1);
		(void)!send(fd, data + 1, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		rig_pump(&rig);
		return 1 + n;
	}
	rig_pump(&rig);
	return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nbd_server *srv;
	struct nbd_conf conf;
	struct lun_stats st;
	int pair[2], r;
	uint8_t how;

	if (size < 1)
		return 0;
	if (!ready)
		set_up();
	how = *data++;
	size--;
	nbd_conf_default(&conf);
	strcpy(conf.export_name, "d");
	conf.stopped = on_stopped;
	stopped = false;
	r = nbd_server_new(rig.loop, rig.lun, &conf, &srv);
	assert(r == 0);
	r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair);
	assert(r == 0);
	r = nbd_server_add(srv, pair[1]);
	assert(r == 0);
	(void)r;
	if (how & START_IN_TRANSMISSION)
		begin(pair[0], how);
	rig.hold = how & HOLD;
	rig.fail_errno = how & FAIL ? 5 : 0;
	while (size > 0) {
		size_t used = piece(pair[0], data, size);

		data += used;
		size -= used;
	}
	if (!(how & KEEP_OPEN)) {
		close(pair[0]);
		rig_pump(&rig);
	}
	rig_release(&rig);
	nbd_server_stop(srv);
	rig_pump(&rig);
	for (unsigned i = 0; !stopped && i < 4; i++)
		rig_advance(&rig, 11 * NS_PER_SEC);
	assert(stopped);
	nbd_server_free(srv);
	if (how & KEEP_OPEN)
		close(pair[0]);
	lun_get_stats(rig.lun, &st);
	assert(st.reqs_out == 0 && st.buf_bytes == 0);
	return 0;
}
