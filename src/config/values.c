/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * values.c - numbers, times, sizes and words: each read and written by one type.
 *
 * Times and sizes are whole numbers with one suffix.  A bare time is seconds,
 * as everywhere in multipath.conf; whoever writes "read_expire 500" and means
 * the kernel's milliseconds is out of range and is told so.
 */
#include <config.h>

#include "config/keywords.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/units.h"
#include "config/nearest.h"

_Static_assert(sizeof(enum sel_kind) == sizeof(int), "word lists are stored as int");
_Static_assert(sizeof(enum log_level) == sizeof(int), "word lists are stored as int");

int refuse(struct kw_why *why, const char *hint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->why, sizeof(why->why), fmt, ap);
	va_end(ap);
	snprintf(why->hint, sizeof(why->hint), "%s", hint ? hint : "");
	return -EINVAL;
}

static void *member(const struct keyword *kw, struct lun_conf *lun)
{
	return (char *)lun + kw->offset;
}

static const void *const_member(const struct keyword *kw, const struct lun_conf *lun)
{
	return (const char *)lun + kw->offset;
}

/* Leading decimal digits of @s.  False: none, or more than fit. */
static bool take_digits(const char **s, uint64_t *ret)
{
	uint64_t v = 0;

	if (**s < '0' || **s > '9')
		return false;
	for (; **s >= '0' && **s <= '9'; (*s)++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(**s - '0'), &v))
			return false;
	}
	*ret = v;
	return true;
}

/* --- numbers --- */

bool parse_number(const char *value, uint64_t min, uint64_t max, uint64_t *ret,
		  struct kw_why *why)
{
	bool digits = *value && strspn(value, "0123456789") == strlen(value);
	uint64_t v;

	if (!digits) {
		refuse(why, NULL, "not a whole number");
		return false;
	}
	if (!take_digits(&value, &v) || v < min || v > max) {
		refuse(why, NULL, "out of range: allowed is %" PRIu64 " to %" PRIu64, min, max);
		return false;
	}
	*ret = v;
	return true;
}

static int number_set(const struct keyword *kw, struct lun_conf *lun, const char *value,
		      struct kw_why *why)
{
	uint64_t v;

	if (!parse_number(value, kw->min, kw->max, &v, why))
		return -EINVAL;
	*(unsigned *)member(kw, lun) = (unsigned)v;
	return 0;
}

static bool number_print(const struct keyword *kw, const struct lun_conf *lun, size_t i, FILE *f)
{
	if (i)
		return false;
	fprintf(f, "%u", *(const unsigned *)const_member(kw, lun));
	return true;
}

const struct kw_type kw_number = { .set = number_set, .print = number_print };

static int number_auto_set(const struct keyword *kw, struct lun_conf *lun, const char *value,
			   struct kw_why *why)
{
	if (strcmp(value, "auto"))
		return number_set(kw, lun, value, why);
	*(unsigned *)member(kw, lun) = 0;
	return 0;
}

static bool number_auto_print(const struct keyword *kw, const struct lun_conf *lun, size_t i,
			      FILE *f)
{
	if (i || *(const unsigned *)const_member(kw, lun))
		return number_print(kw, lun, i, f);
	fputs("auto", f);
	return true;
}

const struct kw_type kw_number_auto = { .set = number_auto_set, .print = number_auto_print };

/* --- times --- */

static const struct time_unit {
	const char *suffix;
	uint64_t ns;
} time_units[] = {
	{ "m", 60 * NS_PER_SEC }, /* largest first: time_text() takes the first that divides */
	{ "s", NS_PER_SEC },
	{ "ms", NS_PER_MS },
	{ "us", NS_PER_US },
	{ "", NS_PER_SEC }, /* bare */
};

struct time_text time_text(uint64_t ns)
{
	struct time_text t;

	for (size_t i = 0; i < ARRAY_SIZE(time_units) - 1; i++) {
		if (!ns || ns % time_units[i].ns)
			continue;
		snprintf(t.s, sizeof(t.s), "%" PRIu64 "%s", ns / time_units[i].ns,
			 time_units[i].suffix);
		return t;
	}
	snprintf(t.s, sizeof(t.s), "0");
	return t;
}

static int refuse_time(struct kw_why *why, uint64_t v, const struct time_unit *unit,
		       uint64_t min_ns, uint64_t max_ns)
{
	uint64_t ms = v > UINT64_MAX / NS_PER_MS ? UINT64_MAX : v * NS_PER_MS;
	char hint[96] = "";

	if (!*unit->suffix && ms >= min_ns && ms <= max_ns)
		snprintf(hint, sizeof(hint), "a bare number is seconds: write \"%" PRIu64 "ms\"",
			 v);
	return refuse(why, hint, "out of range: allowed is %s to %s", time_text(min_ns).s,
		      time_text(max_ns).s);
}

bool parse_time_ns(const char *value, uint64_t min_ns, uint64_t max_ns, uint64_t *ret_ns,
		   struct kw_why *why)
{
	const char *rest = value;
	uint64_t v = UINT64_MAX, ns;

	rest += strspn(value, "0123456789");
	for (size_t i = 0; rest > value && i < ARRAY_SIZE(time_units); i++) {
		if (strcmp(rest, time_units[i].suffix))
			continue;
		if (!take_digits(&value, &v) ||
		    __builtin_mul_overflow(v, time_units[i].ns, &ns) || ns < min_ns ||
		    ns > max_ns) {
			refuse_time(why, v, &time_units[i], min_ns, max_ns);
			return false;
		}
		*ret_ns = ns;
		return true;
	}
	refuse(why, "a whole number with us, ms, s or m; a bare number is seconds",
	       "not a time");
	return false;
}

static int time_set(const struct keyword *kw, struct lun_conf *lun, const char *value,
		    struct kw_why *why)
{
	return parse_time_ns(value, kw->min, kw->max, member(kw, lun), why) ? 0 : -EINVAL;
}

static bool time_print(const struct keyword *kw, const struct lun_conf *lun, size_t i, FILE *f)
{
	if (i)
		return false;
	fputs(time_text(*(const uint64_t *)const_member(kw, lun)).s, f);
	return true;
}

const struct kw_type kw_time = { .set = time_set, .print = time_print };

static int time_auto_set(const struct keyword *kw, struct lun_conf *lun, const char *value,
			 struct kw_why *why)
{
	if (strcmp(value, "auto"))
		return time_set(kw, lun, value, why);
	*(uint64_t *)member(kw, lun) = 0;
	return 0;
}

static bool time_auto_print(const struct keyword *kw, const struct lun_conf *lun, size_t i,
			    FILE *f)
{
	if (i || *(const uint64_t *)const_member(kw, lun))
		return time_print(kw, lun, i, f);
	fputs("auto", f);
	return true;
}

const struct kw_type kw_time_auto = { .set = time_auto_set, .print = time_auto_print };

static int time_no_set(const struct keyword *kw, struct lun_conf *lun, const char *value,
		       struct kw_why *why)
{
	if (strcmp(value, "no"))
		return time_set(kw, lun, value, why);
	*(uint64_t *)member(kw, lun) = 0;
	return 0;
}

static bool time_no_print(const struct keyword *kw, const struct lun_conf *lun, size_t i, FILE *f)
{
	if (i || *(const uint64_t *)const_member(kw, lun))
		return time_print(kw, lun, i, f);
	fputs("no", f);
	return true;
}

const struct kw_type kw_time_no = { .set = time_no_set, .print = time_no_print };

static int number_no_set(const struct keyword *kw, struct lun_conf *lun, const char *value,
			 struct kw_why *why)
{
	if (strcmp(value, "no"))
		return number_set(kw, lun, value, why);
	*(unsigned *)member(kw, lun) = 0;
	return 0;
}

static bool number_no_print(const struct keyword *kw, const struct lun_conf *lun, size_t i, FILE *f)
{
	if (i || *(const unsigned *)const_member(kw, lun))
		return number_print(kw, lun, i, f);
	fputs("no", f);
	return true;
}

const struct kw_type kw_number_no = { .set = number_no_set, .print = number_no_print };

/* --- sizes --- */

static unsigned size_shift(const char *suffix)
{
	static const char letters[] = "kmg";
	const char *at;

	if (!*suffix)
		return 0;
	at = strchr(letters, *suffix | 0x20);
	return at && !suffix[1] ? 10 * (unsigned)(at - letters + 1) : 64;
}

static void size_print_bytes(uint64_t bytes, char *buf, size_t len)
{
	static const char letters[] = "\0KMG";
	unsigned unit = 0;

	while (unit < 3 && bytes && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	snprintf(buf, len, "%" PRIu64 "%.1s", bytes, &letters[unit]);
}

static int bytes_set(const struct keyword *kw, struct lun_conf *lun, const char *value,
		     struct kw_why *why)
{
	const char *rest = value + strspn(value, "0123456789");
	unsigned shift = rest > value ? size_shift(rest) : 64;
	char min[32], max[32];
	uint64_t v;

	if (shift == 64)
		return refuse(why, NULL, "not a size: a number of bytes, or with K, M or G");
	size_print_bytes(kw->min, min, sizeof(min));
	size_print_bytes(kw->max, max, sizeof(max));
	if (!take_digits(&value, &v) || v > kw->max >> shift || v << shift < kw->min)
		return refuse(why, NULL, "out of range: allowed is %s to %s", min, max);
	*(uint64_t *)member(kw, lun) = v << shift;
	return 0;
}

/* The sizes of buffer arenas are powers of two. */
static int size_set(const struct keyword *kw, struct lun_conf *lun, const char *value,
		    struct kw_why *why)
{
	uint64_t *to = member(kw, lun), before = *to;
	int r = bytes_set(kw, lun, value, why);
	char next[32];

	if (r < 0 || !(*to & (*to - 1)))
		return r;
	size_print_bytes(1ull << (64 - __builtin_clzll(*to)), next, sizeof(next));
	*to = before;
	return refuse(why, NULL, "not a power of two: the next one is %s", next);
}

static bool size_print(const struct keyword *kw, const struct lun_conf *lun, size_t i, FILE *f)
{
	char buf[32];

	if (i)
		return false;
	size_print_bytes(*(const uint64_t *)const_member(kw, lun), buf, sizeof(buf));
	fputs(buf, f);
	return true;
}

const struct kw_type kw_size = { .set = size_set, .print = size_print };
const struct kw_type kw_bytes = { .set = bytes_set, .print = size_print };

/* --- words --- */

static int refuse_word(const struct keyword *kw, const char *value, struct kw_why *why)
{
	struct nearest near = nearest_start(value);
	char list[160], hint[96] = "";
	size_t at = 0;

	for (size_t i = 0; i < kw->nwords; i++) {
		int n = snprintf(list + at, sizeof(list) - at, "%s%s", i ? ", " : "",
				 kw->words[i]);

		if (n > 0 && (size_t)n < sizeof(list) - at)
			at += (size_t)n;
		nearest_offer(&near, kw->words[i]);
	}
	if (near.best)
		snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near.best);
	return refuse(why, hint, "not one of: %s", list);
}

static int words_set(const struct keyword *kw, struct lun_conf *lun, const char *value,
		     struct kw_why *why)
{
	for (size_t i = 0; i < kw->nwords; i++) {
		if (strcmp(value, kw->words[i]))
			continue;
		*(int *)member(kw, lun) = (int)(kw->min + i);
		return 0;
	}
	return refuse_word(kw, value, why);
}

static bool words_print(const struct keyword *kw, const struct lun_conf *lun, size_t i, FILE *f)
{
	if (i)
		return false;
	fputs(kw->words[*(const int *)const_member(kw, lun) - (int)kw->min], f);
	return true;
}

const struct kw_type kw_words = { .set = words_set, .print = words_print };

/* multipath.conf gives selectors the kernel's argument count: "round-robin 0". */
static int selector_set(const struct keyword *kw, struct lun_conf *lun, const char *value,
			struct kw_why *why)
{
	size_t len = strlen(value);
	char name[64];

	if (len < 2 || len >= sizeof(name) || strcmp(value + len - 2, " 0"))
		return words_set(kw, lun, value, why);
	memcpy(name, value, len - 2);
	name[len - 2] = '\0';
	return words_set(kw, lun, name, why);
}

const struct kw_type kw_selector = { .set = selector_set, .print = words_print };

/* multipath.conf(5): "one priority group for each storage controller (serial number)". */
static int grouping_set(const struct keyword *kw, struct lun_conf *lun, const char *value,
			struct kw_why *why)
{
	if (strcmp(value, "group_by_serial"))
		return words_set(kw, lun, value, why);
	words_set(kw, lun, "group_by_node_name", why);
	refuse(why, NULL, "taken as group_by_node_name, the name that the transport gives "
	       "each controller");
	return 0;
}

const struct kw_type kw_grouping = { .set = grouping_set, .print = words_print };

/* multipath.conf(5) has more of them, for arrays of their time, which all take TEST UNIT READY. */
static int checker_set(const struct keyword *kw, struct lun_conf *lun, const char *value,
		       struct kw_why *why)
{
	static const char *const others[] = { "cciss_tur", "emc_clariion", "hp_sw", "none", "rdac" };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		if (strcmp(value, others[i]))
			continue;
		words_set(kw, lun, "tur", why);
		refuse(why, NULL, "taken as tur: paths are always checked, and what they are by "
		       "standard commands");
		return 0;
	}
	return words_set(kw, lun, value, why);
}

const struct kw_type kw_checker = { .set = checker_set, .print = words_print };

static int yes_no_set(const struct keyword *kw, struct lun_conf *lun, const char *value,
		      struct kw_why *why)
{
	bool *to = member(kw, lun);

	if (strcmp(value, "yes") && strcmp(value, "no"))
		return refuse(why, NULL, "not yes or no");
	*to = !strcmp(value, "yes");
	return 0;
}

static bool yes_no_print(const struct keyword *kw, const struct lun_conf *lun, size_t i, FILE *f)
{
	if (i)
		return false;
	fputs(*(const bool *)const_member(kw, lun) ? "yes" : "no", f);
	return true;
}

const struct kw_type kw_yes_no = { .set = yes_no_set, .print = yes_no_print };
