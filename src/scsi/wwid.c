/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wwid.c - identity out of VPD pages 83h and 80h (SPC-6 "Device Identification
 * VPD page", "Designation descriptor").
 *
 * The printed WWIDs are the ones that multipath-tools and scsi_id give, since they
 * stand in people's configuration.  Where those cut a long text or pass raw
 * bytes on, this refuses or escapes: a WWID that is not whole could be that of
 * another LU.
 */
#include "scsi/wwid.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/units.h"
#include "scsi/inquiry.h"
#include "scsi/text.h"

#define NAMES_MAX 16 /* LU designators that are kept */

/* How good a designator is as a WWID; 0 not at all. */
enum rank {
	RANK_NONE,
	RANK_NAA3,
	RANK_T10,
	RANK_NAME,
	RANK_EUI,
	RANK_NAA2,
	RANK_NAA5,
	RANK_NAA6,
};

/* The order of scsi_id. */
static const uint8_t udev_rank[] = {
	[RANK_NAA6] = 6, [RANK_NAA5] = 5, [RANK_NAA2] = 4,
	[RANK_NAA3] = 4, [RANK_EUI] = 2,  [RANK_T10] = 1,
};

static bool all_bytes(const uint8_t *p, size_t n, uint8_t c)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (p[i] != c)
			return false;
	}
	return true;
}

static bool is_blank(const uint8_t *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (p[i] != ' ' && p[i] != 0)
			return false;
	}
	return true;
}

/* Nothing in it that could tell one LU from another? */
static bool designator_is_void(const struct designator *d)
{
	if (is_blank(d->id, d->len) || all_bytes(d->id, d->len, 0xff))
		return true;
	/* An NAA nibble above zeroes is a field that nobody filled in. */
	return d->type == DESIG_NAA && !(d->id[0] & 0x0f) &&
	       all_bytes(d->id + 1, d->len - 1u, 0);
}

static bool name_has_prefix(const struct designator *d, const char *prefix)
{
	return d->len > 4 && d->id[4] != 0 && !memcmp(d->id, prefix, 4);
}

/* "iqn." and anything; "naa." or "eui." and hex digits, padded with NULs. */
static bool name_is_known(const struct designator *d)
{
	size_t i = 4;

	if (name_has_prefix(d, "iqn."))
		return true;
	if (!name_has_prefix(d, "naa.") && !name_has_prefix(d, "eui."))
		return false;
	while (i < d->len && isxdigit(d->id[i]))
		i++;
	return all_bytes(d->id + i, d->len - i, 0);
}

static enum rank rank_naa(const struct designator *d)
{
	switch (d->id[0] >> 4) {
	case 6:
		return d->len == 16 ? RANK_NAA6 : RANK_NONE;
	case 5:
		return d->len == 8 ? RANK_NAA5 : RANK_NONE;
	case 2:
		return d->len == 8 ? RANK_NAA2 : RANK_NONE;
	case 3:
		return d->len == 8 ? RANK_NAA3 : RANK_NONE;
	default:
		return RANK_NONE;
	}
}

static enum rank rank_of(const struct designator *d)
{
	switch (d->type) {
	case DESIG_NAA:
		return rank_naa(d);
	case DESIG_EUI64:
		return d->len == 8 || d->len == 12 || d->len == 16 ? RANK_EUI
								   : RANK_NONE;
	case DESIG_NAME:
		return name_is_known(d) ? RANK_NAME : RANK_NONE;
	case DESIG_T10:
		/* Eight bytes of vendor; without more, every LU of an array has the
		 * same. */
		return d->len > 8 && !is_blank(d->id + 8, d->len - 8u) ? RANK_T10
								       : RANK_NONE;
	default:
		return RANK_NONE;
	}
}

/* Text up to the first NUL; each run of spaces within it as one '_', none at the end.
 */
static void text_underscored(struct text *t, const uint8_t *p, size_t n)
{
	bool gap = false;

	for (; n > 0 && *p; n--, p++) {
		if (*p == ' ') {
			gap = true;
			continue;
		}
		if (gap)
			text_char(t, '_');
		gap = false;
		text_escaped(t, *p);
	}
}

static void text_lower(struct text *t, const uint8_t *p, size_t n)
{
	for (; n > 0 && *p; n--, p++)
		text_escaped(t, (uint8_t)tolower(*p));
}

static bool print_wwid(const struct designator *d, char *ret, size_t size)
{
	struct text t;

	text_init(&t, ret, size);
	switch (d->type) {
	case DESIG_NAA:
	case DESIG_EUI64:
		text_char(&t, d->type == DESIG_NAA ? '3' : '2');
		text_hex(&t, d->id, d->len);
		break;
	case DESIG_NAME:
		if (name_has_prefix(d, "iqn.")) {
			text_char(&t, '8');
			text_underscored(&t, d->id + 4, d->len - 4u);
		} else {
			text_char(&t, d->id[0] == 'n' ? '3' : '2');
			text_lower(&t, d->id + 4, d->len - 4u);
		}
		break;
	default:
		text_char(&t, '1');
		text_underscored(&t, d->id, d->len);
		break;
	}
	return !t.overflow;
}

static void print_name(const struct designator *d, struct text *t)
{
	static const char *const prefix[16] = {
		[DESIG_VENDOR] = "vendor.",
		[DESIG_T10] = "t10.",
		[DESIG_EUI64] = "eui.",
		[DESIG_NAA] = "naa.",
		[DESIG_REL_PORT] = "t4.",
		[DESIG_PORT_GROUP] = "t5.",
		[DESIG_LU_GROUP] = "lugroup.",
		[DESIG_MD5] = "md5.",
		[DESIG_NAME] = "name.",
		[DESIG_PCIE] = "t9.",
		[DESIG_UUID] = "uuid.",
		"tb.",
		"tc.",
		"td.",
		"te.",
		"tf.",
	};
	bool text = d->type == DESIG_T10 || d->type == DESIG_NAME ||
		    (d->type == DESIG_VENDOR && d->code_set != CODE_SET_BINARY);
	size_t i, n = d->len;

	text_str(t, prefix[d->type & 15]);
	if (!text) {
		text_hex(t, d->id, n);
		return;
	}
	while (n > 0 && d->id[n - 1] == 0)
		n--;
	for (i = 0; i < n; i++)
		text_escaped(t, d->id[i]);
}

static int compare(const struct designator *a, const struct designator *b)
{
	int c;

	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	c = memcmp(a->id, b->id, MIN(a->len, b->len));
	return c ? c : (int)a->len - (int)b->len;
}

/*
 * Insert @d into the sorted @set of *n.  When it is full the last in order is
 * dropped, so that what stays does not depend on the order in the page.
 */
static void set_insert(struct designator *set, unsigned *n, const struct designator *d,
		       bool *truncated)
{
	unsigned at = 0;

	while (at < *n && compare(&set[at], d) < 0)
		at++;
	if (at < *n && compare(&set[at], d) == 0)
		return;
	if (*n == NAMES_MAX) {
		*truncated = true;
		if (at == NAMES_MAX)
			return;
		--*n;
	}
	memmove(&set[at + 1], &set[at], (*n - at) * sizeof(set[0]));
	set[at] = *d;
	++*n;
}

/* A name that does not fit is left out whole, with all that come after it. */
static void print_names(const struct designator *set, unsigned n, struct ident *id)
{
	struct text t;
	unsigned i;

	text_init(&t, id->names, sizeof(id->names));
	for (i = 0; i < n; i++) {
		size_t before = t.len;

		if (i > 0)
			text_char(&t, ' ');
		print_name(&set[i], &t);
		if (t.overflow) {
			id->names[before] = '\0';
			id->truncated = true;
			return;
		}
	}
}

bool ident_from_vpd83(const uint8_t *buf, size_t len, struct ident *ret)
{
	struct designator d, best = {0}, udev_best = {0}, set[NAMES_MAX];
	enum rank best_rank = RANK_NONE, udev_best_rank = RANK_NONE;
	size_t at = 0;
	unsigned n = 0;

	memset(ret, 0, sizeof(*ret));
	while (vpd_next_designator(buf, len, &at, &d)) {
		enum rank rank;

		if (d.assoc != ASSOC_LU || designator_is_void(&d))
			continue;
		set_insert(set, &n, &d, &ret->truncated);
		rank = rank_of(&d);
		if (rank > best_rank) {
			best_rank = rank;
			best = d;
		}
		if (udev_rank[rank] > udev_rank[udev_best_rank]) {
			udev_best_rank = rank;
			udev_best = d;
		}
	}
	print_names(set, n, ret);
	if (best_rank == RANK_NONE ||
	    !print_wwid(&best, ret->wwid, sizeof(ret->wwid))) {
		ret->wwid[0] = '\0';
		return false;
	}
	if (udev_best_rank == RANK_NONE || udev_best.id == best.id ||
	    !print_wwid(&udev_best, ret->udev_wwid, sizeof(ret->udev_wwid)))
		ret->udev_wwid[0] = '\0';
	return true;
}

bool ident_add_serial(struct ident *id, const uint8_t *buf, size_t len)
{
	if (vpd_serial(buf, len, id->serial, sizeof(id->serial)))
		return true;
	id->serial[0] = '\0';
	return false;
}

/* Printed text again, so what is escaped stays so; *gap carries a run of spaces over.
 */
static void text_join(struct text *t, const char *s, bool *gap)
{
	for (; *s; s++) {
		if (*s == ' ') {
			*gap = true;
			continue;
		}
		if (*gap && t->len > 1)
			text_char(t, '_');
		*gap = false;
		text_char(t, *s);
	}
}

bool ident_wwid_from_serial(struct ident *id, const struct inquiry *inq)
{
	char wwid[WWID_BYTES_MAX];
	bool gap = false;
	struct text t;

	if (id->wwid[0] || !id->serial[0])
		return false;
	/* scsi_id joins the fields at their full width: one that fills it is followed
	 * by the next without a space. */
	text_init(&t, wwid, sizeof(wwid));
	text_char(&t, 'S');
	text_join(&t, inq->vendor, &gap);
	gap = strlen(inq->vendor) < sizeof(inq->vendor) - 1;
	text_join(&t, inq->product, &gap);
	gap = strlen(inq->product) < sizeof(inq->product) - 1;
	text_join(&t, id->serial, &gap);
	if (t.overflow)
		return false;
	memcpy(id->wwid, wwid, t.len + 1);
	return true;
}

bool ident_equal(const struct ident *a, const struct ident *b)
{
	if (!a->wwid[0] && !a->names[0])
		return false;
	if (strcmp(a->wwid, b->wwid) || strcmp(a->names, b->names) ||
	    a->truncated != b->truncated)
		return false;
	return !a->serial[0] || !b->serial[0] || !strcmp(a->serial, b->serial);
}

static bool skip_prefix(const char **s, const char *prefix)
{
	size_t n = strlen(prefix);

	if (strncasecmp(*s, prefix, n))
		return false;
	*s += n;
	return true;
}

/* Equal hex digits?  @hex is lower case; separators between those of @s do not count.
 */
static bool hex_equal(const char *s, const char *hex)
{
	for (; *s; s++) {
		if (*s == '-' || *s == ':' || *s == '_')
			continue;
		if (tolower((unsigned char)*s) != *hex)
			return false;
		hex++;
	}
	return *hex == '\0';
}

static bool hex_matches(const char *s, char kind, const char *hex)
{
	if (skip_prefix(&s, kind == '3' ? "naa." : "eui.") ||
	    skip_prefix(&s, "wwn-0x") || skip_prefix(&s, "0x"))
		return hex_equal(s, hex);
	return hex_equal(s, hex) || (*s == kind && hex_equal(s + 1, hex));
}

static bool iqn_matches(const char *s, const char *rest)
{
	if (*s == '8') {
		s++;
		if (!strcasecmp(s, rest))
			return true;
	}
	return skip_prefix(&s, "iqn.") && !strcasecmp(s, rest);
}

/* @printed has '_' where @s may have a run of spaces. */
static bool words_equal(const char *s, const char *printed)
{
	while (*s && *printed) {
		if (*s == ' ' && *printed == '_') {
			while (*s == ' ')
				s++;
			printed++;
			continue;
		}
		if (*s++ != *printed++)
			return false;
	}
	while (*s == ' ')
		s++;
	return *s == *printed;
}

static bool printed_matches(const char *s, const char *wwid)
{
	switch (wwid[0]) {
	case '\0':
		return false;
	case '3':
	case '2':
		return hex_matches(s, wwid[0], wwid + 1);
	case '8':
		return iqn_matches(s, wwid + 1);
	case '1':
		if (skip_prefix(&s, "t10."))
			return words_equal(s, wwid + 1);
		return words_equal(s, wwid);
	default:
		return words_equal(s, wwid);
	}
}

bool wwid_matches(const char *configured, const struct ident *id)
{
	const char *s = configured;

	while (isspace((unsigned char)*s))
		s++;
	skip_prefix(&s, "scsi-");
	if (!*s)
		return false;
	return printed_matches(s, id->wwid) || printed_matches(s, id->udev_wwid);
}
