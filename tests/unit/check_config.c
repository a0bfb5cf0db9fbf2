/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_config.c - proves what each keyword puts into struct lun_conf, which
 * message each mistake gets, word for word, and that the dump reads back.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/units.h"
#include "config/config.h"
#include "config/keywords.h"
#include "unit.h"

static char *messages_of(const struct conf_errors *errs)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	conf_errors_print(errs, f);
	fclose(f);
	return text;
}

/* Parse what must be right, without a warning. */
static struct config *parse_ok(const char *text)
{
	struct conf_errors errs = { 0 };
	struct config *c = NULL;
	int r = config_parse("f", text, strlen(text), &c, &errs);
	_cleanup_free_ char *messages = messages_of(&errs);

	ck_assert_str_eq(messages, "");
	ck_assert_int_eq(r, 0);
	ck_assert_ptr_nonnull(c);
	conf_errors_clear(&errs);
	return c;
}

static char *dump(const struct config *c)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert_int_eq(config_dump(c, f), 0);
	fclose(f);
	return text;
}

/* The dump reads back to equal settings, and its dump is the same text. */
static void round_trip(const struct config *c)
{
	_cleanup_free_ char *first = dump(c), *second = NULL;
	struct config *again = parse_ok(first);

	second = dump(again);
	ck_assert_str_eq(first, second);
	ck_assert(lun_conf_equal(&c->defaults, &again->defaults));
	ck_assert_uint_eq(c->nluns, again->nluns);
	for (size_t i = 0; i < c->nluns; i++)
		ck_assert(lun_conf_equal(&c->luns[i], &again->luns[i]));
	config_free(again);
}

/* --- what ends up where --- */

START_TEST(test_empty)
{
	struct config *c = parse_ok("");
	const struct lun_conf *d = &c->defaults;

	ck_assert_str_eq(c->file, "f");
	ck_assert_uint_eq(c->nluns, 0);
	ck_assert_int_eq(d->path_grouping_policy, GROUP_BY_PRIO);
	ck_assert_int_eq(d->path_selector, SEL_SERVICE_TIME);
	ck_assert_int_eq(d->failback.kind, FAILBACK_IMMEDIATE);
	ck_assert_int_eq(d->no_path_retry.kind, NO_PATH_RETRY);
	ck_assert_uint_eq(d->no_path_retry.checks, 12);
	ck_assert_uint_eq(d->polling_interval_ns, 5 * NS_PER_SEC);
	ck_assert_uint_eq(d->queue_depth, 0);
	ck_assert_int_eq(d->elevator, ELV_AUTO);
	ck_assert_uint_eq(d->read_expire_ns, 500 * NS_PER_MS);
	ck_assert_uint_eq(d->write_expire_ns, 5 * NS_PER_SEC);
	ck_assert_uint_eq(d->fifo_batch, 16);
	ck_assert_uint_eq(d->writes_starved, 2);
	ck_assert_uint_eq(d->min_paths, 1);
	ck_assert_uint_eq(d->max_requests, REQS_DEFAULT);
	ck_assert_uint_eq(d->buffer_memory_bytes, BUF_ARENA_DEFAULT);
	ck_assert_int_eq(d->log_level, LOG_L_INFO);
	ck_assert_uint_eq(d->export.max_connections, NBD_CONNS_MAX);
	ck_assert_uint_eq(d->export.handshake_timeout_ns, NBD_HANDSHAKE_SEC * NS_PER_SEC);
	ck_assert_ptr_null(d->alias);
	ck_assert_ptr_null(config_find(c, "db01"));
	round_trip(c);
	config_free(c);
}
END_TEST

START_TEST(test_example_of_the_design)
{
	struct config *c = parse_ok(
		"defaults {\n"
		"    polling_interval     5            # seconds; \"500ms\" too\n"
		"    path_grouping_policy group_by_prio\n"
		"    path_selector        service-time # round-robin ...\n"
		"    failback             immediate\n"
		"    no_path_retry        12           # fail | queue | N checks\n"
		"    queue_depth          auto         # of the LUN\n"
		"    elevator             auto\n"
		"}\n"
		"multipaths {\n"
		"    multipath {\n"
		"        wwid   3600a098038303053742b463230313233\n"
		"        alias  db01\n"
		"        export {\n"
		"            nbd_device auto           # none | auto | /dev/nbd3\n"
		"            unix       /run/lunmux/db01/nbd.sock\n"
		"        }\n"
		"    }\n"
		"    multipath {                       # loopback disks\n"
		"        wwid   file:/srv/lab.img      # every loop device\n"
		"        alias  lab\n"
		"    }\n"
		"    multipath {\n"
		"        wwid   file:/srv/lab2.img\n"
		"        alias  lab2\n"
		"        path   /dev/loop4             # explicit paths\n"
		"        path   /dev/loop5\n"
		"        fuse   /run/lunmux/lab2/disk.img\n"
		"    }\n"
		"}\n");
	const struct lun_conf *lun;

	ck_assert_uint_eq(c->nluns, 3);
	lun = config_find(c, "db01");
	ck_assert_ptr_eq(lun, &c->luns[0]);
	ck_assert_str_eq(lun->wwid, "3600a098038303053742b463230313233");
	ck_assert_int_eq(lun->export.nbd_device.kind, NBD_DEVICE_AUTO);
	ck_assert_str_eq(lun->export.unix_path, "/run/lunmux/db01/nbd.sock");
	ck_assert_str_eq(lun->export.name, "db01");
	ck_assert_uint_eq(lun->npaths, 0);
	ck_assert_uint_eq(lun->max_polling_interval_ns, 20 * NS_PER_SEC);
	ck_assert_int_eq(lun->path_checker, CONF_CHECKER_TUR);
	ck_assert_uint_eq(lun->checker_read_bytes, 0);
	lun = config_find(c, "file:/srv/lab.img");
	ck_assert_ptr_eq(lun, &c->luns[1]);
	ck_assert_ptr_null(lun->export.unix_path);
	ck_assert_ptr_null(lun->export.fuse_path);
	lun = config_find(c, "lab2");
	ck_assert_uint_eq(lun->npaths, 2);
	ck_assert_str_eq(lun->paths[0], "/dev/loop4");
	ck_assert_str_eq(lun->paths[1], "/dev/loop5");
	ck_assert_str_eq(lun->export.fuse_path, "/run/lunmux/lab2/disk.img");
	round_trip(c);
	config_free(c);
}
END_TEST

static const char everything[] =
	"multipaths { multipath {\n"
	"wwid \"1ATA     a \"\"disk\"\"\"\nalias a.B-c_9\npath /dev/sg3\npath \"/dev/a b\"\n"
	"allow_vpd80 yes\npath_grouping_policy multibus\npath_selector \"round-robin 0\"\n"
	"rr_min_io 7\nrr_min_bytes 192k\nrr_weight priorities\n"
	"failback 90\nno_path_retry queue\npolling_interval 1500ms\nmax_polling_interval 2m\n"
	"path_checker directio\nchecker_read_size 64K\n"
	"marginal_path_double_failed_time no\nmarginal_path_err_sample_time 30\n"
	"marginal_path_err_rate_threshold 10\nmarginal_path_err_recheck_gap_time 300\n"
	"queue_depth 200\npath_depth 32\nhost_depth 48\nelevator fifo\nread_expire 20ms\nwrite_expire 1500us\n"
	"fifo_batch 1\nwrites_starved 0\nio_timeout 7s\nsuspect_after 250ms\nread_only yes\n"
	"direct_io off\nflush_scope lu\nghost_time 20s\nghost_policy hold-ack\nboot_hold no\nmin_paths 2\nmax_requests 4096\nbuffer_memory 1g\nlog_level debug\n"
	"export {\nname \"my disk\"\nnbd_device /dev/nbd3\nnbd_dead_timeout 90\nunix /tmp/s\ntcp [::1]:99\n"
	"fuse /tmp/f\nmax_connections 4\nhandshake_timeout 3\n}\n} }";

START_TEST(test_every_keyword)
{
	struct config *c = parse_ok(everything);
	const struct lun_conf *lun = &c->luns[0];

	ck_assert_str_eq(lun->wwid, "1ATA     a \"disk\"");
	ck_assert_str_eq(lun->alias, "a.B-c_9");
	ck_assert_uint_eq(lun->npaths, 2);
	ck_assert_str_eq(lun->paths[1], "/dev/a b");
	ck_assert(lun->allow_vpd80);
	ck_assert_int_eq(lun->path_grouping_policy, GROUP_MULTIBUS);
	ck_assert_int_eq(lun->path_selector, SEL_ROUND_ROBIN);
	ck_assert_uint_eq(lun->rr_min_io, 7);
	ck_assert_uint_eq(lun->rr_min_bytes, 192 * 1024);
	ck_assert_int_eq(lun->rr_weight, RR_PRIORITIES);
	ck_assert_int_eq(lun->failback.kind, FAILBACK_AFTER);
	ck_assert_uint_eq(lun->failback.after_ns, 90 * NS_PER_SEC);
	ck_assert_int_eq(lun->no_path_retry.kind, NO_PATH_QUEUE);
	ck_assert_uint_eq(lun->polling_interval_ns, 1500 * NS_PER_MS);
	ck_assert_uint_eq(lun->max_polling_interval_ns, 120 * NS_PER_SEC);
	ck_assert_int_eq(lun->path_checker, CONF_CHECKER_DIRECTIO);
	ck_assert_uint_eq(lun->checker_read_bytes, 65536);
	ck_assert_uint_eq(lun->flap_window_ns, 0);
	ck_assert_uint_eq(lun->err_sample_ns, 30 * NS_PER_SEC);
	ck_assert_uint_eq(lun->err_rate, 10);
	ck_assert_uint_eq(lun->marginal_ns, 300 * NS_PER_SEC);
	ck_assert_uint_eq(lun->queue_depth, 200);
	ck_assert_uint_eq(lun->path_depth, 32);
	ck_assert_uint_eq(lun->host_depth, 48);
	ck_assert_int_eq(lun->elevator, ELV_FIFO);
	ck_assert_uint_eq(lun->read_expire_ns, 20 * NS_PER_MS);
	ck_assert_uint_eq(lun->write_expire_ns, 1500 * NS_PER_US);
	ck_assert_uint_eq(lun->fifo_batch, 1);
	ck_assert_uint_eq(lun->writes_starved, 0);
	ck_assert_uint_eq(lun->io_timeout_ns, 7 * NS_PER_SEC);
	ck_assert_uint_eq(lun->suspect_after_ns, 250 * NS_PER_MS);
	ck_assert(lun->read_only);
	ck_assert_int_eq(lun->direct_io, CONF_OFF);
	ck_assert_int_eq(lun->flush_scope, CONF_FLUSH_LU);
	ck_assert_uint_eq(lun->ghost_time_ns, 20 * NS_PER_SEC);
	ck_assert_int_eq(lun->ghost_policy, CONF_GHOST_HOLD_ACK);
	ck_assert(!lun->boot_hold);
	ck_assert_uint_eq(lun->min_paths, 2);
	ck_assert_uint_eq(lun->max_requests, 4096);
	ck_assert_uint_eq(lun->buffer_memory_bytes, 1u << 30);
	ck_assert_int_eq(lun->log_level, LOG_L_DEBUG);
	ck_assert_str_eq(lun->export.name, "my disk");
	ck_assert_int_eq(lun->export.nbd_device.kind, NBD_DEVICE_FIXED);
	ck_assert_uint_eq(lun->export.nbd_device.index, 3);
	ck_assert_uint_eq(lun->export.nbd_dead_timeout_ns, 90 * NS_PER_SEC);
	ck_assert_str_eq(lun->export.unix_path, "/tmp/s");
	ck_assert_str_eq(lun->export.tcp.host, "::1");
	ck_assert_uint_eq(lun->export.tcp.port, 99);
	ck_assert_str_eq(lun->export.fuse_path, "/tmp/f");
	ck_assert_uint_eq(lun->export.max_connections, 4);
	ck_assert_uint_eq(lun->export.handshake_timeout_ns, 3 * NS_PER_SEC);
	round_trip(c);
	config_free(c);
}
END_TEST

/* No keyword was left out above, and each of them differs from its default. */
START_TEST(test_every_keyword_is_every_keyword)
{
	struct config *c = parse_ok(everything);

	for (size_t i = 0; i < KEYWORDS_NR; i++) {
		char *text[2] = { NULL, NULL };
		size_t len;

		ck_assert_ptr_nonnull(keywords[i].name);
		ck_assert_ptr_eq(keyword_find(keywords[i].name), &keywords[i]);
		for (int k = 0; k < 2; k++) {
			FILE *f = open_memstream(&text[k], &len);

			keywords[i].type->print(&keywords[i], k ? &c->luns[0] : &c->defaults, 0, f);
			fclose(f);
		}
		ck_assert_msg(strcmp(text[0], text[1]), "%s: not set by this test",
			      keywords[i].name);
		free(text[0]);
		free(text[1]);
	}
	config_free(c);
}
END_TEST

/* A default is what its type writes: so the dump and the manual agree. */
START_TEST(test_defaults_are_canonical)
{
	struct config *c = parse_ok("");

	for (size_t i = 0; i < KEYWORDS_NR; i++) {
		_cleanup_free_ char *text = NULL;
		size_t len;
		FILE *f = open_memstream(&text, &len);
		bool there = keywords[i].type->print(&keywords[i], &c->defaults, 0, f);

		fclose(f);
		ck_assert_int_eq(there, keywords[i].def != NULL);
		if (there)
			ck_assert_str_eq(text, keywords[i].def);
		ck_assert_int_eq(!there, !(keywords[i].scopes & (KW_DEFAULTS | KW_DEFAULTS_EXPORT)));
	}
	config_free(c);
}
END_TEST

/* defaults < overrides < multipath, wherever they stand; a later section wins. */
START_TEST(test_precedence)
{
	struct config *c = parse_ok(
		"multipaths { multipath {\nwwid 3a\nfifo_batch 7\n} multipath {\nwwid 3b\n} }\n"
		"overrides { queue_depth 5\nexport {\nmax_connections 9\n} }\n"
		"defaults { queue_depth 4\nfifo_batch 6\nwrites_starved 1\n"
		"export {\nmax_connections 8\nnbd_device auto\n} }\n"
		"defaults { writes_starved 3\n}\n");

	for (size_t i = 0; i < 2; i++) {
		ck_assert_uint_eq(c->luns[i].queue_depth, 5);
		ck_assert_uint_eq(c->luns[i].fifo_batch, i ? 6 : 7);
		ck_assert_uint_eq(c->luns[i].writes_starved, 3);
		ck_assert_uint_eq(c->luns[i].export.max_connections, 9);
		ck_assert_int_eq(c->luns[i].export.nbd_device.kind, NBD_DEVICE_AUTO);
	}
	ck_assert(!lun_conf_equal(&c->luns[0], &c->luns[1]));
	ck_assert(lun_conf_equal(&c->luns[0], &c->luns[0]));
	round_trip(c);
	config_free(c);
}
END_TEST

START_TEST(test_derived_alias)
{
	static const struct {
		const char *wwid, *alias;
	} rows[] = {
		{ "3600a0980", "3600a0980" },
		{ "file:/srv/lab.img", "srv_lab.img" },
		{ "file:/", "lun" },
		{ "file:/../.x", "x" },
		{ "\"1ATA  disk \xc3\xa4\"", "1ATA__disk___" },
		{ "naa.600a", "naa.600a" },
		{ "1234567890123456789012345678901234567890123456789012345678901234567890",
		  "1234567890123456789012345678901234567890123456789012345678901234" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[256];
		struct config *c;

		snprintf(text, sizeof(text), "multipaths { multipath { wwid %s\n} }",
			 rows[i].wwid);
		c = parse_ok(text);
		ck_assert_str_eq(c->luns[0].alias, rows[i].alias);
		ck_assert_str_eq(c->luns[0].export.name, rows[i].alias);
		ck_assert(config_name_valid(c->luns[0].alias));
		round_trip(c);
		config_free(c);
	}
}
END_TEST

START_TEST(test_wwid_forms)
{
	static const char *const forms[] = {
		"3600a0980383030",    "3600A0980383030",      "naa.600a0980383030",
		"0x600a0980383030",   "wwn-0x600a0980383030", "scsi-3600a0980383030",
		"mpath-3600a0980383030", "dm-uuid-mpath-3600a0980383030",
		"lunmux-3600a0980383030",
	};
	struct config *c = parse_ok("multipaths { multipath {\nwwid 3600a0980383030\nalias x\n} }");

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		ck_assert_ptr_eq(config_find(c, forms[i]), &c->luns[0]);
	ck_assert_ptr_null(config_find(c, "3600a0980383031"));
	ck_assert_ptr_null(config_find(c, ""));
	config_free(c);
}
END_TEST

static const struct {
	const char *line, *dumped;
} value_rows[] = {
	{ "polling_interval 500ms", "polling_interval     500ms\n" },
	{ "polling_interval 60", "polling_interval     1m\n" },
	{ "polling_interval 90s", "polling_interval     90s\n" },
	{ "polling_interval 10000us", "polling_interval     10ms\n" },
	{ "polling_interval 10001us", "polling_interval     10001us\n" },
	{ "buffer_memory 67108864", "buffer_memory        64M\n" },
	{ "buffer_memory 32768K", "buffer_memory        32M\n" },
	{ "buffer_memory 2G", "buffer_memory        2G\n" },
	{ "no_path_retry 0", "no_path_retry        fail\n" },
	{ "no_path_retry fail", "no_path_retry        fail\n" },
	{ "no_path_retry 0005", "no_path_retry        5\n" },
	{ "failback manual", "failback             manual\n" },
	{ "failback followover", "failback             followover\n" },
	{ "failback 250ms", "failback             250ms\n" },
	{ "path_selector \"queue-length 0\"", "path_selector        queue-length\n" },
	{ "queue_depth auto", "queue_depth          auto\n" },
	{ "suspect_after auto", "suspect_after        auto\n" },
	{ "ghost_time 0", "ghost_time           0\n" },
	{ "export { tcp 127.0.0.1\n}", "tcp                  127.0.0.1:10809\n" },
	{ "export { tcp localhost:1\n}", "tcp                  localhost:1\n" },
	{ "export { tcp 127.9.9.9:65535\n}", "tcp                  127.9.9.9:65535\n" },
	{ "export { tcp [::1]\n}", "tcp                  [::1]:10809\n" },
	{ "export { nbd_device none\n}", "nbd_device           none\n" },
	{ "export { nbd_device /dev/nbd0\n}", "nbd_device           /dev/nbd0\n" },
	{ "export { name \"a \"\"b\"\"\"\n}", "name                 \"a \"\"b\"\"\"\n" },
	{ "export { fuse /a\n}", "fuse                 /a\n" },
	{ "fuse /a", "fuse                 /a\n" },
};

START_TEST(test_values)
{
	char text[256];
	struct config *c;
	_cleanup_free_ char *dumped = NULL;

	snprintf(text, sizeof(text), "multipaths { multipath {\nwwid 3a\n%s\n} }", value_rows[_i].line);
	c = parse_ok(text);
	dumped = dump(c);
	ck_assert_ptr_nonnull(strstr(dumped, value_rows[_i].dumped));
	round_trip(c);
	config_free(c);
}
END_TEST

/* --- what is wrong --- */

#define LUN(lines) "multipaths { multipath {\nwwid 3a\n" lines "\n} }"

static const struct bad_row {
	const char *text, *messages;
} bad_rows[] = {
	/* words that are none of ours */
	{ "defaults {\n  polling_interv 5\n}",
	  "f:2:3: \"polling_interv\": unknown keyword in defaults\n"
	  "    hint: did you mean \"polling_interval\"?\n" },
	{ "defaults {\nxyzzy 5\n}", "f:2:1: \"xyzzy\": unknown keyword in defaults\n" },
	{ "defaults {\nuser_freindly_names yes\n}",
	  "f:2:1: \"user_freindly_names\": unknown keyword in defaults\n"
	  "    hint: did you mean \"user_friendly_names\"?\n" },
	{ "default { }", "f:1:1: \"default\": unknown section\n"
			 "    hint: did you mean \"defaults\"?\n" },
	{ "defaults {\nexprt {\n}\n}", "f:2:1: \"exprt\": unknown section\n"
				       "    hint: did you mean \"export\"?\n" },
	{ "defaults {\nfailback {\n}\n}", "f:2:1: failback: takes a value, not a section\n" },
	{ "defaults {\n\x1b[2J 5\n}",
	  "f:2:1: byte 0x1b: a control character has no meaning here\n"
	  "f:2:2: \"[2J\": unknown keyword in defaults\n" },
	{ "defaults {\n\xff\xfe 5\n}", "f:2:1: \"\\xff\\xfe\": unknown keyword in defaults\n" },

	/* in the wrong place */
	{ "polling_interval 5", "f:1:1: \"polling_interval\": stands in no section\n"
				"    hint: it belongs in defaults or multipath\n" },
	{ "xyzzy 5", "f:1:1: \"xyzzy\": stands in no section\n" },
	{ "defaults {\nalias x\n}", "f:2:1: alias: not allowed in defaults\n"
				    "    hint: it belongs in multipath\n" },
	{ LUN("tcp 127.0.0.1:1"), "f:3:1: tcp: not allowed in multipath\n"
				  "    hint: it belongs in export\n" },
	{ LUN("export {\nalias x\n}"), "f:4:1: alias: not allowed in export\n"
				       "    hint: it belongs in multipath\n" },
	{ "multipath {\nwwid 3a\n}", "f:1:1: \"multipath\": unknown section\n"
				     "    hint: did you mean \"multipaths\"?\n" },
	{ "multipaths {\nwwid 3a\n}", "f:2:1: \"wwid\": not allowed in multipaths\n"
				      "    hint: multipaths holds multipath { } sections only\n" },
	{ "multipaths {\nmultipth {\n}\n}", "f:2:1: \"multipth\": unknown section in multipaths\n"
					    "    hint: did you mean \"multipath\"?\n" },

	/* values */
	{ "defaults {\n  path_selector servce-time\n}",
	  "f:2:17: path_selector \"servce-time\": not one of: last-used, round-robin, "
	  "queue-length, service-time, historical-service-time, numa\n    hint: did you mean \"service-time\"?\n" },
	{ "defaults {\nelevator bfq\n}",
	  "f:2:10: elevator \"bfq\": not one of: auto, deadline, fifo\n" },
	{ "defaults {\nread_only 1\n}", "f:2:11: read_only \"1\": not yes or no\n" },
	{ "defaults {\nread_expire 500\n}",
	  "f:2:13: read_expire \"500\": out of range: allowed is 1ms to 1m\n"
	  "    hint: a bare number is seconds: write \"500ms\"\n" },
	{ "defaults {\nio_timeout 99999999999999999999999\n}",
	  "f:2:12: io_timeout \"99999999999999999999999\": out of range: allowed is 100ms to "
	  "60m\n" },
	{ "defaults {\nio_timeout 18446744073709551615m\n}",
	  "f:2:12: io_timeout \"18446744073709551615m\": out of range: allowed is 100ms to "
	  "60m\n" },
	{ "defaults {\nio_timeout 5h\n}",
	  "f:2:12: io_timeout \"5h\": not a time\n"
	  "    hint: a whole number with us, ms, s or m; a bare number is seconds\n" },
	{ "defaults {\nio_timeout s\n}",
	  "f:2:12: io_timeout \"s\": not a time\n"
	  "    hint: a whole number with us, ms, s or m; a bare number is seconds\n" },
	{ "defaults {\nio_timeout \"\"\n}",
	  "f:2:12: io_timeout \"\": not a time\n"
	  "    hint: a whole number with us, ms, s or m; a bare number is seconds\n" },
	{ "defaults {\nqueue_depth 0\n}",
	  "f:2:13: queue_depth \"0\": out of range: allowed is 1 to 4096\n" },
	{ "defaults {\nqueue_depth -1\n}", "f:2:13: queue_depth \"-1\": not a whole number\n" },
	{ "defaults {\nqueue_depth 0x10\n}",
	  "f:2:13: queue_depth \"0x10\": not a whole number\n" },
	{ "defaults {\nbuffer_memory 65M\n}",
	  "f:2:15: buffer_memory \"65M\": not a power of two: the next one is 128M\n" },
	{ "defaults {\nbuffer_memory 16M\n}",
	  "f:2:15: buffer_memory \"16M\": out of range: allowed is 32M to 16G\n" },
	{ "defaults {\nbuffer_memory 18014398509481985K\n}",
	  "f:2:15: buffer_memory \"18014398509481985K\": out of range: allowed is 32M to 16G\n" },
	{ "defaults {\nbuffer_memory 64MB\n}",
	  "f:2:15: buffer_memory \"64MB\": not a size: a number of bytes, or with K, M or G\n" },
	{ "defaults {\nbuffer_memory M\n}",
	  "f:2:15: buffer_memory \"M\": not a size: a number of bytes, or with K, M or G\n" },
	{ "defaults {\nno_path_retry banana\n}",
	  "f:2:15: no_path_retry \"banana\": not fail, queue or a number of checks\n" },
	{ "defaults {\nfailback followme\n}",
	  "f:2:10: failback \"followme\": not immediate, manual, followover or a time\n" },
	{ LUN("alias .x"), "f:3:7: alias \".x\": not a name: 1 to 64 letters, digits, '.', '_' "
			   "or '-', not '.' first\n" },
	{ LUN("alias a/b"), "f:3:7: alias \"a/b\": not a name: 1 to 64 letters, digits, '.', "
			    "'_' or '-', not '.' first\n" },
	{ LUN("path dev/sda"), "f:3:6: path \"dev/sda\": not an absolute file name\n" },
	{ "multipaths { multipath {\nwwid file:lab\n} }",
	  "f:2:6: wwid \"file:lab\": an absolute file name must follow \"file:\"\n" },
	{ "multipaths { multipath {\nwwid \"\"\n} }", "f:2:6: wwid \"\": empty\n" },
	{ LUN("export {\nnbd_device /dev/sda\n}"),
	  "f:4:12: nbd_device \"/dev/sda\": not none, auto or /dev/nbdN\n" },
	{ LUN("export {\nunix nbd.sock\n}"),
	  "f:4:6: unix \"nbd.sock\": not an absolute file name\n" },
	{ LUN("export {\ntcp 0.0.0.0:10809\n}"),
	  "f:4:5: tcp \"0.0.0.0:10809\": not a loopback address: without TLS nothing is "
	  "exported beyond this machine\n"
	  "    hint: 127.0.0.1, [::1] or localhost; tunnel it for other machines\n" },
	{ LUN("export {\ntcp ::1\n}"), "f:4:5: tcp \"::1\": not HOST:PORT\n"
				       "    hint: 127.0.0.1:10809 or [::1]:10809\n" },
	{ LUN("export {\ntcp [::1]:0\n}"),
	  "f:4:5: tcp \"[::1]:0\": port not in the range 1 to 65535\n" },
	{ LUN("export {\nname \"\"\n}"),
	  "f:4:6: name \"\": 0 bytes long: allowed is 1 to 4096\n" },

	/* twice */
	{ "defaults {\nfailback 5\nfailback 6\n}",
	  "f:3:1: failback: given twice in this section, first at f:2\n" },
	{ LUN("fuse /a\nexport {\nfuse /b\n}"),
	  "f:5:1: fuse: given twice in this section, first at f:3\n" },
	{ LUN("export {\n}\nexport {\n}"),
	  "f:5:1: export: given twice in this section, first at f:3\n" },
	{ LUN("path /dev/a\npath /dev/a"),
	  "f:4:6: path \"/dev/a\": given twice, first at f:3:6\n" },
	{ "multipaths {\nmultipath {\nwwid 3600A\nalias x\n}\n"
	  "multipath {\nwwid naa.600a\nalias y\n} }",
	  "f:7:6: wwid \"3600a\": given twice, first at f:3:6\n" },
	{ "multipaths {\nmultipath {\nwwid 3a\nalias x\npath /p\n}\n"
	  "multipath {\nwwid 3b\nalias x\npath /p\n} }",
	  "f:9:7: alias \"x\": given twice, first at f:4:7\n"
	  "f:10:6: path \"/p\": given twice, first at f:5:6\n" },
	{ "multipaths {\nmultipath {\nwwid 3a\nexport {\nnbd_device /dev/nbd1\nunix /u\n"
	  "tcp 127.0.0.1\nfuse /f\n}\n}\n"
	  "multipath {\nwwid 3b\nexport {\nnbd_device /dev/nbd01\nunix /u\n"
	  "tcp 127.0.0.1:10809\nfuse /f\n}\n} }",
	  "f:14:12: nbd_device \"/dev/nbd1\": given twice, first at f:5:12\n"
	  "f:15:6: unix \"/u\": given twice, first at f:6:6\n"
	  "f:16:5: tcp \"127.0.0.1:10809\": given twice, first at f:7:5\n"
	  "f:17:6: fuse \"/f\": given twice, first at f:8:6\n" },

	/* against each other */
	{ "multipaths {\nmultipath {\nalias x\n} }",
	  "f:2:1: multipath: no wwid: which LUN is meant?\n" },
	{ LUN("polling_interval 10\nmax_polling_interval 5"),
	  "f:4:1: max_polling_interval: shorter than polling_interval (f:3)\n" },
	{ "defaults {\nmax_polling_interval 20\n}\n" LUN("polling_interval 30"),
	  "f:6:1: polling_interval: longer than max_polling_interval (f:2)\n" },
	{ LUN("export {\nnbd_dead_timeout 59\n}"),
	  "f:4:1: nbd_dead_timeout: shorter than no_path_retry (the default)\n" },
	{ LUN("no_path_retry 11\npolling_interval 10\nexport {\nnbd_dead_timeout 109\n}"),
	  "f:6:1: nbd_dead_timeout: shorter than no_path_retry (f:3)\n" },
	{ LUN("queue_depth 2000"), "f:3:1: queue_depth: more than max_requests (the default)\n" },
	{ LUN("queue_depth 64\npath_depth 65"),
	  "f:4:1: path_depth: more than queue_depth (f:3)\n" },
	{ LUN("suspect_after 30"),
	  "f:3:1: suspect_after: not shorter than io_timeout (the default)\n" },
	/* a contradiction of the defaults is told once, not once a LUN */
	{ "defaults {\nqueue_depth 2000\n}\n" LUN("") "\nmultipaths { multipath {\nwwid 3b\n} }",
	  "f:2:1: queue_depth: more than max_requests (the default)\n" },

	/* one mistake does not hide the next; warnings are told, too */
	{ "defaults {\nx 1\nverbosity 2\nfailback y\n",
	  "f:1:1: section \"defaults\": its closing '}' is missing\n"
	  "f:2:1: \"x\": unknown keyword in defaults\n"
	  "f:3:1: warning: verbosity: only means something to device-mapper multipath, "
	  "ignored\n    hint: log_level says how much is logged\n"
	  "f:4:10: failback \"y\": not immediate, manual, followover or a time\n" },
};

START_TEST(test_bad)
{
	const struct bad_row *row = &bad_rows[_i];
	struct config *c = (void *)&c;
	struct conf_errors errs = { 0 };
	_cleanup_free_ char *messages = NULL;

	ck_assert_int_eq(config_parse("f", row->text, strlen(row->text), &c, &errs), -EINVAL);
	ck_assert_ptr_eq(c, &c);
	messages = messages_of(&errs);
	ck_assert_str_eq(messages, row->messages);
	conf_errors_clear(&errs);
}
END_TEST

START_TEST(test_group_by_serial)
{
	struct conf_errors errs = { 0 };
	struct config *c = NULL;
	static const char text[] = LUN("path_grouping_policy group_by_serial");

	ck_assert_int_eq(config_parse("f", text, strlen(text), &c, &errs), 0);
	ck_assert_int_eq(c->luns[0].path_grouping_policy, GROUP_BY_NODE_NAME);
	ck_assert_uint_eq(errs.nwarnings, 1);
	ck_assert_ptr_nonnull(strstr(errs.msgs[0].text, "warning: path_grouping_policy"));
	ck_assert_ptr_nonnull(strstr(errs.msgs[0].text, "taken as group_by_node_name"));
	conf_errors_clear(&errs);
	config_free(c);
}
END_TEST

/* The checkers of multipath.conf(5) for arrays of old. */
START_TEST(test_checkers_of_old)
{
	static const char *const words[] = { "cciss_tur", "emc_clariion", "hp_sw", "none", "rdac" };
	char text[200];

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct conf_errors errs = { 0 };
		struct config *c = NULL;

		snprintf(text, sizeof(text), "defaults {\npath_checker directio\n}\n"
			 "multipaths {\nmultipath {\nwwid 36\npath_checker %s\n}\n}\n", words[i]);
		ck_assert_int_eq(config_parse("f", text, strlen(text), &c, &errs), 0);
		ck_assert_int_eq(c->luns[0].path_checker, CONF_CHECKER_TUR);
		ck_assert_uint_eq(errs.nwarnings, 1);
		ck_assert_ptr_nonnull(strstr(errs.msgs[0].text, "taken as tur"));
		conf_errors_clear(&errs);
		config_free(c);
	}
}
END_TEST

/* A multipath.conf from the field: taken, with one warning for each strange word. */
START_TEST(test_dm_words)
{
	static const char text[] =
		"defaults {\n\tuser_friendly_names yes\n\tfind_multipaths strict\n"
		"\tpolling_interval 10\n\tpath_selector \"round-robin 0\"\n"
		"\tpath_grouping_policy multibus\n\trr_min_io_rq 100\n}\n"
		"blacklist {\n\tdevnode \"^(ram|raw|loop)[0-9]*\"\n\tdevice {\n"
		"\t\tvendor \"IBM\"\n\t}\n}\n"
		"blacklist {\n}\n"
		"devices {\n\tdevice {\n\t\tvendor \"COMPAQ  \"\n\t\tfeatures \"0\"\n\t}\n}\n"
		"overrides {\n\tno_path_retry fail\n\tprotocol {\n\t\ttype \"scsi:fcp\"\n\t}\n}\n"
		"multipaths {\n\tmultipath {\n\t\twwid 3600508b4000156d7\n\t\talias yellow\n"
		"\t\tuser_friendly_names no\n\t\trr_weight priorities\n\t\tprio_args x\n\t}\n}\n";
	struct conf_errors errs = { 0 };
	struct config *c = NULL;

	ck_assert_int_eq(config_parse("f", text, strlen(text), &c, &errs), 0);
	ck_assert_uint_eq(errs.nerrors, 0);
	ck_assert_uint_eq(errs.nwarnings, 7);
	ck_assert_str_eq(errs.msgs[0].text, "f:2:2: warning: user_friendly_names: only means "
					    "something to device-mapper multipath, ignored");
	for (size_t i = 0; i < errs.nmsgs; i++)
		ck_assert(errs.msgs[i].warning);
	ck_assert_int_eq(config_find(c, "yellow")->path_selector, SEL_ROUND_ROBIN);
	ck_assert_int_eq(config_find(c, "yellow")->rr_weight, RR_PRIORITIES);
	ck_assert_int_eq(config_find(c, "yellow")->no_path_retry.kind, NO_PATH_FAIL);
	config_free(c);
	conf_errors_clear(&errs);
}
END_TEST

START_TEST(test_bounds)
{
	_cleanup_free_ char *text = NULL;
	struct conf_errors errs = { 0 };
	struct config *c = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	fputs("multipaths {\n", f);
	for (unsigned i = 0; i < CONF_LUNS_MAX; i++)
		fprintf(f, "multipath {\nwwid 3%06x\npath /dev/sg%u\n}\n", i, i);
	fputs("}\n", f);
	fflush(f);
	c = parse_ok(text);
	ck_assert_uint_eq(c->nluns, CONF_LUNS_MAX);
	ck_assert_ptr_eq(config_find(c, "3000fff"), &c->luns[0xfff]);
	config_free(c);
	fputs("multipaths { multipath {\nwwid 2a\n} }", f);
	fclose(f);
	ck_assert_int_eq(config_parse("f", text, len, &c, &errs), -EINVAL);
	ck_assert_str_eq(errs.msgs[0].text, "f:16387:14: multipath: more than 4096 LUNs");
	conf_errors_clear(&errs);
}
END_TEST

START_TEST(test_many_paths)
{
	_cleanup_free_ char *text = NULL;
	struct conf_errors errs = { 0 };
	struct config *c = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	fputs("multipaths { multipath {\nwwid 3a\n", f);
	for (unsigned i = 0; i <= PATHS_MAX; i++)
		fprintf(f, "path /dev/sg%u\n", i);
	fputs("} }", f);
	fclose(f);
	ck_assert_int_eq(config_parse("f", text, len, &c, &errs), -EINVAL);
	ck_assert_str_eq(errs.msgs[0].text, "f:259:6: path \"/dev/sg256\": more than 256 paths");
	conf_errors_clear(&errs);
}
END_TEST

/* A full device is an error of the dump, not a silent half. */
START_TEST(test_dump_error)
{
	struct config *c = parse_ok(everything);
	FILE *f = fopen("/dev/full", "w");

	if (f) {
		ck_assert_int_eq(config_dump(c, f), -ENOSPC);
		fclose(f);
	}
	config_free(c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config");
	TCase *tc = tcase_create("good");

	tcase_add_test(tc, test_empty);
	tcase_add_test(tc, test_example_of_the_design);
	tcase_add_test(tc, test_every_keyword);
	tcase_add_test(tc, test_every_keyword_is_every_keyword);
	tcase_add_test(tc, test_defaults_are_canonical);
	tcase_add_test(tc, test_precedence);
	tcase_add_test(tc, test_derived_alias);
	tcase_add_test(tc, test_wwid_forms);
	tcase_add_loop_test(tc, test_values, 0, ARRAY_SIZE(value_rows));
	tcase_add_test(tc, test_dm_words);
	tcase_add_test(tc, test_group_by_serial);
	tcase_add_test(tc, test_checkers_of_old);
	tcase_add_test(tc, test_dump_error);
	suite_add_tcase(s, tc);
	tc = tcase_create("bad");
	tcase_add_loop_test(tc, test_bad, 0, ARRAY_SIZE(bad_rows));
	tcase_add_test(tc, test_bounds);
	tcase_add_test(tc, test_many_paths);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
