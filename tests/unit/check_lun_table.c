/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check_lun_table.c - the ledger's slots: what a LUN does with those that an earlier one has left. */
#include "lun_rig.h"

#include "core/ledger.h"

static struct ledger_slot *slots; /* of the next LUN */

static void stats(struct lun_stats *st)
{
	lun_get_stats(lun, st);
}

static void runs_at_once(enum req_op op, uint64_t lba, uint32_t n, int fill)
{
	struct ask w;

	ask(&w, op, lba, n, fill, 0);
	run(NS_PER_MS);
	answered(&w, 0);
}

#define TABLE_REQS 4u
#define TABLE_GHOSTS 64u /* as in lun_rig.h */
static uint32_t blocks_of_old;
#define RESTORED_NS (5 * NS_PER_SEC)

static void with_table(struct lun_params *p)
{
	p->max_reqs = TABLE_REQS;
	p->slots = slots;
	p->slots_block_bytes = BS;
	p->restored_ghost_ns = RESTORED_NS;
}

static unsigned slots_used(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ledger_slots(TABLE_REQS, TABLE_GHOSTS); i++)
		n += ledger_read_slot(&slots[i]) != LEDGER_NOTHING;
	return n;
}

static void new_table(void)
{
	free(slots);
	slots = calloc(ledger_slots(TABLE_REQS, TABLE_GHOSTS), sizeof(*slots));
	ck_assert_ptr_nonnull(slots);
}

/* What a process leaves that is killed while a write of @fill is at its path. */
static void leave_table(uint64_t lba, uint32_t n, int fill)
{
	size_t bytes = ledger_slots(TABLE_REQS, TABLE_GHOSTS) * sizeof(*slots);
	struct ledger_slot *copy = malloc(bytes);
	struct ask w;

	new_table();
	start(1, with_table);
	m.stall = true;
	ask(&w, REQ_WRITE, lba, n, fill, 0);
	run(NS_PER_MS);
	ck_assert_uint_eq(slots_used(), 1);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, slots, bytes);
	run(3601 * NS_PER_SEC);
	answered(&w, 0);
	ck_assert_uint_eq(slots_used(), 0);
	finish();
	memcpy(slots, copy, bytes);
	free(copy);
}

START_TEST(test_table_is_kept)
{
	struct ask w;

	leave_table(8, 8, 1);
	start(1, with_table);
	ck_assert_uint_eq(lun_ghosts_of_others(lun), 1);
	runs_at_once(REQ_WRITE, 8, 8, 1);
	runs_at_once(REQ_WRITE, 16, 8, 2);
	runs_at_once(REQ_READ, 8, 8, 0);
	ask(&w, REQ_WRITE, 0, 9, 2, 0);
	run(RESTORED_NS - NS_PER_SEC);
	ck_assert_uint_eq(w.dones, 0);
	run(NS_PER_SEC);
	answered(&w, 0);
	ck_assert_uint_eq(lun_ghosts_of_others(lun), 0);
	ck_assert_uint_eq(slots_used(), 0);
	finish();
}
END_TEST

static uint64_t quiet_since(void *arg, const struct ledger_slot *slot, uint64_t now_ns)
{
	ck_assert_uint_eq(slot->lba, 8);
	return now_ns + *(uint64_t *)arg;
}

START_TEST(test_restored_ghost_is_shortened)
{
	uint64_t rest = 100 * NS_PER_MS;
	struct ask w;

	leave_table(8, 8, 1);
	start(1, with_table);
	ask(&w, REQ_WRITE, 8, 8, 2, 0);
	lun_shorten_ghosts(lun, quiet_since, &rest);
	run(50 * NS_PER_MS);
	ck_assert_uint_eq(w.dones, 0);
	run(60 * NS_PER_MS);
	answered(&w, 0);
	finish();
}
END_TEST

/* A slot that makes no sense might have been any write. */
START_TEST(test_broken_slot_holds_everything)
{
	struct ask w;

	leave_table(8, 8, 1);
	for (unsigned i = 0; i < ledger_slots(TABLE_REQS, TABLE_GHOSTS); i++)
		if (slots[i].state == LEDGER_USED)
			slots[i].nblocks ^= (uint64_t)1 << (_i * 7 % 64);
	start(1, with_table);
	runs_at_once(REQ_READ, 8, 8, 0);
	ask(&w, REQ_WRITE, 2000, 1, 2, 0);
	run(RESTORED_NS - NS_PER_SEC);
	ck_assert_uint_eq(w.dones, 0);
	run(NS_PER_SEC);
	answered(&w, 0);
	finish();
}
END_TEST

/* Body written, state not yet: it was never sent. */
START_TEST(test_torn_slot_is_nothing)
{
	leave_table(8, 8, 1);
	for (unsigned i = 0; i < ledger_slots(TABLE_REQS, TABLE_GHOSTS); i++)
		slots[i].state = LEDGER_EMPTY;
	start(1, with_table);
	ck_assert_uint_eq(lun_ghosts_of_others(lun), 0);
	runs_at_once(REQ_WRITE, 8, 8, 2);
	finish();
}
END_TEST

START_TEST(test_full_table_admits_no_writes)
{
	struct ledger_slot old;
	struct ask w[2];

	leave_table(8, 8, 1);
	for (unsigned i = 0; i < ledger_slots(TABLE_REQS, TABLE_GHOSTS); i++)
		if (slots[i].state == LEDGER_USED)
			old = slots[i];
	for (unsigned i = 1; i < ledger_slots(TABLE_REQS, TABLE_GHOSTS); i++)
		slots[i] = old;
	memset(&slots[0], 0, sizeof(slots[0]));
	start(1, with_table);
	ck_assert_uint_eq(lun_ghosts_of_others(lun), ledger_slots(TABLE_REQS, TABLE_GHOSTS) - 1);
	m.stall = true;
	ask(&w[0], REQ_WRITE, 100, 1, 2, 0);
	run(NS_PER_MS);
	m.stall = false;
	ask(&w[1], REQ_WRITE, 200, 1, 3, 0);
	runs_at_once(REQ_READ, 8, 8, 0);
	run(RESTORED_NS - NS_PER_SEC);
	ck_assert_uint_eq(w[1].dones, 0);
	lun_cancel(w[1].r);
	run(NS_PER_MS);
	answered(&w[1], ECANCELED);
	ask(&w[1], REQ_WRITE, 200, 1, 3, 0);
	run(2 * NS_PER_SEC);
	answered(&w[1], 0);
	run(3601 * NS_PER_SEC);
	answered(&w[0], 0);
	finish();
}
END_TEST

static void other_blocks(struct lun_params *p)
{
	with_table(p);
	p->slots_block_bytes = blocks_of_old;
}

/* Nobody knows where it was: in other blocks, or in such as were not known yet. */
START_TEST(test_other_blocks_hold_everything)
{
	struct lun_stats st;
	struct ask w;

	leave_table(8, 8, 1);
	blocks_of_old = _i ? 8 * BS : 0;
	start(1, other_blocks);
	runs_at_once(REQ_READ, 8, 8, 0);
	ask(&w, REQ_WRITE, 2000, 1, 2, 0);
	stats(&st);
	ck_assert_uint_eq(st.ghosts_others, 1);
	ck_assert_uint_gt(st.writes_held_ns, RESTORED_NS - NS_PER_SEC);
	run(RESTORED_NS - NS_PER_SEC);
	ck_assert_uint_eq(w.dones, 0);
	ck_assert_uint_eq(slots_used(), 1);
	run(NS_PER_SEC);
	answered(&w, 0);
	ck_assert_uint_eq(slots_used(), 0);
	finish();
}
END_TEST

static uint64_t at_once(void *arg, const struct ledger_slot *slot, uint64_t now_ns)
{
	return now_ns;
}

/* What is held for its being unknown is not shortened by any device. */
START_TEST(test_whole_slot_is_not_shortened)
{
	struct ask w;

	new_table();
	ledger_make_whole(&slots[1]);
	start(1, with_table);
	lun_shorten_ghosts(lun, at_once, NULL);
	ask(&w, REQ_WRITE, 0, 8, 2, 0);
	run(RESTORED_NS - NS_PER_SEC);
	ck_assert_uint_eq(w.dones, 0);
	run(NS_PER_SEC);
	answered(&w, 0);
	finish();
}
END_TEST

static void after_boot(struct lun_params *p)
{
	with_table(p);
	p->hold_writes_ns = 3 * NS_PER_SEC;
}

START_TEST(test_writes_wait_after_boot)
{
	struct lun_stats st;
	struct ask w;

	new_table();
	start(1, after_boot);
	runs_at_once(REQ_READ, 8, 8, 0);
	ask(&w, REQ_WRITE, 8, 8, 2, 0);
	stats(&st);
	ck_assert_uint_eq(st.ghosts_others, 0);
	ck_assert_uint_gt(st.writes_held_ns, 2 * NS_PER_SEC);
	run(2 * NS_PER_SEC);
	ck_assert_uint_eq(w.dones, 0);
	ck_assert_uint_eq(slots_used(), 0);
	run(NS_PER_SEC);
	answered(&w, 0);
	stats(&st);
	ck_assert_uint_eq(st.writes_held_ns, 0);
	finish();
}
END_TEST

int main(void)
{
	struct {
		const TTest *test;
		int times;
	} tests[] = {
		{ test_table_is_kept, 1 },
		{ test_restored_ghost_is_shortened, 1 },
		{ test_broken_slot_holds_everything, 8 },
		{ test_torn_slot_is_nothing, 1 },
		{ test_full_table_admits_no_writes, 1 },
		{ test_other_blocks_hold_everything, 2 },
		{ test_whole_slot_is_not_shortened, 1 },
		{ test_writes_wait_after_boot, 1 },
	};
	Suite *s = suite_create("lun-table");
	TCase *tc = tcase_create("lun-table");

	tcase_set_timeout(tc, 60);
	for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_loop_test(tc, tests[i].test, 0, tests[i].times);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
