/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log.h - messages to standard error; "<N>" before a line if that is the journal.
 *
 * A log call never blocks and never allocates: the line is formatted into a
 * fixed buffer and written without waiting; what the sink does not take is
 * dropped and counted (a log must not wait for the device that we serve).
 * The last lines stay in a ring in memory for lunmuxctl.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

/* The numbers are syslog's, so that "<N>" prefixes work under systemd. */
enum log_level { LOG_L_ERR = 3, LOG_L_WARN = 4, LOG_L_NOTICE = 5, LOG_L_INFO = 6, LOG_L_DEBUG = 7 };

/* @ident is printed before each line ("lunmuxd"), @name after it if not NULL
 * ("db01"); both are copied.  @level: the highest number that is printed. */
void log_init(const char *ident, const char *name, enum log_level level);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* Test and export hook: gets each formatted line without newline; NULL for none. */
typedef void log_hook_fn(enum log_level level, const char *line, void *arg);
void log_set_hook(log_hook_fn *fn, void *arg);

void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Call @fn for each of the last lines that were kept, oldest first, cut at 255
 * bytes.  @fn must not log. */
void log_recent(log_hook_fn *fn, void *arg);

/* Lines that the sink did not take. */
uint64_t log_dropped(void);

#define log_err(...) log_msg(LOG_L_ERR, __VA_ARGS__)
#define log_warn(...) log_msg(LOG_L_WARN, __VA_ARGS__)
#define log_notice(...) log_msg(LOG_L_NOTICE, __VA_ARGS__)
#define log_info(...) log_msg(LOG_L_INFO, __VA_ARGS__)
#define log_debug(...)                                    \
	do {                                              \
		if (log_get_level() >= LOG_L_DEBUG)       \
			log_msg(LOG_L_DEBUG, __VA_ARGS__); \
	} while (0)

/* For messages that a hostile peer could repeat for ever: true at most @burst
 * times per @interval_ns; then *ret_missed is how many were held back before
 * (untouched if false).  A zeroed struct is a fresh limit. */
struct log_limit {
	uint64_t window_start_ns;
	unsigned used, missed;
};
bool log_allow(struct log_limit *l, uint64_t now_ns, unsigned burst, uint64_t interval_ns,
	       unsigned *ret_missed);

#endif
