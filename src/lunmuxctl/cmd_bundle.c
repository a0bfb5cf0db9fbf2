/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_bundle.c - support-bundle: a directory of files with what a bug report needs. */
#include "config.h"

#include "lunmuxctl/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/units.h"

#define LUNMUX_CONF "/etc/lunmux.conf"

struct bundle {
	const char *dir, *verb;
	struct report *r;
	unsigned nfiles;
};

static FILE *bundle_open(struct bundle *b, const char *name)
{
	char path[4096];
	FILE *f = NULL;
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", b->dir, name) >= (int)sizeof(path))
		return NULL;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0)
		f = fdopen(fd, "w");
	if (!f) {
		struct ctl_error err;

		ctl_fail(&err, CTL_E_FAILED, "%s: %s", path, strerror(errno));
		report_error(b->r, NULL, &err);
		return NULL;
	}
	b->nfiles++;
	return f;
}

static void bundle_take(void *arg, const char *name, struct answer *a)
{
	char file[NAME_BYTES_MAX + 32];
	struct bundle *b = arg;
	FILE *f;

	/* The name came from the directory of sockets: it is one. */
	snprintf(file, sizeof(file), "%s-%s.json", name, b->verb);
	f = bundle_open(b, file);
	if (f && a->ok)
		json_dumpf(a->result, f, JSON_INDENT(1));
	else if (f)
		fprintf(f, "%s: %s\n", ctl_code_name(a->err.code), a->err.message);
	if (f)
		fclose(f);
	if (a->ok)
		json_decref(a->result);
}

static void copy_file(struct bundle *b, const char *from, const char *name)
{
	_cleanup_fclose_ FILE *in = fopen(from, "re");
	FILE *out = bundle_open(b, name);
	char buf[4096];
	size_t n;

	if (out && !in)
		fprintf(out, "%s: %s\n", from, strerror(errno));
	while (out && in && (n = fread(buf, 1, sizeof(buf), in)) > 0)
		fwrite(buf, 1, n, out);
	if (out)
		fclose(out);
}

static void put_versions(struct bundle *b)
{
	FILE *f = bundle_open(b, "versions.txt");
	struct utsname u;

	if (!f)
		return;
	fprintf(f, "lunmuxctl %s\n", PACKAGE_VERSION);
	if (uname(&u) == 0)
		fprintf(f, "%s %s %s %s\n", u.sysname, u.release, u.version, u.machine);
	fclose(f);
}

static void put_doctor(struct bundle *b, const struct options *o)
{
	FILE *f = bundle_open(b, "doctor.txt");
	struct report sub;

	report_init(&sub, "doctor", VIEW_TEXT);
	cmd_doctor(NULL, o, 0, NULL, &sub);
	if (f) {
		fputs(sub.text, f);
		fclose(f);
	}
	report_clear(&sub);
}

void cmd_bundle(const struct command *cmd, const struct options *o, int argc, char **argv,
		struct report *r)
{
	static const char *const verbs[] = {"status", "stats", "events", "trace"};
	struct bundle b = {.dir = argv[0], .r = r};
	struct ctl_error err;
	size_t len;
	FILE *f;

	if (mkdir(b.dir, 0700) < 0) {
		ctl_fail(&err, CTL_E_FAILED, "%s: %s", b.dir, strerror(errno));
		ctl_hint(&err, "the directory is made here, and must not be there yet");
		report_error(r, NULL, &err);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		b.verb = verbs[i];
		ask_each(o, 0, NULL, b.verb, true, bundle_take, &b, r);
	}
	copy_file(&b, LUNMUX_CONF, "lunmux.conf");
	copy_file(&b, "/proc/modules", "modules.txt");
	put_versions(&b);
	put_doctor(&b, o);
	f = must(open_memstream(&r->text, &len));
	fprintf(f, "%s: %u files; to send it: tar -czf lunmux-support.tar.gz %s\n", b.dir, b.nfiles, b.dir);
	fclose(f);
}
