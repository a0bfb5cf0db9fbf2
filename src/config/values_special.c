/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * values_special.c - names, files, addresses, and values that are a word or a
 * number.  Everything is checked for form only: nothing is looked up, resolved
 * or opened here.
 */
#include <config.h>

#include "config/keywords.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/limits.h"
#include "base/units.h"
#include "config/mem.h"

/* --- strings: set() replaces what was there --- */

static char **string_member(const struct keyword *kw, struct lun_conf *lun)
{
	return (char **)(void *)((char *)lun + kw->offset);
}

static int string_take(const struct keyword *kw, struct lun_conf *lun, const char *value)
{
	char *copy = conf_strdup(value);
	char **to = string_member(kw, lun);

	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

static bool string_print(const struct keyword *kw, const struct lun_conf *lun, size_t i, FILE *f)
{
	const char *s = *(char *const *)(const void *)((const char *)lun + kw->offset);

	if (i || !s)
		return false;
	fputs(s, f);
	return true;
}

bool config_name_valid(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789._-");

	return len && !name[len] && len <= NAME_BYTES_MAX && name[0] != '.';
}

static int alias_set(const struct keyword *kw, struct lun_conf *lun, const char *value,
		     struct kw_why *why)
{
	if (!config_name_valid(value))
		return refuse(why, NULL,
			      "not a name: 1 to %d letters, digits, '.', '_' or '-', "
			      "not '.' first", NAME_BYTES_MAX);
	return string_take(kw, lun, value);
}

const struct kw_type kw_alias = { .set = alias_set, .print = string_print };

static int wwid_set(const struct keyword *kw, struct lun_conf *lun, const char *value,
		    struct kw_why *why)
{
	if (!*value)
		return refuse(why, NULL, "empty");
	if (strlen(value) >= WWID_BYTES_MAX)
		return refuse(why, NULL, "longer than %d bytes", WWID_BYTES_MAX - 1);
	if (!strncmp(value, "file:", 5) && value[5] != '/')
		return refuse(why, NULL, "an absolute file name must follow \"file:\"");
	return string_take(kw, lun, value);
}

const struct kw_type kw_wwid = { .set = wwid_set, .print = string_print };

static int text_set(const struct keyword *kw, struct lun_conf *lun, const char *value,
		    struct kw_why *why)
{
	size_t len = strlen(value);

	if (len < kw->min || len > kw->max)
		return refuse(why, NULL, "%zu bytes long: allowed is %zu to %zu", len,
			      (size_t)kw->min, (size_t)kw->max);
	return string_take(kw, lun, value);
}

const struct kw_type kw_text = { .set = text_set, .print = string_print };

static bool file_name_ok(const struct keyword *kw, const char *value, struct kw_why *why)
{
	if (value[0] != '/') {
		refuse(why, NULL, "not an absolute file name");
		return false;
	}
	if (strlen(value) > kw->max) {
		refuse(why, NULL, "%zu bytes long: at most %zu are possible", strlen(value),
		       (size_t)kw->max);
		return false;
	}
	return true;
}

static int file_set(const struct keyword *kw, struct lun_conf *lun, const char *value,
		    struct kw_why *why)
{
	return file_name_ok(kw, value, why) ? string_take(kw, lun, value) : -EINVAL;
}

const struct kw_type kw_file = { .set = file_set, .print = string_print };

static int paths_set(const struct keyword *kw, struct lun_conf *lun, const char *value,
		     struct kw_why *why)
{
	char **paths, *copy;

	if (!file_name_ok(kw, value, why))
		return -EINVAL;
	if (lun->npaths == PATHS_MAX)
		return refuse(why, NULL, "more than %d paths", PATHS_MAX);
	paths = conf_realloc(lun->paths, (lun->npaths + 1) * sizeof(*paths));
	if (!paths)
		return -ENOMEM;
	lun->paths = paths;
	copy = conf_strdup(value);
	if (!copy)
		return -ENOMEM;
	paths[lun->npaths++] = copy;
	return 0;
}

static bool paths_print(const struct keyword *kw, const struct lun_conf *lun, size_t i, FILE *f)
{
	if (i >= lun->npaths)
		return false;
	fputs(lun->paths[i], f);
	return true;
}

const struct kw_type kw_paths = { .set = paths_set, .print = paths_print };

/* --- a word or a number --- */

static int failback_set(const struct keyword *kw, struct lun_conf *lun, const char *value,
			struct kw_why *why)
{
	struct failback_conf *to = &lun->failback;
	uint64_t ns;

	if (!strcmp(value, "immediate")) {
		*to = (struct failback_conf){ .kind = FAILBACK_IMMEDIATE };
	} else if (!strcmp(value, "manual")) {
		*to = (struct failback_conf){ .kind = FAILBACK_MANUAL };
	} else if (!strcmp(value, "followover")) {
		*to = (struct failback_conf){ .kind = FAILBACK_FOLLOWOVER };
	} else if (*value >= '0' && *value <= '9') {
		if (!parse_time_ns(value, kw->min, kw->max, &ns, why))
			return -EINVAL;
		*to = (struct failback_conf){ FAILBACK_AFTER, ns };
	} else {
		return refuse(why, NULL, "not immediate, manual, followover or a time");
	}
	return 0;
}

static bool failback_print(const struct keyword *kw, const struct lun_conf *lun, size_t i,
			   FILE *f)
{
	const struct failback_conf *from = &lun->failback;

	if (i)
		return false;
	switch (from->kind) {
	case FAILBACK_AFTER:
		fputs(time_text(from->after_ns).s, f);
		break;
	case FAILBACK_IMMEDIATE:
		fputs("immediate", f);
		break;
	case FAILBACK_MANUAL:
		fputs("manual", f);
		break;
	case FAILBACK_FOLLOWOVER:
		fputs("followover", f);
		break;
	case FAILBACK_NR:
		return false;
	}
	return true;
}

const struct kw_type kw_failback = { .set = failback_set, .print = failback_print };

static int no_path_retry_set(const struct keyword *kw, struct lun_conf *lun, const char *value,
			     struct kw_why *why)
{
	struct no_path_conf *to = &lun->no_path_retry;
	uint64_t checks;

	if (!strcmp(value, "fail") || !strcmp(value, "0")) {
		*to = (struct no_path_conf){ .kind = NO_PATH_FAIL };
	} else if (!strcmp(value, "queue")) {
		*to = (struct no_path_conf){ .kind = NO_PATH_QUEUE };
	} else if (*value >= '0' && *value <= '9') {
		if (!parse_number(value, kw->min, kw->max, &checks, why))
			return -EINVAL;
		*to = (struct no_path_conf){ NO_PATH_RETRY, (unsigned)checks };
	} else {
		return refuse(why, NULL, "not fail, queue or a number of checks");
	}
	return 0;
}

static bool no_path_retry_print(const struct keyword *kw, const struct lun_conf *lun, size_t i,
				FILE *f)
{
	const struct no_path_conf *from = &lun->no_path_retry;

	if (i)
		return false;
	if (from->kind == NO_PATH_RETRY)
		fprintf(f, "%u", from->checks);
	else
		fputs(from->kind == NO_PATH_FAIL ? "fail" : "queue", f);
	return true;
}

const struct kw_type kw_no_path_retry = {
	.set = no_path_retry_set,
	.print = no_path_retry_print,
};

static int nbd_device_set(const struct keyword *kw, struct lun_conf *lun, const char *value,
			  struct kw_why *why)
{
	static const char prefix[] = "/dev/nbd";
	struct nbd_device_conf *to = &lun->export.nbd_device;
	uint64_t index;

	if (!strcmp(value, "none")) {
		*to = (struct nbd_device_conf){ .kind = NBD_DEVICE_NONE };
	} else if (!strcmp(value, "auto")) {
		*to = (struct nbd_device_conf){ .kind = NBD_DEVICE_AUTO };
	} else if (!strncmp(value, prefix, sizeof(prefix) - 1) &&
		   parse_number(value + sizeof(prefix) - 1, kw->min, kw->max, &index, why)) {
		*to = (struct nbd_device_conf){ NBD_DEVICE_FIXED, (unsigned)index };
	} else {
		return refuse(why, NULL, "not none, auto or /dev/nbdN");
	}
	return 0;
}

static bool nbd_device_print(const struct keyword *kw, const struct lun_conf *lun, size_t i,
			     FILE *f)
{
	const struct nbd_device_conf *from = &lun->export.nbd_device;

	if (i)
		return false;
	if (from->kind == NBD_DEVICE_FIXED)
		fprintf(f, "/dev/nbd%u", from->index);
	else
		fputs(from->kind == NBD_DEVICE_NONE ? "none" : "auto", f);
	return true;
}

const struct kw_type kw_nbd_device = { .set = nbd_device_set, .print = nbd_device_print };

/* --- TCP --- */

/* "HOST", "HOST:PORT", "[HOST6]", "[HOST6]:PORT" into @host and *port_text (NULL: none). */
static bool split_address(const char *value, char *host, size_t size, const char **port_text)
{
	const char *end, *start = value;

	if (*value == '[') {
		start++;
		end = strchr(value, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
		*port_text = end[1] ? end + 2 : NULL;
	} else {
		end = strchrnul(value, ':');
		*port_text = *end ? end + 1 : NULL;
	}
	if (end == start || (size_t)(end - start) >= size)
		return false;
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';
	return true;
}

static bool is_loopback(const char *host)
{
	struct in_addr in4;
	struct in6_addr in6;

	if (!strcmp(host, "localhost"))
		return true;
	if (inet_pton(AF_INET, host, &in4) == 1)
		return ntohl(in4.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &in6) == 1 && IN6_IS_ADDR_LOOPBACK(&in6);
}

static int tcp_set(const struct keyword *kw, struct lun_conf *lun, const char *value,
		   struct kw_why *why)
{
	struct tcp_conf *to = &lun->export.tcp;
	const char *port_text;
	char host[64], *copy;
	uint64_t port = 10809; /* IANA: nbd */

	if (!split_address(value, host, sizeof(host), &port_text))
		return refuse(why, "127.0.0.1:10809 or [::1]:10809", "not HOST:PORT");
	if (!is_loopback(host))
		return refuse(why, "127.0.0.1, [::1] or localhost; tunnel it for other machines",
			      "not a loopback address: without TLS nothing is exported beyond "
			      "this machine");
	if (port_text && !parse_number(port_text, kw->min, kw->max, &port, why))
		return refuse(why, NULL, "port not in the range 1 to 65535");
	copy = conf_strdup(host);
	if (!copy)
		return -ENOMEM;
	free(to->host);
	*to = (struct tcp_conf){ copy, (uint16_t)port };
	return 0;
}

static bool tcp_print(const struct keyword *kw, const struct lun_conf *lun, size_t i, FILE *f)
{
	const struct tcp_conf *from = &lun->export.tcp;

	if (i || !from->host)
		return false;
	fprintf(f, strchr(from->host, ':') ? "[%s]:%u" : "%s:%u", from->host, from->port);
	return true;
}

const struct kw_type kw_tcp = { .set = tcp_set, .print = tcp_print };
