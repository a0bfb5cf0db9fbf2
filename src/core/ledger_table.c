/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ledger_table.c - see ledger_table.h. */
#include "core/ledger_table.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static const char table_magic[8] = { 'l', 'u', 'n', 'm', 'u', 'x', 'I', 'F' };

size_t ledger_table_bytes(unsigned nslots)
{
	return LEDGER_HEAD_BYTES + (size_t)nslots * sizeof(struct ledger_slot);
}

struct ledger_slot *ledger_table_slots(void *mem)
{
	return (struct ledger_slot *)((char *)mem + LEDGER_HEAD_BYTES);
}

static uint64_t head_sum(const struct ledger_head *h)
{
	return XXH3_64bits(h, offsetof(struct ledger_head, sum));
}

void ledger_table_make(void *mem, unsigned nslots, const char *boot_id, const char *wwid, int pid)
{
	struct ledger_head *h = mem;

	memcpy(h->magic, table_magic, sizeof(h->magic));
	h->version = LEDGER_VERSION;
	h->head_bytes = LEDGER_HEAD_BYTES;
	h->slot_bytes = sizeof(struct ledger_slot);
	h->nslots = nslots;
	h->pid = pid;
	snprintf(h->boot_id, sizeof(h->boot_id), "%s", boot_id);
	snprintf(h->wwid, sizeof(h->wwid), "%s", wwid);
	h->sum = head_sum(h);
}

void ledger_table_set_block_bytes(void *mem, uint32_t block_bytes)
{
	struct ledger_head *h = mem;

	__atomic_store_n(&h->block_bytes, (uint64_t)~block_bytes << 32 | block_bytes, __ATOMIC_RELEASE);
}

uint32_t ledger_table_block_bytes(const void *mem)
{
	const struct ledger_head *h = mem;
	uint32_t bytes = (uint32_t)h->block_bytes;

	if (h->block_bytes >> 32 != (uint32_t)~bytes)
		return 0;
	return bytes >= BLOCK_BYTES_MIN && bytes <= BLOCK_BYTES_MAX ? bytes : 0;
}

uint64_t *ledger_table_debts(void *mem)
{
	return &((struct ledger_head *)mem)->debts;
}

void ledger_debts_store(uint64_t *at, struct ledger_debts d)
{
	uint32_t word = (uint32_t)d.unflushed << 16 | d.owed;

	__atomic_store_n(at, (uint64_t)~word << 32 | word, __ATOMIC_RELEASE);
}

struct ledger_debts ledger_debts_load(uint64_t word)
{
	uint32_t low = (uint32_t)word;

	if (!word) /* a table that was just made */
		return (struct ledger_debts){ 0 };
	if (word >> 32 != (uint32_t)~low)
		return (struct ledger_debts){ .owed = 1, .unflushed = 1 };
	return (struct ledger_debts){ .owed = (uint16_t)low, .unflushed = (uint16_t)(low >> 16) };
}

static void find_debts(struct ledger_find *f, struct ledger_debts d)
{
	unsigned owed = f->debts.owed + d.owed, unflushed = f->debts.unflushed + d.unflushed;

	f->debts.owed = (uint16_t)(owed < UINT16_MAX ? owed : UINT16_MAX);
	f->debts.unflushed = (uint16_t)(unflushed < UINT16_MAX ? unflushed : UINT16_MAX);
}

bool ledger_table_names(const void *mem, size_t bytes, const char *wwid)
{
	const struct ledger_head *h = mem;
	size_t len = strlen(wwid) + 1;

	return bytes >= sizeof(*h) && len <= sizeof(h->wwid) && memcmp(h->wwid, wwid, len) == 0;
}

static const char *head_fault(const struct ledger_head *h, size_t bytes)
{
	if (bytes < sizeof(*h))
		return "it is too short";
	if (memcmp(h->magic, table_magic, sizeof(h->magic)) != 0)
		return "it is no table of lunmux";
	if (h->version != LEDGER_VERSION)
		return "it has another version";
	if (h->sum != head_sum(h))
		return "its head has a wrong checksum";
	if (h->head_bytes != LEDGER_HEAD_BYTES || h->slot_bytes != sizeof(struct ledger_slot) ||
	    h->nslots > LEDGER_SLOTS_MAX)
		return "its head makes no sense";
	if (!memchr(h->boot_id, 0, sizeof(h->boot_id)) || !memchr(h->wwid, 0, sizeof(h->wwid)))
		return "its head makes no sense";
	if (bytes != ledger_table_bytes(h->nslots))
		return bytes < ledger_table_bytes(h->nslots) ? "it is cut short" : "it is too long";
	return NULL;
}

enum ledger_kind ledger_table_kind(const void *mem, size_t bytes, const char *boot_id,
				   const char *wwid, const char **ret_why)
{
	const struct ledger_head *h = mem;

	*ret_why = head_fault(h, bytes);
	if (*ret_why)
		return LEDGER_BAD;
	if (strcmp(h->wwid, wwid) != 0)
		return LEDGER_OTHER_LUN;
	return strcmp(h->boot_id, boot_id) == 0 ? LEDGER_OURS : LEDGER_OTHER_BOOT;
}

static void find_slot(struct ledger_find *f, const struct ledger_slot *s)
{
	switch (ledger_read_slot(s)) {
	case LEDGER_NOTHING:
		return;
	case LEDGER_BROKEN:
		f->nbroken++;
		f->whole = true;
		return;
	case LEDGER_WRITE:
		break;
	}
	f->nwrites++;
	if (s->nblocks == LEDGER_WHOLE || f->n == f->room)
		f->whole = true;
	else
		f->slots[f->n++] = *s;
}

void ledger_find_slots(struct ledger_find *f, const void *mem, size_t bytes)
{
	const struct ledger_head *h = mem;
	const char *at = (const char *)mem + LEDGER_HEAD_BYTES;
	uint32_t block_bytes = ledger_table_block_bytes(mem);
	unsigned before = f->nwrites;

	assert(bytes == ledger_table_bytes(h->nslots));
	find_debts(f, ledger_debts_load(h->debts));
	for (unsigned i = 0; i < h->nslots; i++, at += sizeof(struct ledger_slot)) {
		struct ledger_slot s;

		memcpy(&s, at, sizeof(s));
		find_slot(f, &s);
	}
	if (f->nwrites == before)
		return;
	if (!f->block_bytes)
		f->block_bytes = block_bytes;
	if (!block_bytes || block_bytes != f->block_bytes)
		f->whole = true;
}

void ledger_find_store(const struct ledger_find *f, struct ledger_slot *into)
{
	for (unsigned i = 0; i < f->n; i++)
		into[i] = f->slots[i];
	if (f->whole)
		ledger_make_whole(&into[f->n]);
}
