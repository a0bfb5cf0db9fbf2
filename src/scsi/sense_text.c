/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sense_text.c - sense codes in words; the only file that knows libsgutils2.
 */
#include <config.h>

#include "scsi/sense_text.h"

#ifdef HAVE_SGUTILS

#include <scsi/sg_lib.h>
#include <stdio.h>
#include <string.h>

static const char additional[] = "Additional sense: ";

void sense_text(uint8_t key, uint8_t asc, uint8_t ascq, char *buf, size_t size)
{
	char code[128] = "", *known;

	buf[0] = '\0';
	if (key > 0xf || (!key && !asc && !ascq))
		return;
	sg_get_sense_key_str(key, (int)size, buf);
	/* What it does not know it prints as numbers, without that beginning. */
	sg_get_asc_ascq_str(asc, ascq, sizeof(code), code);
	known = strncmp(code, additional, strlen(additional)) == 0 ? code + strlen(additional) : NULL;
	if ((asc || ascq) && known)
		snprintf(buf + strlen(buf), size - strlen(buf), ", %s", known);
}

#else

void sense_text(uint8_t key, uint8_t asc, uint8_t ascq, char *buf, size_t size)
{
	buf[0] = '\0';
}

#endif
