/* SPDX-License-Identifier: GPL-2.0-or-later */
/* numa.h - how far the nodes of this machine are from each other, as the kernel tells. */
#ifndef BASE_NUMA_H
#define BASE_NUMA_H

#include "base/limits.h"

#include <stdint.h>

/* The node that the calling thread runs on; -1 if the kernel does not tell. */
int numa_here(void);
/* Distance of each node from @node, 0 where it is not known; what stands under @sysfs ("/sys") is
 * read. 0, or a negative errno and @ret all zero. */
int numa_distances(const char *sysfs, int node, uint8_t ret[NUMA_NODES_MAX]);

#endif
