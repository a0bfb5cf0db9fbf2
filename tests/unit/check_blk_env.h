/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_blk_env.h - what the tests of the block driver share: a core that only
 * counts what it is told, backing files, loop devices, and one call per
 * command.
 */
#ifndef TESTS_UNIT_CHECK_BLK_ENV_H
#define TESTS_UNIT_CHECK_BLK_ENV_H

#include "core/path.h"
#include "core/req.h"
#include "path/blk.h"
#include "unit.h"

#include <stdbool.h>
#include <stdint.h>

#define BLK	512u
#define NBLOCKS 4096u /* 2 MiB */

struct env {
	struct loop *loop;
	struct blk_engine *engine;
	struct path *path;
	struct path_info info;
	char file[128]; /* the backing file */
	char dev[128];	/* the path: the file or a loop device */
	uint32_t check_read_bytes; /* for env_path() and env_open() */
};

/* What the driver told its core since the start of the test. */
struct told {
	unsigned completed, rooms, checked, lost, closed;
	enum check_result result;
	bool has_info;
	struct path_info info;
	char why[300];
};
extern struct told told;

/* Run the loop until *@counter is @target; fails the test after some seconds. */
void env_wait(struct env *v, const unsigned *counter, unsigned target);

/* A sparse file of @nblocks blocks in @dir, named into @file. */
void make_file(const char *dir, char *file, size_t size, uint64_t nblocks);
/* Attach the file; -1 if that is not possible here. @dev: "/dev/loopN". */
int loop_attach(const char *file, uint64_t offset, char *dev, size_t size);
/* Attach to a certain device. 0 or -errno. */
int loop_attach_to(const char *dev, const char *file);
int loop_detach(const char *dev);
bool loop_is_attached(const char *dev);
/* Exit status for "cannot run here": 77, and under CI a failure. Prints @why. */
int skip_all(const char *why);
bool have_loops(void);

void env_engine(struct env *v, enum blk_engine_kind kind, unsigned depth);
/* Open v->dev as a path of "file:" v->file, check it, keep its info. */
void env_path(struct env *v, enum blk_direct direct, uint32_t block_bytes);
/* The same without a check. */
struct path *env_open(struct env *v, const char *dev, enum blk_direct direct, uint32_t block_bytes);
enum check_result env_check(struct env *v, struct path *p, bool full);
void env_close(struct env *v, struct path *p);
/* Close path, engine and loop, remove the file. */
void env_end(struct env *v);

/* --- commands ------------------------------------------------------------------ */

struct cmd *cmd_new(enum cmd_op op, uint64_t lba, uint32_t nblocks, unsigned flags);
/* One segment. */
void cmd_data(struct cmd *c, void *data, size_t bytes);
/* Submit, wait, give back the outcome; @c is freed. */
struct outcome env_run(struct env *v, struct cmd *c);
struct outcome env_rw(struct env *v, enum cmd_op op, uint64_t lba, void *data, uint32_t nblocks,
		      unsigned flags);
struct outcome env_op(struct env *v, enum cmd_op op, uint64_t lba, uint32_t nblocks,
		      unsigned flags);
/* Aligned memory, zeroed; freed by free(). */
void *mem(size_t bytes);
/* Fill with a pattern of @seed and position. */
void pattern(void *data, size_t bytes, unsigned seed);
bool all_zero(const void *data, size_t bytes);

/* check_blk_ops.c: everything that holds for any backing. */
void ops_all(struct env *v);

#endif
