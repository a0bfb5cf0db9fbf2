/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_scan.c - scan: every LUN that sysfs shows, its paths, its names, who holds it, and what to
 * write into lunmux.conf to have it served.
 *
 * No daemon is asked and no device is opened: no right is needed.  What sysfs tells of a device is
 * as old as the kernel's scan.  The one file of lunmuxctl that stands on path and scsi: what finds
 * a LUN here is what finds it in the daemon.
 */
#include "config.h"

#include "lunmuxctl/cmd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/sys.h"
#include "config/builder.h"
#include "path/discover_loop.h"
#include "path/discover_sg.h"
#include "path/holders.h"
#include "path/sg_sysfs.h"
#include "scsi/inquiry.h"

#define LUNMUX_CONF    "/etc/lunmux.conf"
#define FILE_PREFIX    "file:"
#define VPD_PAGE_BYTES 4096 /* sysfs gives at most a page of a binary attribute */
#define PDT_OPTICAL    7

/* A LUN as it is put together. */
struct seen {
	struct ident id;      /* SCSI */
	char *file;	      /* loop */
	uint64_t offset, sizelimit;
	bool whole;	      /* loop: all of a file that has a name */
	bool by_serial;	      /* the WWID is made of the serial number */
	bool is_disk;	      /* of a type that we serve */
	json_t *lun;	      /* of the report */
};

struct scan {
	struct report *r;
	const struct config *config; /* NULL: none */
	struct seen *seen;
	size_t nseen;
	unsigned next_alias;
};

/* --- members ---------------------------------------------------------------------- */

/* Devices and people choose what these say. */
static json_t *clean_str(const char *s)
{
	size_t size = strlen(s) + 1;
	_cleanup_free_ char *buf = must(malloc(size));

	return must(json_string(ctl_clean(buf, size, s)));
}

static void put(json_t *obj, const char *key, json_t *value)
{
	if (json_object_set_new(obj, key, value) < 0)
		must(NULL);
}

static void append(json_t *obj, const char *key, json_t *value)
{
	if (json_array_append_new(json_object_get(obj, key), value) < 0)
		must(NULL);
}

static void put_attr(json_t *obj, const char *key, const char *sg, const char *attr)
{
	char text[WWID_BYTES_MAX];
	ssize_t n = sg_attr_text(sg, attr, text, sizeof(text));

	while (n > 0 && text[n - 1] == ' ')
		n--;
	text[n > 0 ? n : 0] = '\0';
	put(obj, key, clean_str(text));
}

static struct seen *seen_new(struct scan *s, const char *kind, const char *wwid)
{
	struct seen *new;

	s->seen = must(realloc(s->seen, (s->nseen + 1) * sizeof(*s->seen)));
	new = &s->seen[s->nseen++];
	memset(new, 0, sizeof(*new));
	new->lun = must(json_pack("{s:s, s:[], s:[]}", "kind", kind, "path_list", "holders"));
	put(new->lun, "wwid", clean_str(wwid));
	report_add(s->r, new->lun);
	return new;
}

static void block_facts(const char *block, const char *attr, char *buf, size_t size)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/class/block/%s/%s", sg_sys_root, block, attr);
	if (sys->read_file(path, buf, size) < 0)
		buf[0] = '\0';
}

/* The kernel counts in units of 512 bytes, whatever the block is. */
static json_t *block_size(const char *block)
{
	char text[32];

	block_facts(block, "size", text, sizeof(text));
	return must(json_integer((json_int_t)(strtoull(text, NULL, 10) * 512)));
}

static void add_holder(void *arg, const struct holder *h)
{
	json_t *v = must(json_pack("{s:s}", "kind", holder_kind_names[h->kind])), *other;
	struct seen *lun = arg;
	size_t i;

	put(v, "on", clean_str(h->on));
	put(v, "by", clean_str(h->by));
	put(v, "name", clean_str(h->name));
	/* What stands on a map is found once a path. */
	json_array_foreach(json_object_get(lun->lun, "holders"), i, other)
		if (json_equal(v, other)) {
			json_decref(v);
			return;
		}
	append(lun->lun, "holders", v);
}

static void add_path(struct seen *lun, const char *name, const char *dev, const char *block,
		     const char *state)
{
	json_t *v = must(json_object());

	put(v, "name", clean_str(name));
	put(v, "dev", clean_str(dev));
	put(v, "block", clean_str(block));
	put(v, "state", clean_str(state));
	append(lun->lun, "path_list", v);
	if (block[0])
		holders_each(block, add_holder, lun);
}

/* --- SCSI ----------------------------------------------------------------------------- */

static void put_ids(struct seen *lun, const char *sg)
{
	_cleanup_free_ char *list = must(strdup(lun->id.names));
	char *rest = list, *word;

	put_attr(lun->lun, "kernel_wwid", sg, "wwid");
	put(lun->lun, "udev_wwid", clean_str(lun->id.udev_wwid));
	put(lun->lun, "serial", clean_str(lun->id.serial));
	put(lun->lun, "designators", must(json_array()));
	while ((word = strtok_r(rest, " ", &rest)))
		append(lun->lun, "designators", clean_str(word));
}

static bool is_served(const char *sg)
{
	long type = -1;

	sg_attr_long(sg, "type", &type);
	return type == PDT_DISK || type == PDT_OPTICAL || type == PDT_RBC;
}

static struct seen *scsi_seen(struct scan *s, const char *sg)
{
	uint8_t page[VPD_PAGE_BYTES];
	bool by_serial = false;
	struct seen *lun;
	struct ident id;
	ssize_t n;

	if (!discover_sg_ident(sg, false, &id))
		by_serial = discover_sg_ident(sg, true, &id);
	n = sg_attr_bytes(sg, "vpd_pg80", page, sizeof(page));
	if (n > 0)
		ident_add_serial(&id, page, (size_t)n);
	for (size_t i = 0; i < s->nseen; i++)
		if (!s->seen[i].file && ident_equal(&s->seen[i].id, &id))
			return &s->seen[i];
	lun = seen_new(s, "scsi", id.wwid);
	lun->id = id;
	lun->by_serial = by_serial;
	lun->is_disk = is_served(sg);
	put_attr(lun->lun, "vendor", sg, "vendor");
	put_attr(lun->lun, "product", sg, "model");
	put(lun->lun, "size_bytes", must(json_integer(0)));
	put_ids(lun, sg);
	return lun;
}

static void scan_sg(void *arg, const char *sg)
{
	char name[PATH_NAME_BYTES], object[128], state[32], block[NAME_MAX + 1] = "";
	char address[64] = "", *end;
	struct seen *lun = scsi_seen(arg, sg);

	snprintf(name, sizeof(name), "/dev/%s", sg);
	/* "21:3 2:0:0:1 4711" */
	if (sg_kobject(sg, object, sizeof(object)) && (end = strrchr(object, ' '))) {
		*end = '\0';
		end = strchr(object, ' ');
		snprintf(address, sizeof(address), "%.63s", end ? end + 1 : "");
	}
	if (sg_attr_text(sg, "state", state, sizeof(state)) < 0)
		state[0] = '\0';
	if (!sg_block_name(sg, block, sizeof(block)))
		block[0] = '\0';
	else if (!json_integer_value(json_object_get(lun->lun, "size_bytes")))
		put(lun->lun, "size_bytes", block_size(block));
	add_path(lun, name, address, block, state);
}

/* --- loop devices --------------------------------------------------------------------- */

static struct seen *loop_seen(struct scan *s, const char *loop, const struct loop_backing *b)
{
	_cleanup_free_ char *wwid = NULL;
	struct seen *lun;

	for (size_t i = 0; i < s->nseen; i++)
		if (s->seen[i].file && !strcmp(s->seen[i].file, b->file) &&
		    s->seen[i].offset == b->offset && s->seen[i].sizelimit == b->sizelimit)
			return &s->seen[i];
	if (asprintf(&wwid, FILE_PREFIX "%s", b->file) < 0)
		must(wwid = NULL);
	lun = seen_new(s, "loop", wwid);
	lun->file = must(strdup(b->file));
	lun->offset = b->offset;
	lun->sizelimit = b->sizelimit;
	lun->whole = !b->deleted && !b->offset && !b->sizelimit;
	lun->is_disk = true;
	put(lun->lun, "vendor", clean_str(""));
	put(lun->lun, "product", clean_str(""));
	put(lun->lun, "size_bytes", block_size(loop));
	put(lun->lun, "offset_bytes", must(json_integer((json_int_t)b->offset)));
	put(lun->lun, "deleted", b->deleted ? json_true() : json_false());
	return lun;
}

static void scan_loop(void *arg, const char *loop, const struct loop_backing *b)
{
	struct seen *lun = loop_seen(arg, loop, b);
	char name[PATH_NAME_BYTES], dev[32];

	snprintf(name, sizeof(name), "/dev/%s", loop);
	block_facts(loop, "dev", dev, sizeof(dev));
	add_path(lun, name, dev, loop, "attached");
}

/* --- the configuration ---------------------------------------------------------------- */

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return !strcmp(a, b) || (stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
				 x.st_ino == y.st_ino);
}

static bool is_of(const struct lun_conf *lc, const struct seen *lun)
{
	const size_t prefix = strlen(FILE_PREFIX);

	if (!lun->file)
		return wwid_matches(lc->wwid, &lun->id);
	return lun->whole && !strncmp(lc->wwid, FILE_PREFIX, prefix) &&
	       same_file(lc->wwid + prefix, lun->file);
}

static const char *alias_of(const struct config *c, const struct seen *lun)
{
	for (size_t i = 0; c && i < c->nluns; i++)
		if (is_of(&c->luns[i], lun))
			return c->luns[i].alias;
	return NULL;
}

/* A block of multipaths {}, with an alias that nobody has. */
static char *config_block(struct scan *s, const struct seen *lun, const char *wwid)
{
	char alias[NAME_BYTES_MAX + 1], *text = NULL;
	size_t len;
	FILE *f;

	do
		snprintf(alias, sizeof(alias), "lun%u", s->next_alias++);
	while (s->config && config_find(s->config, alias));
	f = must(open_memstream(&text, &len));
	fputs("multipath {\n", f);
	if (json_array_size(json_object_get(lun->lun, "holders")))
		fputs("\t# in use by others: lunmuxd takes it once they let go\n", f);
	fputs("\twwid ", f);
	print_quoted(f, wwid);
	fprintf(f, "\n\talias %s\n", alias);
	if (lun->by_serial)
		fputs("\tallow_vpd80 yes # known by its serial number alone\n", f);
	fputs("}\n", f);
	fclose(f);
	return text;
}

static void put_config(struct scan *s, struct seen *lun, bool known)
{
	const char *wwid = json_string_value(json_object_get(lun->lun, "wwid"));
	const char *alias = alias_of(s->config, lun);
	_cleanup_free_ char *text = NULL;
	/* One that cannot be shown as it is cannot be pasted either. */
	bool exact = lun->file ? !strcmp(wwid + strlen(FILE_PREFIX), lun->file)
			       : !strcmp(wwid, lun->id.wwid);

	put(lun->lun, "alias", alias ? clean_str(alias) : json_null());
	if (known && !alias && wwid[0] && exact && lun->is_disk && (!lun->file || lun->whole))
		text = config_block(s, lun, wwid);
	put(lun->lun, "config", text ? must(json_string(text)) : json_null());
}

/* False: there is one, and it cannot be read or is not good, which is reported. */
static bool load(const char *file, bool is_default, struct config **ret, struct report *r)
{
	struct conf_errors errs = {NULL};
	struct ctl_error err;
	struct stat st;
	int e;

	*ret = NULL;
	if (is_default && stat(file, &st) < 0 && errno == ENOENT)
		return true;
	e = config_load(file, ret, &errs);
	if (e < 0) {
		ctl_fail(&err, CTL_E_CONFIG, "%s: %s: which LUNs it lists is not known", file,
			 errs.nerrors ? "not good" : strerror(-e));
		ctl_hint(&err, "\"lunmuxctl config check %s\" tells why", file);
		report_error(r, NULL, &err);
	}
	conf_errors_clear(&errs);
	return e >= 0;
}

void cmd_scan(const struct command *cmd, const struct options *o, int argc, char **argv,
	      struct report *r)
{
	const char *file = argc > 0 ? argv[0] : LUNMUX_CONF;
	struct scan s = {.r = r};
	struct config *c;
	bool known = load(file, argc == 0, &c, r);

	s.config = c;
	discover_sg_each(scan_sg, &s);
	discover_loop_each(scan_loop, &s);
	for (size_t i = 0; i < s.nseen; i++) {
		put_config(&s, &s.seen[i], known);
		free(s.seen[i].file);
	}
	free(s.seen);
	config_free(c);
}
