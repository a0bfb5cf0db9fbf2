/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * alua.c - parse target port group reports.
 *
 * A group descriptor is 8 bytes and 4 for each port.  What is cut off in the
 * middle of a group keeps the group and the ports that came.
 */
#include "scsi/alua.h"

#include "base/bytes.h"
#include "base/units.h"

#define HEADER_BYTES	  4
#define EXT_HEADER_BYTES  8
#define EXT_HEADER_FORMAT 0x10 /* bits 6..4 of byte 4 */
#define GROUP_BYTES	  8
#define PORT_BYTES	  4

uint64_t alua_full_bytes(const uint8_t *buf, size_t len)
{
	return len >= HEADER_BYTES ? HEADER_BYTES + (uint64_t)get_be32(buf) : 0;
}

/* One group descriptor at @d of @left bytes; returns the bytes that it takes. */
static size_t parse_group(const uint8_t *d, size_t left, struct alua_report *r)
{
	struct alua_group *g = &r->group[r->ngroups++];
	size_t claimed = d[7], nports = MIN(claimed, (left - GROUP_BYTES) / PORT_BYTES);
	size_t i;

	g->pref = d[0] & 0x80;
	g->state = d[0] & 0x0f;
	g->supported = d[1];
	g->id = get_be16(&d[2]);
	g->status_code = d[5];
	g->first_port = (uint16_t)r->nports;
	g->nports = 0;
	for (i = 0; i < nports && r->nports < ALUA_PORTS_MAX; i++) {
		r->port[r->nports++] = get_be16(&d[GROUP_BYTES + PORT_BYTES * i + 2]);
		g->nports++;
	}
	if (g->nports < claimed)
		r->truncated = true;
	return MIN(GROUP_BYTES + PORT_BYTES * claimed, left);
}

bool alua_parse(const uint8_t *buf, size_t len, struct alua_report *ret)
{
	uint64_t full = alua_full_bytes(buf, len);
	size_t at = HEADER_BYTES;

	if (len < HEADER_BYTES)
		return false;
	ret->ngroups = ret->nports = 0;
	ret->transition_sec = 0;
	ret->truncated = full > len;
	len = MIN(len, full);
	if (len >= EXT_HEADER_BYTES && (buf[4] & 0x70) == EXT_HEADER_FORMAT) {
		ret->transition_sec = buf[5];
		at = EXT_HEADER_BYTES;
	}
	while (len - at >= GROUP_BYTES) {
		if (ret->ngroups == GROUPS_MAX) {
			ret->truncated = true;
			return true;
		}
		at += parse_group(buf + at, len - at, ret);
	}
	if (at < len)
		ret->truncated = true;
	return true;
}

const struct alua_group *alua_find(const struct alua_report *r, uint16_t id)
{
	unsigned i;

	for (i = 0; i < r->ngroups; i++) {
		if (r->group[i].id == id)
			return &r->group[i];
	}
	return NULL;
}

const struct alua_group *alua_find_port(const struct alua_report *r, uint16_t rel_port)
{
	unsigned i, j;

	for (i = 0; i < r->ngroups; i++) {
		const struct alua_group *g = &r->group[i];

		for (j = 0; j < g->nports; j++) {
			if (r->port[g->first_port + j] == rel_port)
				return g;
		}
	}
	return NULL;
}

int alua_priority(const struct alua_group *g)
{
	int prio;

	switch (g->state) {
	case ALUA_OPTIMIZED:
		prio = 50;
		break;
	case ALUA_NON_OPTIMIZED:
		prio = 10;
		break;
	case ALUA_LBA_DEPENDENT:
		prio = 5;
		break;
	case ALUA_STANDBY:
		prio = 1;
		break;
	default:
		return 0;
	}
	return g->pref ? prio + 80 : prio;
}

const char *alua_state_name(unsigned state)
{
	switch (state) {
	case ALUA_OPTIMIZED:
		return "active/optimized";
	case ALUA_NON_OPTIMIZED:
		return "active/non-optimized";
	case ALUA_STANDBY:
		return "standby";
	case ALUA_UNAVAILABLE:
		return "unavailable";
	case ALUA_LBA_DEPENDENT:
		return "lba-dependent";
	case ALUA_OFFLINE:
		return "offline";
	case ALUA_TRANSITIONING:
		return "transitioning";
	default:
		return "reserved";
	}
}
