/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verbs.h - what the files of the verbs share: ends, arguments, the verbs by file. */
#ifndef CTL_VERBS_H
#define CTL_VERBS_H

#include "ctl/json_build.h"
#include "ctl/server_int.h"

/* --- verbs.c --- */

/* CTL_FAILED with the error set; CTL_DONE with @result (taken), or failed if that is NULL. */
enum ctl_end ctl_verb_failed(struct ctl_call *call, enum ctl_code code, const char *message);
enum ctl_end ctl_verb_done(struct ctl_call *call, json_t *result);
/* The string @key, or NULL with the error set. */
const char *ctl_arg_string(struct ctl_call *call, const char *key);
/* *ret stays as it is when @key is missing. False: the error is set. */
bool ctl_arg_number(struct ctl_call *call, const char *key, json_int_t min, json_int_t max,
		    json_int_t *ret);
/* The path that @key names, or NULL with the error set. */
struct path *ctl_arg_path(struct ctl_call *call, const char *key);

/* --- verbs_read.c --- */
enum ctl_end verb_ping(struct ctl_call *call);
enum ctl_end verb_version(struct ctl_call *call);
enum ctl_end verb_list(struct ctl_call *call);
enum ctl_end verb_status(struct ctl_call *call);
enum ctl_end verb_paths(struct ctl_call *call);
enum ctl_end verb_stats(struct ctl_call *call);

/* --- verbs_wait.c --- */
enum ctl_end verb_wait(struct ctl_call *call);

/* --- verbs_change.c --- */
enum ctl_end verb_fail_path(struct ctl_call *call);
enum ctl_end verb_reinstate_path(struct ctl_call *call);
enum ctl_end verb_accept_path(struct ctl_call *call);
enum ctl_end verb_switch_group(struct ctl_call *call);
enum ctl_end verb_queueing(struct ctl_call *call);
enum ctl_end verb_fail(struct ctl_call *call);

/* The answer to a verb that has changed @p, with what to know of it, or NULL. */
enum ctl_end ctl_path_changed(struct ctl_call *call, struct path *p, bool changed, const char *warning);
/* What the administrator should know of the LUN after a path was taken away, or NULL. */
const char *ctl_path_warning(struct ctl_server *s);

/* --- verbs_paths.c --- */
enum ctl_end verb_add_path(struct ctl_call *call);
enum ctl_end verb_del_path(struct ctl_call *call);
enum ctl_end ctl_add_check(struct ctl_call *call);
enum ctl_end ctl_del_check(struct ctl_call *call);
/* Fills in the error. */
void ctl_add_expired(struct ctl_call *call);

/* --- verbs_inject.c --- */
enum ctl_end verb_inject(struct ctl_call *call);

/* --- verbs_record.c --- */
enum ctl_end verb_events(struct ctl_call *call);
enum ctl_end verb_trace(struct ctl_call *call);
/* Is there an event that the client waits for? */
enum ctl_end ctl_events_check(struct ctl_call *call);
/* Those that it may have, perhaps none. */
json_t *ctl_snap_events(struct ctl_server *s, const struct ctl_wait *w);
/* --- verbs_device.c --- */
enum ctl_end verb_attach(struct ctl_call *call);
enum ctl_end verb_detach(struct ctl_call *call);

/* --- verbs_io.c --- */
enum ctl_end verb_drain_path(struct ctl_call *call);
enum ctl_end verb_flush(struct ctl_call *call);
/* "timeout_ms", or the default, from now on: when the wait is due. */
bool ctl_arg_timeout(struct ctl_call *call);
enum ctl_end ctl_drain_check(struct ctl_call *call);
enum ctl_end ctl_flush_check(struct ctl_call *call);

/* --- verbs_resize.c --- */
enum ctl_end verb_resize(struct ctl_call *call);
enum ctl_end ctl_resize_check(struct ctl_call *call);
/* Fills in the error. */
void ctl_resize_expired(struct ctl_call *call);

/* --- verbs_set.c --- */
enum ctl_end verb_set(struct ctl_call *call);
enum ctl_end verb_reload(struct ctl_call *call);
enum ctl_end verb_upgrade(struct ctl_call *call);

#endif
