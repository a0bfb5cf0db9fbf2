/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check_sg_env.h - one path of the sg driver over fake_sg, and what its tests do with
 * it. */
#ifndef TESTS_UNIT_CHECK_SG_ENV_H
#define TESTS_UNIT_CHECK_SG_ENV_H

#include "fake_sg.h"
#include "unit.h"

extern struct loop *loop;
extern struct path *path, *path2; /* closed by teardown() */
extern struct sg_path *sg;	  /* the one in use */
extern struct sg_identity identity;
extern struct sg_conf conf; /* before open_as(), check() or open_good() */
extern char errbuf[512];
extern char last_error[512]; /* of the log */
extern struct cmd cmds[512];
extern uint8_t buffer[1 << 20];

void setup(void);
void teardown(void);

struct path *open_as(const char *name);
/* The fake wakes this path's files from now on. */
void use(struct path *p);
/* Check `path`, which is opened first if that has not been done; the log is of that
 * check. */
void check(bool full);
void assert_result(enum check_result want, const char *why);
/* "00 12 12/83 .." of what was asked, in the check's file and with its timeout. */
const char *asked(void);
/* Opened, checked, and the log empty. */
void open_good(void);

/* cmds[@i], with a buffer of its own for READ and WRITE. */
struct cmd *make(unsigned i, enum cmd_op op, uint64_t lba, uint32_t nblocks);
/* One command from start to end. */
struct outcome *run_one(struct cmd *c);

/* Each check of the row, with and without REPORT TARGET PORT GROUPS. */
#define FULL_ROW      "00 12 12/00 12/83 12/80 12/b0 12/b1 12/b2 9e 1a 00"
#define FULL_ROW_ALUA "00 12 12/00 12/83 12/80 12/b0 12/b1 12/b2 9e 1a a3 00"

#endif
