/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sense.c - normalise fixed and descriptor format sense data.
 *
 * The device says how long its sense data is and the kernel how much of it was
 * copied; nothing is read beyond the smaller of the two.
 */
#include "scsi/sense.h"

#include "base/bytes.h"
#include "base/units.h"

#define CODE_FIXED_CURRENT  0x70
#define CODE_FIXED_DEFERRED 0x71
#define CODE_DESC_CURRENT   0x72
#define CODE_DESC_DEFERRED  0x73

#define DESC_INFORMATION     0x00
#define DESC_INFORMATION_LEN 0x0a
#define DESC_WALK_MAX	     32 /* descriptors that we look at */

/* What byte 7, additional sense length, leaves of @len. */
static size_t sense_len(const uint8_t *buf, size_t len)
{
	return len >= 8 ? MIN(len, 8 + (size_t)buf[7]) : len;
}

static bool parse_fixed(const uint8_t *buf, size_t len, struct sense *s)
{
	if (len < 8)
		return false;
	s->key = buf[2] & 0x0f;
	if (len >= 14) {
		s->asc = buf[12];
		s->ascq = buf[13];
	}
	if (buf[0] & 0x80) {
		s->has_info = true;
		s->info_lba = get_be32(&buf[3]);
	}
	return true;
}

static void find_information(const uint8_t *buf, size_t len, struct sense *s)
{
	size_t at = 8;
	unsigned i;

	for (i = 0; i < DESC_WALK_MAX && at + 2 <= len; i++) {
		const uint8_t *d = &buf[at];
		size_t step = 2 + (size_t)d[1];

		if (step > len - at)
			return;
		if (d[0] == DESC_INFORMATION && d[1] == DESC_INFORMATION_LEN &&
		    d[2] & 0x80) {
			s->has_info = true;
			s->info_lba = get_be64(&d[4]);
			return;
		}
		at += step;
	}
}

static void parse_desc(const uint8_t *buf, size_t len, struct sense *s)
{
	s->key = buf[1] & 0x0f;
	s->asc = buf[2];
	s->ascq = buf[3];
	find_information(buf, len, s);
}

bool sense_parse(const uint8_t *buf, size_t len, struct sense *ret)
{
	struct sense s = {0};
	bool valid = false;

	if (len < 4)
		return false;
	len = sense_len(buf, len);
	switch (buf[0] & 0x7f) {
	case CODE_FIXED_DEFERRED:
		s.deferred = true;
		/* fall through */
	case CODE_FIXED_CURRENT:
		valid = parse_fixed(buf, len, &s);
		break;
	case CODE_DESC_DEFERRED:
		s.deferred = true;
		/* fall through */
	case CODE_DESC_CURRENT:
		parse_desc(buf, len, &s);
		valid = true;
		break;
	default:
		break;
	}
	if (valid)
		*ret = s;
	return valid;
}
