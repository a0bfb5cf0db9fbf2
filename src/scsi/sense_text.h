/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sense_text.h - sense codes in the words of T10's tables (SPC-6 annex "Numeric
 * order codes"), as libsgutils2 has them.  For a human: never decide by them.
 */
#ifndef SCSI_SENSE_TEXT_H
#define SCSI_SENSE_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* "Not Ready, Logical unit not accessible, target port in standby state".  "" where it is not known: a code
 * of a vendor's, a newer one, or a build without libsgutils2.  Always terminated; cut if it does not fit. */
void sense_text(uint8_t key, uint8_t asc, uint8_t ascq, char *buf, size_t size);

#endif
