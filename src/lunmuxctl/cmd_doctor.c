/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_doctor.c - doctor: what on this machine stands in the way of lunmuxd, a line
 * a finding. Looks only; sysfs and procfs are read, no device is opened.
 */
#include "config.h"

#include "lunmuxctl/cmd.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "lunmuxctl/text.h"

enum finding { FOUND_OK, FOUND_WARN, FOUND_FAIL };

struct doctor {
	const struct options *o;
	FILE *f;
	bool colour;
	unsigned nwarn, nfail;
	struct report *r;
};

__attribute__((format(printf, 5, 6))) static void find(struct doctor *d, enum finding is,
						       const char *what, const char *hint,
						       const char *fmt, ...)
{
	static const char *const words[] = {"ok", "warn", "fail"};
	static const enum tone tones[] = {TONE_GOOD, TONE_WARN, TONE_BAD};
	va_list ap;

	d->nwarn += is == FOUND_WARN;
	d->nfail += is == FOUND_FAIL;
	put_tone(d->f, d->colour, tones[is], words[is], 5);
	fprintf(d->f, "%-12s ", what);
	va_start(ap, fmt);
	vfprintf(d->f, fmt, ap);
	va_end(ap);
	if (is != FOUND_OK && hint)
		fprintf(d->f, " (%s)", hint);
	fputc('\n', d->f);
}

/* The first line of @file into @buf, without its end; "" if there is none. */
static const char *first_line(const char *file, char *buf, size_t size)
{
	_cleanup_fclose_ FILE *f = fopen(file, "re");

	buf[0] = '\0';
	if (f && fgets(buf, (int)size, f))
		buf[strcspn(buf, "\n")] = '\0';
	return buf;
}

static bool file_has(const char *file, const char *word)
{
	_cleanup_fclose_ FILE *f = fopen(file, "re");
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, word))
			return true;
	return false;
}

static void look_modules(struct doctor *d)
{
	if (!access("/sys/class/scsi_generic", F_OK))
		find(d, FOUND_OK, "sg", NULL, "the kernel has it");
	else
		find(d, FOUND_WARN, "sg", "modprobe sg", "not loaded: no SCSI paths, only block devices and files");
	if (!access("/sys/module/nbd", F_OK) || !access("/sys/block/nbd0", F_OK))
		find(d, FOUND_OK, "nbd", NULL, "the kernel has it");
	else
		find(d, FOUND_WARN, "nbd", "modprobe nbd", "not loaded: no /dev/nbdN; guests and tools can use the socket");
}

static void look_rights(struct doctor *d)
{
	static const struct {
		unsigned bit;
		const char *name, *for_what;
	} caps[] = {{17, "CAP_SYS_RAWIO", "SCSI commands of sg paths"},
		    {21, "CAP_SYS_ADMIN", "claiming block devices, attaching nbd"},
		    {24, "CAP_SYS_RESOURCE", "allocations that do not wait for write-back"},
		    {14, "CAP_IPC_LOCK", "memory that stays"}};
	_cleanup_fclose_ FILE *f = fopen("/proc/self/status", "re");
	unsigned long long have = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &have) == 1)
			break;
	for (size_t i = 0; i < ARRAY_SIZE(caps); i++) {
		if (have >> caps[i].bit & 1)
			find(d, FOUND_OK, "rights", NULL, "%s", caps[i].name);
		else
			find(d, FOUND_WARN, "rights", "a daemon started by this user lacks it, too",
			     "no %s: %s", caps[i].name, caps[i].for_what);
	}
}

static void look_limits(struct doctor *d)
{
	char text[64];
	struct rlimit rl;

	if (!getrlimit(RLIMIT_MEMLOCK, &rl) && rl.rlim_cur != RLIM_INFINITY && rl.rlim_cur < 256u * MIB)
		find(d, FOUND_WARN, "memlock", "LimitMEMLOCK=infinity in the unit", "at most %llu KiB",
		     (unsigned long long)rl.rlim_cur / KIB);
	else
		find(d, FOUND_OK, "memlock", NULL, "enough");
	first_line("/proc/sys/kernel/io_uring_disabled", text, sizeof(text));
	if (!strcmp(text, "2") || (!strcmp(text, "1") && geteuid()))
		find(d, FOUND_WARN, "io_uring", "libaio is used instead", "io_uring_disabled is %s", text);
	else
		find(d, FOUND_OK, "io_uring", NULL, "allowed");
	first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", text, sizeof(text));
	if (!strcmp(text, "hpet") || !strcmp(text, "acpi_pm") || !strcmp(text, "jiffies"))
		find(d, FOUND_WARN, "clock", "time is read for every command", "the clock source is %s", text);
	else
		find(d, FOUND_OK, "clock", NULL, "%s", text[0] ? text : "unknown source");
}

static void look_rundir(struct doctor *d)
{
	struct statfs st;

	if (statfs(d->o->rundir, &st) < 0)
		find(d, errno == ENOENT ? FOUND_WARN : FOUND_FAIL, "rundir",
		     "lunmuxd makes it when it starts", "%s: %s", d->o->rundir, strerror(errno));
	else if (st.f_type == TMPFS_MAGIC || st.f_type == RAMFS_MAGIC)
		find(d, FOUND_OK, "rundir", NULL, "%s is in memory", d->o->rundir);
	else
		find(d, FOUND_WARN, "rundir", "put it on tmpfs, as /run is",
		     "%s is on a disk: writing it may wait", d->o->rundir);
}

static void look_rivals(struct doctor *d)
{
	if (file_has("/proc/net/unix", "/org/kernel/linux/storage/multipathd") ||
	    file_has("/proc/net/unix", "/run/multipathd.socket"))
		find(d, FOUND_WARN, "multipathd", "blacklist the WWIDs of lunmux.conf in multipath.conf",
		     "is running: it may take the same paths");
	else
		find(d, FOUND_OK, "multipathd", NULL, "is not running");
}

/* --- the LUNs --- */

static void look_path(struct doctor *d, const char *lun, const json_t *p)
{
	char name[CELL_BYTES], state[CELL_BYTES], cause[CELL_BYTES], dev[64], file[160], dh[64];

	get_str(p, "name", name, sizeof(name));
	get_str(p, "state", state, sizeof(state));
	if (strcmp(state, "active") && strcmp(state, "standby"))
		find(d, FOUND_WARN, "path", "lunmuxctl events tells since when and why", "%s: %s is %s: %s",
		     lun, name, state, get_cause(p, cause, sizeof(cause)));
	if (strcspn(get_str(p, "dev", dev, sizeof(dev)), "/") != strlen(dev))
		return;
	snprintf(file, sizeof(file), "/sys/class/scsi_device/%s/device/dh_state", dev);
	first_line(file, dh, sizeof(dh));
	if (!strcmp(dh, "alua"))
		find(d, FOUND_WARN, "alua", "echo detach to its dh_state",
		     "%s: the kernel's ALUA handler sits on %s and judges its errors", lun, name);
}

static void doctor_take(void *arg, const char *name, struct answer *a)
{
	char cause[CELL_BYTES * 2], clean[NAME_BYTES_MAX + 1];
	struct doctor *d = arg;
	size_t i;
	json_t *v;

	ctl_clean(clean, sizeof(clean), name);
	if (!a->ok) {
		find(d, FOUND_FAIL, "daemon", a->err.hint[0] ? a->err.hint : NULL, "%s: %s", clean,
		     a->err.message);
		return;
	}
	find(d, FOUND_OK, "daemon", NULL, "%s answers", clean);
	json_array_foreach(json_object_get(a->result, "refused"), i, v)
		find(d, FOUND_WARN, "refused", "whoever holds it has to let go", "%s: %s", clean,
		     get_str(v, "cause", cause, sizeof(cause)));
	json_array_foreach(json_object_get(a->result, "path_list"), i, v) look_path(d, clean, v);
	json_decref(a->result);
}

void cmd_doctor(const struct command *cmd, const struct options *o, int argc, char **argv,
		struct report *r)
{
	struct doctor d = {.o = o, .r = r, .colour = !o->json && want_colour()};
	size_t len;

	d.f = must(open_memstream(&r->text, &len));
	look_modules(&d);
	look_rights(&d);
	look_limits(&d);
	look_rundir(&d);
	look_rivals(&d);
	ask_each(o, argc, argv, "status", true, doctor_take, &d, r);
	fclose(d.f);
	if (d.nfail)
		r->code = exit_worse(r->code, EXIT_FAILED);
	else if (d.nwarn)
		r->code = exit_worse(r->code, EXIT_DEGRADED);
}
