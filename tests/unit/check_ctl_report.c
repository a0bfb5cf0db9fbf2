/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_ctl_report.c - what other programs read of lunmuxctl: OpenMetrics by a
 * parser of its own, the line and status of check, the tables of top, and the
 * exit status of every verb against each kind of daemon.
 */
#include "config.h"

#include "check_ctl_prog.h"

#include <ctype.h>

/* --- OpenMetrics: the part of the grammar that we use --- */

struct om {
	char family[128], type[32];
	char seen[8192]; /* " NAME NAME ": families that were declared */
	unsigned nsamples, nfamilies;
};

static bool om_name(const char **p, char *buf, size_t size)
{
	size_t n = 0;

	while ((isalnum((unsigned char)**p) || **p == '_' || **p == ':') && n < size - 1)
		buf[n++] = *(*p)++;
	buf[n] = '\0';
	return n > 0 && !isdigit((unsigned char)buf[0]);
}

/* {a="b",c="d\"e"} */
static void om_labels(const char **p, const char *line, bool *ret_quantile, bool *ret_state, const char *family)
{
	char name[128];

	ck_assert_msg(*(*p)++ == '{', "no labels: %s", line);
	for (;;) {
		ck_assert_msg(om_name(p, name, sizeof(name)), "label: %s", line);
		*ret_quantile |= !strcmp(name, "quantile");
		*ret_state |= !strcmp(name, family);
		ck_assert_msg((*p)[0] == '=' && (*p)[1] == '"', "label's value: %s", line);
		for (*p += 2; **p && **p != '"'; (*p)++)
			if (**p == '\\' && *++*p != '"' && **p != '\\' && **p != 'n')
				ck_abort_msg("escape: %s", line);
		ck_assert_msg(*(*p)++ == '"', "quote: %s", line);
		if (**p == ',')
			(*p)++;
		else
			break;
	}
	ck_assert_msg(*(*p)++ == '}', "labels' end: %s", line);
}

static void om_sample(struct om *om, const char *line)
{
	const char *p = line, *suffix;
	bool quantile = false, state = false;
	size_t len = strlen(om->family);
	char name[160], *end;
	double v;

	ck_assert_msg(om_name(&p, name, sizeof(name)), "name: %s", line);
	ck_assert_msg(len && !strncmp(name, om->family, len), "not of family %s: %s", om->family, line);
	suffix = name + len;
	om_labels(&p, line, &quantile, &state, om->family);
	ck_assert_msg(*p++ == ' ', "one blank: %s", line);
	v = strtod(p, &end);
	ck_assert_msg(end != p && !*end, "value: %s", line);
	if (!strcmp(om->type, "counter"))
		ck_assert_msg(!strcmp(suffix, "_total") && v >= 0, "counter: %s", line);
	else if (!strcmp(om->type, "summary"))
		ck_assert_msg(quantile ? !suffix[0] : !strcmp(suffix, "_count") || !strcmp(suffix, "_sum"),
			      "summary: %s", line);
	else
		ck_assert_msg(!suffix[0], "%s: %s", om->type, line);
	if (!strcmp(om->type, "stateset"))
		ck_assert_msg(state && (v == 0 || v == 1), "stateset: %s", line);
	om->nsamples++;
}

static void om_meta(struct om *om, const char *line)
{
	char what[16], name[128], rest[256], word[300];

	ck_assert_msg(sscanf(line, "# %15s %127s %255[^\n]", what, name, rest) == 3, "%s", line);
	if (!strcmp(what, "TYPE")) {
		snprintf(word, sizeof(word), " %s ", name);
		ck_assert_msg(!strstr(om->seen, word), "family twice: %s", line);
		strcat(om->seen, word);
		strcpy(om->family, name);
		snprintf(om->type, sizeof(om->type), "%.31s", rest);
		ck_assert_msg(!strcmp(rest, "counter") || !strcmp(rest, "gauge") ||
				      !strcmp(rest, "summary") || !strcmp(rest, "stateset"),
			      "%s", line);
		ck_assert_msg(strncmp(name, "lunmux_", 7) == 0, "%s", line);
		ck_assert_msg(strcmp(rest, "counter") || !strstr(name, "_total"), "%s", line);
		om->nfamilies++;
		return;
	}
	ck_assert_msg(!strcmp(name, om->family), "of another family: %s", line);
	if (!strcmp(what, "UNIT")) {
		snprintf(word, sizeof(word), "_%s", rest);
		ck_assert_msg(strlen(name) > strlen(word) &&
				      !strcmp(name + strlen(name) - strlen(word), word),
			      "the name does not end in its unit: %s", line);
	} else {
		ck_assert_msg(!strcmp(what, "HELP"), "%s", line);
	}
}

static void om_parse(char *text, struct om *om)
{
	char *line, *save = NULL;
	bool eof = false;

	memset(om, 0, sizeof(*om));
	ck_assert_msg(strlen(text) > 6 && !strcmp(text + strlen(text) - 6, "# EOF\n"), "no # EOF");
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		ck_assert_msg(!eof, "behind # EOF: %s", line);
		eof = !strcmp(line, "# EOF");
		if (line[0] != '#')
			om_sample(om, line);
		else if (!eof)
			om_meta(om, line);
	}
}

START_TEST(test_metrics)
{
	struct om om;

	start(3);
	strcpy(sps[1]->path.name, "/srv/a\"b\\c");
	lun_fail_path(lun, &sps[2]->path);
	ck_assert_int_eq(ctl("$CTL metrics"), 0);
	has(out, "\nlunmux_up{lun=\"db01\"} 1\n");
	has(out, "\nlunmux_state{lun=\"db01\",lunmux_state=\"up\"} 1\n");
	has(out, "\nlunmux_state{lun=\"db01\",lunmux_state=\"dark\"} 0\n");
	has(out, "\nlunmux_path_state{lun=\"db01\",path=\"/dev/sg5\",lunmux_path_state=\"disabled\"} 1\n");
	has(out, "# TYPE lunmux_read_bytes counter\n# UNIT lunmux_read_bytes bytes\n");
	has(out, "path=\"/srv/a\\\"b\\\\c\"");
	has(out, "lunmux_path_service_seconds{lun=\"db01\",path=\"/dev/sg3\",quantile=\"0.999\"} ");
	om_parse(out, &om);
	ck_assert_uint_ge(om.nfamilies, 40);
	ck_assert_uint_ge(om.nsamples, 150);
	ck_assert_str_eq(errs, "");
	finish();
}
END_TEST

/* A daemon that is not there is a sample; the others' are not lost. */
START_TEST(test_metrics_absent)
{
	char dir[128], path[160];
	struct om om;

	start(1);
	snprintf(dir, sizeof(dir), "%s/dead", rundir);
	ck_assert_int_eq(mkdir(dir, 0755), 0);
	snprintf(path, sizeof(path), "%s/ctl.sock", dir);
	leave_stale_socket(path);
	ck_assert_int_eq(ctl("$CTL metrics"), 0);
	has(out, "lunmux_up{lun=\"dead\"} 0\n");
	has(out, "lunmux_up{lun=\"db01\"} 1\n");
	om_parse(out, &om);
	ck_assert_int_eq(ctl("./lunmuxctl -R /nonexistent/dir metrics"), 0);
	om_parse(out, &om);
	unlink(path);
	rmdir(dir);
	finish();
}
END_TEST

/* --- check --- */

START_TEST(test_check)
{
	start(4);
	ck_assert_int_eq(ctl("$CTL check"), 0);
	ck_assert_str_eq(out, "LUNMUX OK - db01: up, 4/4 paths usable | 'db01_paths'=4;4:;1:;0;4 "
			      "'db01_inflight'=0;;;0;32 'db01_queued'=0;;;0\n");
	lun_fail_path(lun, &sps[0]->path);
	ck_assert_int_eq(ctl("$CTL check db01"), 1);
	has(out, "LUNMUX WARNING - db01: up, 3/4 paths usable |");
	ck_assert_int_eq(ctl("$CTL check --warning 3"), 0);
	ck_assert_int_eq(ctl("$CTL check --warning 4 --critical 3"), 1);
	ck_assert_int_eq(ctl("$CTL check --critical 4"), 2);
	has(out, "'db01_paths'=3;4:;4:;0;4");
	for (int i = 1; i < 4; i++)
		lun_fail_path(lun, &sps[i]->path);
	ck_assert_int_eq(ctl("$CTL check"), 2);
	has(out, "LUNMUX CRITICAL - db01: ");
	ck_assert_str_eq(errs, "");
	ck_assert_int_eq(ctl("$CTL check nothere"), 3);
	has(out, "LUNMUX UNKNOWN - nothere: ");
	ck_assert_str_eq(errs, "");
	ck_assert_int_eq(ctl("./lunmuxctl -R /nonexistent/dir check"), 3);
	ck_assert_int_eq(ctl("$CTL check --warning 0"), 2);
	ck_assert_int_eq(ctl("$CTL status --warning 3"), 2);
	finish();
}
END_TEST

/* --- top --- */

START_TEST(test_top)
{
	char *second;

	start(2);
	ck_assert_int_eq(ctl("$CTL top --batch -n 2 --interval 0.05"), 0);
	has(out, "NAME");
	has(out, "db01");
	has(out, "  /dev/sg4 active");
	second = strstr(out + 4, "NAME");
	ck_assert_ptr_nonnull(second);
	ck_assert_ptr_null(strstr(second + 4, "NAME"));
	has_not(out, "\033");
	ck_assert_int_eq(ctl("$CTL top --interval 0.01 db01"), 0); /* no terminal: once */
	ck_assert_int_eq(ctl("$CTL top nothere --interval 0.01"), 5);
	finish();
}
END_TEST

/* --- config --- */

static const char multipath_conf[] =
	"defaults {\n"
	"	user_friendly_names yes\n"
	"	path_grouping_policy group_by_prio\n"
	"	path_selector \"service-time 0\"\n"
	"	no_path_retry 18\n"
	"	rr_min_io_rq 4\n"
	"	dev_loss_tmo infinity\n"
	"	polling_interval 99999\n"
	"	something_else 1\n"
	"}\n"
	"blacklist {\n"
	"	devnode \"^(ram|zram|sr)[0-9]*\"\n"
	"	device {\n"
	"		vendor \"HP\"\n"
	"	}\n"
	"}\n"
	"devices {\n"
	"	device {\n"
	"		vendor \"NETAPP\"\n"
	"		product \"LUN.*\"\n"
	"		failback immediate\n"
	"	}\n"
	"}\n"
	"multipaths {\n"
	"	multipath {\n"
	"		wwid 3600a098038303053742b463230313233\n"
	"		alias db01\n"
	"		failback 10\n"
	"		prio alua\n"
	"	}\n"
	"	multipath {\n"
	"		alias nowwid\n"
	"	}\n"
	"}\n";

START_TEST(test_config)
{
	FILE *f;

	start(0);
	ck_assert_int_eq(ctl("$CTL config check %s", conf_path), 0);
	has(out, "good, 1 LUN\n");
	ck_assert_int_eq(ctl("$CTL config dump %s >%s/dump && $CTL config check %s/dump", conf_path,
			     lundir, lundir),
			 0);
	write_conf("queue_deepth 3\n");
	ck_assert_int_eq(ctl("$CTL config check %s", conf_path), 78);
	has(errs, "lunmux.conf:5:1: \"queue_deepth\": unknown keyword");
	has(errs, "did you mean");
	ck_assert_int_eq(ctl("$CTL --json config check %s", conf_path), 78);
	has(out, "\"code\":\"bad-config\"");
	ck_assert_int_eq(ctl("$CTL config check /nonexistent/file"), 78);
	ck_assert_int_eq(ctl("$CTL config explain"), 2);
	f = fopen(conf_path, "w");
	fputs(multipath_conf, f);
	fclose(f);
	/* What comes out is a good configuration, and has all that came in. */
	ck_assert_int_eq(ctl("$CTL config import %s >%s/dump && cat %s/dump && $CTL config check"
			     " %s/dump", conf_path, lundir, lundir, lundir),
			 0);
	ck_assert_str_eq(errs, "");
	has(out, "\twwid                 3600a098038303053742b463230313233\n");
	has(out, "\talias                db01\n");
	has(out, "\tfailback             10\n");
	has(out, "\tpath_selector        \"service-time 0\"\n");
	has(out, "\trr_min_io            4\n");
	has(out, "\t# user_friendly_names \"yes\": alias gives a LUN its name\n");
	has(out, "\t# dev_loss_tmo \"infinity\": means nothing here\n");
	has(out, "\t# polling_interval \"99999\": out of range");
	has(out, "\t# something_else \"1\": not known here\n");
	has(out, "# blacklist: only listed WWIDs are ever opened\n");
	has(out, "# \tdevnode \"^(ram|zram|sr)[0-9]*\"\n");
	has(out, "# \t\tproduct \"LUN.*\"\n");
	has(out, "# \t\talias \"nowwid\"\n");
	has(out, "good, 1 LUN\n");
	ck_assert_int_eq(ctl("rm %s/dump; printf 'multipaths {\\n' >%s && $CTL config import %s",
			     lundir, conf_path, conf_path),
			 78);
	ck_assert_str_eq(out, "");
	finish();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl_report");
	TCase *tc = tcase_create("report");

	if (access("./lunmuxctl", X_OK) < 0) {
		puts("check_ctl_report: skipped: there is no ./lunmuxctl here");
		return 77;
	}
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_metrics);
	tcase_add_test(tc, test_metrics_absent);
	tcase_add_test(tc, test_check);
	tcase_add_test(tc, test_top);
	tcase_add_test(tc, test_config);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
