/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_inflight.c - the file of writes in flight: what the next process finds
 * in it, whoever has left it there and whatever has happened to it, and what
 * sysfs says of the devices.
 */
#include "unit.h"

#include "base/log.h"
#include "base/prng.h"
#include "base/sys.h"
#include "base/units.h"
#include "core/ledger_table.h"
#include "core/path.h"
#include "path/inflight.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define REQS 4u
#define GHOSTS 8u
#define NSLOTS (REQS + GHOSTS)
#define WWID "3600a0980383030"
#define BOOT "11111111-2222-3333-4444-555555555555"

static char rundir[] = "/tmp/check_inflight.XXXXXX";
static struct inflight f;

static bool lists_b(void *arg, const char *name)
{
	return strcmp(name, "b") == 0;
}

static struct inflight_conf conf = { .rundir = rundir, .name = "a", .wwid = WWID, .boot_id = BOOT,
				     .max_reqs = REQS, .max_ghosts = GHOSTS, .is_other = lists_b };

static void make_dirs(void)
{
	char path[64];

	strcpy(rundir + strlen(rundir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(rundir));
	for (const char *n = "abc"; *n; n++) {
		snprintf(path, sizeof(path), "%s/%c", rundir, *n);
		ck_assert_int_eq(mkdir(path, 0750), 0);
	}
	log_init("check", NULL, (enum log_level)0);
}

static void remove_dirs(void)
{
	char cmd[64];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", rundir);
	ck_assert_int_eq(system(cmd), 0);
}

static const char *file_of(const char *name, const char *file)
{
	static char path[2][96];
	static int which;

	which = !which;
	snprintf(path[which], sizeof(path[0]), "%s/%s/%s", rundir, name, file);
	return path[which];
}

static bool exists(const char *name, const char *file)
{
	return access(file_of(name, file), F_OK) == 0;
}

static void put_slot(struct ledger_slot *s, uint64_t lba, uint64_t n)
{
	const char *from = (const char *)&s->op;

	memset(s, 0, sizeof(*s));
	s->op = REQ_WRITE;
	s->lba = lba;
	s->nblocks = n;
	s->hash = lba * 3;
	s->sum = XXH3_64bits(from, (size_t)((const char *)&s->sum - from));
	s->path[0] = 21u << 20 | 3;
	s->state = LEDGER_USED;
}

static int open_as(const char *name, const char *wwid, const char *boot_id)
{
	struct inflight_conf c = conf;

	c.name = name;
	c.wwid = wwid;
	c.boot_id = boot_id;
	return inflight_open(&f, &c);
}

/* A process of that kind has left @n writes. */
static void leave(const char *name, const char *wwid, const char *boot_id, unsigned n)
{
	ck_assert_int_eq(open_as(name, wwid, boot_id), 0);
	inflight_set_block_bytes(&f, 512);
	for (unsigned i = 0; i < NSLOTS; i++)
		f.slots[i].state = LEDGER_EMPTY;
	for (unsigned i = 0; i < n; i++)
		put_slot(&f.slots[i], 100 * i, 8);
	inflight_close(&f);
}

static unsigned used(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < NSLOTS; i++)
		n += ledger_read_slot(&f.slots[i]) != LEDGER_NOTHING;
	return n;
}

static bool holds_all(void)
{
	bool all = false;

	for (unsigned i = 0; i < NSLOTS; i++)
		all |= ledger_read_slot(&f.slots[i]) == LEDGER_WRITE && f.slots[i].nblocks == LEDGER_WHOLE;
	ck_assert_int_eq(all, f.whole);
	return all;
}

static void start(void)
{
	ck_assert_int_eq(open_as("a", WWID, BOOT), 0);
}

START_TEST(test_writes_are_found)
{
	leave("a", WWID, BOOT, 3);
	start();
	ck_assert_uint_eq(f.nwrites, 3);
	ck_assert_uint_eq(f.block_bytes, 512);
	ck_assert_uint_eq(used(), 3);
	ck_assert(!holds_all());
	ck_assert_uint_eq(f.slots[2].lba, 200);
	ck_assert_uint_eq(f.slots[2].hash, 600);
	ck_assert_uint_eq(f.slots[2].path[0], 21u << 20 | 3);
	inflight_close(&f);
	/* Killed before it knew the block size: the next one knows it still. */
	start();
	ck_assert_uint_eq(f.block_bytes, 512);
	ck_assert(!holds_all());
	inflight_close(&f);
}
END_TEST

static struct ledger_debts owed(void)
{
	return ledger_debts_load(*f.debts);
}

START_TEST(test_debts_are_found)
{
	start();
	ck_assert_uint_eq(owed().owed, 0);
	ledger_debts_store(f.debts, (struct ledger_debts){ .owed = 2, .unflushed = 3 });
	inflight_close(&f);
	/* Of both names that it had. */
	ck_assert_int_eq(open_as("b", WWID, BOOT), 0);
	ck_assert_uint_eq(owed().owed, 2);
	ck_assert_uint_eq(owed().unflushed, 3);
	inflight_close(&f);
	ck_assert(!exists("a", "inflight"));
	start();
	ck_assert_uint_eq(owed().owed, 2);
	ck_assert_uint_eq(owed().unflushed, 3);
	inflight_close(&f);
	/* Clients of another boot have gone. */
	ck_assert_int_eq(open_as("a", WWID, "other"), 0);
	ck_assert_uint_eq(owed().owed, 0);
	ck_assert_uint_eq(owed().unflushed, 0);
	inflight_close(&f);
}
END_TEST

START_TEST(test_nothing_is_found)
{
	start();
	ck_assert_uint_eq(used(), 0);
	ck_assert(!f.whole);
	inflight_close(&f);
	leave("a", WWID, BOOT, 0);
	start();
	ck_assert_uint_eq(used(), 0);
	ck_assert(!f.whole);
	inflight_close(&f);
}
END_TEST

START_TEST(test_another_boot_has_ended_them)
{
	leave("a", WWID, "another", 3);
	start();
	ck_assert_uint_eq(used(), 0);
	inflight_close(&f);
}
END_TEST

START_TEST(test_under_another_name)
{
	leave("b", WWID, BOOT, 2);
	leave("c", "another", BOOT, 2);
	start();
	ck_assert_uint_eq(f.nwrites, 2);
	ck_assert_uint_eq(used(), 2);
	ck_assert(!exists("b", "inflight"));
	ck_assert(exists("c", "inflight"));
	inflight_close(&f);
	start();
	ck_assert_uint_eq(used(), 2);
	inflight_close(&f);
	/* And back again. */
	ck_assert_int_eq(open_as("b", WWID, BOOT), 0);
	ck_assert_uint_eq(used(), 2);
	inflight_close(&f);
}
END_TEST

/* The name leads to another LUN now: what the former one has left waits for whoever serves it. */
START_TEST(test_another_lun_under_our_name)
{
	leave("a", "former", BOOT, 2);
	start();
	ck_assert_uint_eq(used(), 0);
	inflight_close(&f);
	ck_assert_int_eq(open_as("c", "former", BOOT), 0);
	ck_assert_uint_eq(used(), 2);
	inflight_close(&f);
}
END_TEST

START_TEST(test_one_process_a_wwid)
{
	struct inflight first;

	leave("b", WWID, BOOT, 2);
	ck_assert_int_eq(open_as("b", WWID, BOOT), 0);
	first = f;
	ck_assert_int_eq(open_as("a", WWID, BOOT), -EBUSY);
	ck_assert_int_eq(open_as("b", WWID, BOOT), -EBUSY);
	ck_assert_int_eq(open_as("c", "another", BOOT), 0);
	inflight_close(&f);
	inflight_close(&first);
	start();
	ck_assert_uint_eq(used(), 2);
	inflight_close(&f);
}
END_TEST

static void cut(const char *name, off_t size)
{
	ck_assert_int_eq(truncate(file_of(name, "inflight"), size), 0);
}

START_TEST(test_cut_short)
{
	static const off_t sizes[] = { 0, 1, 100, 4095, 4096, 4096 + 64, 4096 + 64 * NSLOTS - 1 };

	leave("a", WWID, BOOT, 1);
	cut("a", sizes[_i]);
	start();
	ck_assert(holds_all());
	ck_assert_uint_eq(used(), 1);
	inflight_close(&f);
	/* It is kept until its time is over, whoever is killed. */
	start();
	ck_assert(holds_all());
	inflight_close(&f);
}
END_TEST

static void poke(const char *name, off_t at, const void *bytes, size_t n)
{
	int fd = open(file_of(name, "inflight"), O_WRONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, bytes, n, at), n);
	close(fd);
}

/* In other directories a head without meaning counts where nobody else answers for it. */
START_TEST(test_broken_elsewhere)
{
	leave("b", "another", BOOT, 1);
	poke("b", 0, "garbage", 7);
	start();
	ck_assert(!holds_all());
	ck_assert(exists("b", "inflight"));
	inflight_close(&f);
	leave("c", "another", BOOT, 1);
	poke("c", 0, "garbage", 7);
	start();
	ck_assert(holds_all());
	ck_assert(exists("c", "inflight"));
	inflight_close(&f);
	unlink(file_of("c", "inflight"));
	unlink(file_of("a", "inflight"));
	/* It names us. */
	leave("b", WWID, BOOT, 1);
	poke("b", 0, "garbage", 7);
	start();
	ck_assert(holds_all());
	ck_assert(!exists("b", "inflight"));
	inflight_close(&f);
}
END_TEST

START_TEST(test_torn_slot)
{
	leave("a", WWID, BOOT, 3);
	poke("a", 4096 + 64 + offsetof(struct ledger_slot, nblocks), "\7", 1);
	start();
	ck_assert(holds_all());
	ck_assert_uint_eq(f.nwrites, 2);
	ck_assert_uint_eq(used(), 3);
	inflight_close(&f);
}
END_TEST

START_TEST(test_empty_slot_of_anything)
{
	leave("a", WWID, BOOT, 0);
	poke("a", 4096 + 4, "half a body, never sent", 20);
	start();
	ck_assert_uint_eq(used(), 0);
	inflight_close(&f);
}
END_TEST

START_TEST(test_other_numbers_of_slots)
{
	struct inflight_conf c = conf;

	leave("a", WWID, BOOT, 6);
	c.max_reqs = 2;
	c.max_ghosts = 40;
	ck_assert_int_eq(inflight_open(&f, &c), 0);
	ck_assert_uint_eq(f.nwrites, 6);
	ck_assert(!f.whole);
	inflight_close(&f);
	c.max_ghosts = 4;
	ck_assert_int_eq(inflight_open(&f, &c), 0);
	ck_assert_uint_eq(f.nwrites, 6);
	ck_assert(f.whole);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(ledger_read_slot(&f.slots[i]), LEDGER_WRITE);
	ck_assert_uint_eq(f.slots[3].nblocks, LEDGER_WHOLE);
	inflight_close(&f);
}
END_TEST

START_TEST(test_two_block_sizes)
{
	leave("a", WWID, BOOT, 1);
	leave("c", "another", BOOT, 0);
	ck_assert_int_eq(open_as("c", "another", BOOT), 0);
	inflight_close(&f);
	/* The same LUN, under another name, in other blocks. */
	ck_assert_int_eq(rename(file_of("a", "inflight"), file_of("a", "aside")), 0);
	leave("c", WWID, BOOT, 1);
	ck_assert_int_eq(open_as("c", WWID, BOOT), 0);
	inflight_set_block_bytes(&f, 4096);
	inflight_close(&f);
	ck_assert_int_eq(rename(file_of("a", "aside"), file_of("a", "inflight")), 0);
	start();
	ck_assert_uint_eq(f.nwrites, 2);
	ck_assert(holds_all());
	inflight_close(&f);
}
END_TEST

START_TEST(test_not_a_file)
{
	ck_assert_int_eq(mkfifo(file_of("a", "inflight"), 0600), 0);
	start();
	ck_assert(holds_all());
	inflight_close(&f);
	unlink(file_of("a", "inflight"));
	ck_assert_int_eq(symlink("/etc/passwd", file_of("a", "inflight")), 0);
	ck_assert_int_eq(open_as("a", WWID, BOOT), -ELOOP);
}
END_TEST

/* Whatever bytes are changed: a write is found, or all are held, or its slot says that it is empty. */
START_TEST(test_mutations)
{
	size_t bytes = ledger_table_bytes(NSLOTS);
	uint8_t *good = malloc(bytes), *bad = malloc(bytes);
	struct prng r;
	FILE *in;

	prng_init(&r, 4711, 1);
	leave("a", WWID, BOOT, 2);
	in = fopen(file_of("a", "inflight"), "r");
	ck_assert_uint_eq(fread(good, 1, bytes, in), bytes);
	fclose(in);
	for (unsigned i = 0; i < 3000; i++) {
		unsigned nfound = 0, empty = 0;

		memcpy(bad, good, bytes);
		for (unsigned k = 0; k <= i % 3; k++) {
			size_t area = prng_below(&r, 2) ? sizeof(struct ledger_head) : 3 * 64;
			size_t at = prng_below(&r, area) + (area > 200 ? 0 : LEDGER_HEAD_BYTES);

			bad[at] ^= (uint8_t)(1u << prng_below(&r, 8));
		}
		cut("a", 0);
		poke("a", 0, bad, bytes);
		for (unsigned k = 0; k < 2; k++)
			empty += ((struct ledger_slot *)(bad + LEDGER_HEAD_BYTES))[k].state == LEDGER_EMPTY;
		start();
		for (unsigned k = 0; k < NSLOTS; k++)
			nfound += f.slots[k].state == LEDGER_USED && f.slots[k].nblocks == 8 &&
				  f.slots[k].hash == f.slots[k].lba * 3;
		ck_assert_msg(nfound + empty >= 2 || holds_all(), "mutation %u", i);
		inflight_close(&f);
	}
	free(good);
	free(bad);
}
END_TEST

/* --- sysfs ------------------------------------------------------------------------------- */

static struct {
	const char *path, *text;
} sysfs[8];
static unsigned nreads;

static ssize_t fake_read_file(const char *path, char *buf, size_t size)
{
	nreads++;
	for (unsigned i = 0; i < ARRAY_SIZE(sysfs) && sysfs[i].path; i++)
		if (strcmp(path, sysfs[i].path) == 0)
			return snprintf(buf, size, "%s", sysfs[i].text);
	return -ENOENT;
}

static const struct sys_ops fake_sys = { .read_file = fake_read_file };

static void fake_sysfs(void)
{
	memset(sysfs, 0, sizeof(sysfs));
	nreads = 0;
	sys = &fake_sys;
}

static void real_sysfs(void)
{
	sys = &sys_libc;
}

#define SG3 (21u << 20 | 3)
#define SDB (8u << 20 | 16)
#define LOOP1 (7u << 20 | 1)
#define GHOST (30 * NS_PER_SEC)

static void say(unsigned i, const char *path, const char *text)
{
	sysfs[i].path = path;
	sysfs[i].text = text;
}

static uint64_t until(struct inflight_look *k, uint32_t a, uint32_t b, uint64_t now)
{
	struct ledger_slot s = { .path = { a, b } };

	inflight_look_again(k);
	return inflight_until(k, &s, now, GHOST);
}

START_TEST(test_sg_is_idle)
{
	struct inflight_look k = { 0 };

	say(0, "/sys/dev/char/21:3/device/state", "running");
	say(1, "/sys/dev/char/21:3/device/device_busy", "1");
	ck_assert_uint_eq(until(&k, SG3, 0, 5), UINT64_MAX);
	say(1, sysfs[1].path, "0");
	/* Its transport is gone: what is queued waits for it, and is not counted. */
	say(0, sysfs[0].path, "transport-offline");
	ck_assert_uint_eq(until(&k, SG3, 0, 6), UINT64_MAX);
	say(0, sysfs[0].path, "running");
	ck_assert_uint_eq(until(&k, SG3, 0, 7), 7 + GHOST);
	/* From then on it does not matter. */
	say(1, sysfs[1].path, "5");
	ck_assert_uint_eq(until(&k, SG3, 0, 9), 7 + GHOST);
}
END_TEST

START_TEST(test_block_is_idle)
{
	struct inflight_look k = { 0 };

	say(0, "/sys/dev/block/8:16/inflight", "       0        1");
	say(1, "/sys/dev/block/8:16/queue/iostats", "1");
	say(2, "/sys/dev/block/8:16/mq/0/nr_tags", "32");
	ck_assert_uint_eq(until(&k, SDB, 0, 5), UINT64_MAX);
	say(0, sysfs[0].path, "       3        0");
	say(1, sysfs[1].path, "0");
	ck_assert_uint_eq(until(&k, SDB, 0, 6), UINT64_MAX); /* nothing is counted */
	say(1, sysfs[1].path, "1");
	say(2, sysfs[2].path, "");
	ck_assert_uint_eq(until(&k, SDB, 0, 7), UINT64_MAX); /* nor here */
	say(3, "/sys/dev/block/8:16/dm/name", "delay");
	ck_assert_uint_eq(until(&k, SDB, 0, 8), 8 + GHOST);
	ck_assert_uint_eq(until(&k, SDB, SG3, 9), UINT64_MAX);
}
END_TEST

START_TEST(test_loop_is_idle)
{
	struct inflight_look k = { 0 };

	ck_assert_uint_eq(until(&k, LOOP1, 0, 4), UINT64_MAX);
	say(0, "/sys/dev/block/7:1/inflight", "0 0");
	say(1, "/sys/dev/block/7:1/queue/iostats", "1");
	say(2, "/sys/dev/block/7:1/mq/0/nr_tags", "128");
	ck_assert_uint_eq(until(&k, LOOP1, 0, 5), 5);
	ck_assert_uint_eq(until(&k, LOOP1, PATH_DEV_FILE, 6), 6);
	ck_assert_uint_eq(until(&k, LOOP1, UINT32_MAX, 7), UINT64_MAX);
	ck_assert_uint_eq(until(&k, 0, 0, 8), UINT64_MAX);
	ck_assert_uint_eq(until(&k, PATH_DEV_FILE | 8u << 20 | 1, 0, 9), UINT64_MAX);
	say(3, "/sys/dev/block/8:1/partition", "1");
	say(4, "/sys/dev/block/8:1/../queue/iostats", "1");
	say(5, "/sys/dev/block/8:1/../mq/0/nr_tags", "1");
	say(6, "/sys/dev/block/8:1/inflight", "0 0");
	ck_assert_uint_eq(until(&k, PATH_DEV_FILE | 8u << 20 | 1, 0, 10), 10);
}
END_TEST

/* However many slots name a device, it is looked at once a round. */
START_TEST(test_a_look_a_round)
{
	struct inflight_look k = { 0 };
	struct ledger_slot s = { .path = { SG3 } };

	inflight_look_again(&k);
	for (int i = 0; i < 1000; i++)
		inflight_until(&k, &s, 1, GHOST);
	ck_assert_uint_eq(nreads, 1);
	for (uint32_t i = 0; i < 1000; i++)
		ck_assert_uint_eq(until(&k, SG3 + i, 0, 1), UINT64_MAX);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("inflight");
	TCase *t = tcase_create("file"), *k = tcase_create("sysfs");

	tcase_add_checked_fixture(t, make_dirs, remove_dirs);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_writes_are_found);
	tcase_add_test(t, test_debts_are_found);
	tcase_add_test(t, test_nothing_is_found);
	tcase_add_test(t, test_another_boot_has_ended_them);
	tcase_add_test(t, test_under_another_name);
	tcase_add_test(t, test_another_lun_under_our_name);
	tcase_add_test(t, test_one_process_a_wwid);
	tcase_add_loop_test(t, test_cut_short, 0, 7);
	tcase_add_test(t, test_broken_elsewhere);
	tcase_add_test(t, test_torn_slot);
	tcase_add_test(t, test_empty_slot_of_anything);
	tcase_add_test(t, test_other_numbers_of_slots);
	tcase_add_test(t, test_two_block_sizes);
	tcase_add_test(t, test_not_a_file);
	tcase_add_test(t, test_mutations);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(k, fake_sysfs, real_sysfs);
	tcase_add_test(k, test_sg_is_idle);
	tcase_add_test(k, test_block_is_idle);
	tcase_add_test(k, test_loop_is_idle);
	tcase_add_test(k, test_a_look_a_round);
	suite_add_tcase(s, k);
	return unit_main(s);
}
