/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text_scan.c - what scan has found, and one section to paste for all that is not configured. */
#include "config.h"

#include "lunmuxctl/text.h"

#include <string.h>

#include "lunmuxctl/cmd.h"

static void line(FILE *f, const char *what, const char *text)
{
	if (text[0])
		fprintf(f, "  %-8s %s\n", what, text);
}

static const char *str(const json_t *obj, const char *key)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return s ? s : "";
}

static void scan_paths(const json_t *lun, FILE *f, bool colour)
{
	struct table t;
	size_t i;
	json_t *p;

	table_init(&t, 4);
	json_array_foreach(json_object_get(lun, "path_list"), i, p)
	{
		const char *state = str(p, "state"), *block = str(p, "block");
		bool good = !strcmp(state, "running") || !strcmp(state, "attached");

		table_add(&t, TONE_PLAIN, "%s", str(p, "name"));
		table_add(&t, TONE_PLAIN, "%s", str(p, "dev"));
		table_add(&t, TONE_PLAIN, "%s", block[0] ? block : "-");
		table_add(&t, good ? TONE_GOOD : TONE_WARN, "%s", state[0] ? state : "-");
	}
	for (i = 0; i < t.nrows; i++) {
		fprintf(f, "  %-8s ", "path");
		table_print_row(&t, i, f, colour);
		fputc('\n', f);
	}
	table_free(&t);
}

static void scan_holders(const json_t *lun, FILE *f)
{
	const char *kind, *name;
	size_t i;
	json_t *h;

	json_array_foreach(json_object_get(lun, "holders"), i, h)
	{
		kind = str(h, "kind");
		name = str(h, "name");
		fprintf(f, "  %-8s %s: ", "held", str(h, "on"));
		if (!strcmp(kind, "mount"))
			fprintf(f, "mounted on %s\n", name);
		else if (!strcmp(kind, "swap"))
			fputs("swap space\n", f);
		else
			fprintf(f, "%s %s%s%s%s\n", kind, name, name[0] ? " (" : "", str(h, "by"),
				name[0] ? ")" : "");
	}
}

static void scan_lun(const json_t *lun, FILE *f, bool colour)
{
	const char *wwid = str(lun, "wwid"), *vendor = str(lun, "vendor");
	char size[HUMAN_BYTES];
	size_t i;
	json_t *d;

	put_tone(f, colour, TONE_BOLD, wwid[0] ? wwid : "no identity", 0);
	fprintf(f, "%s%s%s%s  %s", vendor[0] ? "  " : "", vendor, vendor[0] ? " " : "",
		str(lun, "product"), human_bytes(get_u64(lun, "size_bytes"), size));
	if (get_bool(lun, "deleted"))
		fputs("  the file is deleted", f);
	if (get_u64(lun, "offset_bytes"))
		fprintf(f, "  from byte %llu", (unsigned long long)get_u64(lun, "offset_bytes"));
	if (str(lun, "alias")[0])
		fprintf(f, "  configured as %s", str(lun, "alias"));
	fputc('\n', f);
	line(f, "udev", str(lun, "udev_wwid"));
	json_array_foreach(json_object_get(lun, "designators"), i, d)
		line(f, "id", json_string_value(d));
	line(f, "kernel", str(lun, "kernel_wwid"));
	line(f, "serial", str(lun, "serial"));
	scan_paths(lun, f, colour);
	scan_holders(lun, f);
}

static void indented(const char *text, FILE *f)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		fprintf(f, "\t%.*s\n", (int)len, text);
		text += len + (text[len] != '\0');
	}
}

void text_scan(const json_t *luns, FILE *f, bool colour)
{
	bool any = false;
	size_t i;
	json_t *l;

	if (!json_array_size(luns))
		fputs("no LUN: the kernel has no SCSI generic device (modprobe sg?) and no "
		      "attached loop device\n",
		      f);
	json_array_foreach(luns, i, l)
	{
		scan_lun(l, f, colour);
		any |= str(l, "config")[0] != '\0';
	}
	if (!any)
		return;
	fputs("\n# for /etc/lunmux.conf; choose the aliases, leave out what is not for lunmux\n"
	      "multipaths {\n",
	      f);
	json_array_foreach(luns, i, l) indented(str(l, "config"), f);
	fputs("}\n", f);
}
