/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_import.c - any multipath.conf: what is written of it is a lunmux.conf. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char file[] = "/dev/shm/fuzz_import.XXXXXX", *text = NULL;
	struct conf_errors errs = {0}, more = {0};
	struct config *c = NULL;
	size_t len = 0;
	FILE *in, *out;
	int fd = mkstemp(file), r;

	assert(fd >= 0);
	in = fdopen(fd, "w");
	assert(in && fwrite(data, 1, size, in) == size && fclose(in) == 0);
	out = open_memstream(&text, &len);
	assert(out);
	r = config_import(file, out, &errs);
	assert(fclose(out) == 0 && remove(file) == 0);
	if (r == 0) {
		r = config_parse("imported", text, len, &c, &more);
		if (r < 0)
			conf_errors_print(&more, stderr);
		assert(r == 0);
		config_free(c);
	}
	conf_errors_clear(&errs);
	conf_errors_clear(&more);
	free(text);
	return 0;
}
