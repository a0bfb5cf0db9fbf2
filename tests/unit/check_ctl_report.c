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

/* --- show maps, doctor, support-bundle --- */

START_TEST(test_maps)
{
	static const char *const map_keys[] = {"name", "uuid", "sysfs", "failback", "queueing", "paths",
		"write_prot", "dm_st", "features", "hwhandler", "action", "path_faults", "vend", "prod",
		"rev", "switch_grp", "map_loads", "total_q_time", "q_timeouts", "path_groups"};
	static const char *const path_keys[] = {"dev", "dev_t", "dm_st", "dev_st", "chk_st", "checker",
		"pri", "host_wwnn", "target_wwnn", "host_wwpn", "target_wwpn", "host_adapter",
		"marginal_st"};
	json_t *j, *map, *path;

	path_down[3] = true;
	start(4);
	ck_assert_int_eq(ctl("$CTL show maps json"), 0);
	j = json_loads(out, 0, NULL);
	ck_assert_int_eq(num(j, "major_version"), 0);
	map = json_array_get(json_object_get(j, "maps"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(map_keys); i++)
		ck_assert_msg(json_object_get(map, map_keys[i]) != NULL, "no %s", map_keys[i]);
	ck_assert_uint_eq(json_object_size(map), ARRAY_SIZE(map_keys));
	ck_assert_str_eq(str(map, "uuid"), "3600a0980");
	ck_assert_str_eq(str(map, "queueing"), "12 chk");
	ck_assert_str_eq(str(map, "vend"), "LIO-ORG");
	ck_assert_int_eq(num(map, "paths"), 3);
	map = json_array_get(json_object_get(map, "path_groups"), 0);
	ck_assert_str_eq(str(map, "dm_st"), "active");
	ck_assert_int_eq(num(map, "group"), 1);
	ck_assert_str_eq(str(map, "selector"), "service-time 0");
	path = json_array_get(json_object_get(map, "paths"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(path_keys); i++)
		ck_assert_msg(json_object_get(path, path_keys[i]) != NULL, "no %s", path_keys[i]);
	ck_assert_uint_eq(json_object_size(path), ARRAY_SIZE(path_keys));
	ck_assert_str_eq(str(path, "dev"), "sg3");
	ck_assert_str_eq(str(path, "chk_st"), "ready");
	json_decref(j);
	ck_assert_int_eq(ctl("$CTL show paths db01"), 0);
	j = json_loads(out, 0, NULL);
	path = json_array_get(json_object_get(j, "paths"), 3);
	ck_assert_str_eq(str(path, "dm_st"), "failed");
	ck_assert_str_eq(str(path, "chk_st"), "faulty");
	json_decref(j);
	ck_assert_int_eq(ctl("$CTL show nonsense"), 2);
	finish();
}
END_TEST

START_TEST(test_doctor)
{
	int code;

	start(2);
	code = ctl("$CTL doctor");
	ck_assert(code == 0 || code == 3);
	has(out, "ok   daemon       db01 answers\n");
	has(out, "sg ");
	has(out, "rundir ");
	has(out, "warn refused      db01: /dev/sg9: in use: mpatha"); /* the environment's */
	ck_assert_int_eq(code, 3);
	lun_fail_path(lun, &sps[1]->path);
	ck_assert_int_eq(ctl("$CTL doctor db01"), 3);
	has(out, "warn path         db01: /dev/sg4 is disabled: failed by the administrator");
	ck_assert_int_eq(ctl("$CTL doctor nothere"), 1);
	has(out, "fail daemon       nothere: ");
	ck_assert_int_eq(ctl("$CTL support-bundle %s/bundle", lundir), 0);
	ck_assert_int_eq(ctl("cat %s/bundle/db01-status.json %s/bundle/doctor.txt"
			     " %s/bundle/db01-events.json %s/bundle/versions.txt", lundir, lundir, lundir,
			     lundir),
			 0);
	has(out, "\"path_list\"");
	has(out, "failed by the administrator");
	has(out, "lunmuxctl " PACKAGE_VERSION "\n");
	ck_assert_int_eq(ctl("$CTL support-bundle %s/bundle", lundir), 1);
	has(errs, "File exists");
	ck_assert_int_eq(ctl("rm -r %s/bundle", lundir), 0);
	finish();
}
END_TEST

/* --- drain-path, flush --- */

START_TEST(test_io)
{
	start(2);
	ck_assert_int_eq(ctl("$CTL drain-path sg3"), 0);
	ck_assert_str_eq(out, "db01: /dev/sg3 is disabled now\n");
	ck_assert_int_eq(ctl("$CTL drain-path db01 sg4"), 1);
	has(errs, "/dev/sg4 is the last usable path");
	ck_assert_int_eq(sps[1]->path.state, PATH_ACTIVE);
	ck_assert_int_eq(ctl("$CTL flush"), 0);
	has(out, "db01: flushed in ");
	ck_assert_int_eq(ctl("$CTL resize"), 0);
	ck_assert_str_eq(out, "db01: has 1.0G (1073741824 bytes) as before\n");
	lun_reinstate_path(lun, &sps[0]->path);
	run_ms(10);
	path_blocks[0] = 2 * 2097152;
	ck_assert_int_eq(ctl("$CTL resize db01"), 1);
	has(errs, "the size stays 1073741824 bytes: /dev/sg4 does not tell of the 2147483648");
	path_blocks[1] = 2 * 2097152;
	ck_assert_int_eq(ctl("$CTL resize"), 0);
	ck_assert_str_eq(out, "db01: has 2.0G now (2147483648 bytes), had 1.0G (1073741824)\n");
	path_blocks[0] = 7;
	ck_assert_int_eq(ctl("$CTL resize"), 1);
	has(errs, "refused: /dev/sg3 tells that the LUN has shrunk from 2147483648 to 3584 bytes");
	path_slow[1] = true;
	ck_assert_int_eq(ctl("$CTL resize --timeout 0.1"), 8);
	has(errs, "/dev/sg4 has not answered its check after 0.1 s");
	path_slow[1] = false;
	finish();
}
END_TEST

/* --- add-path, del-path --- */

START_TEST(test_by_hand)
{
	start(1);
	ck_assert_int_eq(ctl("$CTL add-path sg21"), 1);
	has(errs, "sg21: it is in use: mounted on /srv");
	ck_assert_int_eq(ctl("$CTL add-path db01 sg20"), 0);
	ck_assert_str_eq(out, "db01: /dev/sg20 is active now\n");
	ck_assert_int_eq(ctl("$CTL add-path /dev/sg20"), 0);
	ck_assert_str_eq(out, "db01: /dev/sg20 is active already, nothing was changed\n");
	ck_assert_int_eq(ctl("$CTL del-path db01 sg20"), 0);
	ck_assert_str_eq(out, "db01: /dev/sg20 is no path any more\n");
	ck_assert_int_eq(ctl("$CTL del-path sg3"), 1);
	has(errs, "/dev/sg3 is the last usable path");
	ck_assert_int_eq(sps[0]->path.state, PATH_ACTIVE);
	/* The first check decides, and takes its time. */
	path_other[ENV_PATHS_MAX - 1] = "it is LUN 3600b";
	ck_assert_int_eq(ctl("$CTL add-path sg20"), 1);
	has(errs, "/dev/sg20 is refused: it is LUN 3600b");
	run_ms(2);
	ck_assert_ptr_null(lun_find_path(lun, "/dev/sg20"));
	path_other[ENV_PATHS_MAX - 1] = NULL;
	path_down[ENV_PATHS_MAX - 1] = true;
	ck_assert_int_eq(ctl("$CTL add-path sg20"), 1);
	has(errs, "/dev/sg20 is refused: INQUIRY: host_status 01");
	path_down[ENV_PATHS_MAX - 1] = false;
	path_slow[ENV_PATHS_MAX - 1] = true;
	ck_assert_int_eq(ctl("$CTL add-path sg20 --timeout 0.1"), 8);
	has(errs, "/dev/sg20 has not answered its check after 0.1 s");
	ck_assert_ptr_nonnull(lun_find_path(lun, "/dev/sg20"));
	/* With it goes the last one. */
	ck_assert_int_eq(ctl("$CTL del-path sg3 --force"), 0);
	has(errs, "no path is usable now");
	ck_assert_int_eq(ctl("$CTL del-path sg20; $CTL drain-path sg20 --force"), 2);
	has(errs, "it is an option of detach, del-path");
	path_slow[ENV_PATHS_MAX - 1] = false;
	finish();
}
END_TEST

/* --- inject --- */

static const struct {
	const char *args, *error;
} bad_inject[] = {
	{"sg3 delay", "delay MS"},
	{"sg3 delay soon", "delay MS"},
	{"sg3 error 3", "not count N or percent P"},
	{"sg3 error count", "not count N or percent P"},
	{"sg3 error percent 101", "not a whole number in 1..100"},
	{"sg3 off count 3", "takes neither"},
	{"db01 sg3 sideways", "there is no sideways"},
	{"sg3", "too few"},
};

START_TEST(test_inject)
{
	start(2);
	ck_assert_int_eq(ctl("$CTL inject sg3 delay 20ms count 10 percent 50%%"), 0);
	ck_assert_str_eq(out, "db01: /dev/sg3 test fault delay 20 ms 50%, 0 of 10 done\n");
	has(errs, "a test fault is in force");
	ck_assert_int_eq(ctl("$CTL status"), 0);
	has(out, "(TEST FAULT delay 20 ms 50%, 0 of 10 done; ");
	ck_assert_int_eq(ctl("$CTL paths"), 0);
	has(out, "TEST FAULT delay 20 ms");
	ck_assert_int_eq(ctl("$CTL inject db01 sg3 off"), 0);
	ck_assert_str_eq(out, "db01: /dev/sg3 test fault is off now\n");
	ck_assert_int_eq(ctl("$CTL inject /dev/sg3 off"), 0);
	has(out, "was off already");
	ck_assert_int_eq(ctl("$CTL events"), 0);
	has(out, " fault  /dev/sg3: off -> delay: test fault by the administrator\n");
	for (size_t i = 0; i < ARRAY_SIZE(bad_inject); i++) {
		ck_assert_int_eq(ctl("$CTL inject %s", bad_inject[i].args), 2);
		has(errs, bad_inject[i].error);
	}
	ck_assert_int_eq(sps[0]->path.inject.order.fault, INJECT_OFF);
	finish();
}
END_TEST

/* --- upgrade --- */

START_TEST(test_upgrade)
{
	start(2);
	ck_assert_int_eq(ctl("$CTL upgrade"), 0);
	has(out, "db01: lunmuxd 1.2.3 goes on where 1.2.3 has left (pid ");
	has(out, "clients waited for 20 ms");
	upgrade_error = "/usr/sbin/lunmuxd cannot take over: it died";
	ck_assert_int_eq(ctl("$CTL upgrade db01"), 1);
	has(errs, "db01: /usr/sbin/lunmuxd cannot take over: it died");
	has(errs, "hint: the lunmuxd that ran goes on as before");
	upgrade_error = NULL;
	finish();
}
END_TEST

/* --- every verb against each kind of daemon --- */

enum { LIVE, DEGRADED, DARK, ABSENT, NOWHERE, KINDS };

static const struct {
	const char *args; /* %s: the LUN; without: of no LUN, the same for all */
	int exit[KINDS];
} exits[] = {
	{"list %s", {0, 3, 4, 6, 5}},
	{"status %s", {0, 3, 4, 6, 5}},
	{"paths %s", {0, 3, 4, 6, 5}},
	{"stats %s", {0, 0, 0, 6, 5}},
	{"events %s", {0, 0, 0, 6, 5}},
	{"trace %s", {0, 0, 0, 6, 5}},
	{"top %s --interval 0.01", {0, 0, 0, 6, 5}},
	{"metrics %s", {0, 0, 0, 0, 5}},
	{"check %s", {0, 1, 2, 2, 3}},
	{"doctor %s", {3, 3, 3, 1, 1}},
	{"show maps %s", {0, 0, 0, 6, 5}},
	{"show paths %s", {0, 0, 0, 6, 5}},
	{"fail-path %s sg3", {0, 0, 0, 6, 5}},
	{"fail-path %s sg9", {5, 5, 5, 6, 5}},
	{"drain-path %s sg4", {0, 0, 0, 6, 5}},
	{"reinstate-path %s sg4", {0, 0, 0, 6, 5}},
	{"accept-path %s sg4", {1, 1, 1, 6, 5}},
	{"switch-group %s 0", {0, 0, 1, 6, 5}},
	{"switch-group %s 9", {2, 2, 2, 6, 5}},
	{"queueing %s on", {0, 0, 0, 6, 5}},
	{"queueing %s maybe", {2, 2, 2, 6, 5}},
	{"flush %s --timeout 0.1", {0, 0, 8, 6, 5}},
	{"add-path %s sg20", {0, 0, 0, 6, 5}},
	{"add-path %s sg21", {1, 1, 1, 6, 5}},
	{"del-path %s sg20 --force", {0, 0, 0, 6, 5}},
	{"del-path %s sg20", {5, 5, 5, 6, 5}},
	{"inject %s sg3 off", {0, 0, 0, 6, 5}},
	{"inject %s sg3 sideways", {2, 2, 2, 6, 5}},
	{"resize %s", {0, 0, 1, 6, 5}},
	{"wait %s --timeout 0.1", {0, 0, 8, 6, 5}},
	{"wait %s --paths 2 --timeout 0.1", {0, 8, 8, 6, 5}},
	{"set %s depth 5", {0, 0, 0, 6, 5}},
	{"set %s depth 0", {2, 2, 2, 6, 5}},
	{"reload %s", {0, 0, 0, 6, 5}},
	{"upgrade %s", {0, 0, 0, 6, 5}},
	{"ping %s", {0, 0, 0, 6, 5}},
	{"attach %s", {0, 0, 0, 6, 5}},
	{"detach %s", {0, 0, 0, 6, 5}},
	{"support-bundle $RUN/b; r=$?; rm -r $RUN/b; exit $r", {0, 0, 0, 0, 0}},
	{"config check $RUN/lunmux.conf", {0, 0, 0, 0, 0}},
	{"scan /dev/null", {0, 0, 0, 0, 0}},
	{"help ping", {0, 0, 0, 0, 0}},
	/* Last: it fails until a command has proven a path. */
	{"fail %s now", {1, 1, 0, 6, 5}},
};

/* Both paths as the kind has them, whatever the verb before has done. */
static void make_kind(int kind)
{
	struct lun_params par = *lun_params(lun);

	par.depth = 0;
	ck_assert_int_eq(lun_apply(lun, &par), 0);
	lun_set_queueing(lun, QUEUEING_DEFAULT);
	for (int i = 0; i < 2; i++)
		if (sps[i]->path.state == PATH_DISABLED)
			lun_reinstate_path(lun, &sps[i]->path);
	for (int i = 0; i < 1000 && (!path_is_usable(&sps[0]->path) || !path_is_usable(&sps[1]->path)); i++)
		step();
	if (kind == DEGRADED || kind == DARK)
		lun_fail_path(lun, &sps[1]->path);
	if (kind == DARK)
		lun_fail_path(lun, &sps[0]->path);
	run_ms(2);
}

/* What stands on standard error with this exit status; check and doctor say it on standard output. */
static void check_message(const char *args, int kind, int code)
{
	bool own_text = !strncmp(args, "check ", 6) || !strncmp(args, "doctor ", 7);
	const char *text = own_text ? out : errs;

	switch (code) {
	case 0:
	case 3:
	case 4:
		break;
	case 5:
		has(text, kind == NOWHERE ? "there is no LUN nowhere" : "has no path");
		break;
	case 6:
		has(text, "dead: lunmuxd is not running for dead");
		has(text, "hint: ");
		break;
	case 8:
		has(text, "db01: ");
		has(text, "after 0.1 s");
		has(text, "hint: ");
		break;
	default:
		has(text, kind == ABSENT ? "dead: " : kind == NOWHERE ? "nowhere: " : "db01: ");
		break;
	}
	ck_assert_msg(code == 0 || own_text || !strncmp(errs, "lunmuxctl: ", 11) ||
			      ((code == 3 || code == 4) && !errs[0]),
		      "lunmuxctl %s: %s", args, errs);
}

START_TEST(test_exits)
{
	char dir[128], path[160], args[128];
	int kind = _i;

	start(2);
	snprintf(dir, sizeof(dir), "%s/dead", rundir);
	ck_assert_int_eq(mkdir(dir, 0755), 0);
	snprintf(path, sizeof(path), "%s/ctl.sock", dir);
	leave_stale_socket(path);
	for (size_t row = 0; row < ARRAY_SIZE(exits); row++) {
		const char *at = strstr(exits[row].args, "%s");
		int len = at ? (int)(at - exits[row].args) : (int)strlen(exits[row].args);

		make_kind(kind);
		snprintf(args, sizeof(args), "%.*s%s%s", len, exits[row].args,
			 !at		   ? ""
			 : kind == ABSENT  ? "dead"
			 : kind == NOWHERE ? "nowhere"
					   : "db01",
			 at ? at + 2 : "");
		ck_assert_msg(ctl("$CTL %s", args) == exits[row].exit[kind],
			      "lunmuxctl %s: not %d: %s", args, exits[row].exit[kind], errs);
		check_message(args, kind, exits[row].exit[kind]);
	}
	unlink(path);
	rmdir(dir);
	make_kind(LIVE);
	finish();
}
END_TEST

/* A new verb wants its row. */
START_TEST(test_exits_complete)
{
	char *line, *save = NULL, verb[32];
	unsigned n = 0;

	start(0);
	ck_assert_int_eq(ctl("$CTL --help | sed -n '/^Verbs:/,/^$/s/^  \\([a-z]\\)/\\1/p'"), 0);
	for (line = strtok_r(out, "\n", &save); line; line = strtok_r(NULL, "\n", &save), n++) {
		size_t row, len;

		ck_assert_int_eq(sscanf(line, "%31s", verb), 1);
		len = strlen(verb);
		for (row = 0; row < ARRAY_SIZE(exits); row++)
			if (!strncmp(exits[row].args, verb, len) && exits[row].args[len] == ' ')
				break;
		ck_assert_msg(row < ARRAY_SIZE(exits), "%s has no row in exits[]", verb);
	}
	ck_assert_uint_ge(n, 29);
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
	tcase_add_test(tc, test_maps);
	tcase_add_test(tc, test_doctor);
	tcase_add_test(tc, test_io);
	tcase_add_test(tc, test_by_hand);
	tcase_add_test(tc, test_inject);
	tcase_add_test(tc, test_upgrade);
	tcase_add_loop_test(tc, test_exits, 0, KINDS);
	tcase_add_test(tc, test_exits_complete);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
