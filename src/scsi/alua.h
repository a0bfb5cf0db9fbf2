/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * alua.h - asymmetric logical unit access: what REPORT TARGET PORT GROUPS says
 * (SPC-6 "REPORT TARGET PORT GROUPS command").
 */
#ifndef SCSI_ALUA_H
#define SCSI_ALUA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

enum alua_state {
	ALUA_OPTIMIZED = 0x0,
	ALUA_NON_OPTIMIZED = 0x1,
	ALUA_STANDBY = 0x2,
	ALUA_UNAVAILABLE = 0x3,
	ALUA_LBA_DEPENDENT = 0x4,
	ALUA_OFFLINE = 0xe,
	ALUA_TRANSITIONING = 0xf,
};

/* What the supported states byte may say (a bit set). */
#define ALUA_SUP_TRANSITIONING 0x80
#define ALUA_SUP_OFFLINE       0x40
#define ALUA_SUP_LBA_DEPENDENT 0x10
#define ALUA_SUP_UNAVAILABLE   0x08
#define ALUA_SUP_STANDBY       0x04
#define ALUA_SUP_NON_OPTIMIZED 0x02
#define ALUA_SUP_OPTIMIZED     0x01

/* Relative target port identifiers that a report keeps, of all groups. */
#define ALUA_PORTS_MAX 256

struct alua_group {
	uint16_t id;
	uint8_t state; /* enum alua_state; 5h to dh are reserved and may come */
	bool pref;
	uint8_t supported;   /* ALUA_SUP_* */
	uint8_t status_code; /* 0 none, 1 explicit change, 2 implicit change */
	/* The ports of the group are alua_report.port[first_port], nports of them. */
	uint16_t first_port, nports;
};

struct alua_report {
	unsigned ngroups, nports;
	struct alua_group group[GROUPS_MAX];
	uint16_t port[ALUA_PORTS_MAX];
	uint8_t transition_sec; /* implicit transition time; 0: not told */
	bool truncated; /* the answer says that it has more than came or fits here */
};

/*
 * Parse the answer of @len valid bytes, of either header format.  False if not
 * even the header is there, and *ret untouched.  A report without groups is valid.
 */
bool alua_parse(const uint8_t *buf, size_t len, struct alua_report *ret);

/* The length in bytes that the answer says it has, for a second try; 0 if len < 4. */
uint64_t alua_full_bytes(const uint8_t *buf, size_t len);

/* NULL if the report has no such group. */
const struct alua_group *alua_find(const struct alua_report *r, uint16_t id);
/* The group that has the relative target port @rel_port, or NULL. */
const struct alua_group *alua_find_port(const struct alua_report *r, uint16_t rel_port);

/*
 * The priority that multipath's alua prioritizer gives: 50 optimized, 10 not,
 * 5 LBA-dependent, 1 standby, 0 otherwise; where that is not 0, 80 more for a
 * preferred group.
 */
int alua_priority(const struct alua_group *g);

/* "active/optimized" and so on, "reserved" for values that mean nothing. */
const char *alua_state_name(unsigned state);

#endif
