/* SPDX-License-Identifier: GPL-2.0-or-later */
/* server_int.h - what the files of the control server share. */
#ifndef CTL_SERVER_INT_H
#define CTL_SERVER_INT_H

#include "base/limits.h"
#include "base/log.h"
#include "base/units.h"
#include "core/lun.h"
#include "ctl/proto.h"
#include "ctl/server.h"
#include "loop/loop.h"

#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/un.h>

/* Of this many slots only clients that may change things can use the last ones: readers
 * cannot lock the administrator out. */
#define CTL_CLIENTS_RESERVED 8u
#define CTL_IDLE_NS	     (60 * NS_PER_SEC) /* to send a whole request */
#define CTL_SEND_NS	     (30 * NS_PER_SEC) /* to take a whole response */
#define CTL_EVICT_NS                                                                  \
	(1 * NS_PER_SEC)	      /* idle that long: may lose its slot to another \
				       */
#define CTL_OUT_TOTAL_MAX (8u * MIB)  /* unsent bytes of all clients */
#define CTL_POLL_NS	  (5 * NS_PER_MS)  /* between two looks at what nobody tells of */
#define CTL_SEND_CHUNK	  (64u * KIB) /* bytes to one client in one turn */
/* All work for the control socket together may take one CTL_SHARE-th of the time, and
 * this much at once when it was quiet before. */
#define CTL_SHARE    20u
#define CTL_BURST_NS (20 * NS_PER_MS)

_Static_assert(CTL_OUT_TOTAL_MAX >= 2 * CTL_REPLY_MAX,
	       "one largest reply must not evict all");

/*
 * A client, one request at a time:
 *
 *   READING --line--> READY --verb--> SENDING --sent--> READING, or READY if a line is
 * there |               ^
 *                       +--> WAITING ---+               anything wrong: closed and
 * freed
 */
enum ctl_client_state { CTL_C_READING, CTL_C_READY, CTL_C_WAITING, CTL_C_SENDING };

enum ctl_wait_kind {
	CTL_WAIT_STATE,
	CTL_WAIT_EVENTS,
	/* Nobody tells of these: they are looked at every CTL_POLL_NS. */
	CTL_WAIT_DRAIN,
	CTL_WAIT_FLUSH,
	CTL_WAIT_RESIZE,
	CTL_WAIT_ADD,
	CTL_WAIT_DEL,
};

struct ctl_flush;

struct ctl_wait {
	enum ctl_wait_kind kind;
	uint64_t start_ns, due_ns;
	/* CTL_WAIT_STATE */
	unsigned min_usable; /* paths */
	bool want_up, want_down;
	/* CTL_WAIT_EVENTS: for one of this number or a later one; at most so many */
	uint64_t since;
	unsigned max;
	/* CTL_WAIT_DRAIN, _ADD, _DEL: for this path, which may have left meanwhile */
	char path[PATH_NAME_BYTES];
	bool changed;
	/* CTL_WAIT_FLUSH: shared with the request, see verbs_io.c */
	struct ctl_flush *flush;
	/* CTL_WAIT_RESIZE */
	struct lun_resize resize;
};

struct ctl_client {
	struct ctl_server *s;
	struct loop_fd fd;
	struct loop_timer timer; /* the state's own bound */
	TAILQ_ENTRY(ctl_client) link, ready_link;
	enum ctl_client_state state;
	uint64_t since_ns; /* of the state */
	bool may_change;
	bool last; /* close after this response */
	struct ctl_wait wait;
	char *out;
	size_t out_len, out_done;
	size_t in_len;
	char in[CTL_LINE_MAX];
};
TAILQ_HEAD(ctl_client_list, ctl_client);

struct ctl_server {
	struct loop *loop;
	struct lun *lun;
	char version[32];
	json_t *(*exports)(void *arg);
	json_t *(*refused)(void *arg);
	json_t *(*reload)(void *arg, struct ctl_error *err);
	json_t *(*set)(void *arg, const char *key, const char *value, struct ctl_error *err);
	const struct ctl_device_ops *device;
	const struct ctl_path_ops *paths;
	const struct ctl_upgrade_ops *upgrade;
	void *arg;
	uint64_t start_ns;
	enum lun_state state; /* as seen last, and since when */
	uint64_t state_since_ns;
	struct lun_observer observer;

	struct sockaddr_un addr;
	dev_t sock_dev; /* the socket that we made */
	ino_t sock_ino;
	struct loop_fd listener;
	struct log_limit accept_log;

	struct ctl_client_list clients;
	struct ctl_client_list ready[2]; /* [1]: may change things, served first */
	unsigned nclients, nreaders;
	size_t out_bytes;

	struct loop_timer pump; /* runs while somebody is ready or parked */
	bool parked;	  /* the share is used up: some descriptors are not watched */
	uint64_t io_turn; /* up to this loop_turns() descriptors are served without
			     credit */
	int64_t credit_ns;
	uint64_t spent_ns; /* time charged so far */
	uint64_t credit_at_ns;
};

/* --- sock.c ---------------------------------------------------------------- */

/* A listening socket at @addr, mode 0660, non-blocking. fd or -errno, see
 * ctl_server_new(). */
int ctl_sock_listen(const struct sockaddr_un *addr, struct stat *ret_st);
/* Does @fd, which an earlier process has left, listen there? */
bool ctl_sock_is(int fd, const struct sockaddr_un *addr, struct stat *ret_st);
/* May this peer change things? */
bool ctl_peer_may_change(uid_t peer, uid_t self);

/* --- server.c ---------------------------------------------------------------- */

/* Is any of the share left? */
bool ctl_credit(struct ctl_server *s);
/* May a descriptor be served now? If not, the caller stops watching it and parks; the
 * pump will watch it again. */
bool ctl_io_allowed(struct ctl_server *s);
void ctl_park(struct ctl_server *s);
/* What was begun at @start_ns (loop_clock_ns()) ends now. */
void ctl_charge(struct ctl_server *s, uint64_t start_ns);
/* Is there a slot for one more client of this class? May take one from an idle client.
 */
bool ctl_admit(struct ctl_server *s, bool may_change);
/* A line waits for its turn. */
void ctl_pump(struct ctl_server *s);

/* --- client.c ------------------------------------------------------------------ */

/* Takes @fd (closed on failure). NULL without memory. */
struct ctl_client *ctl_client_new(struct ctl_server *s, int fd, bool may_change);
void ctl_client_free(struct ctl_client *c);
/* The descriptor's callback; may free @c. */
void ctl_client_io(struct loop_fd *f, int events);
/* Watch what the state needs. */
void ctl_client_watch(struct ctl_client *c);
/* Serve the line at the start of the buffer; may free @c. */
void ctl_client_serve(struct ctl_client *c);
/* Look at a waiting client's condition again; may free @c. */
void ctl_client_recheck(struct ctl_client *c);
/* The server ends: answer a waiting client. Does not free. */
void ctl_client_dismiss(struct ctl_client *c);

/* --- verbs.c ------------------------------------------------------------------- */

struct ctl_call {
	struct ctl_server *s;
	const json_t *args;
	bool may_change;
	/* results */
	json_t *result;	      /* new reference, of a verb that is done */
	struct ctl_error err; /* of a verb that failed */
	struct ctl_wait wait; /* of a verb that is answered later */
};
enum ctl_end { CTL_DONE, CTL_FAILED, CTL_LATER };

enum ctl_end ctl_verb_run(struct ctl_call *call, const char *verb);
/* Does the condition hold (CTL_DONE, result), or can it no longer (CTL_FAILED)? */
enum ctl_end ctl_wait_check(struct ctl_call *call);
/* Is it one that must be looked at again and again? */
static inline bool ctl_wait_polls(const struct ctl_wait *w)
{
	return w->kind >= CTL_WAIT_DRAIN;
}
/* The client has gone, or has been answered. */
void ctl_wait_end(struct ctl_wait *w);
/* The wait's time is up: CTL_DONE or CTL_FAILED. */
enum ctl_end ctl_wait_expired(struct ctl_call *call);

/* --- snapshot.c ------------------------------------------------------------------ */

/* New references, NULL without memory. */
json_t *ctl_snap_short(struct ctl_server *s);
json_t *ctl_snap_status(struct ctl_server *s);
json_t *ctl_snap_paths(struct ctl_server *s);
json_t *ctl_snap_stats(struct ctl_server *s);
json_t *ctl_snap_path(struct ctl_server *s, const struct path *p);
unsigned ctl_count_usable(struct ctl_server *s, unsigned *ret_npaths);

#endif
