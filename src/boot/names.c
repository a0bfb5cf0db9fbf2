/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names.c - names of units and of device links. */
#include "boot/boot.h"

#include <ctype.h>
#include <string.h>

#include "config/keywords.h"

/* What systemd leaves alone in a unit's name (systemd.unit(5), "String Escaping"). */
static bool unit_char(unsigned char c)
{
	return (isascii(c) && isalnum(c)) || c == ':' || c == '_' || c == '.';
}

bool boot_unit_name(const char *path, char *buf, size_t size)
{
	size_t n = 0;

	while (*path) {
		size_t len;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (!len)
			break;
		if (n + 4 * len + 2 > size)
			return false;
		if (n)
			buf[n++] = '-';
		for (size_t i = 0; i < len; i++) {
			unsigned char c = (unsigned char)path[i];

			if (unit_char(c) && !(c == '.' && n == 0))
				buf[n++] = (char)c;
			else
				n += (size_t)sprintf(buf + n, "\\x%02x", c);
		}
		path += len;
	}
	if (n == 0)
		buf[n++] = '-';
	buf[n] = '\0';
	return true;
}

void boot_link_name(const char *wwid, char *buf)
{
	wwid_common_form(wwid, buf);
	for (char *c = buf; *c; c++)
		if (!(isascii((unsigned char)*c) && isalnum((unsigned char)*c)) &&
		    !strchr("#+-.:=@_", *c))
			*c = '_';
}

/* Is @text @name, or a partition of it: @name, @part, a number? */
static bool is_or_part_of(const char *text, const char *name, const char *part)
{
	size_t len = strlen(name);

	if (strncmp(text, name, len) != 0)
		return false;
	text += len;
	if (!*text)
		return true;
	if (strncmp(text, part, strlen(part)) != 0)
		return false;
	text += strlen(part);
	return *text && strspn(text, "0123456789") == strlen(text);
}

static bool is_dev_of(const char *dev, const struct lun_conf *l)
{
	static const char by_name[] = "/dev/lunmux/", by_id[] = "/dev/disk/by-id/lunmux-";
	char link[WWID_BYTES_MAX + 1];

	if (!strncmp(dev, by_name, strlen(by_name)))
		return is_or_part_of(dev + strlen(by_name), l->alias, "-part");
	if (!strncmp(dev, by_id, strlen(by_id))) {
		boot_link_name(l->wwid, link);
		return is_or_part_of(dev + strlen(by_id), link, "-part");
	}
	if (l->export.nbd_device.kind != NBD_DEVICE_FIXED)
		return false;
	snprintf(link, sizeof(link), "/dev/nbd%u", l->export.nbd_device.index);
	return is_or_part_of(dev, link, "p");
}

const struct lun_conf *boot_lun_of_link(const struct config *c, const char *dev)
{
	for (size_t i = 0; i < c->nluns; i++)
		if (is_dev_of(dev, &c->luns[i]))
			return &c->luns[i];
	return NULL;
}

void boot_put_word(FILE *f, const char *text)
{
	fputc('"', f);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < ' ' || c == 0x7f)
			fprintf(f, "\\x%02x", c);
		else if (c == '%')
			fputs("%%", f);
		else if (c == '"' || c == '\\')
			fprintf(f, "\\%c", c);
		else
			fputc(c, f);
	}
	fputc('"', f);
}
