/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cover.c - see cover.h. A race of two children for one count costs one count. */
#include "cover.h"

#include <assert.h>
#include <stdio.h>
#include <sys/mman.h>

static struct cover *cover;

void cover_init(void)
{
	cover = mmap(NULL, sizeof(*cover), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert(cover != MAP_FAILED);
}

void cover_verdict(const struct world *w, const struct path *p, enum verdict v)
{
	if (!cover)
		return;
	cover->verdict[v][p->state]++;
	cover->phase[v][w->phase]++;
}

void cover_move(enum path_state from, enum path_state to)
{
	if (cover)
		cover->move[from][to]++;
}

void cover_fault(enum sim_fault f)
{
	if (cover)
		cover->fault[f]++;
}

/* --- tables ------------------------------------------------------------------- */

static void print_states(const char *title)
{
	printf("\n%-14s", title);
	for (int s = 0; s < PATH_STATE_NR; s++)
		printf(" %10.10s", path_state_name((enum path_state)s));
	printf("\n");
}

/* Returns how many of @n cells are empty. */
static unsigned print_row(const char *name, const uint32_t *cell, int n)
{
	unsigned empty = 0;

	printf("%-14s", name);
	for (int i = 0; i < n; i++) {
		if (cell[i])
			printf(" %10u", cell[i]);
		else
			printf(" %10s", "-");
		empty += !cell[i];
	}
	printf("\n");
	return empty;
}

static void print_phases(void)
{
	static const char *const phases[WP_NR] = { "load", "heal", "readback", "stop" };
	unsigned empty = 0;

	printf("\n%-14s", "verdict, phase");
	for (int i = 0; i < WP_NR; i++)
		printf(" %10s", phases[i]);
	printf("\n");
	for (int v = 0; v < V_NR; v++)
		empty += print_row(verdict_name((enum verdict)v), cover->phase[v], WP_NR);
	printf("%u of %u pairs never met\n", empty, V_NR * WP_NR);
}

void cover_print(void)
{
	unsigned verdicts = 0, moves = 0;

	print_states("verdict, state");
	for (int v = 0; v < V_NR; v++)
		verdicts += print_row(verdict_name((enum verdict)v), cover->verdict[v], PATH_STATE_NR);
	printf("%u of %u pairs never met\n", verdicts, V_NR * PATH_STATE_NR);
	print_phases();
	print_states("from, to");
	for (int s = 0; s < PATH_STATE_NR; s++)
		moves += print_row(path_state_name((enum path_state)s), cover->move[s], PATH_STATE_NR);
	printf("%u of %u moves never seen from one step to the next\n\nfaults:", moves,
	       PATH_STATE_NR * (PATH_STATE_NR - 1));
	for (int f = 0; f < SF_NR; f++)
		printf(" %s %u%s", sim_fault_name((enum sim_fault)f), cover->fault[f], f + 1 < SF_NR ? "," : "\n");
}
