/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * numa.c - see numa.h.  nodeN/distance has one number for each node that is
 * online, in their order (Documentation/ABI/stable/sysfs-devices-node), so the
 * numbers mean nothing without the list of nodes.
 */
#include <config.h>

#include "base/numa.h"
#include "base/sys.h"
#include "base/units.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int numa_here(void)
{
	unsigned cpu, node;

	return syscall(SYS_getcpu, &cpu, &node, NULL) < 0 ? -1 : (int)node;
}

static bool take_number(const char **s, unsigned long max, unsigned long *ret)
{
	char *end;

	if (**s < '0' || **s > '9')
		return false;
	errno = 0;
	*ret = strtoul(*s, &end, 10);
	*s = end;
	return !errno && *ret <= max;
}

/* "0-1,4" as a set; false if that is not what it is. */
static bool parse_online(const char *s, bool online[NUMA_NODES_MAX])
{
	unsigned long first, last;

	while (take_number(&s, INT_MAX, &first)) {
		last = first;
		if (*s == '-' && (s++, !take_number(&s, INT_MAX, &last)))
			return false;
		for (; first <= last && first < NUMA_NODES_MAX; first++)
			online[first] = true;
		if (*s != ',')
			return !*s;
		s++;
	}
	return false;
}

int numa_distances(const char *sysfs, int node, uint8_t ret[NUMA_NODES_MAX])
{
	/* The longest number has three digits. */
	char name[PATH_MAX], online_text[512], text[NUMA_NODES_MAX * 4 + 64];
	bool online[NUMA_NODES_MAX] = { false };
	const char *s = text;
	unsigned long d;
	ssize_t n;

	memset(ret, 0, NUMA_NODES_MAX);
	if (node < 0 || (unsigned)node >= NUMA_NODES_MAX)
		return -ENOENT;
	snprintf(name, sizeof(name), "%s/devices/system/node/online", sysfs);
	n = sys->read_file(name, online_text, sizeof(online_text));
	if (n < 0)
		return (int)n;
	snprintf(name, sizeof(name), "%s/devices/system/node/node%d/distance", sysfs, node);
	n = sys->read_file(name, text, sizeof(text));
	if (n < 0)
		return (int)n;
	if (!parse_online(online_text, online))
		return -EINVAL;
	for (unsigned i = 0; i < NUMA_NODES_MAX; i++) {
		if (!online[i])
			continue;
		while (*s == ' ')
			s++;
		if (!take_number(&s, UINT8_MAX, &d)) {
			memset(ret, 0, NUMA_NODES_MAX);
			return -EINVAL;
		}
		ret[i] = (uint8_t)d;
	}
	return 0;
}
