/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * judge.c - the one place where a SCSI completion becomes a verdict.
 *
 * Three tables, read in this order: host status, SAM status, sense.  The first
 * that is not "fine" decides the verdict; what a valid sense says *besides* its
 * verdict (a reset, changed states) is kept in every case, because a unit
 * attention is told to one command only.  Device and kernel are not trusted:
 * any value of any field gives some outcome.
 *
 * It knows nothing of paths, groups and retries: it says what one completion
 * means and leaves counting to the core.
 */
#include "scsi/judge.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/fault.h"
#include "base/units.h"
#include "base/verdict.h"
#include "scsi/sense.h"

/* Kernel include/scsi/scsi_status.h, enum scsi_host_status. */
#define HOST_OK		   0x00
#define HOST_ABORT	   0x05
#define HOST_ERROR	   0x07
#define HOST_NEXUS_FAILURE 0x11

/* SAM-6 "Status codes". */
#define SAM_GOOD		 0x00
#define SAM_CHECK_CONDITION	 0x02
#define SAM_RESERVATION_CONFLICT 0x18
#define SAM_TASK_SET_FULL	 0x28

/* For the tables: the flags as the words of a row. */
#define G	VF_GHOST
#define I	VF_IDENTITY
#define A	VF_ALUA
#define M	VF_MODE
#define C	VF_CACHE
#define P	VF_RESERV
#define NOT_RUN VF_NOT_RUN

/* What a sense says about the LU or the nexus, besides the fate of its command. */
#define NEWS (VF_IDENTITY | VF_ALUA | VF_MODE | VF_CACHE | VF_RESERV | VF_DEFERRED)

/* Bits of the classes that a row is for. */
#define CLASS(c)	 (1u << (c))
#define FLUSH_NOT_NEEDED CLASS(SCSI_CLASS_NR) /* a flush while no write cache is on */
#define WRITES		 (CLASS(SCSI_WRITE) | CLASS(SCSI_UNMAP) | CLASS(SCSI_WRITE_SAME))
#define HINTS		 (CLASS(SCSI_UNMAP) | CLASS(SCSI_WRITE_SAME))
#define ALL		 (~0u)

struct act {
	enum verdict verdict;
	unsigned flags;
	int err; /* of V_ERR, and of last resort; 0 stands for EIO */
};

struct status_row {
	int code; /* -1: any other, the last row */
	unsigned classes;
	struct act act;
};

/* clang-format off */
static const struct status_row host_rows[] = {
	{ 0x01, ALL, { V_FAIL, G } },			/* NO_CONNECT */
	{ 0x02, ALL, { V_OTHER, G } },			/* BUS_BUSY */
	{ 0x03, ALL, { V_FAIL, G } },			/* TIME_OUT */
	{ 0x04, ALL, { V_FAIL, G | I } },		/* BAD_TARGET */
	{ 0x05, ALL, { V_OTHER, G } },			/* ABORT */
	{ 0x06, ALL, { V_OTHER, G } },			/* PARITY */
	{ 0x07, ALL, { V_OTHER, G | VF_STREAK } },	/* ERROR */
	{ 0x08, ALL, { V_OTHER, G | A } },		/* RESET */
	{ 0x09, ALL, { V_OTHER, G } },			/* BAD_INTR */
	{ 0x0a, ALL, { V_OTHER, G } },			/* PASSTHROUGH */
	{ 0x0b, ALL, { V_SAME, G } },			/* SOFT_ERROR */
	{ 0x0c, ALL, { V_SAME, G } },			/* IMM_RETRY */
	{ 0x0d, ALL, { V_SAME, G } },			/* REQUEUE */
	{ 0x0e, ALL, { V_FAIL, G } },			/* TRANSPORT_DISRUPTED */
	{ 0x0f, ALL, { V_FAIL, G } },			/* TRANSPORT_FAILFAST */
	/* Kernels before 6.0 show what they made of status and sense. */
	{ 0x10, ALL, { V_ERR, 0, EIO } },		/* TARGET_FAILURE */
	{ 0x12, ALL, { V_ERR, NOT_RUN, ENOSPC } },	/* ALLOC_FAILURE */
	{ 0x13, ALL, { V_ERR, 0, EIO } },		/* MEDIUM_ERROR */
	{ -1, ALL, { V_FAIL, G | VF_MARGINAL } },	/* 14 TRANSPORT_MARGINAL, and new ones */
};

static const struct status_row sam_rows[] = {
	{ 0x04, ALL, { V_OK } },			/* CONDITION MET */
	{ 0x08, ALL, { V_SLOW, NOT_RUN | VF_LATER } },	/* BUSY */
	{ 0x10, ALL, { V_OK } },			/* INTERMEDIATE */
	{ 0x14, ALL, { V_OK } },			/* INTERMEDIATE-CONDITION MET */
	{ 0x18, CLASS(SCSI_TUR), { V_OK, P } },		/* RESERVATION CONFLICT: the path is up */
	{ 0x18, ALL, { V_ERR, NOT_RUN | P, EIO } },
	{ 0x28, ALL, { V_SLOW, NOT_RUN } },		/* TASK SET FULL */
	{ 0x30, ALL, { V_LATER, NOT_RUN | VF_STREAK } }, /* ACA ACTIVE */
	{ 0x40, ALL, { V_OTHER } },			/* TASK ABORTED: the target says it is over */
	{ -1, ALL, { V_OTHER, G } },			/* 22 COMMAND TERMINATED, and unknown ones */
};

struct sense_row {
	int key, asc; /* -1: any */
	int ascq_first, ascq_last;
	unsigned classes;
	struct act act;
};

#define ASC(asc) (asc), 0x00, 0xff
#define ASC_ASCQ(asc, ascq) (asc), (ascq), (ascq)
#define ASC_RANGE(asc, first, last) (asc), (first), (last)
#define ANY -1, 0x00, 0xff

/*
 * SPC-6 "Sense key and additional sense code definitions".  The first row that
 * fits is taken, so the narrow ones stand above the wide ones of their key.
 */
static const struct sense_row sense_rows[] = {
	{ 0x0, ANY, ALL, { V_SAME } },				/* a check condition without reason */

	{ 0x1, ANY, ALL, { V_OK_INFO } },			/* recovered; 0B, 5D: health warnings */

	{ 0x2, ASC_ASCQ(0x04, 0x01), ALL, { V_LATER, NOT_RUN } },	/* becoming ready */
	{ 0x2, ASC_RANGE(0x04, 0x02, 0x03), ALL, { V_FAIL, NOT_RUN } },	/* START UNIT, operator */
	{ 0x2, ASC_RANGE(0x04, 0x04, 0x09), ALL, { V_LATER, NOT_RUN } }, /* format, rebuild, self-test */
	{ 0x2, ASC_ASCQ(0x04, 0x0a), ALL, { V_GROUP, NOT_RUN | A | VF_LATER } }, /* ALUA transition */
	{ 0x2, ASC_RANGE(0x04, 0x0b, 0x0c), ALL, { V_GROUP, NOT_RUN | A } }, /* standby, unavailable */
	{ 0x2, ASC_ASCQ(0x04, 0x11), ALL, { V_LATER, NOT_RUN } },	/* notify (enable spinup) */
	{ 0x2, ASC_ASCQ(0x04, 0x12), ALL, { V_FAIL, NOT_RUN } },	/* offline */
	{ 0x2, ASC_ASCQ(0x04, 0x14), ALL, { V_LATER, NOT_RUN } },	/* space allocation */
	{ 0x2, ASC_RANGE(0x04, 0x1a, 0x1b), ALL, { V_LATER, NOT_RUN } }, /* start stop unit, sanitize */
	{ 0x2, ASC_ASCQ(0x04, 0x1d), ALL, { V_LATER, NOT_RUN } },	/* configuration */
	{ 0x2, ASC_ASCQ(0x04, 0x22), ALL, { V_FAIL, NOT_RUN } },	/* power cycle required */
	{ 0x2, ASC_RANGE(0x04, 0x24, 0x25), ALL, { V_LATER, NOT_RUN } }, /* depopulation */
	{ 0x2, ASC(0x3a), ALL, { V_OTHER, NOT_RUN | I | VF_ALL_ERR } },	/* no medium */
	{ 0x2, ASC(0x3e), ALL, { V_OTHER, NOT_RUN | I | VF_ALL_ERR } },	/* LU not configured, failed */
	{ 0x2, ANY, ALL, { V_OTHER, NOT_RUN } },

	{ 0x3, ASC(0x11), ALL, { V_ERR, 0, EIO } },		/* unrecovered read error */
	{ 0x3, ASC(0x13), ALL, { V_ERR, 0, EIO } },		/* address mark not found */
	{ 0x3, ASC(0x14), ALL, { V_ERR, 0, EIO } },		/* recorded entity not found */
	{ 0x3, ANY, ALL, { V_SAME, VF_RETRY_ONCE, EIO } },	/* write fault, format corrupted */

	{ 0x4, ASC(0x08), ALL, { V_OTHER, VF_RETRY_GROUP, EIO } },	/* LU communication */
	{ 0x4, ASC(0x09), ALL, { V_OTHER, VF_RETRY_GROUP, EIO } },	/* servo */
	{ 0x4, ASC_ASCQ(0x3e, 0x01), ALL, { V_OTHER, VF_RETRY_GROUP, EIO } }, /* LU failure */
	{ 0x4, ASC(0x44), ALL, { V_OTHER, VF_RETRY_GROUP, EIO } },	/* internal target failure */
	{ 0x4, ANY, ALL, { V_ERR, 0, EIO } },

	{ 0x5, ASC_ASCQ(0x20, 0x00), FLUSH_NOT_NEEDED, { V_OK, VF_UNSUPPORTED } },
	{ 0x5, ASC_ASCQ(0x20, 0x00), ALL, { V_ERR, NOT_RUN | VF_UNSUPPORTED, EOPNOTSUPP } },
	{ 0x5, ASC_ASCQ(0x24, 0x00), HINTS, { V_ERR, NOT_RUN | VF_UNSUPPORTED, EOPNOTSUPP } },
	{ 0x5, ASC_ASCQ(0x24, 0x00), ALL, { V_ERR, NOT_RUN | VF_UNSUPPORTED, EINVAL } },
	{ 0x5, ASC(0x26), HINTS, { V_ERR, NOT_RUN | VF_UNSUPPORTED, EOPNOTSUPP } },
	{ 0x5, ASC(0x26), ALL, { V_ERR, NOT_RUN | VF_UNSUPPORTED, EINVAL } },
	{ 0x5, ASC_ASCQ(0x21, 0x00), WRITES, { V_ERR, NOT_RUN | I, ENOSPC } },	/* LBA out of range */
	{ 0x5, ASC_ASCQ(0x21, 0x00), ALL, { V_ERR, NOT_RUN | I, EINVAL } },
	{ 0x5, ASC_ASCQ(0x25, 0x00), ALL, { V_FAIL, NOT_RUN | I } },	/* LU not supported: unmapped */
	{ 0x5, ASC_ASCQ(0x94, 0x01), ALL, { V_GROUP, NOT_RUN | A } },	/* RDAC: not the owner */
	{ 0x5, ANY, ALL, { V_ERR, NOT_RUN, EIO } },

	{ 0x6, ASC_ASCQ(0x04, 0x0a), ALL, { V_GROUP, NOT_RUN | A | VF_LATER } }, /* as key 2 */
	{ 0x6, ASC(0x0b), ALL, { V_SAME, NOT_RUN } },			/* warnings */
	{ 0x6, ASC_ASCQ(0x28, 0x00), ALL, { V_SAME, NOT_RUN | I } },	/* medium changed */
	{ 0x6, ASC_RANGE(0x29, 0x00, 0x01), ALL, { V_SAME, NOT_RUN | C | I | M | A } }, /* power on */
	{ 0x6, ASC_RANGE(0x29, 0x02, 0x03), ALL, { V_SAME, NOT_RUN | I | A } },	/* bus, device reset */
	{ 0x6, ASC_ASCQ(0x29, 0x04), ALL, { V_SAME, NOT_RUN | C | I | M | A } }, /* internal reset */
	{ 0x6, ASC_RANGE(0x29, 0x05, 0x07), ALL, { V_SAME, NOT_RUN | I | A } },	/* nexus loss */
	{ 0x6, ASC_RANGE(0x2a, 0x00, 0x01), ALL, { V_SAME, NOT_RUN | M } },	/* (mode) parameters */
	{ 0x6, ASC_RANGE(0x2a, 0x03, 0x05), ALL, { V_SAME, NOT_RUN | P } },	/* reservations */
	{ 0x6, ASC_RANGE(0x2a, 0x06, 0x08), ALL, { V_SAME, NOT_RUN | A } },	/* ALUA state, priority */
	{ 0x6, ASC_ASCQ(0x2a, 0x09), ALL, { V_SAME, NOT_RUN | I } },	/* capacity changed */
	{ 0x6, ASC(0x2f), ALL, { V_SAME, NOT_RUN } },		/* commands cleared by another initiator */
	{ 0x6, ASC_ASCQ(0x38, 0x07), ALL, { V_SAME, NOT_RUN } },	/* soft threshold reached */
	{ 0x6, ASC_RANGE(0x3f, 0x01, 0x03), ALL, { V_SAME, NOT_RUN | I } }, /* microcode .. inquiry */
	{ 0x6, ASC_ASCQ(0x3f, 0x05), ALL, { V_SAME, NOT_RUN | I } },	/* device identifier */
	{ 0x6, ASC_ASCQ(0x3f, 0x0e), ALL, { V_SAME, NOT_RUN | I } },	/* reported LUNs */
	{ 0x6, ASC(0x5d), ALL, { V_SAME, NOT_RUN } },			/* failure prediction */
	{ 0x6, ANY, ALL, { V_SAME, NOT_RUN | I } },

	{ 0x7, ASC_ASCQ(0x27, 0x07), ALL, { V_ERR, NOT_RUN, ENOSPC } },	/* thin pool full */
	{ 0x7, ANY, ALL, { V_ERR, NOT_RUN, EPERM } },

	{ 0x8, ANY, ALL, { V_ERR, G, EIO } },
	{ 0x9, ANY, ALL, { V_ERR, G, EIO } },
	{ 0xa, ANY, ALL, { V_ERR, G, EIO } },
	{ 0xd, ANY, ALL, { V_ERR, G, EIO } },

	{ 0xb, ASC(0x0e), ALL, { V_OTHER } },		/* information unit damaged */
	{ 0xb, ASC(0x10), ALL, { V_ERR, 0, EIO } },	/* protection information */
	{ 0xb, ASC(0x2e), ALL, { V_OTHER } },		/* timed out at the target */
	{ 0xb, ASC(0x44), ALL, { V_OTHER } },		/* internal target failure */
	{ 0xb, ASC(0x47), ALL, { V_OTHER } },		/* CRC or parity */
	{ 0xb, ASC(0x48), ALL, { V_OTHER } },		/* initiator detected error */
	{ 0xb, ASC(0x4a), ALL, { V_OTHER } },		/* command phase */
	{ 0xb, ASC(0x4b), ALL, { V_OTHER } },		/* data phase */
	{ 0xb, ASC_ASCQ(0x4e, 0x00), ALL, { V_OTHER } }, /* overlapped commands */
	{ 0xb, ANY, ALL, { V_SAME } },

	{ 0xe, ANY, ALL, { V_ERR, 0, EIO } },		/* miscompare */

	{ -1, ANY, ALL, { V_OTHER } },			/* C, F: nothing to go by */
};
/* clang-format on */

#undef G
#undef I
#undef A
#undef M
#undef C
#undef P

/* As TASK SET FULL, but who aborts what did not run? */
static const struct act act_full_aborted = {V_SLOW, VF_GHOST, 0};
static const struct act act_ok = {V_OK, 0, 0};
static const struct act act_ok_info = {V_OK_INFO, 0, 0};
/* A CHECK CONDITION that lost its sense: over, but nobody knows how. */
static const struct act act_no_sense = {V_OTHER, 0, 0};
/* SPC-6 "Deferred errors": the command at hand was not started, an earlier one,
 * already acknowledged, has failed. */
static const struct act act_deferred = {V_SAME, VF_DEFERRED | VF_CACHE | VF_NOT_RUN, 0};
/* More left over than there was: what else of this header is wrong? */
static const struct act act_bad_resid = {V_FAIL, VF_GHOST, 0};

static unsigned class_bits(const struct scsi_result *r)
{
	if (r->class == SCSI_FLUSH && !r->write_cache)
		return CLASS(SCSI_FLUSH) | FLUSH_NOT_NEEDED;
	return CLASS(r->class);
}

static const struct act *status_act(const struct status_row *rows, unsigned code,
				    unsigned classes)
{
	while (rows->code >= 0 &&
	       !((unsigned)rows->code == code && rows->classes & classes))
		rows++;
	return &rows->act;
}

static const struct act *sense_act(const struct sense *s, unsigned classes)
{
	const struct sense_row *row = sense_rows;

	for (; row->key >= 0; row++) {
		if (row->key == s->key && (row->asc < 0 || row->asc == s->asc) &&
		    row->ascq_first <= s->ascq && s->ascq <= row->ascq_last &&
		    row->classes & classes)
			break;
	}
	return &row->act;
}

/* The act that decides.  @s is NULL without valid sense, @said what it says by itself.
 */
static const struct act *decide(const struct scsi_result *r, const struct sense *s,
				const struct act *said)
{
	unsigned status = r->status & 0xfe;
	unsigned classes = class_bits(r);

	if (r->host_status == HOST_NEXUS_FAILURE ||
	    (r->host_status == HOST_ERROR && status == SAM_RESERVATION_CONFLICT))
		return status_act(sam_rows, SAM_RESERVATION_CONFLICT, classes);
	/* The target's own word, passed on with an abort so that the midlayer does not try
	 * again by itself (scsi_debug, device_qfull_result). */
	if (r->host_status == HOST_ABORT && status == SAM_TASK_SET_FULL)
		return &act_full_aborted;
	if (r->host_status != HOST_OK)
		return status_act(host_rows, r->host_status, classes);
	if (status == SAM_CHECK_CONDITION)
		return s ? said : &act_no_sense;
	if (status != SAM_GOOD)
		return status_act(sam_rows, status, classes);
	if (!s || (s->key == KEY_NO_SENSE && !s->deferred))
		return &act_ok;
	if (s->key == KEY_COMPLETED && !s->deferred)
		return &act_ok_info;
	/* GOOD, but a sense that speaks of an error: believe the error. */
	return said;
}

/* How much of a command that ended well was done, from its residual count. */
static void count_done(const struct scsi_result *r, struct outcome *o)
{
	o->done_blocks = r->nblocks;
	if (r->resid == 0 || fault_strikes(PLANT_SG_RESID) || r->class == SCSI_OTHER || r->class == SCSI_TUR)
		return;
	o->done_blocks = 0;
	if (r->class == SCSI_READ || r->class == SCSI_WRITE)
		o->done_blocks = (r->dxfer_len - (uint32_t)r->resid) / r->block_bytes;
	if (o->done_blocks == 0) {
		o->verdict = V_SAME;
		o->err = EIO;
	}
}

static void note_bad_lba(const struct scsi_result *r, const struct sense *s,
			 struct outcome *o)
{
	if (s->deferred || !s->has_info)
		return;
	if (s->info_lba < r->lba || s->info_lba - r->lba >= r->nblocks)
		return;
	o->has_bad_lba = true;
	o->bad_lba = s->info_lba;
}

static bool verdict_is_ok(enum verdict v)
{
	return v == V_OK || v == V_OK_INFO;
}

void scsi_judge(const struct scsi_result *r, struct outcome *o)
{
	const struct act *act, *said = &act_no_sense;
	struct sense sense;
	bool has_sense;

	assert(r->class < SCSI_CLASS_NR);
	assert((r->class != SCSI_READ && r->class != SCSI_WRITE) ||
	       (uint64_t)r->nblocks * r->block_bytes == r->dxfer_len);
	memset(o, 0, sizeof(*o));
	o->scsi_status = r->status & 0xfe;
	o->host_status = (uint8_t)MIN(r->host_status, UINT8_MAX);
	o->driver_status = (uint8_t)MIN(r->driver_status, UINT8_MAX);
	has_sense = sense_parse(r->sense, r->sense_len, &sense);
	if (has_sense) {
		o->sense_key = sense.key;
		o->asc = sense.asc;
		o->ascq = sense.ascq;
		said = sense.deferred && !fault_strikes(PLANT_SG_DEFERRED) ? &act_deferred
				      : sense_act(&sense, class_bits(r));
		o->flags = said->flags & NEWS;
	}
	act = decide(r, has_sense ? &sense : NULL, said);
	if (r->resid < 0 || (uint32_t)r->resid > r->dxfer_len)
		act = &act_bad_resid;
	o->verdict = act->verdict;
	o->flags |= act->flags;
	if (!verdict_is_ok(o->verdict))
		o->err = act->err ? act->err : EIO;
	else
		count_done(r, o);
	if (has_sense && !verdict_is_ok(o->verdict))
		note_bad_lba(r, &sense, o);
}

/* Kernel drivers/scsi/sg.c: sg_write, sg_new_write, sg_common_write, sg_start_req. */
void scsi_judge_write_errno(int err, struct outcome *o)
{
	assert(err > 0);
	memset(o, 0, sizeof(*o));
	o->sys_errno = err;
	o->err = EIO;
	o->flags = VF_NOT_RUN;
	switch (err) {
	case EDOM:
	case ENOMEM:
	case EAGAIN:
	case EINTR:
	case EBUSY:
		o->verdict = V_LATER;
		break;
	case EPERM: /* other credentials than those that opened the file: it stays so */
		o->verdict = V_FAIL;
		break;
	case ENODEV:
	case ENXIO:
		o->verdict = V_FAIL;
		o->flags |= VF_IDENTITY;
		break;
	default: /* EINVAL, EMSGSIZE, ...: too much for this host, or our own mistake */
		o->verdict = V_OTHER;
		o->flags |= VF_ALL_ERR;
		break;
	}
}

/* sg_read, sg_new_read: a result that cannot be fetched leaves the end unknown. */
void scsi_judge_read_errno(int err, struct outcome *o)
{
	assert(err > 0 && err != EAGAIN && err != EINTR);
	memset(o, 0, sizeof(*o));
	o->sys_errno = err;
	o->err = EIO;
	o->verdict = V_FAIL;
	o->flags = VF_GHOST;
	if (err == ENODEV || err == ENXIO)
		o->flags |= VF_IDENTITY;
}
