/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sg_steps.c - the steps of a check: what is asked, of whom, and what is made of
 * the answer.
 *
 * In the order in which each may be asked: no block of a LU is believed before
 * its identity is.  An optional page that is missing, refused or short tells
 * nothing, and that is no error.
 */
#include <config.h>

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "path/sg_steps.h"

/* Both low bytes are FCh: a SCSI-2 device looks at one byte of the length only. */
#define INQUIRY_BYTES 96
#define VPD_BYTES     0x0ffc
#define MODE_BYTES    252
#define MODE_ALL_BYTES \
	192 /* what every other system asks for: some devices know no more */

#define PAGE_CACHING 0x08
#define PAGE_RBC     0x06
#define PAGE_ALL     0x3f

#define SPC_3 5 /* "version" of standard INQUIRY data */

/* --- asking --- */

static void ask(struct sg_path *s, struct sg_slot *slot, unsigned cdb_len,
		uint32_t bytes)
{
	slot->class = bytes ? SCSI_OTHER : SCSI_TUR;
	sg_hdr_init(s, slot, cdb_len, s->check_timeout_ms);
	if (!bytes)
		return;
	assert(bytes <= SG_CHECK_BYTES);
	/* A driver that sets no resid must not show us the last answer again. */
	memset(s->check.buf, 0, bytes);
	slot->hdr.dxfer_direction = SG_DXFER_FROM_DEV;
	slot->hdr.dxferp = s->check.buf;
	slot->hdr.dxfer_len = bytes;
}

static void ask_tur(struct sg_path *s, struct sg_slot *slot)
{
	ask(s, slot, cdb_test_unit_ready(slot->cdb), 0);
}

static void ask_inquiry(struct sg_path *s, struct sg_slot *slot)
{
	ask(s, slot, cdb_inquiry(slot->cdb, INQUIRY_BYTES), INQUIRY_BYTES);
}

static void ask_vpd(struct sg_path *s, struct sg_slot *slot, uint8_t page)
{
	ask(s, slot, cdb_inquiry_vpd(slot->cdb, page, VPD_BYTES), VPD_BYTES);
}

static void ask_vpd00(struct sg_path *s, struct sg_slot *slot)
{
	ask_vpd(s, slot, VPD_SUPPORTED);
}

static void ask_vpd83(struct sg_path *s, struct sg_slot *slot)
{
	ask_vpd(s, slot, VPD_DEVICE_ID);
}

static void ask_vpd80(struct sg_path *s, struct sg_slot *slot)
{
	ask_vpd(s, slot, VPD_SERIAL);
}

static void ask_vpdb0(struct sg_path *s, struct sg_slot *slot)
{
	ask_vpd(s, slot, VPD_BLOCK_LIMITS);
}

static void ask_vpdb1(struct sg_path *s, struct sg_slot *slot)
{
	ask_vpd(s, slot, VPD_BLOCK_CHARACTERISTICS);
}

static void ask_vpdb2(struct sg_path *s, struct sg_slot *slot)
{
	ask_vpd(s, slot, VPD_PROVISIONING);
}

static void ask_cap16(struct sg_path *s, struct sg_slot *slot)
{
	ask(s, slot, cdb_read_capacity16(slot->cdb, READ_CAPACITY_16_BYTES),
	    READ_CAPACITY_16_BYTES);
}

static void ask_cap10(struct sg_path *s, struct sg_slot *slot)
{
	ask(s, slot, cdb_read_capacity10(slot->cdb), READ_CAPACITY_10_BYTES);
}

static uint8_t cache_page(const struct sg_path *s)
{
	return s->check.facts.inq.type == PDT_RBC ? PAGE_RBC : PAGE_CACHING;
}

static void ask_mode6(struct sg_path *s, struct sg_slot *slot)
{
	ask(s, slot, cdb_mode_sense6(slot->cdb, cache_page(s), true, MODE_BYTES),
	    MODE_BYTES);
}

static void ask_mode10(struct sg_path *s, struct sg_slot *slot)
{
	ask(s, slot, cdb_mode_sense10(slot->cdb, cache_page(s), true, MODE_BYTES),
	    MODE_BYTES);
}

static void ask_mode_all(struct sg_path *s, struct sg_slot *slot)
{
	ask(s, slot, cdb_mode_sense6(slot->cdb, PAGE_ALL, false, MODE_ALL_BYTES),
	    MODE_ALL_BYTES);
}

/* The extended header has the transition time; older targets know the plain one only.
 */
static void ask_rtpg_ext(struct sg_path *s, struct sg_slot *slot)
{
	ask(s, slot, cdb_report_tpg(slot->cdb, true, SG_CHECK_BYTES), SG_CHECK_BYTES);
}

static void ask_rtpg(struct sg_path *s, struct sg_slot *slot)
{
	ask(s, slot, cdb_report_tpg(slot->cdb, false, SG_CHECK_BYTES), SG_CHECK_BYTES);
}

/* What happens to the other groups is left to the target. */
static void ask_stpg(struct sg_path *s, struct sg_slot *slot)
{
	struct cdb_tpg group = {.group = s->check.facts.tpg, .state = ALUA_OPTIMIZED};
	size_t len = cdb_set_tpg_param(slot->aside->param, sizeof(slot->aside->param), &group, 1);

	slot->class = SCSI_OTHER;
	sg_hdr_init(s, slot, cdb_set_tpg(slot->cdb, (uint32_t)len),
		    s->check_timeout_ms);
	slot->hdr.dxfer_direction = SG_DXFER_TO_DEV;
	slot->hdr.dxferp = slot->aside->param;
	slot->hdr.dxfer_len = (uint32_t)len;
}

/* What a check reads is not looked at, so all paths may read into the same place. */
static uint8_t discarded[CHECK_READ_BYTES_MAX];

static void ask_read(struct sg_path *s, struct sg_slot *slot)
{
	const struct sg_facts *f = &s->check.facts;
	uint32_t bs = f->cap.block_bytes, n = (s->check_read_bytes + bs - 1) / bs;

	/* A device may have another idea of its largest block since it was opened. */
	n = (uint32_t)MIN(MIN(n, MAX(sg_max_blocks(s, f), 1u)), MAX(f->cap.nblocks, 1u));
	slot->class = SCSI_OTHER;
	sg_hdr_init(s, slot, cdb_read(slot->cdb, 0, n, 0), s->check_timeout_ms);
	slot->hdr.dxfer_direction = SG_DXFER_FROM_DEV;
	slot->hdr.dxferp = discarded;
	slot->hdr.dxfer_len = n * bs;
}

/* --- who is asked what --- */

static bool if_full(const struct sg_path *s)
{
	return s->check.full;
}

static bool if_page83(const struct sg_path *s)
{
	const struct sg_facts *f = &s->check.facts;

	return s->check.full && (!f->has_vpd || f->has_page83);
}

static bool if_page80(const struct sg_path *s)
{
	const struct sg_facts *f = &s->check.facts;

	return s->check.full && (!f->has_vpd || f->has_page80);
}

static bool if_pageb0(const struct sg_path *s)
{
	return s->check.full && s->check.facts.has_pageb0;
}

static bool if_pageb1(const struct sg_path *s)
{
	return s->check.full && s->check.facts.has_pageb1;
}

static bool if_pageb2(const struct sg_path *s)
{
	return s->check.full && s->check.facts.has_pageb2;
}

/* Older devices, and other types, may not even survive the question. */
static bool if_cap16(const struct sg_path *s)
{
	const struct inquiry *inq = &s->check.facts.inq;

	return s->check.full && inq->type == PDT_DISK && inq->version >= SPC_3;
}

static bool if_no_capacity(const struct sg_path *s)
{
	return s->check.full && !s->check.facts.has_cap;
}

static bool if_too_large(const struct sg_path *s)
{
	return if_no_capacity(s) && s->check.facts.needs_cap16;
}

static bool if_mode(const struct sg_path *s)
{
	const struct sg_facts *f = &s->check.facts;

	return s->check.full && f->inq.type != PDT_CDROM && !f->has_mode;
}

static bool if_alua(const struct sg_path *s)
{
	const struct sg_facts *f = &s->check.facts;

	return f->inq.tpgs != 0 && (f->port.has_group || f->port.has_rel_port);
}

static bool if_alua_ext(const struct sg_path *s)
{
	return if_alua(s) && !(s->refused & SG_NO_RTPG_EXT);
}

static bool if_alua_plain(const struct sg_path *s)
{
	return if_alua(s) && (s->refused & SG_NO_RTPG_EXT);
}

static bool if_activate(const struct sg_path *s)
{
	return s->check.activate && s->check.facts.inq.tpgs == TPGS_EXPLICIT &&
	       s->check.facts.has_tpg;
}

static bool is_serving(const struct sg_facts *f)
{
	return f->access == ACCESS_ACTIVE || f->access == ACCESS_NONOPTIMIZED;
}

/* A path in standby would turn it down. */
static bool if_read(const struct sg_path *s)
{
	const struct sg_facts *f = &s->check.facts;

	return s->check_read_bytes && f->has_cap && is_serving(f);
}

/* --- answers --- */

static enum sg_next got_tur(struct sg_path *s, const struct sg_reply *r)
{
	s->check.facts.tur_good = r->kind == REPLY_OK;
	return r->kind == REPLY_REFUSED ? sg_check_end_outcome(s, r->o) : STEP_NEXT;
}

static enum sg_next got_inquiry(struct sg_path *s, const struct sg_reply *r)
{
	struct inquiry *inq = &s->check.facts.inq;
	const char *refused;

	if (r->kind != REPLY_OK)
		return sg_check_end_outcome(s, r->o);
	if (!inquiry_parse(r->data, r->len, inq))
		return sg_check_end(s, CHECK_DOWN,
				    "INQUIRY: the answer has %zu bytes only", r->len);
	refused = sg_type_refused(inq);
	if (refused)
		return sg_check_end(
			s, CHECK_DOWN,
			"it is %s (device type %02xh), and only disks and CD-ROMs are "
			"served",
			refused, inq->type);
	return STEP_NEXT;
}

static enum sg_next got_vpd00(struct sg_path *s, const struct sg_reply *r)
{
	struct sg_facts *f = &s->check.facts;
	const uint8_t *body;
	size_t len;

	if (r->kind != REPLY_OK ||
	    !vpd_body(r->data, r->len, VPD_SUPPORTED, &body, &len))
		return STEP_NEXT;
	f->has_vpd = true;
	f->has_page80 = vpd_lists(r->data, r->len, VPD_SERIAL);
	f->has_page83 = vpd_lists(r->data, r->len, VPD_DEVICE_ID);
	f->has_pageb0 = vpd_lists(r->data, r->len, VPD_BLOCK_LIMITS);
	f->has_pageb1 = vpd_lists(r->data, r->len, VPD_BLOCK_CHARACTERISTICS);
	f->has_pageb2 = vpd_lists(r->data, r->len, VPD_PROVISIONING);
	return STEP_NEXT;
}

static enum sg_next got_vpd83(struct sg_path *s, const struct sg_reply *r)
{
	struct sg_facts *f = &s->check.facts;

	if (r->kind == REPLY_OK) {
		ident_from_vpd83(r->data, r->len, &f->ident);
		vpd_port_id(r->data, r->len, &f->port);
		f->has_tpg = f->port.has_group;
		f->tpg = f->port.group;
	}
	return STEP_NEXT;
}

static enum sg_next got_vpd80(struct sg_path *s, const struct sg_reply *r)
{
	struct sg_facts *f = &s->check.facts;

	if (r->kind == REPLY_OK && ident_add_serial(&f->ident, r->data, r->len) &&
	    s->allow_vpd80)
		ident_wwid_from_serial(&f->ident, &f->inq);
	return STEP_NEXT;
}

/* All that is needed is there, or will not come. */
static enum sg_next judge_identity(struct sg_path *s, const struct sg_reply *r)
{
	const struct ident *id = &s->check.facts.ident;

	if (!id->wwid[0])
		return sg_check_end(
			s, CHECK_IDENTITY, "it shows no identity in VPD page 83h%s",
			s->allow_vpd80 ? ", and no serial number in page 80h" : "");
	if (!wwid_matches(s->wwid, id))
		return sg_check_end(s, CHECK_IDENTITY,
				    "it is LUN %.60s, not the configured %.60s",
				    id->wwid, s->wwid);
	if (s->identity->known && !ident_equal(id, &s->identity->id))
		return sg_check_end(s, CHECK_IDENTITY,
				    "it shows WWID %.60s, but other designators or "
				    "another serial number than %s",
				    id->wwid, s->identity->from);
	return STEP_NEXT;
}

static enum sg_next got_vpdb0(struct sg_path *s, const struct sg_reply *r)
{
	if (r->kind == REPLY_OK)
		s->check.facts.has_limits =
			vpd_block_limits(r->data, r->len, &s->check.facts.limits);
	return STEP_NEXT;
}

static enum sg_next got_vpdb1(struct sg_path *s, const struct sg_reply *r)
{
	if (r->kind == REPLY_OK)
		s->check.facts.has_chars =
			vpd_block_chars(r->data, r->len, &s->check.facts.chars);
	return STEP_NEXT;
}

static enum sg_next got_vpdb2(struct sg_path *s, const struct sg_reply *r)
{
	if (r->kind == REPLY_OK)
		s->check.facts.has_lbp =
			vpd_provisioning(r->data, r->len, &s->check.facts.lbp);
	return STEP_NEXT;
}

static enum sg_next got_cap16(struct sg_path *s, const struct sg_reply *r)
{
	struct sg_facts *f = &s->check.facts;

	f->withheld |= r->kind == REPLY_NOT_SERVING;
	if (r->kind == REPLY_OK)
		f->has_cap = capacity_parse16(r->data, r->len, &f->cap);
	if (!f->has_cap && f->needs_cap16 && r->kind != REPLY_NOT_SERVING)
		return r->kind == REPLY_OK
			       ? sg_check_end(
					 s, CHECK_DOWN,
					 "READ CAPACITY(16): the answer is too short")
			       : sg_check_end_outcome(s, r->o);
	return STEP_NEXT;
}

static enum sg_next got_cap10(struct sg_path *s, const struct sg_reply *r)
{
	struct sg_facts *f = &s->check.facts;
	bool needs16 = false;

	f->withheld |= r->kind == REPLY_NOT_SERVING;
	if (r->kind == REPLY_NOT_SERVING)
		return STEP_NEXT;
	if (r->kind == REPLY_REFUSED)
		return sg_check_end_outcome(s, r->o);
	if (!capacity_parse10(r->data, r->len, &f->cap, &needs16))
		return sg_check_end(s, CHECK_DOWN,
				    "READ CAPACITY(10): the answer is too short or has "
				    "no block size");
	f->needs_cap16 = needs16;
	f->has_cap = !needs16;
	return STEP_NEXT;
}

static enum sg_next judge_capacity(struct sg_path *s, const struct sg_reply *r)
{
	const struct sg_facts *f = &s->check.facts;

	if (!f->has_cap) {
		if (s->identity->info.nblocks)
			return STEP_NEXT;
		return sg_check_end(s, CHECK_DOWN,
				    "its port group is %s and does not tell its size; "
				    "no other path "
				    "has told it yet",
				    access_state_name(f->access));
	}
	if (!capacity_is_served(&f->cap))
		return sg_check_end(s, CHECK_DOWN,
				    "%llu blocks of %u bytes are not served (block "
				    "size: a power of "
				    "two from %u to %u)",
				    (unsigned long long)f->cap.nblocks,
				    f->cap.block_bytes, BLOCK_BYTES_MIN,
				    BLOCK_BYTES_MAX);
	/* SBC-4 "Protection types": type 2 takes 32-byte CDBs only. */
	if (f->cap.prot_type == 2)
		return sg_check_end(
			s, CHECK_DOWN,
			"it is formatted with type 2 protection, which is not served");
	return STEP_NEXT;
}

/* RBC has a page of its own: byte 2 bit 0 is WCD, write cache disabled. */
static void rbc_cache(const uint8_t *buf, size_t len, bool ten, struct caching *c)
{
	size_t head = ten ? 8 : 4, at;

	if (len < head)
		return;
	at = head + (ten ? (size_t)buf[6] << 8 | buf[7] : buf[3]);
	if (at + 3 > len || (buf[at] & 0x3f) != PAGE_RBC)
		return;
	c->has_page = true;
	c->write_cache = !(buf[at + 2] & 0x01);
}

static enum sg_next got_mode(struct sg_path *s, const struct sg_reply *r, bool ten)
{
	struct sg_facts *f = &s->check.facts;

	f->withheld |= r->kind == REPLY_NOT_SERVING;
	if (r->kind != REPLY_OK || !caching_parse(r->data, r->len, ten, &f->caching))
		return STEP_NEXT;
	f->has_mode = true;
	if (f->inq.type == PDT_RBC)
		rbc_cache(r->data, r->len, ten, &f->caching);
	return STEP_NEXT;
}

static enum sg_next got_mode6(struct sg_path *s, const struct sg_reply *r)
{
	return got_mode(s, r, false);
}

static enum sg_next got_mode10(struct sg_path *s, const struct sg_reply *r)
{
	return got_mode(s, r, true);
}

static enum access_state access_of(unsigned alua_state)
{
	switch (alua_state) {
	case ALUA_OPTIMIZED:
		return ACCESS_ACTIVE;
	case ALUA_NON_OPTIMIZED:
	case ALUA_LBA_DEPENDENT:
		return ACCESS_NONOPTIMIZED;
	case ALUA_STANDBY:
		return ACCESS_STANDBY;
	case ALUA_TRANSITIONING:
		return ACCESS_TRANSITIONING;
	default:
		return ACCESS_UNAVAILABLE;
	}
}

static enum sg_next got_rtpg(struct sg_path *s, const struct sg_reply *r)
{
	struct sg_facts *f = &s->check.facts;
	const struct alua_group *g = NULL;
	struct alua_report report;

	if (r->kind != REPLY_OK || !alua_parse(r->data, r->len, &report))
		return STEP_NEXT;
	if (f->port.has_group)
		g = alua_find(&report, f->port.group);
	if (!g && f->port.has_rel_port)
		g = alua_find_port(&report, f->port.rel_port);
	if (!g)
		return STEP_NEXT;
	f->transition_sec = report.transition_sec;
	f->has_tpg = true;
	f->tpg = g->id;
	f->has_access = true;
	f->access = access_of(g->state);
	f->prio = alua_priority(g);
	return STEP_NEXT;
}

static enum sg_next got_rtpg_ext(struct sg_path *s, const struct sg_reply *r)
{
	if (r->kind == REPLY_REFUSED)
		s->refused |= SG_NO_RTPG_EXT; /* the next step asks the old way */
	return got_rtpg(s, r);
}

/* Whatever it says, the report that follows tells what has become of it. */
static enum sg_next got_stpg(struct sg_path *s, const struct sg_reply *r)
{
	char text[CAUSE_BYTES];

	s->check.activate = false;
	if (r->kind == REPLY_OK)
		return STEP_NEXT;
	sg_outcome_text(r->o, text, sizeof(text));
	log_warn("%s: SET TARGET PORT GROUPS: %s", s->path.name, text);
	return STEP_NEXT;
}

/*
 * A port in standby turns TEST UNIT READY down (SPC-6 "Standby state"), so one that
 * takes it serves, whatever the report says; there are targets with reports that
 * nobody maintains.  It stays a last resort by its priority, and the first READ or
 * WRITE that tells otherwise ends the belief.
 */
static void trust_tur(struct sg_path *s, struct sg_facts *f)
{
	f->tur_trusted =
		f->tur_good && !s->tur_lies &&
		(f->access == ACCESS_STANDBY || f->access == ACCESS_UNAVAILABLE);
	if (f->tur_trusted)
		f->access = ACCESS_NONOPTIMIZED;
}

static enum sg_next judge_access(struct sg_path *s, const struct sg_reply *r)
{
	struct sg_facts *f = &s->check.facts;

	if (!f->has_access) {
		f->access = ACCESS_ACTIVE;
		f->prio = 1;
	}
	trust_tur(s, f);
	/* It may have come up in the meantime, and would be sent data without its size being known. */
	if (f->withheld && is_serving(f) && !fault_strikes(PLANT_SG_WITHHELD))
		return sg_check_anew(s, "its port group says that it serves, and withholds its size or modes");
	return STEP_NEXT;
}

/*
 * Who turns it down has read the command, and answered: the path is not to blame for a
 * block that cannot be read, and the next path would meet the same one.
 */
static enum sg_next got_read(struct sg_path *s, const struct sg_reply *r)
{
	struct sg_facts *f = &s->check.facts;
	size_t want = sg_check_slot(s)->hdr.dxfer_len;
	char text[CAUSE_BYTES - 32];

	switch (r->kind) {
	case REPLY_OK:
		snprintf(text, sizeof(text), "%zu of %zu bytes came", r->len, want);
		return r->len == want ? STEP_NEXT : sg_check_again(s, text);
	case REPLY_NOT_SERVING:
		s->tur_lies |= f->tur_trusted;
		f->tur_trusted = false;
		break;
	case REPLY_REFUSED:
		/* Reserved by another host: no more the path's fault than for TEST UNIT READY. */
		if (r->o->flags & VF_RESERV)
			break;
		sg_outcome_text(r->o, text, sizeof(text));
		snprintf(s->check.flaw, sizeof(s->check.flaw), "READ of %zu bytes: %s", want,
			 text);
		break;
	}
	return STEP_NEXT;
}

static enum sg_next finish(struct sg_path *s, const struct sg_reply *r)
{
	struct sg_facts *f = &s->check.facts;
	struct sg_identity *id = s->identity;

	/* Only what could be read replaces what is known. */
	s->facts_partial = !f->has_cap;
	if (f->has_cap) {
		s->facts = *f;
		s->facts_valid = true;
		sg_make_features(s);
		id->cache_on |= s->feat.write_cache && s->feat.cache_known;
	}
	if (!id->known) {
		id->known = true;
		id->id = f->ident;
		snprintf(id->from, sizeof(id->from), "%s", s->path.name);
	}
	if (s->check.flaw[0])
		return sg_check_end(s, CHECK_MARGINAL, "%s", s->check.flaw);
	return sg_check_end(s, CHECK_OK, "%s", access_state_name(f->access));
}

/* clang-format off */
const struct sg_step sg_steps[] = {
	{ "TEST UNIT READY",	  NULL,		  ask_tur,	got_tur },
	{ "INQUIRY",		  if_full,	  ask_inquiry,	got_inquiry },
	{ "VPD page 00h",	  if_full,	  ask_vpd00,	got_vpd00 },
	{ "VPD page 83h",	  if_page83,	  ask_vpd83,	got_vpd83 },
	{ "VPD page 80h",	  if_page80,	  ask_vpd80,	got_vpd80 },
	{ "identity",		  if_full,	  NULL,		judge_identity },
	{ "VPD page B0h",	  if_pageb0,	  ask_vpdb0,	got_vpdb0 },
	{ "VPD page B1h",	  if_pageb1,	  ask_vpdb1,	got_vpdb1 },
	{ "VPD page B2h",	  if_pageb2,	  ask_vpdb2,	got_vpdb2 },
	{ "READ CAPACITY(16)",	  if_cap16,	  ask_cap16,	got_cap16 },
	{ "READ CAPACITY(10)",	  if_no_capacity, ask_cap10,	got_cap10 },
	{ "READ CAPACITY(16)",	  if_too_large,	  ask_cap16,	got_cap16 },
	{ "capacity",		  if_full,	  NULL,		judge_capacity },
	{ "MODE SENSE(6)",	  if_mode,	  ask_mode6,	got_mode6 },
	{ "MODE SENSE(10)",	  if_mode,	  ask_mode10,	got_mode10 },
	{ "MODE SENSE(6) all",	  if_mode,	  ask_mode_all,	got_mode6 },
	{ "SET TARGET PORT GROUPS", if_activate,  ask_stpg,	got_stpg },
	{ "REPORT TARGET PORT GROUPS", if_alua_ext, ask_rtpg_ext, got_rtpg_ext },
	{ "REPORT TARGET PORT GROUPS", if_alua_plain, ask_rtpg,	got_rtpg },
	{ "TEST UNIT READY",	  if_full,	  ask_tur,	got_tur },
	{ "access",		  NULL,		  NULL,		judge_access },
	{ "READ",		  if_read,	  ask_read,	got_read, .spare = true },
	{ "end",		  NULL,		  NULL,		finish },
};
/* clang-format on */

const unsigned sg_nsteps = ARRAY_SIZE(sg_steps);
