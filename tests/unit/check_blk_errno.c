// SPDX-License-Identifier: GPL-2.0-or-later
/* check_blk_errno.c - what each errno of a block path means, row by row; counts, flushes, loss. */
#include <config.h>

#include "path/blk_errno.h"
#include "base/units.h"
#include "unit.h"

#include <errno.h>

static const struct row {
	int err;
	enum verdict verdict;
	int client_err;
	bool ghost; /* of a write */
} rows[] = {
	{ ENODATA, V_ERR, EIO, false },
	{ EREMOTEIO, V_ERR, EIO, false },
	{ EILSEQ, V_ERR, EIO, false },
	{ EBADE, V_ERR, EIO, false },
	{ ENOSPC, V_ERR, ENOSPC, false },
	{ EDQUOT, V_ERR, ENOSPC, false },
	{ EFBIG, V_ERR, ENOSPC, false },
	{ EOPNOTSUPP, V_ERR, EOPNOTSUPP, false },
	{ EINVAL, V_ERR, EINVAL, false },
	{ EROFS, V_ERR, EPERM, false },
	{ EPERM, V_ERR, EPERM, false },
	{ ENOLINK, V_FAIL, EIO, true },
	{ ETIMEDOUT, V_FAIL, EIO, true },
	{ ENODEV, V_FAIL, EIO, true },
	{ ENXIO, V_FAIL, EIO, true },
	{ ENOMEDIUM, V_FAIL, EIO, true },
	{ EAGAIN, V_LATER, EIO, false },
	{ ENOMEM, V_LATER, EIO, false },
	{ EBUSY, V_LATER, EIO, false },
	{ EINTR, V_LATER, EIO, false },
	{ EIO, V_OTHER, EIO, true },
	{ EUCLEAN, V_OTHER, EIO, true }, /* not in the table: as EIO */
	{ 4000, V_OTHER, EIO, true },
};

START_TEST(table)
{
	const struct row *r = &rows[_i];
	struct blk_errno_ctx ctx = { .op = CMD_WRITE };
	struct outcome o = blk_outcome_errno(r->err, &ctx);

	ck_assert_int_eq(o.verdict, r->verdict);
	ck_assert_int_eq(o.err, r->client_err);
	ck_assert_int_eq(o.sys_errno, r->err);
	ck_assert_int_eq(!!(o.flags & VF_GHOST), r->ghost);
	ck_assert_uint_eq(o.done_blocks, 0);
	ck_assert(!o.has_bad_lba);
	ctx.op = CMD_READ;
	o = blk_outcome_errno(r->err, &ctx);
	ck_assert_int_eq(o.verdict, r->verdict);
	ck_assert_uint_eq(o.flags & VF_GHOST, 0);
	/* A loop device, a file: nothing lands after its end. */
	ctx.op = CMD_WRITE;
	ctx.cached = true;
	o = blk_outcome_errno(r->err, &ctx);
	ck_assert_uint_eq(o.flags & VF_GHOST, 0);
	ctx.cached = false;
	/* A device that has lost its end: whatever it says, it is the path. */
	ctx.op = CMD_WRITE;
	ctx.too_small = true;
	o = blk_outcome_errno(r->err, &ctx);
	ck_assert_int_eq(o.verdict, V_FAIL);
	ck_assert(o.flags & VF_IDENTITY);
	ck_assert_int_eq(o.err, EIO);
}
END_TEST

/* The kernel reports a lost page once: a flush over a page cache is not asked for again. */
START_TEST(flush)
{
	struct blk_errno_ctx ctx = { .op = CMD_FLUSH, .cached = true };
	struct outcome o = blk_outcome_errno(EIO, &ctx);

	ck_assert_int_eq(o.verdict, V_ERR);
	ck_assert(o.flags & VF_CACHE);
	ck_assert_int_eq(o.err, EIO);
	o = blk_outcome_errno(ENOSPC, &ctx);
	ck_assert_int_eq(o.verdict, V_ERR);
	ck_assert(o.flags & VF_CACHE);
	o = blk_outcome_errno(ENOMEM, &ctx);
	ck_assert_int_eq(o.verdict, V_LATER);
	ck_assert(!(o.flags & VF_CACHE));
	ctx.cached = false;
	o = blk_outcome_errno(EIO, &ctx);
	ck_assert_int_eq(o.verdict, V_OTHER);
	ck_assert(!(o.flags & (VF_CACHE | VF_GHOST)));
}
END_TEST

START_TEST(counts)
{
	static const struct {
		uint64_t got;
		enum verdict verdict;
		uint32_t done;
	} c[] = { { 8192, V_OK, 16 }, { 8191, V_OK, 15 }, { 512, V_OK, 1 },
		  { 511, V_OTHER, 0 }, { 0, V_OTHER, 0 } };
	struct blk_errno_ctx ctx = { .op = CMD_READ };

	for (unsigned i = 0; i < ARRAY_SIZE(c); i++) {
		struct outcome o = blk_outcome_count(c[i].got, 512, 16, &ctx);

		ck_assert_int_eq(o.verdict, c[i].verdict);
		ck_assert_uint_eq(o.done_blocks, c[i].done);
		ck_assert_int_eq(o.err, c[i].verdict == V_OK ? 0 : EIO);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("blk_errno");
	TCase *tc = tcase_create("errno");

	tcase_add_loop_test(tc, table, 0, ARRAY_SIZE(rows));
	tcase_add_test(tc, flush);
	tcase_add_test(tc, counts);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
