/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trace.c - the hash of a run, its printed form, and how a run fails. */
#include "world.h"

#include "base/units.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef unsigned long long ull;

static void print_cmd(const struct world *w, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	printf("   path %llu: #%llu %s%s %llu+%llu, %llu parts\n", (ull)(a >> 32), (ull)(a & UINT32_MAX),
	       cmd_op_name((enum cmd_op)(b >> 32)), b & CMD_F_FUA ? " FUA" : "", (ull)c, (ull)(d & UINT32_MAX),
	       (ull)(d >> 32));
}

static void print_event(const struct world *w, enum world_event ev, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	static const char *const phases[] = { "load", "heal", "readback", "stop" };

	printf("%10.3f ms %u ", (double)(world_now_ns(w) - w->start_ns) / 1e6, w->oracle.tick);
	switch (ev) {
	case WE_SUBMIT:
		printf("op %llu: %s%s %llu+%llu, write %llu\n", (ull)a, req_op_name((enum req_op)(b >> 32)),
		       b & REQ_F_FUA ? " FUA" : "", (ull)c, (ull)(d & UINT32_MAX), (ull)(d >> 32));
		return;
	case WE_DONE:
		printf("op %llu: done, error %llu\n", (ull)a, (ull)b);
		return;
	case WE_CANCEL:
		printf("op %llu: cancel\n", (ull)a);
		return;
	case WE_CMD:
		print_cmd(w, a, b, c, d);
		return;
	case WE_REFUSE:
		printf("   path %llu: refuses, error %llu\n", (ull)a, (ull)b);
		return;
	case WE_APPLY:
		printf("   #%llu takes effect on %llu blocks\n", (ull)a, (ull)b);
		return;
	case WE_END:
		printf("   #%llu: %s, flags %#llx, %llu blocks done\n", (ull)a, verdict_name((enum verdict)b), (ull)c,
		       (ull)d);
		return;
	case WE_CHECK:
		printf("   path %llu: %s check: %s%s\n", (ull)a, b ? "full" : "cheap",
		       c == CHECK_OK ? "ok" : c == CHECK_DOWN ? "down" : "identity", d ? ", good" : "");
		return;
	case WE_NEMESIS:
		printf("   nemesis: path %llu: %s\n", (ull)a, b == SF_NR ? "heals" : sim_fault_name((enum sim_fault)b));
		return;
	case WE_LUN:
		printf("   LUN: %s\n", lun_state_name((enum lun_state)a));
		return;
	case WE_KILL:
		printf("   process %llu %s\n", (ull)a, b ? "is killed" : "starts");
		return;
	case WE_PHASE:
		printf("-- %s\n", phases[a]);
		return;
	case WE_POWER:
		printf("-- power loss\n");
		return;
	case WE_NR:
		break;
	}
}

void world_trace(struct world *w, enum world_event ev, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	uint64_t h = w->hash ^ world_now_ns(w) ^ (uint64_t)ev << 56;

	h = (h ^ a) * 0x9e3779b97f4a7c15ull;
	h = (h ^ h >> 29 ^ b) * 0xbf58476d1ce4e5b9ull;
	h = (h ^ h >> 32 ^ c) * 0x94d049bb133111ebull;
	w->hash = h ^ h >> 31 ^ d;
	if (w->opt->trace)
		print_event(w, ev, a, b, c, d);
}

void world_fail(struct world *w, const char *oracle, const char *fmt, ...)
{
	va_list ap;

	if (w->opt->ret_oracle)
		snprintf(w->opt->ret_oracle, 16, "%s", oracle);
	printf("seed %llu: %s: ", (ull)w->seed, oracle);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf(" (at %llu ns, step %llu)\n", (ull)(world_now_ns(w) - w->start_ns), (ull)w->steps);
	fflush(stdout);
	_exit(1);
}
