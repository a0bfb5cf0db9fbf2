/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mem.h - allocation for the parser, where a test may make the k-th call fail. */
#ifndef CONFIG_MEM_H
#define CONFIG_MEM_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"

/* Zeroed; NULL when there is no memory. */
static inline void *conf_calloc(size_t n, size_t bytes)
{
	return fault_strikes(FAULT_ALLOC) ? NULL : calloc(n, bytes);
}

/* As realloc(): on NULL the old block is still there. */
static inline void *conf_realloc(void *p, size_t bytes)
{
	return fault_strikes(FAULT_ALLOC) ? NULL : realloc(p, bytes);
}

static inline char *conf_strdup(const char *s)
{
	return fault_strikes(FAULT_ALLOC) ? NULL : strdup(s);
}

#endif
