/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_ctl_server.c - the control socket over the real loop, real sockets and
 * the real core: each verb does and says what proto.h promises.
 */
#include "config.h"

#include "check_ctl_peer.h"

#include <time.h>

/* --- reading ------------------------------------------------------------------------
 */

START_TEST(test_ping_version)
{
	json_t *r;

	start(0);
	r = ok("{\"v\":1,\"verb\":\"ping\"}");
	ck_assert_str_eq(str(r, "name"), "db01");
	ck_assert_str_eq(str(r, "version"), "1.2.3");
	ck_assert_int_eq(num(r, "pid"), getpid());
	ck_assert_int_eq(num(r, "protocol"), CTL_PROTO_VERSION);
	json_decref(r);
	r = ok("{\"v\":1,\"verb\":\"version\",\"name\":\"db01\"}");
	ck_assert_str_eq(str(r, "version"), "1.2.3");
	json_decref(r);
	finish();
}
END_TEST

START_TEST(test_list)
{
	json_t *r;

	path_down[3] = true;
	start(4);
	r = ok("{\"v\":1,\"verb\":\"list\"}");
	ck_assert_str_eq(str(r, "wwid"), "3600a0980");
	ck_assert_str_eq(str(r, "state"), "up");
	ck_assert_str_eq(str(r, "health"), "degraded");
	ck_assert_str_eq(str(r, "product"),
			 "LIO-ORG  disk?"); /* bytes of a device made text */
	ck_assert_int_eq(num(r, "size_bytes"), 1 << 30);
	ck_assert_int_eq(num(r, "block_bytes"), 512);
	ck_assert_int_eq(num(r, "paths"), 4);
	ck_assert_int_eq(num(r, "paths_usable"), 3);
	json_decref(r);
	finish();
}
END_TEST

START_TEST(test_status)
{
	const json_t *p, *g;
	json_t *r;

	path_down[3] = true;
	start(4);
	r = ok("{\"v\":1,\"verb\":\"status\"}");
	ck_assert_str_eq(str(r, "ident"), "3600a0980");
	ck_assert_int_eq(num(json_object_get(r, "geometry"), "blocks"), 2097152);
	ck_assert_str_eq(str(json_object_get(r, "policy"), "selector"), "service-time");
	ck_assert_str_eq(str(json_object_get(r, "policy"), "grouping"),
			 "group_by_prio");
	ck_assert_int_eq(num(json_object_get(r, "queue"), "inflight"), 0);
	ck_assert_int_ge(num(json_object_get(r, "queue"), "depth"), 1);
	ck_assert_str_eq(str(json_array_get(json_object_get(r, "exports"), 0), "type"),
			 "test");
	ck_assert_str_eq(str(json_array_get(json_object_get(r, "refused"), 0), "name"), "/dev/sg9");
	ck_assert_int_eq(num(json_object_get(r, "daemon"), "pid"), getpid());
	ck_assert_uint_eq(json_array_size(json_object_get(r, "path_list")), 4);

	g = json_object_get(r, "groups");
	ck_assert_uint_eq(json_array_size(g),
			  3); /* prio 50, 10, and 0 of the one never seen */
	ck_assert_int_eq(num(json_array_get(g, 0), "prio"), 50);
	ck_assert_str_eq(str(json_array_get(g, 0), "status"), "active");
	ck_assert_str_eq(str(json_array_get(g, 1), "status"), "enabled");
	ck_assert_str_eq(str(json_array_get(g, 2), "status"), "failed");

	p = json_array_get(json_object_get(r, "path_list"), 1);
	ck_assert_str_eq(str(p, "name"), "/dev/sg4");
	ck_assert_str_eq(str(p, "dev"), "3:0:0:1");
	ck_assert_str_eq(str(p, "driver"), "sim");
	ck_assert_str_eq(str(p, "state"), "active");
	ck_assert_str_eq(str(p, "access"), "active/optimized");
	ck_assert_int_eq(num(p, "depth"), 28);
	p = json_array_get(json_object_get(r, "path_list"), 3);
	ck_assert_str_eq(str(p, "state"), "failed");
	ck_assert_str_eq(str(p, "cause"), "INQUIRY: host_status 01");
	ck_assert(json_is_null(json_object_get(p, "access")));
	json_decref(r);
	finish();
}
END_TEST

/* Nothing is known yet: no member is missing because of it. */
START_TEST(test_status_without_paths)
{
	json_t *r;

	start(0);
	r = ok("{\"v\":1,\"verb\":\"status\"}");
	ck_assert_str_eq(str(r, "state"), "starting");
	ck_assert_str_eq(str(r, "health"), "down");
	ck_assert_int_eq(num(r, "size_bytes"), 0);
	ck_assert(json_is_null(json_object_get(r, "geometry")));
	ck_assert_uint_eq(json_array_size(json_object_get(r, "groups")), 0);
	json_decref(r);
	finish();
}
END_TEST

static void read_done(struct req *req)
{
	ck_assert_int_eq(req->err, 0);
	lun_req_put(req);
}

START_TEST(test_stats)
{
	const json_t *lat, *p, *s;
	long long cmds = 0;
	json_t *r;
	size_t i;

	start(2);
	for (i = 0; i < 10; i++) {
		struct req *req = lun_req_get(lun, 4096);

		req->op = REQ_READ;
		req->lba = i * 1000;
		req->nblocks = 8;
		req->done = read_done;
		lun_submit(req);
	}
	run_ms(20);
	path_wrote(&sps[1]->path, 7500 * NS_PER_US);
	path_wrote(&sps[1]->path, 20 * NS_PER_US);
	r = ok("{\"v\":1,\"verb\":\"stats\"}");
	s = json_object_get(r, "lun");
	ck_assert_int_eq(num(json_object_get(s, "requests"), "read"), 10);
	ck_assert_int_eq(num(s, "read_bytes"), 40960);
	lat = json_object_get(s, "read_latency");
	ck_assert_int_eq(num(lat, "count"), 10);
	ck_assert_int_ge(num(lat, "p50_ns"), 100 * 1000);
	ck_assert_int_le(num(lat, "p50_ns"), num(lat, "p99_ns"));
	ck_assert_int_le(num(lat, "p99_ns"), num(lat, "p999_ns"));
	ck_assert_int_le(num(lat, "p999_ns"), num(lat, "max_ns"));
	json_array_foreach(json_object_get(r, "path_list"), i, p)
	{
		cmds += num(json_object_get(p, "commands"), "read");
		ck_assert_int_eq(num(json_object_get(p, "service_time"), "count"),
				 num(json_object_get(p, "commands"), "read"));
		ck_assert_int_eq(num(json_object_get(p, "verdicts"), "ok"),
				 num(json_object_get(p, "commands"), "read"));
	}
	ck_assert_int_eq(cmds, num(s, "commands"));
	ck_assert_int_ge(num(json_object_get(r, "loop"), "turns"), 1);
	ck_assert_int_eq(num(s, "loop_lag_max_us"),
			 num(json_object_get(r, "loop"), "longest_turn_ns") / 1000);
	p = json_array_get(json_object_get(r, "path_list"), 0);
	ck_assert_int_eq(num(p, "write_max_us"), 0);
	p = json_array_get(json_object_get(r, "path_list"), 1);
	ck_assert_int_eq(num(p, "write_max_us"), 7500);
	json_decref(r);
	r = ok("{\"v\":1,\"verb\":\"paths\"}");
	p = json_array_get(json_object_get(r, "path_list"), 1);
	ck_assert_int_eq(num(p, "write_max_us"), 7500);
	json_decref(r);
	finish();
}
END_TEST

/* --- changing
 * ------------------------------------------------------------------------- */

START_TEST(test_fail_and_reinstate)
{
	static const char *const words[] = {"/dev/sg4", "sg4", "3:0:0:1"};
	char line[128];
	json_t *r;

	start(2);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		snprintf(line, sizeof(line),
			 "{\"v\":1,\"verb\":\"fail-path\",\"path\":\"%s\"}", words[i]);
		r = ok(line);
		ck_assert(json_is_true(json_object_get(r, "changed")));
		ck_assert_str_eq(str(json_object_get(r, "path"), "name"), "/dev/sg4");
		ck_assert_str_eq(str(json_object_get(r, "path"), "state"), "disabled");
		ck_assert_ptr_null(json_object_get(r, "warning"));
		json_decref(r);
		ck_assert_int_eq(sps[1]->path.state, PATH_DISABLED);
		r = ok(line); /* twice is once */
		ck_assert(json_is_false(json_object_get(r, "changed")));
		json_decref(r);
		snprintf(line, sizeof(line),
			 "{\"v\":1,\"verb\":\"reinstate-path\",\"path\":\"%s\"}",
			 words[i]);
		r = ok(line);
		ck_assert(json_is_true(json_object_get(r, "changed")));
		json_decref(r);
		run_ms(20);
		ck_assert_int_eq(sps[1]->path.state, PATH_ACTIVE);
	}
	finish();
}
END_TEST

START_TEST(test_fail_last_path_warns)
{
	json_t *r;

	start(1);
	r = ok("{\"v\":1,\"verb\":\"fail-path\",\"path\":\"sg3\"}");
	ck_assert_ptr_nonnull(strstr(str(r, "warning"), "no path is usable"));
	json_decref(r);
	r = ok("{\"v\":1,\"verb\":\"list\"}");
	ck_assert_str_eq(str(r, "health"), "down");
	json_decref(r);
	finish();
}
END_TEST

START_TEST(test_quarantine)
{
	const json_t *p;
	json_t *r;

	path_other[1] = "it is LUN 3600b, not the configured 3600a0980";
	start(2);
	r = ok("{\"v\":1,\"verb\":\"paths\"}");
	ck_assert_str_eq(str(r, "health"), "degraded");
	p = json_array_get(json_object_get(r, "path_list"), 1);
	ck_assert(json_is_true(json_object_get(p, "quarantined")));
	ck_assert_str_eq(str(p, "state"), "disabled");
	ck_assert_str_eq(str(p, "cause"), path_other[1]);
	p = json_array_get(json_object_get(r, "path_list"), 0);
	ck_assert(json_is_false(json_object_get(p, "quarantined")));
	json_decref(r);
	fails("{\"v\":1,\"verb\":\"reinstate-path\",\"path\":\"sg4\"}", CTL_E_FAILED,
	      "quarantine: it is LUN 3600b", "accept-path");
	fails("{\"v\":1,\"verb\":\"accept-path\",\"path\":\"sg3\"}", CTL_E_FAILED,
	      "not in quarantine, it is active", "reinstate-path");
	r = ok("{\"v\":1,\"verb\":\"accept-path\",\"path\":\"sg4\"}");
	json_decref(r);
	run_ms(20);
	ck_assert(sps[1]->path.quarantined);
	path_other[1] = NULL;
	r = ok("{\"v\":1,\"verb\":\"accept-path\",\"path\":\"sg4\"}");
	ck_assert(json_is_true(json_object_get(r, "changed")));
	json_decref(r);
	run_ms(20);
	ck_assert_int_eq(sps[1]->path.state, PATH_ACTIVE);
	finish();
}
END_TEST

START_TEST(test_device)
{
	json_t *r;

	start(1);
	fails("{\"v\":1,\"verb\":\"attach\",\"device\":3}", CTL_E_BAD_ARGUMENT, "not a string", "");
	fails("{\"v\":1,\"verb\":\"detach\",\"force\":1}", CTL_E_BAD_ARGUMENT, "neither true nor", "");
	r = ok("{\"v\":1,\"verb\":\"attach\",\"device\":\"/dev/nbd3\"}");
	ck_assert_str_eq(str(json_object_get(r, "device"), "state"), "attaching");
	json_decref(r);
	env_dev.looks = 0;
	env_dev.end = "attached";
	r = ok("{\"v\":1,\"verb\":\"status\"}");
	json_decref(r);
	fails("{\"v\":1,\"verb\":\"attach\"}", CTL_E_FAILED, "attached already", "");
	r = ok("{\"v\":1,\"verb\":\"detach\",\"force\":true}");
	ck_assert_str_eq(str(json_object_get(r, "device"), "state"), "detaching");
	json_decref(r);
	finish();
}
END_TEST

START_TEST(test_switch_group)
{
	const json_t *g;
	json_t *r;

	start(4); /* prio 50, 50, 10, 10 */
	r = ok("{\"v\":1,\"verb\":\"switch-group\",\"group\":1}");
	ck_assert(json_is_true(json_object_get(r, "changed")));
	ck_assert_int_eq(num(r, "prio"), 10);
	ck_assert_ptr_nonnull(strstr(str(r, "warning"), "failback is immediate"));
	json_decref(r);
	r = ok("{\"v\":1,\"verb\":\"status\"}");
	ck_assert_int_eq(num(r, "group"), 1);
	g = json_array_get(json_object_get(r, "groups"), 1);
	ck_assert_str_eq(str(g, "status"), "active");
	ck_assert(json_is_true(json_object_get(g, "by_hand")));
	json_decref(r);
	/* By a path, and where it is already. */
	r = ok("{\"v\":1,\"verb\":\"switch-group\",\"group\":\"sg6\"}");
	ck_assert(json_is_false(json_object_get(r, "changed")));
	json_decref(r);
	r = ok("{\"v\":1,\"verb\":\"switch-group\",\"group\":\"sg3\"}");
	ck_assert(json_is_true(json_object_get(r, "changed")));
	ck_assert_int_eq(num(r, "group"), 0);
	ck_assert_ptr_null(json_object_get(r, "warning"));
	json_decref(r);
	lun_fail_path(lun, &sps[2]->path);
	lun_fail_path(lun, &sps[3]->path);
	fails("{\"v\":1,\"verb\":\"switch-group\",\"group\":1}", CTL_E_FAILED,
	      "no usable path", "");
	fails("{\"v\":1,\"verb\":\"switch-group\",\"group\":2}", CTL_E_BAD_ARGUMENT,
	      "no group 2", "0..1");
	fails("{\"v\":1,\"verb\":\"switch-group\",\"group\":\"sg9\"}",
	      CTL_E_NO_SUCH_PATH, "no path sg9", "/dev/sg3");
	fails("{\"v\":1,\"verb\":\"switch-group\",\"group\":-1}", CTL_E_BAD_ARGUMENT,
	      "group: not a whole number", "");
	fails("{\"v\":1,\"verb\":\"switch-group\"}", CTL_E_BAD_ARGUMENT,
	      "group: missing", "");
	finish();
}
END_TEST

START_TEST(test_queueing_and_fail)
{
	json_t *r;

	start(1);
	r = ok("{\"v\":1,\"verb\":\"queueing\",\"mode\":\"on\"}");
	ck_assert(json_is_true(json_object_get(r, "changed")));
	ck_assert_str_eq(str(r, "queueing"), "on");
	ck_assert_str_eq(str(r, "state"), "up");
	json_decref(r);
	ck_assert_int_eq(lun_queueing(lun), QUEUEING_ON);
	r = ok("{\"v\":1,\"verb\":\"status\"}");
	ck_assert_str_eq(str(json_object_get(r, "policy"), "queueing"), "on");
	ck_assert_str_eq(str(json_object_get(r, "policy"), "no_path"), "retry");
	json_decref(r);
	fails("{\"v\":1,\"verb\":\"fail\",\"when\":\"now\"}", CTL_E_FAILED,
	      "a path is usable", "");
	lun_fail_path(lun, &sps[0]->path);
	run_ms(5);
	r = ok("{\"v\":1,\"verb\":\"fail\",\"when\":\"now\"}");
	ck_assert(json_is_true(json_object_get(r, "changed")));
	ck_assert_str_eq(str(r, "state"), "failing");
	json_decref(r);
	r = ok("{\"v\":1,\"verb\":\"queueing\",\"mode\":\"off\"}");
	json_decref(r);
	r = ok("{\"v\":1,\"verb\":\"queueing\",\"mode\":\"off\"}"); /* twice is once */
	ck_assert(json_is_false(json_object_get(r, "changed")));
	json_decref(r);
	finish();
}
END_TEST

/* Each of the settings that administrators change most, and what is in force then. */
static const struct {
	const char *key, *value, *keyword, *previous;
	size_t at; /* in struct lun_params, of an enum or unsigned */
	unsigned is;
} settings[] = {
#define PAR(member) offsetof(struct lun_params, member)
	{"path_selector", "numa", "path_selector", "service-time", PAR(selector), SEL_NUMA},
	{"policy", "multibus", "path_grouping_policy", "group_by_prio", PAR(grouping), GROUP_MULTIBUS},
	{"path_depth", "7", "path_depth", "auto", PAR(path_depth), 7},
	{"host_depth", "9", "host_depth", "auto", PAR(host_depth), 9},
	{"depth", "11", "queue_depth", "auto", PAR(depth), 11},
	{"elevator", "fifo", "elevator", "auto", PAR(elevator), ELV_FIFO},
	{"fifo_batch", "3", "fifo_batch", "16", PAR(fifo_batch), 3},
	{"no_path_retry", "queue", "no_path_retry", "12", PAR(no_path), NO_PATH_QUEUE},
	{"no_path_retry", "5", "no_path_retry", "12", PAR(no_path_checks), 5},
	{"failback", "manual", "failback", "immediate", PAR(failback), FAILBACK_MANUAL},
};

START_TEST(test_settings)
{
	char line[256];
	json_t *r;

	start(2);
	snprintf(line, sizeof(line), "{\"v\":1,\"verb\":\"set\",\"key\":\"%s\",\"value\":\"%s\"}",
		 settings[_i].key, settings[_i].value);
	r = ok(line);
	ck_assert_str_eq(str(r, "key"), settings[_i].keyword);
	if (json_is_string(json_object_get(r, "previous")))
		ck_assert_str_eq(str(r, "previous"), settings[_i].previous);
	else
		ck_assert_int_eq(num(r, "previous"), atoi(settings[_i].previous));
	ck_assert_uint_eq(*(const unsigned *)((const char *)lun_params(lun) + settings[_i].at),
			  settings[_i].is);
	json_decref(r);
	finish();
}
END_TEST

START_TEST(test_set)
{
	json_t *r;

	start(2);
	r = ok("{\"v\":1,\"verb\":\"set\",\"key\":\"selector\",\"value\":\"queue-"
	       "length\"}");
	ck_assert_str_eq(str(r, "previous"), "service-time");
	ck_assert_int_eq(lun_params(lun)->selector, SEL_QUEUE_LENGTH);
	json_decref(r);
	r = ok("{\"v\":1,\"verb\":\"set\",\"key\":\"queue_depth\",\"value\":17}");
	ck_assert_str_eq(str(r, "previous"), "auto");
	ck_assert_int_eq(num(r, "value"), 17);
	ck_assert_uint_eq(lun_params(lun)->depth, 17);
	json_decref(r);
	r = ok("{\"v\":1,\"verb\":\"set\",\"key\":\"queue_depth\",\"value\":\"auto\"}");
	ck_assert_int_eq(num(r, "previous"), 17);
	ck_assert_uint_eq(lun_params(lun)->depth, 0);
	json_decref(r);
	finish();
}
END_TEST

static const struct {
	const char *line;
	enum ctl_code code;
	const char *message, *hint;
} wrong[] = {
	{"nonsense", CTL_E_BAD_REQUEST, "not JSON", ""},
	{"{\"v\":1,\"verb\":\"statsu\"}", CTL_E_UNKNOWN_VERB, "no statsu", "status?"},
	{"{\"v\":1,\"verb\":\"zzzzz\"}", CTL_E_UNKNOWN_VERB, "no zzzzz", ""},
	{"{\"v\":1,\"verb\":\"status\",\"name\":\"db02\"}", CTL_E_NO_SUCH_LUN,
	 "of db01", ""},
	{"{\"v\":1,\"verb\":\"status\",\"name\":7}", CTL_E_BAD_ARGUMENT,
	 "name: not a string", ""},
	{"{\"v\":1,\"verb\":\"status\",\"x\":7}", CTL_E_BAD_ARGUMENT, "no argument x",
	 ""},
	{"{\"v\":1,\"verb\":\"fail-path\"}", CTL_E_BAD_ARGUMENT, "path: missing", ""},
	{"{\"v\":1,\"verb\":\"fail-path\",\"path\":\"sg9\"}", CTL_E_NO_SUCH_PATH,
	 "no path sg9", "/dev/sg3, /dev/sg4"},
	{"{\"v\":1,\"verb\":\"fail-path\",\"path\":\"\"}", CTL_E_NO_SUCH_PATH,
	 "no path", "/dev/sg3"},
	{"{\"v\":1,\"verb\":\"set\",\"key\":\"selektor\",\"value\":\"x\"}",
	 CTL_E_BAD_ARGUMENT, "selektor", "selector?"},
	{"{\"v\":1,\"verb\":\"set\",\"key\":\"selector\"}", CTL_E_BAD_ARGUMENT,
	 "value: missing", ""},
	{"{\"v\":1,\"verb\":\"set\",\"key\":\"selector\",\"value\":\"roundrobin\"}",
	 CTL_E_BAD_ARGUMENT, "roundrobin", "round-robin"},
	{"{\"v\":1,\"verb\":\"set\",\"key\":\"queue_depth\",\"value\":0}",
	 CTL_E_BAD_ARGUMENT, "1 to 4096", ""},
	{"{\"v\":1,\"verb\":\"set\",\"key\":\"queue_depth\",\"value\":4097}",
	 CTL_E_BAD_ARGUMENT, "1 to 4096", ""},
	{"{\"v\":1,\"verb\":\"set\",\"key\":\"queue_depth\",\"value\":\"big\"}",
	 CTL_E_BAD_ARGUMENT, "not a whole number", ""},
	{"{\"v\":1,\"verb\":\"set\",\"key\":\"max_requests\",\"value\":64}",
	 CTL_E_BAD_ARGUMENT, "cannot be set while", "restart"},
	{"{\"v\":1,\"verb\":\"set\",\"key\":\"path\",\"value\":\"/dev/sg1\"}",
	 CTL_E_BAD_ARGUMENT, "cannot be set while", "reload"},
	{"{\"v\":1,\"verb\":\"set\",\"key\":\"suspect_after\",\"value\":\"30s\"}",
	 CTL_E_BAD_ARGUMENT, "not shorter than io_timeout", ""},
	{"{\"v\":1,\"verb\":\"set\",\"key\":\"polling_interval\",\"value\":60}",
	 CTL_E_BAD_ARGUMENT, "longer than max_polling_interval", ""},
	{"{\"v\":1,\"verb\":\"reload\",\"x\":1}", CTL_E_BAD_ARGUMENT, "no argument x", ""},
	{"{\"v\":1,\"verb\":\"queueing\"}", CTL_E_BAD_ARGUMENT, "mode: missing", ""},
	{"{\"v\":1,\"verb\":\"queueing\",\"mode\":\"maybe\"}", CTL_E_BAD_ARGUMENT,
	 "no maybe", "default"},
	{"{\"v\":1,\"verb\":\"fail\",\"when\":\"later\"}", CTL_E_BAD_ARGUMENT,
	 "not now", "fail-path"},
	{"{\"v\":1,\"verb\":\"wait\",\"paths\":0}", CTL_E_BAD_ARGUMENT, "paths", ""},
	{"{\"v\":1,\"verb\":\"wait\",\"paths\":\"2\"}", CTL_E_BAD_ARGUMENT, "paths",
	 ""},
	{"{\"v\":1,\"verb\":\"wait\",\"timeout_ms\":-1}", CTL_E_BAD_ARGUMENT,
	 "timeout_ms", ""},
	{"{\"v\":1,\"verb\":\"wait\",\"state\":\"sideways\"}", CTL_E_BAD_ARGUMENT,
	 "sideways", "up or down"},
	{"{\"v\":1,\"verb\":\"wait\",\"state\":\"down\",\"paths\":1}",
	 CTL_E_BAD_ARGUMENT, "paths", ""},
};

START_TEST(test_wrong_requests)
{
	start(2);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		fails(wrong[i].line, wrong[i].code, wrong[i].message, wrong[i].hint);
	/* None of them did anything. */
	ck_assert_int_eq(sps[0]->path.state, PATH_ACTIVE);
	ck_assert_int_eq(lun_params(lun)->selector, SEL_SERVICE_TIME);
	finish();
}
END_TEST

/* --- events, trace --- */

START_TEST(test_events)
{
	struct ctl_response resp;
	long long next, now = (long long)time(NULL) * 1000;
	json_t *r, *ev;
	struct peer p;

	start(2);
	r = ok("{\"v\":1,\"verb\":\"events\"}");
	next = num(r, "next");
	ck_assert_int_eq((long long)json_array_size(json_object_get(r, "events")), next - 1);
	ev = json_array_get(json_object_get(r, "events"), 0);
	ck_assert_int_eq(num(ev, "seq"), 1);
	ck_assert(llabs(num(ev, "time_ms") - now) < 60000);
	json_decref(r);
	r = ok("{\"v\":1,\"verb\":\"events\",\"max\":1}");
	ev = json_array_get(json_object_get(r, "events"), 0);
	ck_assert_int_eq(num(ev, "seq"), next - 1);
	json_decref(r);
	/* It waits for the next one, and only for that. */
	peer_open(&p);
	{
		char line[128];

		snprintf(line, sizeof(line),
			 "{\"v\":1,\"verb\":\"events\",\"since\":%lld,\"timeout_ms\":4000}\n", next);
		peer_send(&p, line);
	}
	run_ms(20);
	ck_assert_uint_eq(p.len, 0);
	lun_fail_path(lun, &sps[1]->path);
	peer_recv(&p, &resp);
	ck_assert(resp.ok);
	ck_assert_int_eq(num(resp.result, "lost"), 0);
	ev = json_array_get(json_object_get(resp.result, "events"), 0);
	ck_assert_str_eq(str(ev, "kind"), "path");
	ck_assert_str_eq(str(ev, "subject"), "/dev/sg4");
	ck_assert_str_eq(str(ev, "from"), "active");
	ck_assert_str_eq(str(ev, "to"), "disabled");
	ck_assert_str_eq(str(ev, "cause"), "failed by the administrator");
	ck_assert_int_gt(num(resp.result, "next"), next);
	ctl_response_clear(&resp);
	/* None, and the time is up: an empty answer with the same number. */
	peer_send(&p, "{\"v\":1,\"verb\":\"events\",\"since\":900,\"timeout_ms\":30}\n");
	peer_recv(&p, &resp);
	ck_assert(resp.ok);
	ck_assert_uint_eq(json_array_size(json_object_get(resp.result, "events")), 0);
	ctl_response_clear(&resp);
	peer_close(&p);
	r = ok("{\"v\":1,\"verb\":\"set\",\"key\":\"depth\",\"value\":7}");
	json_decref(r);
	run_ms(5);
	r = ok("{\"v\":1,\"verb\":\"events\",\"max\":2}");
	ev = json_array_get(json_object_get(r, "events"), 0);
	ck_assert_str_eq(str(ev, "kind"), "config");
	ck_assert_str_eq(str(ev, "subject"), "queue_depth");
	ck_assert_str_eq(str(ev, "cause"), "set by lunmuxctl");
	json_decref(r);
	finish();
}
END_TEST

START_TEST(test_trace)
{
	json_t *r, *c;

	start(1);
	for (unsigned i = 0; i < 3; i++) {
		struct req *req = lun_req_get(lun, 4096);

		req->op = REQ_READ;
		req->lba = 1000 * i;
		req->nblocks = 8;
		req->done = read_done;
		lun_submit(req);
		run_ms(10);
	}
	r = ok("{\"v\":1,\"verb\":\"trace\",\"max\":2}");
	ck_assert_uint_eq(json_array_size(json_object_get(r, "trace")), 2);
	c = json_array_get(json_object_get(r, "trace"), 1);
	ck_assert_str_eq(str(c, "op"), "read");
	ck_assert_str_eq(str(c, "path"), "sg3");
	ck_assert_int_eq(num(c, "lba"), 2000);
	ck_assert_int_eq(num(c, "blocks"), 8);
	ck_assert_int_eq(num(c, "tries"), 1);
	ck_assert_str_eq(str(c, "verdict"), "ok");
	ck_assert_int_gt(num(c, "service_ns"), 0);
	json_decref(r);
	finish();
}
END_TEST

/* --- waiting
 * ----------------------------------------------------------------------------- */

START_TEST(test_wait)
{
	struct ctl_response resp;
	struct peer p, other;

	start(2);
	json_decref(ok("{\"v\":1,\"verb\":\"wait\",\"paths\":2}")); /* holds at once */
	lun_fail_path(lun, &sps[1]->path);
	peer_open(&p);
	peer_send(&p, "{\"v\":1,\"verb\":\"wait\",\"paths\":2,\"timeout_ms\":4000}\n");
	peer_open(&other);
	peer_send(
		&other,
		"{\"v\":1,\"verb\":\"wait\",\"state\":\"down\",\"timeout_ms\":4000}\n");
	run_ms(50);
	ck_assert_uint_eq(p.len, 0);
	lun_reinstate_path(lun, &sps[1]->path);
	peer_recv(&p, &resp);
	ck_assert(resp.ok);
	ck_assert_int_eq(num(resp.result, "paths_usable"), 2);
	ck_assert_int_ge(num(resp.result, "waited_ms"), 40);
	ctl_response_clear(&resp);
	ck_assert_uint_eq(other.len, 0);
	lun_fail_path(lun, &sps[0]->path);
	lun_fail_path(lun, &sps[1]->path);
	peer_recv(&other, &resp);
	ck_assert(resp.ok);
	ck_assert_str_eq(str(resp.result, "health"), "down");
	ctl_response_clear(&resp);
	peer_close(&p);
	peer_close(&other);
	finish();
}
END_TEST

START_TEST(test_wait_timeout)
{
	struct ctl_response resp;
	struct peer p;

	start(1);
	peer_open(&p);
	peer_send(&p, "{\"v\":1,\"verb\":\"wait\",\"paths\":2,\"timeout_ms\":60}\n"
		      "{\"v\":1,\"verb\":\"ping\"}\n");
	peer_recv(&p, &resp);
	ck_assert_int_eq(resp.error.code, CTL_E_TIMEOUT);
	ck_assert_ptr_nonnull(strstr(resp.error.message, "1 of 1 paths"));
	/* What was sent behind it is answered now, not lost. */
	peer_recv(&p, &resp);
	ck_assert(resp.ok);
	ctl_response_clear(&resp);
	peer_close(&p);
	finish();
}
END_TEST

/* A waiting client that leaves gives its slot back; one that stays hears of the end. */
START_TEST(test_wait_and_leave)
{
	struct ctl_response resp;
	struct peer p, q;

	start(1);
	peer_open(&p);
	peer_send(&p,
		  "{\"v\":1,\"verb\":\"wait\",\"paths\":2,\"timeout_ms\":100000}\n");
	peer_open(&q);
	peer_send(&q,
		  "{\"v\":1,\"verb\":\"wait\",\"paths\":2,\"timeout_ms\":100000}\n");
	run_ms(30);
	ck_assert_uint_eq(server->nclients, 2);
	peer_close(&p);
	run_ms(30);
	ck_assert_uint_eq(server->nclients, 1);
	lun_stop(lun, 0);
	peer_recv(&q, &resp);
	ck_assert_int_eq(resp.error.code, CTL_E_STOPPING);
	peer_close(&q);
	finish();
}
END_TEST

/* --- connections
 * ---------------------------------------------------------------------------- */

START_TEST(test_pipelined_in_order)
{
	struct ctl_response resp;
	struct peer p;

	start(1);
	peer_open(&p);
	peer_send(&p,
		  "{\"v\":1,\"verb\":\"version\"}\n{\"v\":1,\"verb\":\"nope-nope\"}\n"
		  "{\"v\":1,\"verb\":\"ping\"}\n{\"v\":1,\"verb\":\"li");
	run_ms(20);
	peer_send(&p, "st\"}\n");
	shutdown(p.f.fd, SHUT_WR); /* answers still come, then the end */
	peer_recv(&p, &resp);
	ck_assert_ptr_nonnull(json_object_get(resp.result, "protocol"));
	ctl_response_clear(&resp);
	peer_recv(&p, &resp);
	ck_assert_int_eq(resp.error.code, CTL_E_UNKNOWN_VERB);
	peer_recv(&p, &resp);
	ck_assert_int_eq(num(resp.result, "pid"), getpid());
	ctl_response_clear(&resp);
	peer_recv(&p, &resp);
	ck_assert_int_eq(num(resp.result, "paths"), 1);
	ctl_response_clear(&resp);
	run_ms(20);
	ck_assert(p.eof);
	ck_assert_uint_eq(server->nclients, 0);
	peer_close(&p);
	finish();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl_server");
	TCase *tc = tcase_create("server");

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, test_ping_version);
	tcase_add_test(tc, test_list);
	tcase_add_test(tc, test_status);
	tcase_add_test(tc, test_status_without_paths);
	tcase_add_test(tc, test_stats);
	tcase_add_test(tc, test_fail_and_reinstate);
	tcase_add_test(tc, test_fail_last_path_warns);
	tcase_add_test(tc, test_quarantine);
	tcase_add_test(tc, test_switch_group);
	tcase_add_test(tc, test_device);
	tcase_add_test(tc, test_queueing_and_fail);
	tcase_add_test(tc, test_events);
	tcase_add_test(tc, test_trace);
	tcase_add_test(tc, test_set);
	tcase_add_loop_test(tc, test_settings, 0, ARRAY_SIZE(settings));
	tcase_add_test(tc, test_wrong_requests);
	tcase_add_test(tc, test_wait);
	tcase_add_test(tc, test_wait_timeout);
	tcase_add_test(tc, test_wait_and_leave);
	tcase_add_test(tc, test_pipelined_in_order);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
