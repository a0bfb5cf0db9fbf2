/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_handover.c - what an older lunmuxd has left: any bytes, and what was taken from them is written and read again. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "daemon/handover.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void no_close(void *arg, int fd)
{
	assert(fd >= 3);
	++*(unsigned *)arg;
}

static void check(const struct handover *h)
{
	unsigned nfds = 0;

	assert(strlen(h->name) <= NAME_BYTES_MAX && strlen(h->wwid) <= WWID_BYTES_MAX);
	for (size_t i = 0; i < h->nconns; i++) {
		assert((h->conns[i].in != NULL) == (h->conns[i].in_len > 0));
		assert((h->conns[i].out != NULL) == (h->conns[i].out_len > 0));
		assert(strlen(h->conns[i].peer) < sizeof(h->conns[i].peer));
	}
	handover_each_fd(h, no_close, &nfds);
	assert(nfds >= h->nconns);
}

static void again(const struct handover *h)
{
	struct handover back;
	char err[256];
	int fd = handover_write(h);

	assert(fd >= 3);
	assert(handover_read(fd, &back, err, sizeof(err)) == 0);
	assert(back.nconns == h->nconns && back.ndisabled == h->ndisabled && !strcmp(back.name, h->name));
	for (size_t i = 0; i < h->nconns; i++) {
		assert(back.conns[i].in_len == h->conns[i].in_len && back.conns[i].fd == h->conns[i].fd);
		assert(!h->conns[i].in || !memcmp(back.conns[i].in, h->conns[i].in, h->conns[i].in_len));
	}
	handover_clear(&back);
	close(fd);
}

/* Few inputs get the head right: it is made for the rest, the length of the JSON is the first two bytes. */
static void put(int fd, const uint8_t *data, size_t size)
{
	uint8_t head[32] = "lunmux handover\n";

	put_be32(head + 16, HANDOVER_FORMAT);
	put_be32(head + 20, (uint32_t)(data[0] << 8 | data[1]) % (uint32_t)(size - 1));
	put_be64(head + 24, sizeof(head) + size - 2);
	assert(write(fd, head, sizeof(head)) == sizeof(head));
	assert(write(fd, data + 2, size - 2) == (ssize_t)size - 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct handover h;
	char err[256];
	int fd = memfd_create("f", MFD_CLOEXEC);

	assert(fd >= 3);
	if (size && (data[0] & 0x80))
		assert(write(fd, data + 1, size - 1) == (ssize_t)size - 1);
	else if (size > 2)
		put(fd, data, size);
	if (handover_read(fd, &h, err, sizeof(err)) == 0) {
		check(&h);
		again(&h);
		handover_clear(&h);
	} else {
		assert(err[0]);
	}
	close(fd);
	return 0;
}
