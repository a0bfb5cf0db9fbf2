/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_conf.c - any bytes are a configuration whose dump reads back to an equal
 * one, or messages and nothing.
 */
#include <config.h>

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void dump_reads_back(const struct config *c)
{
	struct conf_errors errs = { 0 };
	struct config *again = NULL;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert(f && !config_dump(c, f) && !fclose(f));
	assert(!config_parse("dump", text, len, &again, &errs));
	assert(again->nluns == c->nluns);
	for (size_t i = 0; i < c->nluns; i++)
		assert(lun_conf_equal(&c->luns[i], &again->luns[i]));
	config_free(again);
	conf_errors_clear(&errs);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct conf_errors errs = { 0 };
	struct config *c = NULL;
	int r = config_parse("f", (const char *)data, len, &c, &errs);

	assert((r == 0) == (c != NULL));
	assert((r == 0) == (errs.nerrors == 0));
	if (c)
		dump_reads_back(c);
	config_free(c);
	conf_errors_clear(&errs);
	return 0;
}
