/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_sense.c - sense data, and the judgement of a completion that carries it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/verdict.h"
#include "scsi/judge.h"
#include "scsi/sense.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Four bytes of header fields, the rest is sense data. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scsi_result r = {
		.block_bytes = 512, .nblocks = 8, .lba = 64, .dxfer_len = 4096};
	struct outcome o;
	struct sense s;
	uint8_t *copy;

	sense_parse(data, size, &s);
	if (size < 4)
		return 0;
	r.class = (enum scsi_class)(data[0] % SCSI_CLASS_NR);
	r.write_cache = data[0] & 0x80;
	r.host_status = data[1] & 0x1f;
	r.status = data[2];
	r.resid = data[3] * 17;
	/* In a block of its own, so that a read beyond its end is seen. */
	r.sense_len = size - 4;
	copy = malloc(r.sense_len ? r.sense_len : 1);
	assert(copy);
	memcpy(copy, data + 4, r.sense_len);
	r.sense = copy;
	scsi_judge(&r, &o);
	free(copy);
	assert(o.verdict < V_NR && o.verdict != V_CANCELED);
	assert((o.verdict == V_OK || o.verdict == V_OK_INFO) == (o.err == 0));
	assert(o.done_blocks <= r.nblocks);
	assert(!o.has_bad_lba || (o.bad_lba >= 64 && o.bad_lba < 72));
	return 0;
}
