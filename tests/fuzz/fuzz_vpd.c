/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_vpd.c - everything that a device says about itself: one input to all parsers. */
#include <assert.h>
#include <string.h>

#include "scsi/alua.h"
#include "scsi/capacity.h"
#include "scsi/inquiry.h"
#include "scsi/wwid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed_identity(const uint8_t *data, size_t size)
{
	struct designator d;
	struct port_id port;
	struct ident id;
	size_t at = 0;

	while (vpd_next_designator(data, size, &at, &d))
		assert(d.id + d.len <= data + size);
	vpd_port_id(data, size, &port);
	if (ident_from_vpd83(data, size, &id))
		assert(wwid_matches(id.wwid, &id) && ident_equal(&id, &id));
	ident_add_serial(&id, data, size);
}

static void feed_numbers(const uint8_t *data, size_t size)
{
	static struct alua_report report;
	struct lba_extent extents[4];
	struct provisioning prov;
	struct block_limits limits;
	struct block_chars chars;
	struct capacity cap;
	struct caching caching;
	bool needs16;

	vpd_lists(data, size, 0x83);
	vpd_block_limits(data, size, &limits);
	vpd_block_chars(data, size, &chars);
	vpd_provisioning(data, size, &prov);
	capacity_parse10(data, size, &cap, &needs16);
	capacity_parse16(data, size, &cap);
	caching_parse(data, size, false, &caching);
	caching_parse(data, size, true, &caching);
	if (alua_parse(data, size, &report))
		assert(report.ngroups <= GROUPS_MAX && report.nports <= ALUA_PORTS_MAX);
	assert(lba_status_parse(data, size, 0, UINT64_MAX, extents, 4) <= 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct inquiry inq;

	inquiry_parse(data, size, &inq);
	feed_identity(data, size);
	feed_numbers(data, size);
	return 0;
}
