/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_ctl_prog.h - the program lunmuxctl run against a control socket in this
 * process, for check_ctl_cli.c and check_ctl_report.c.
 */
#ifndef TESTS_UNIT_CHECK_CTL_PROG_H
#define TESTS_UNIT_CHECK_CTL_PROG_H

#include "check_ctl_peer.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>

static char out[1 << 20], errs[65536];

static void slurp(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;

	lseek(fd, 0, SEEK_SET);
	while (len < size - 1 && (n = read(fd, buf + len, size - 1 - len)) > 0)
		len += (size_t)n;
	buf[len] = '\0';
	close(fd);
}

static int scratch_file(void)
{
	char name[] = "/tmp/check_ctl_out.XXXXXX";
	int fd = mkstemp(name);

	ck_assert_int_ge(fd, 0);
	unlink(name);
	return fd;
}

/* Run a shell command in which $CTL is "lunmuxctl -R rundir" and $RUN is rundir, with the server's
 * loop going on; its exit status. Fails the test if it does not end in 20 s. */
static int __attribute__((format(printf, 1, 2))) ctl(const char *fmt, ...)
{
	int ofd = scratch_file(), efd = scratch_file(), status = -1;
	char cmd[512], env[256];
	va_list ap;
	pid_t pid, r = 0;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	snprintf(env, sizeof(env), "./lunmuxctl -R %s", rundir);
	pid = fork();
	if (pid == 0) {
		setenv("CTL", env, 1);
		setenv("RUN", rundir, 1);
		dup2(ofd, 1);
		dup2(efd, 2);
		execl("/bin/sh", "sh", "-c", cmd, (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 4000 && (r = waitpid(pid, &status, WNOHANG)) == 0; i++)
		run_ms(5);
	if (r == 0)
		kill(pid, SIGKILL);
	slurp(ofd, out, sizeof(out));
	slurp(efd, errs, sizeof(errs));
	ck_assert_msg(r == pid, "%s: did not end", cmd);
	ck_assert_msg(WIFEXITED(status), "%s: killed by a signal", cmd);
	return WEXITSTATUS(status);
}

#define has(text, part) \
	ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in: %s", part, text)
#define has_not(text, part) \
	ck_assert_msg(strstr(text, part) == NULL, "\"%s\" in: %s", part, text)

/* The one object on the one line of standard output. */
static json_t __attribute__((unused)) *out_json(void)
{
	json_t *j = json_loads(out, 0, NULL);

	ck_assert_msg(json_is_object(j), "no JSON object: %s", out);
	ck_assert(strchr(out, '\n') == out + strlen(out) - 1);
	ck_assert_int_eq(num(j, "v"), 1);
	return j;
}

#endif
