/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log.c - one line, one write(2), never a wait.
 *
 * Standard error may be a pipe that nobody drains, a stopped terminal, or a
 * journal that sits on the LUN which we serve.  So each line is at most
 * LINE_BYTES_MAX (below PIPE_BUF: a pipe takes all of it or nothing), and is
 * written only if poll(2) says at once that there is room, and in a way that
 * fails rather than waits: another process that writes to the same pipe may
 * take that room meanwhile.  O_NONBLOCK belongs to the open file, which is the
 * others' as well, so a pipe or terminal is opened once more for it.
 *
 * What peers sent may stand in a message: control characters are replaced, so
 * no peer can forge a second line or talk to the administrator's terminal.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/units.h"

#define LINE_BYTES_MAX 1024u /* prefix, text and newline */
#define LEVEL_BYTES 3u	     /* "<6>" */
#define RING_LINES 128u
#define RING_LINE_BYTES 256u

_Static_assert(LINE_BYTES_MAX <= PIPE_BUF, "a line goes out whole or not at all");
_Static_assert(LINE_BYTES_MAX > 4 * NAME_BYTES_MAX, "the text has room after the names");

static struct {
	char prefix[2 * NAME_BYTES_MAX + 8]; /* "lunmuxd: db01: " */
	enum log_level level;
	bool to_journal; /* lines start with "<N>" */
	bool to_socket;
	int own_fd; /* standard error, opened once more with O_NONBLOCK; 0: not needed, or not to be had */
	uint64_t dropped;
	log_hook_fn *hook;
	void *hook_arg;
	bool in_hook;
	/* The last lines; nlines counts all that there ever were. */
	uint64_t nlines;
	struct {
		enum log_level level;
		char text[RING_LINE_BYTES];
	} ring[RING_LINES];
} state = { .level = LOG_L_INFO };

/* systemd.exec(5): $JOURNAL_STREAM names the device and inode of the stream,
 * so that a redirected stderr is not taken for the journal. */
static bool stderr_is_journal(void)
{
	const char *env = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (!env || sscanf(env, "%llu:%llu", &dev, &ino) != 2)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

/* What cannot be opened again (no /proc, another user's terminal) is written as it is. */
static void sink_open(void)
{
	struct stat st, own;
	int fd = -1;

	if (state.own_fd)
		close(state.own_fd);
	state.own_fd = 0;
	state.to_socket = false;
	if (fstat(STDERR_FILENO, &st) < 0)
		return;
	state.to_socket = S_ISSOCK(st.st_mode);
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))
		fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return;
	/* A pseudo terminal's number may be another one's in another mount of devpts. */
	if (fd > STDERR_FILENO && fstat(fd, &own) == 0 && own.st_dev == st.st_dev &&
	    own.st_ino == st.st_ino)
		state.own_fd = fd;
	else
		close(fd);
}

void log_init(const char *ident, const char *name, enum log_level level)
{
	int max = NAME_BYTES_MAX;

	if (name)
		snprintf(state.prefix, sizeof(state.prefix), "%.*s: %.*s: ", max, ident, max, name);
	else
		snprintf(state.prefix, sizeof(state.prefix), "%.*s: ", max, ident);
	state.level = level;
	state.to_journal = stderr_is_journal();
	sink_open();
}

void log_set_level(enum log_level level)
{
	state.level = level;
}

enum log_level log_get_level(void)
{
	return state.level;
}

void log_set_hook(log_hook_fn *fn, void *arg)
{
	state.hook = fn;
	state.hook_arg = arg;
}

uint64_t log_dropped(void)
{
	return state.dropped;
}

/* @line holds @len bytes, newline included. */
static void sink_write(const char *line, size_t len)
{
	int fd = state.own_fd ? state.own_fd : STDERR_FILENO;
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	ssize_t n = -1;

	/* With POLLERR nobody reads the pipe any more: write(2) would raise SIGPIPE. */
	if (poll(&p, 1, 0) == 1 && !(p.revents & (POLLERR | POLLHUP | POLLNVAL))) {
		if (state.to_socket)
			n = send(fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		else
			n = write(fd, line, len);
	}
	if (n != (ssize_t)len)
		state.dropped++;
}

static void ring_add(enum log_level level, const char *line, size_t len)
{
	size_t i = state.nlines++ % RING_LINES;

	len = MIN(len, RING_LINE_BYTES - 1);
	state.ring[i].level = level;
	memcpy(state.ring[i].text, line, len);
	state.ring[i].text[len] = '\0';
}

void log_recent(log_hook_fn *fn, void *arg)
{
	uint64_t i = state.nlines > RING_LINES ? state.nlines - RING_LINES : 0;

	for (; i < state.nlines; i++)
		fn(state.ring[i % RING_LINES].level, state.ring[i % RING_LINES].text, arg);
}

static void call_hook(enum log_level level, const char *line)
{
	if (!state.hook || state.in_hook) /* a hook that logs must not meet itself */
		return;
	state.in_hook = true;
	state.hook(level, line, state.hook_arg);
	state.in_hook = false;
}

/* The text into @line, prefix included, without newline; returns its length. */
__attribute__((format(printf, 3, 0))) static size_t
format_line(char *line, size_t size, const char *fmt, va_list ap)
{
	size_t len = strlen(state.prefix), room = size - len, i;
	int n;

	memcpy(line, state.prefix, len);
	n = vsnprintf(line + len, room, fmt, ap);
	if (n < 0)
		n = snprintf(line + len, room, "(message cannot be formatted)");
	if ((size_t)n >= room) {
		memcpy(line + size - 4, "...", 4);
		n = (int)room - 1;
	}
	for (i = len, len += (size_t)n; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = line[i] == '\t' ? ' ' : '?';
	return len;
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	char buf[LINE_BYTES_MAX], *line = buf + LEVEL_BYTES;
	int saved_errno = errno; /* for callers that log before they return it */
	size_t len;
	va_list ap;

	if (level > state.level)
		return;
	va_start(ap, fmt);
	len = format_line(line, sizeof(buf) - LEVEL_BYTES, fmt, ap);
	va_end(ap);

	ring_add(level, line, len);
	call_hook(level, line);

	line[len] = '\n';
	if (state.to_journal) {
		buf[0] = '<';
		buf[1] = (char)('0' + (int)level);
		buf[2] = '>';
		sink_write(buf, LEVEL_BYTES + len + 1);
	} else {
		sink_write(line, len + 1);
	}
	errno = saved_errno;
}

bool log_allow(struct log_limit *l, uint64_t now_ns, unsigned burst, uint64_t interval_ns,
	       unsigned *ret_missed)
{
	if (now_ns - l->window_start_ns >= interval_ns) {
		l->window_start_ns = now_ns;
		l->used = 0;
	}
	if (l->used >= burst) {
		l->missed++;
		return false;
	}
	l->used++;
	*ret_missed = l->missed;
	l->missed = 0;
	return true;
}
