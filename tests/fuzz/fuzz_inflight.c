/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_inflight.c - a table of writes in flight of any bytes: read, taken over, and held by a LUN. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "core/ledger_table.h"
#include "core/lun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_REQS 4u
#define MAX_GHOSTS 8u
#define NSLOTS (MAX_REQS + MAX_GHOSTS)

static void hold(struct ledger_slot *slots, uint32_t block_bytes)
{
	struct lun_params par;
	struct lun_stats st;
	struct loop *loop = loop_sim_new(NS_PER_SEC);
	struct lun *lun;
	int r;

	assert(loop);
	lun_params_default(&par);
	par.max_reqs = MAX_REQS;
	par.max_ghosts = MAX_GHOSTS;
	par.buffer_bytes = REQ_BYTES_MAX;
	par.slots = slots;
	par.slots_block_bytes = block_bytes;
	par.restored_ghost_ns = NS_PER_SEC;
	r = lun_new(loop, &par, &lun);
	assert(r == 0);
	lun_verify(lun);
	while (loop_sim_step(loop))
		;
	lun_get_stats(lun, &st);
	assert(!st.ghosts_now && !lun_ghosts_of_others(lun));
	for (unsigned i = 0; i < NSLOTS; i++)
		assert(ledger_read_slot(&slots[i]) == LEDGER_NOTHING);
	lun_free(lun);
	loop_free(loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ledger_slot room[MAX_GHOSTS], slots[NSLOTS] = { 0 };
	struct ledger_find find = { .slots = room, .room = MAX_GHOSTS - 1 };
	struct ledger_head head;
	/* In memory of its own, so that a read beyond its end is seen. */
	void *mem = malloc(size ? size : 1);
	const char *why;

	assert(mem);
	memcpy(mem, data, size);
	ledger_table_names(mem, size, "w");
	/* Few inputs get the checksum of the head right: what is behind it is tried in any case. */
	if (size >= LEDGER_HEAD_BYTES && size % sizeof(struct ledger_slot) == 0) {
		uint64_t block_bytes = ((struct ledger_head *)mem)->block_bytes;

		memset(mem, 0, sizeof(head));
		ledger_table_make(mem, (unsigned)((size - LEDGER_HEAD_BYTES) / sizeof(struct ledger_slot)), "b",
				  "w", 1);
		((struct ledger_head *)mem)->block_bytes = block_bytes;
	}
	if (ledger_table_kind(mem, size, "b", "w", &why) == LEDGER_OURS) {
		ledger_find_slots(&find, mem, size);
		assert(find.n <= find.room && find.n <= find.nwrites);
		assert(find.n == find.nwrites || find.whole);
		ledger_find_store(&find, slots);
	} else {
		memcpy(slots, data, size < sizeof(slots) ? size : sizeof(slots));
	}
	/* A LUN costs a hundred times the rest. */
	if (size && (data[size / 2] & 15) == 0)
		hold(slots, find.block_bytes);
	free(mem);
	return 0;
}
