/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * oracle.h - O1 and O2: what a read may return, and what must survive a power
 * loss, cell by cell.
 *
 * A cell is 64 bytes and says which write made it.  A write v of a cell has
 * inv(v), when it was submitted, and eff(v), by when it has taken effect if it
 * has at all: its answer, or the end of a read that returned it.  (An error
 * answer says nothing of whether it has.)  A read begun at t0 must not return v
 * if some w is known to have taken effect before t0 with inv(w) > eff(v), nor
 * if a read that ended before t0 has seen that v was overwritten.  The same
 * rule says what a flush must have made durable, with the medium as the read.
 *
 * A cell of zeroes may come from any write of zeroes; discards are such writes
 * of which nobody knows whether they took effect.
 */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CELL_BYTES 64u
#define TICK_NEVER UINT32_MAX

struct world;
struct op;

enum wr_kind { WR_DATA, WR_ZERO };
enum wr_status {
	WR_OPEN,     /* no answer yet */
	WR_OK,	     /* answered: it has taken effect */
	WR_UNKNOWN,  /* answered with an error: all, some or nothing of it has, and nothing will later */
	WR_HAUNTED,  /* likewise, but it may take effect later */
	WR_CANCELED, /* it never was sent */
};

struct wr {
	enum wr_kind kind;
	enum wr_status status;
	uint32_t inv, end;
	uint32_t c0, c1; /* cells [c0, c1) */
	unsigned client;
	bool again;    /* it may take effect more than once before its answer */
	uint32_t told; /* bit a client: a flush of it has failed since this may have been lost */
};

/* A write as one cell sees it. */
struct seen {
	uint32_t wid;
	uint32_t first_obs; /* end of the first read that returned it */
	uint32_t dead;	    /* reads begun from here on must not return it */
	uint32_t obsolete;  /* noticed then: no later read may return it */
	uint32_t next;	    /* index, 0: none */
};

struct cell {
	uint32_t head;	      /* list of seen, youngest first */
	uint32_t max_inv;     /* of the writes that are known to have taken effect */
	uint32_t durable_inv; /* of the writes that must survive a power loss */
	uint32_t zero_end;    /* last answer to a write of zeroes */
	uint32_t zero_open;   /* writes of zeroes without an answer */
	uint32_t reverted;    /* it fell back to what was stable then: writes begun before may be lost */
};

struct oracle {
	struct world *w;
	uint32_t tick;
	uint32_t ncells;
	struct cell *cells;
	struct wr *wrs; /* by id; 0 is the zeroes of the start */
	uint32_t nwrs, wrs_cap;
	struct seen *seen; /* [0] is not used */
	uint32_t nseen, seen_cap, seen_free;
	uint32_t *volatiles; /* ids of answered writes that no flush has covered */
	uint32_t nvolatiles, volatiles_cap;
	uint32_t lost;	/* some cache was lost then */
	uint32_t doubt; /* likewise, for all that core can know */
	uint32_t late;	/* a write was acknowledged that had begun before */
};

void oracle_init(struct oracle *o, struct world *w, uint32_t ncells);
void oracle_fini(struct oracle *o);

/* A write of cells [c0, c1) is submitted now; returns its id. */
uint32_t oracle_write_begin(struct oracle *o, unsigned client, enum wr_kind kind, uint32_t c0, uint32_t c1,
			    uint32_t oldest_begin);
/* It is sent again, and may take effect again: its first answer may have been lost on the way. */
void oracle_write_again(struct oracle *o, uint32_t wid);
/* @durable: it was answered well and had to be stable before (FUA). @seen: somebody got the answer. */
void oracle_write_end(struct oracle *o, uint32_t wid, enum wr_status status, bool durable, bool seen);
/* A read is submitted now: ret[i] is what its end needs of cell c0 + i. */
void oracle_read_begin(struct oracle *o, uint32_t c0, uint32_t c1, uint32_t *ret);
/* It has returned @data for cell @c. */
void oracle_read_cell(struct oracle *o, uint32_t c, uint32_t begin, uint32_t max_inv, const uint8_t *data);
/* A flush of @client, submitted at @begin, was answered well; with an error, which
 * is the device's own if @failed: then nothing is promised of what was acknowledged before. */
void oracle_flushed(struct oracle *o, unsigned client, uint32_t begin);
void oracle_told(struct oracle *o, unsigned client, bool failed);
/* And of this write, to which there is no answer yet. */
void oracle_told_of(struct oracle *o, unsigned client, uint32_t wid, bool failed);
/* Nobody has to tell @client of what others have lost any more: it has left. */
void oracle_client_left(struct oracle *o, unsigned client);
/* Nobody knows what @client is to be told: no flush of its own promises anything of what is volatile now. */
void oracle_inherited(struct oracle *o, unsigned client);
/* Cell @c has fallen back to @data, which was stable. */
void oracle_reverted(struct oracle *o, uint32_t c, const uint8_t *data);
/* Are there acknowledged writes that no flush has covered, and nobody was told of? */
bool oracle_has_unflushed(const struct oracle *o);
/* Cell @c of the medium after a power loss, or after a clean stop. */
void oracle_check_survivor(struct oracle *o, uint32_t c, const uint8_t *data, const char *when);

/* The cell that write @wid leaves at @c. */
void cell_fill(uint64_t seed, uint32_t wid, uint32_t c, uint8_t *data);

#endif
