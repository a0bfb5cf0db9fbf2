/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proto.h - the control protocol: what lunmuxd and lunmuxctl say to each other
 * over RUNDIR/NAME/ctl.sock.  This file is its documentation.
 *
 * JSON, one object a line, UTF-8, a newline ends it.  A client sends a request
 * and gets exactly one response; it may send the next request before that, and
 * responses come in the order of the requests.  A client that closes its
 * sending side still gets the answers to what it sent, except to a wait.
 *
 *   {"v":1,"verb":"status"}
 *   {"v":1,"ok":true,"result":{...}}
 *   {"v":1,"ok":false,"error":{"code":"no-such-path","message":"...","hint":"..."}}
 *
 * A request may carry "name":"db01"; if it is not the LUN of this socket, the
 * answer is no-such-lun.  "hint" may be missing.  A member that the reader does
 * not know is an error in a request and to be ignored in a response: new
 * members may appear in a result under the same version; a changed meaning or a
 * removed member raises it.
 *
 * Verbs (arguments in brackets may be left out), * = only for uid 0 and the
 * daemon's own user:
 *
 *   ping                           {name, version, pid, uptime_ms, protocol}
 *   version                        {version, protocol}
 *   list                           LUN in short
 *   status                         LUN in full
 *   paths                          {name, state, health, path_list:[PATH]}
 *   stats                          {name, state, health, lun{}, groups[], path_list[], loop{}}
 *   wait [paths:N] [state:"up"|"down"] [timeout_ms:N]
 *                                  LUN in short + waited_ms; error "timeout"
 *   events [since:N] [max:N] [timeout_ms:N]
 *                                  {name, next, lost, events[EVENT]}: the last ones, or those
 *                                  from number N on; with timeout_ms it waits for one
 *   trace [max:N]                  {name, next, trace[COMMAND]}: the last commands that ended
 *   fail-path* path:"/dev/sg3"     {name, changed, path:PATH, [warning]}
 *   drain-path* path:"sg3" [timeout_ms:N]
 *                                  the same, when its commands have ended; error "failed" if
 *                                  it is the last usable one, "timeout"
 *   flush* [timeout_ms:N]          {name, flushed_ms}: what was acknowledged before is stable
 *   add-path* path:"/dev/sg3" [timeout_ms:N]
 *                                  as fail-path, when its first check has ended; error "failed" if
 *                                  it is refused, and then it is no path
 *   del-path* path:"sg3" [force:true] [timeout_ms:N]
 *                                  {name, changed, removed, [warning]}, when it has left; error
 *                                  "failed" if it is the last usable one, unless by force
 *   resize* [timeout_ms:N]         {name, changed, old_bytes, size_bytes}, when all usable paths
 *                                  have been asked for the size; error "failed" if they do not
 *                                  agree, or the LUN has shrunk
 *   reinstate-path* path:"2:0:0:1" the same
 *   accept-path* path:"sg3"        the same; of a path in quarantine
 *   switch-group* group:1|"sg3"    {name, changed, group, prio, by_hand, [warning]}; the
 *                                  group of that number, or of that path
 *   queueing* mode:"on"|"off"|"default"
 *                                  {name, changed, state, queueing}
 *   fail* when:"now"               the same
 *   inject* path:"sg3" fault:"error"|"delay"|"drop"|"refuse"|"check"|"off" [delay_ms:N]
 *          [count:N] [percent:N]   as fail-path; a test fault on the path, until off
 *   set* key:"queue_depth" value:32|"auto"
 *                                  {name, key, value, previous, [warning]}; any keyword of
 *                                  lunmux.conf(5) that is live, until restart or reload
 *   reload*                        {name, changed[SETTING], restart[SETTING], warnings[]};
 *                                  error "bad-config", and nothing has changed
 *
 *   attach* [device:"/dev/nbd3"]   {name, device{}}: begun; the device is as in exports
 *                                  (type nbd-kernel), whose "attempts" grows when it ended
 *   detach* [force:true]           the same
 *
 * Times end in _ns, _us or _ms, sizes in _bytes, the rest are counts. Words:
 *   state of a LUN  starting up dark failing draining stopping stopped
 *   health          ok (up, every path serves or stands by), degraded (up, but some
 *                   path does neither), down (not up)
 *   state of a path found checking active standby unavailable transitioning suspect
 *                   failed marginal disabled gone
 *   LUN in short    name wwid product state health state_age_ms size_bytes block_bytes
 *                   (both 0 before the first path passed its check) paths paths_usable
 *   LUN in full     the above, and ident, geometry{} or null, policy{}, queue{}, group
 *                   (number of the current one, -1: none), groups[], path_list[PATH],
 *                   exports (what the exports say of their clients, or null),
 *                   refused[{name, cause, age_ms}] (found or configured, and no path now;
 *                   tried again from time to time), daemon{}
 *   PATH            name dev driver host numa_node node_name (of the target, may be "")
 *                   state state_age_ms usable available quarantined cause (of the last
 *                   move, may be "") access tpg (target port group, -1 unknown) prio
 *                   group inflight inflight_bytes depth host_inflight host_depth (null: no
 *                   host) errors checks checks_failed failures write_max_us (longest
 *                   that the daemon stood still in sending on it) inject (test fault, "" none)
 *                   probation_ms (that are left)
 *   EVENT           seq time_ms (since 1970, UTC) kind (lun path group depth config client
 *                   fault) subject from to cause, all but kind perhaps "".  next is the number
 *                   to go on with, lost how many asked for are not kept any more
 *   COMMAND         seq time_ms (of its end) path op lba blocks requests queue_ns (from the
 *                   submit of its oldest request to this sending) service_ns verdict tries
 *                   (sendings so far) hedge (of a request that was overdue on another path)
 *   SETTING         keyword value previous; numbers as numbers, all else as the file has it
 *   latencies       {count, mean_ns, sum_ns, p50_ns, p90_ns, p95_ns, p99_ns, p999_ns,
 *                   max_ns}
 */
#ifndef CTL_PROTO_H
#define CTL_PROTO_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/un.h>

#include "base/limits.h"

#define CTL_PROTO_VERSION     1
#define CTL_NESTING_MAX	      8 /* objects and arrays inside one another in a request */
#define CTL_REPLY_NESTING_MAX 32 /* the same in a response */
#define CTL_REPLY_MAX                                                               \
	(4u * MIB)	       /* bytes of a response; 256 paths need about 0.4 MiB \
				*/
#define CTL_VERB_BYTES_MAX  32 /* terminator included */
#define CTL_WAIT_MS_DEFAULT 10000u /* wait without timeout_ms */
#define CTL_WAIT_MS_MAX	    (30u * 86400u * 1000u)

/* --- errors --------------------------------------------------------------- */

/* One line a code: symbol, word on the wire. */
#define CTL_CODES(X)                          \
	X(CTL_E_BAD_REQUEST, "bad-request")   \
	X(CTL_E_BAD_VERSION, "bad-version")   \
	X(CTL_E_UNKNOWN_VERB, "unknown-verb") \
	X(CTL_E_BAD_ARGUMENT, "bad-argument") \
	X(CTL_E_NO_SUCH_LUN, "no-such-lun")   \
	X(CTL_E_NO_SUCH_PATH, "no-such-path") \
	X(CTL_E_DENIED, "denied")             \
	X(CTL_E_TIMEOUT, "timeout")           \
	X(CTL_E_BUSY, "busy")                 \
	X(CTL_E_STOPPING, "stopping")         \
	X(CTL_E_FAILED, "failed")             \
	X(CTL_E_NO_MEMORY, "no-memory")       \
	X(CTL_E_CONFIG, "bad-config")	      \
	/* made by lunmuxctl, never sent */   \
	X(CTL_E_UNREACHABLE, "unreachable")   \
	X(CTL_E_USAGE, "usage")

enum ctl_code {
#define X(sym, word) sym,
	CTL_CODES(X)
#undef X
		CTL_CODE_NR
};

struct ctl_error {
	enum ctl_code code;
	char message[320]; /* what: why; valid UTF-8 without control characters */
	char hint[320];	   /* what to do about it, or "" */
};

const char *ctl_code_name(enum ctl_code code);
/* CTL_E_FAILED for a word of a later version. */
enum ctl_code ctl_code_by_name(const char *word);

/* Fill @err; the hint becomes "". Always returns -EINVAL, for "return ctl_fail(...)".
 */
int ctl_fail(struct ctl_error *err, enum ctl_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void ctl_hint(struct ctl_error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* --- messages ------------------------------------------------------------- */

struct ctl_request {
	char verb[CTL_VERB_BYTES_MAX];
	json_t *args; /* an object: the request without v and verb; owned */
};

struct ctl_response {
	bool ok;
	json_t *result;		/* ok: any JSON value, owned; else NULL */
	struct ctl_error error; /* !ok */
};

/* Decode @len bytes (newline not included; need not be terminated). 0, or -EINVAL with
 * @err filled in and @ret empty. Any bytes are safe. */
int ctl_request_decode(const char *line, size_t len, struct ctl_request *ret,
		       struct ctl_error *err);
int ctl_response_decode(const char *line, size_t len, struct ctl_response *ret,
			struct ctl_error *err);
/* Release what is inside. A zeroed one is accepted. */
void ctl_request_clear(struct ctl_request *req);
void ctl_response_clear(struct ctl_response *resp);

/* Encode one line, newline included: malloc'ed, the caller's, NUL-terminated; *ret_len
 * without the NUL. NULL when memory is short or the line would be too long. @args (an
 * object or NULL) and @result are borrowed. */
char *ctl_request_encode(const char *verb, const json_t *args, size_t *ret_len);
char *ctl_ok_encode(json_t *result, size_t *ret_len);
char *ctl_error_encode(const struct ctl_error *err, size_t *ret_len);

/* --- names and places ------------------------------------------------------ */

/* Letters, digits, '.', '_', '-', no leading dot, 1..NAME_BYTES_MAX bytes. */
bool ctl_name_ok(const char *name);
/* The socket of LUN @name: RUNDIR/NAME/ctl.sock. 0; -EINVAL: bad name; -ENAMETOOLONG:
 * the path does not fit a socket address. */
int ctl_socket_addr(const char *rundir, const char *name, struct sockaddr_un *ret);

/* --- helpers for both sides ------------------------------------------------- */

/* The word of @words[0..n-1] that a typing error may have turned into @word, or NULL.
 */
const char *ctl_nearest(const char *word, const char *const *words, size_t n);
/* Copy @src to @dst (size bytes, truncated, terminated) as printable UTF-8: what is
 * neither becomes '?'. Devices and peers choose some of the strings that we show.
 * Returns @dst. */
char *ctl_clean(char *dst, size_t size, const char *src);

#endif
