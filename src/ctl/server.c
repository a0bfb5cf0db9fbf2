/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server.c - listening, admission, and the share of the thread's time.
 *
 * Every callback of the control socket is timed.  The time is paid from a
 * credit that refills at a CTL_SHARE-th of real time; without credit nobody is
 * read, served or accepted until the pump timer finds some again.  Then one
 * verb is run and everybody may read, write or connect once (were they to wait
 * for what the verb leaves over, verbs of old clients would keep new ones out
 * for ever).  So a client that asks for statistics in a loop, or connects in a
 * loop, slows down itself and the other control clients, and the I/O by a
 * bounded share.  Verbs are taken round robin, those of administrators first.
 */
#include "config.h"

#include "ctl/server_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

/* --- the share ------------------------------------------------------------------ */

bool ctl_credit(struct ctl_server *s)
{
	uint64_t now = loop_now_ns(s->loop);

	if (now > s->credit_at_ns) {
		uint64_t earned = (now - s->credit_at_ns) / CTL_SHARE;

		s->credit_at_ns = now;
		if (earned > 2 * CTL_BURST_NS)
			earned = 2 * CTL_BURST_NS;
		s->credit_ns =
			MIN(s->credit_ns + (int64_t)earned, (int64_t)CTL_BURST_NS);
	}
	return s->credit_ns > 0;
}

bool ctl_io_allowed(struct ctl_server *s)
{
	return ctl_credit(s) || loop_turns(s->loop) <= s->io_turn;
}

void ctl_charge(struct ctl_server *s, uint64_t start_ns)
{
	uint64_t spent = loop_clock_ns(s->loop) - start_ns;

	/* Not all of it was ours if we were preempted or stopped: who asks is not to
	 * wait for hours because of that. */
	s->credit_ns = MAX(s->credit_ns - (int64_t)MIN(spent, CTL_BURST_NS),
			   -(int64_t)CTL_BURST_NS);
	s->spent_ns += spent;
}

/* Time until there is credit: 0 if there is some. */
static uint64_t credit_delay(const struct ctl_server *s)
{
	if (s->credit_ns > 0)
		return 0;
	return ((uint64_t)-s->credit_ns + NS_PER_US) * CTL_SHARE;
}

void ctl_pump(struct ctl_server *s)
{
	/* Not in this turn, which would serve verb after verb before it looks at others'
	 * descriptors. */
	if (!loop_timer_running(&s->pump))
		loop_timer_in(s->loop, &s->pump, MAX(credit_delay(s), 1u));
}

void ctl_park(struct ctl_server *s)
{
	s->parked = true;
	ctl_pump(s);
}

static void pump_fn(struct loop_timer *t)
{
	struct ctl_server *s = container_of(t, struct ctl_server, pump);
	uint64_t start = loop_clock_ns(s->loop);
	struct ctl_client *c;

	if (!ctl_credit(s)) {
		ctl_pump(s);
		return;
	}
	if (s->parked) {
		s->parked = false;
		/* What is watched from here on is reported in the next turn. */
		s->io_turn = loop_turns(s->loop) + 1;
		loop_fd_set(s->loop, &s->listener, LOOP_READ);
		TAILQ_FOREACH (c, &s->clients, link)
			ctl_client_watch(c);
	}
	c = TAILQ_FIRST(&s->ready[1]);
	if (!c)
		c = TAILQ_FIRST(&s->ready[0]);
	if (c)
		ctl_client_serve(c);
	ctl_charge(s, start);
	if (!TAILQ_EMPTY(&s->ready[1]) || !TAILQ_EMPTY(&s->ready[0]))
		ctl_pump(s);
}

/* --- admission ------------------------------------------------------------------- */

/* Close the one of this class that has been idle the longest, if it was for
 * CTL_EVICT_NS. */
static bool evict_idle(struct ctl_server *s, bool may_change)
{
	uint64_t limit = loop_now_ns(s->loop);
	struct ctl_client *c, *oldest = NULL;

	limit = limit > CTL_EVICT_NS ? limit - CTL_EVICT_NS : 0;
	TAILQ_FOREACH (c, &s->clients, link) {
		if (c->state != CTL_C_READING || c->may_change != may_change)
			continue;
		if (c->since_ns <= limit && (!oldest || c->since_ns < oldest->since_ns))
			oldest = c;
	}
	if (!oldest)
		return false;
	ctl_client_free(oldest);
	return true;
}

static bool has_slot(const struct ctl_server *s, bool may_change)
{
	if (!may_change && s->nreaders >= CTL_CLIENTS_MAX - CTL_CLIENTS_RESERVED)
		return false;
	return s->nclients < CTL_CLIENTS_MAX;
}

bool ctl_admit(struct ctl_server *s, bool may_change)
{
	return has_slot(s, may_change) || evict_idle(s, may_change);
}

static void refuse(int fd)
{
	struct ctl_error err;
	char *line;
	size_t len;

	ctl_fail(&err, CTL_E_BUSY, "too many control clients");
	ctl_hint(&err, "try again in a moment");
	line = ctl_error_encode(&err, &len);
	/* The socket's buffer is empty: it takes this line, or the peer gets a plain
	 * EOF. */
	if (line && send(fd, line, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("control socket: refused client: %m");
	free(line);
	close(fd);
}

static void accept_one(struct ctl_server *s)
{
	int fd = accept4(s->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct ucred cred;
	socklen_t len = sizeof(cred);
	unsigned missed;
	bool may_change;

	if (fd < 0) {
		/* Out of descriptors or memory: the listener stays readable, so do not
		 * spin on it but ask again when the (emptied) credit is back. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM) {
			if (log_allow(&s->accept_log, loop_now_ns(s->loop), 1,
				      60 * NS_PER_SEC, &missed))
				log_warn("control socket: accept: %m");
			s->credit_ns = MIN(s->credit_ns, -(int64_t)(CTL_BURST_NS / 4));
		}
		return;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0) {
		close(fd);
		return;
	}
	may_change = ctl_peer_may_change(cred.uid, geteuid());
	if (!ctl_admit(s, may_change)) {
		refuse(fd);
		return;
	}
	ctl_client_new(s, fd, may_change);
}

static void listener_fn(struct loop_fd *f, int events)
{
	struct ctl_server *s = container_of(f, struct ctl_server, listener);
	uint64_t start = loop_clock_ns(s->loop);

	if (!ctl_io_allowed(s)) {
		loop_fd_set(s->loop, f, 0);
		ctl_park(s);
		return;
	}
	accept_one(s);
	ctl_charge(s, start);
}

/* --- the LUN's news -----------------------------------------------------------------
 */

static void lun_changed(struct lun_observer *o, struct lun *lun)
{
	struct ctl_server *s = container_of(o, struct ctl_server, observer);
	struct ctl_client *c, *next;
	enum lun_state now = lun_get_state(lun);

	if (now != s->state) {
		s->state = now;
		s->state_since_ns = loop_now_ns(s->loop);
	}
	TAILQ_FOREACH_SAFE (c, &s->clients, link, next) {
		if (c->state == CTL_C_WAITING)
			ctl_client_recheck(c);
	}
}

/* --- making one ----------------------------------------------------------------------
 */

static int server_socket(struct ctl_server *s, int old, struct stat *ret_st)
{
	if (old > 0 && ctl_sock_is(old, &s->addr, ret_st))
		return old;
	if (old > 0)
		close(old);
	return ctl_sock_listen(&s->addr, ret_st);
}

int ctl_server_listener(const struct ctl_server *s)
{
	return s->listener.fd;
}

int ctl_server_new(struct loop *l, struct lun *lun, const struct ctl_conf *conf,
		   struct ctl_server **ret)
{
	struct ctl_server *s = calloc(1, sizeof(*s));
	struct stat st;
	int r;

	if (!s)
		return -ENOMEM;
	s->loop = l;
	s->lun = lun;
	s->exports = conf->exports;
	s->refused = conf->refused;
	s->reload = conf->reload;
	s->set = conf->set;
	s->device = conf->device;
	s->paths = conf->paths;
	s->upgrade = conf->upgrade;
	s->arg = conf->arg;
	ctl_clean(s->version, sizeof(s->version), conf->version);
	TAILQ_INIT(&s->clients);
	TAILQ_INIT(&s->ready[0]);
	TAILQ_INIT(&s->ready[1]);
	s->start_ns = s->state_since_ns = s->credit_at_ns = loop_now_ns(l);
	s->state = lun_get_state(lun);
	s->credit_ns = CTL_BURST_NS;
	/* The library reads its seed once, now and not in the middle of service. */
	json_object_seed(0);

	r = ctl_socket_addr(conf->rundir, lun_params(lun)->name, &s->addr);
	if (r < 0)
		goto fail;
	r = server_socket(s, conf->listen_fd, &st);
	if (r < 0)
		goto fail;
	s->sock_dev = st.st_dev;
	s->sock_ino = st.st_ino;
	loop_fd_init(&s->listener, r, listener_fn);
	loop_fd_set(l, &s->listener, LOOP_READ);
	loop_timer_init(&s->pump, pump_fn);
	s->observer.changed = lun_changed;
	lun_observe(lun, &s->observer);
	*ret = s;
	return 0;
fail:
	free(s);
	return r;
}

void ctl_server_free(struct ctl_server *s)
{
	struct ctl_client *c, *next;
	struct stat st;

	if (!s)
		return;
	lun_unobserve(s->lun, &s->observer);
	TAILQ_FOREACH_SAFE (c, &s->clients, link, next) {
		ctl_client_dismiss(c);
		ctl_client_free(c);
	}
	loop_timer_stop(s->loop, &s->pump);
	loop_fd_set(s->loop, &s->listener, 0);
	close(s->listener.fd);
	/* Somebody may have put another socket there by hand; that one is not ours to
	 * remove. */
	if (lstat(s->addr.sun_path, &st) == 0 && st.st_dev == s->sock_dev &&
	    st.st_ino == s->sock_ino)
		unlink(s->addr.sun_path);
	free(s);
}
