/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_config_load.c - proves which files are read and in which order, and
 * what a missing, strange or huge one is answered with.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "config/config.h"
#include "unit.h"

static char dir[64]; /* of this test; it is the working directory */

static void setup(void)
{
	strcpy(dir, "/tmp/lunmux-check-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
}

static void teardown(void)
{
	static const char *const names[] = { "lunmux.d/a.conf", "lunmux.d/b.conf",
					     "lunmux.d/B.conf", "lunmux.d/x.conf",
					     "lunmux.d/.c.conf", "lunmux.d/d.conf~",
					     "lunmux.d/.conf", "lunmux.d", "main", "fifo" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		remove(names[i]);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
}

static void write_depth(const char *name, unsigned depth)
{
	char text[64];

	snprintf(text, sizeof(text), "defaults {\nqueue_depth %u\n}\n", depth);
	write_file(name, text);
}

static unsigned loaded_depth(const char *file, const char *drop_ins)
{
	struct conf_errors errs = { 0 };
	struct config *c = NULL;
	unsigned depth;

	ck_assert_int_eq(config_load_dir(file, drop_ins, &c, &errs), 0);
	ck_assert_uint_eq(errs.nmsgs, 0);
	depth = c->defaults.queue_depth;
	config_free(c);
	return depth;
}

/* The first message, and nothing in *ret. */
static void load_bad(const char *file, int err, const char *message)
{
	struct conf_errors errs = { 0 };
	struct config *c = (void *)&c;

	ck_assert_int_eq(config_load(file, &c, &errs), err);
	ck_assert_ptr_eq(c, &c);
	ck_assert_uint_ge(errs.nmsgs, 1);
	ck_assert_str_eq(errs.msgs[0].text, message);
	conf_errors_clear(&errs);
}

START_TEST(test_order)
{
	char absolute[128];

	write_depth("main", 10);
	ck_assert_uint_eq(loaded_depth("main", NULL), 10);
	ck_assert_int_eq(mkdir("lunmux.d", 0700), 0);
	ck_assert_uint_eq(loaded_depth("main", NULL), 10);
	write_depth("lunmux.d/B.conf", 12);
	ck_assert_uint_eq(loaded_depth("main", NULL), 12);
	write_depth("lunmux.d/a.conf", 13); /* capitals sort before it */
	ck_assert_uint_eq(loaded_depth("main", NULL), 13);
	write_depth("lunmux.d/b.conf", 14);
	snprintf(absolute, sizeof(absolute), "%s/main", dir);
	ck_assert_uint_eq(loaded_depth("main", NULL), 14);
	ck_assert_uint_eq(loaded_depth("./main", NULL), 14);
	ck_assert_uint_eq(loaded_depth(absolute, NULL), 14);
	/* neither hidden files nor an editor's */
	write_depth("lunmux.d/.c.conf", 15);
	write_depth("lunmux.d/d.conf~", 16);
	write_depth("lunmux.d/.conf", 17);
	ck_assert_uint_eq(loaded_depth("main", NULL), 14);
	/* another directory, none, one that is not there */
	ck_assert_uint_eq(loaded_depth("main", ""), 10);
	ck_assert_uint_eq(loaded_depth("main", "nowhere"), 10);
	ck_assert_uint_eq(loaded_depth("lunmux.d/B.conf", "."), 12);
}
END_TEST

/* A mistake in any of the files is told with its name, and ends in no config. */
START_TEST(test_errors_over_files)
{
	struct conf_errors errs = { 0 };
	struct config *c = NULL;

	write_file("main", "multipaths { multipath {\nwwid 3a\n} }\ndefaults {\nx y\n}\n");
	ck_assert_int_eq(mkdir("lunmux.d", 0700), 0);
	write_file("lunmux.d/a.conf", "multipaths { multipath {\nwwid 3a\nalias b\n} }\n");
	ck_assert_int_eq(mkdir("lunmux.d/b.conf", 0700), 0);
	ck_assert_int_eq(config_load("main", &c, &errs), -EISDIR);
	ck_assert_ptr_null(c);
	ck_assert_uint_eq(errs.nmsgs, 3);
	ck_assert_str_eq(errs.msgs[0].text, "lunmux.d/b.conf: is a directory, not a file");
	ck_assert_str_eq(errs.msgs[1].text, "main:5:1: \"x\": unknown keyword in defaults");
	ck_assert_str_eq(errs.msgs[2].text,
			 "lunmux.d/a.conf:2:6: wwid \"3a\": given twice, first at main:2:6");
	conf_errors_clear(&errs);
}
END_TEST

START_TEST(test_no_file)
{
	load_bad("main", -ENOENT, "main: No such file or directory");
	load_bad(".", -EISDIR, ".: is a directory, not a file");
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	load_bad("fifo", -EINVAL, "fifo: is not a regular file");
	write_file("lunmux.d", "");
	write_file("main", "");
	load_bad("main", -ENOTDIR, "lunmux.d: Not a directory");
}
END_TEST

START_TEST(test_unreadable)
{
	write_file("main", "");
	ck_assert_int_eq(chmod("main", 0), 0);
	if (geteuid()) /* root reads anything */
		load_bad("main", -EACCES, "main: Permission denied");
	else
		ck_assert_uint_eq(loaded_depth("main", NULL), 0);
}
END_TEST

START_TEST(test_devices)
{
	ck_assert_uint_eq(loaded_depth("/dev/null", ""), 0);
	load_bad("/dev/zero", -EFBIG, "/dev/zero: is larger than 10M: no configuration");
}
END_TEST

/* Ten megabytes are read, one byte more is refused. */
START_TEST(test_huge)
{
	FILE *f = fopen("main", "w");

	ck_assert_ptr_nonnull(f);
	fputs("defaults {\nqueue_depth 77\n}\n", f);
	for (long i = ftell(f); i < (long)CONF_FILE_BYTES_MAX; i++)
		putc(i % 1000 ? '#' : '\n', f);
	fflush(f);
	ck_assert_uint_eq(loaded_depth("main", NULL), 77);
	putc('\n', f);
	ck_assert_int_eq(fclose(f), 0);
	load_bad("main", -EFBIG, "main: is larger than 10M: no configuration");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_load");
	TCase *tc = tcase_create("files");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_order);
	tcase_add_test(tc, test_errors_over_files);
	tcase_add_test(tc, test_no_file);
	tcase_add_test(tc, test_unreadable);
	tcase_add_test(tc, test_devices);
	tcase_add_test(tc, test_huge);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
