/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_ctl_sock.c - the control socket as a place: its file is made, kept and
 * replaced as it should be, only those who may change things can, and a flood
 * of questions gets no more than its share of the thread.
 */
#include "config.h"

#include "check_ctl_peer.h"

#include <sys/wait.h>

/* Twenty clients that ask for everything in a loop get a bounded share of the thread's
 * time, and another one is answered meanwhile. */
START_TEST(test_flood_gets_its_share)
{
	struct peer p[20];
	uint64_t t0, elapsed;
	char many[4096] = "";

	while (strlen(many) + 32 < sizeof(many))
		strcat(many, "{\"v\":1,\"verb\":\"stats\"}\n");
	start(4);
	for (size_t i = 0; i < ARRAY_SIZE(p); i++)
		peer_open(&p[i]);
	t0 = loop_now_ns(loop);
	while ((elapsed = loop_now_ns(loop) - t0) < NS_PER_SEC) {
		for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
			(void)!send(p[i].f.fd, many, strlen(many), MSG_NOSIGNAL);
			p[i].len = 0;
		}
		run_ms(1);
	}
	/* It used up what it may use, and little more (a preempted thread pays the rest). */
	ck_assert_uint_gt(server->spent_ns, elapsed / CTL_SHARE / 2);
	ck_assert_uint_le(server->spent_ns,
			  elapsed / CTL_SHARE + CTL_BURST_NS + 100 * NS_PER_MS);
	json_decref(ok("{\"v\":1,\"verb\":\"ping\"}"));
	for (size_t i = 0; i < ARRAY_SIZE(p); i++)
		peer_close(&p[i]);
	run_ms(50);
	finish();
}
END_TEST

/* In a child of its own, as the user nobody: exit 0 if status is answered and fail-path
 * denied. */
static int nobody(void)
{
	static const char ask[] = "{\"v\":1,\"verb\":\"list\"}\n"
				  "{\"v\":1,\"verb\":\"fail-path\",\"path\":\"sg3\"}\n";
	char buf[4096];
	size_t len = 0;
	ssize_t n;
	int fd;

	if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
		return 2;
	fd = env_connect();
	if (send(fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL) < 0 ||
	    shutdown(fd, SHUT_WR) < 0)
		return 3;
	for (int i = 0; i < 500; i++) {
		n = recv(fd, buf + len, sizeof(buf) - 1 - len, 0);
		if (n == 0)
			break;
		if (n > 0)
			len += (size_t)n;
		else
			usleep(10000);
	}
	buf[len] = '\0';
	return strstr(buf, "\"paths_usable\":1") && strstr(buf, "\"code\":\"denied\"")
		       ? 0
		       : 4;
}

START_TEST(test_other_user_reads_only)
{
	int status = -1;
	pid_t pid;

	if (geteuid() != 0) {
		fputs("test_other_user_reads_only: skipped, only root can become "
		      "another user\n",
		      stderr);
		return;
	}
	start(1);
	ck_assert_int_eq(chmod(rundir, 0755), 0);
	ck_assert_int_eq(chmod(sockpath, 0666), 0);
	pid = fork();
	if (pid == 0)
		_exit(nobody());
	for (int i = 0; i < 500 && waitpid(pid, &status, WNOHANG) == 0; i++)
		run_ms(10);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	ck_assert_int_eq(sps[0]->path.state, PATH_ACTIVE);
	finish();
}
END_TEST

START_TEST(test_who_may_change)
{
	ck_assert(ctl_peer_may_change(0, 990));
	ck_assert(ctl_peer_may_change(990, 990));
	ck_assert(!ctl_peer_may_change(1000, 990));
	ck_assert(ctl_peer_may_change(0, 0));
	ck_assert(!ctl_peer_may_change(1000, 0));
}
END_TEST

/* --- the socket file
 * -------------------------------------------------------------------------- */

static int second_server(const char *dir)
{
	struct ctl_conf conf = {.rundir = dir, .version = "x"};
	struct ctl_server *other = NULL;
	int r = ctl_server_new(loop, lun, &conf, &other);

	ck_assert(r == 0 || !other);
	ctl_server_free(other);
	return r;
}

START_TEST(test_live_socket_is_kept)
{
	struct stat before, after;

	start(1);
	ck_assert_int_eq(stat(sockpath, &before), 0);
	ck_assert_int_eq(second_server(rundir), -EADDRINUSE);
	ck_assert_int_eq(stat(sockpath, &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	json_decref(ok("{\"v\":1,\"verb\":\"ping\"}"));
	finish();
}
END_TEST

START_TEST(test_stale_socket_is_replaced)
{
	struct ctl_conf conf = {.version = "again"};
	json_t *r;

	start(1);
	ctl_server_free(server);
	leave_stale_socket(sockpath);
	conf.rundir = rundir;
	ck_assert_int_eq(ctl_server_new(loop, lun, &conf, &server), 0);
	r = ok("{\"v\":1,\"verb\":\"version\"}");
	ck_assert_str_eq(str(r, "version"), "again");
	json_decref(r);
	finish();
}
END_TEST

START_TEST(test_bad_places)
{
	char dir[128], path[160], longdir[160];

	start(1);
	snprintf(dir, sizeof(dir), "%s/nowhere", rundir);
	ck_assert_int_eq(second_server(dir), -ENOENT);
	memset(longdir, 'x', sizeof(longdir));
	longdir[0] = '/';
	longdir[sizeof(longdir) - 1] = '\0';
	ck_assert_int_eq(second_server(longdir), -ENAMETOOLONG);
	/* A file of somebody's is not removed. */
	snprintf(dir, sizeof(dir), "%s/sub", rundir);
	ck_assert_int_eq(mkdir(dir, 0755), 0);
	snprintf(path, sizeof(path), "%s/db01", dir);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/db01/ctl.sock", dir);
	fclose(fopen(path, "w"));
	ck_assert_int_eq(second_server(dir), -EEXIST);
	ck_assert_int_eq(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/db01", dir);
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	finish();
}
END_TEST

START_TEST(test_mode)
{
	mode_t old = umask(_i ? 0077 : 0);
	struct stat st;

	start(1);
	ck_assert_int_eq(stat(sockpath, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0660);
	umask(old);
	finish();
}
END_TEST

/* Another socket under our name is not ours to remove. */
START_TEST(test_foreign_socket_stays)
{
	start(1);
	ck_assert_int_eq(unlink(sockpath), 0);
	leave_stale_socket(sockpath);
	ctl_server_free(server);
	server = NULL;
	ck_assert_int_eq(unlink(sockpath), 0); /* it is there */
	finish();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl_sock");
	TCase *tc = tcase_create("sock");

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, test_flood_gets_its_share);
	tcase_add_test(tc, test_other_user_reads_only);
	tcase_add_test(tc, test_who_may_change);
	tcase_add_test(tc, test_live_socket_is_kept);
	tcase_add_test(tc, test_stale_socket_is_replaced);
	tcase_add_test(tc, test_bad_places);
	tcase_add_loop_test(tc, test_mode, 0, 2);
	tcase_add_test(tc, test_foreign_socket_stays);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
