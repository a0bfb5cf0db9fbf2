/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names.c - which LUNs there are: the directories of RUNDIR that hold a control socket.
 */
#include "config.h"

#include "lunmuxctl/cmd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void add(struct names *ns, const char *name)
{
	if ((ns->n & (ns->n + 1)) == 0)
		ns->name = must(realloc(ns->name, (ns->n + 1) * 2 * sizeof(*ns->name)));
	strcpy(ns->name[ns->n++], name); /* ctl_name_ok() has bounded it */
}

int names_scan(const char *rundir, struct names *ret, struct ctl_error *err)
{
	_cleanup_closedir_ DIR *dir = opendir(rundir);
	struct names ns = {0};
	struct dirent *e;

	if (!dir && errno != ENOENT) {
		enum ctl_code code = errno == EACCES ? CTL_E_DENIED : CTL_E_FAILED;

		ctl_fail(err, code, "%s: %s", rundir, strerror(errno));
		if (code == CTL_E_DENIED)
			ctl_hint(err, "be root or a member of the daemon's group");
		return -EINVAL;
	}
	while (dir && ns.n < LUNS_MAX && (e = readdir(dir))) {
		char sock[sizeof(e->d_name) + 16];
		struct stat st;
		int r;

		if (!ctl_name_ok(e->d_name))
			continue;
		snprintf(sock, sizeof(sock), "%s/ctl.sock", e->d_name);
		r = fstatat(dirfd(dir), sock, &st, AT_SYMLINK_NOFOLLOW);
		/* A directory that we may not look into is a LUN that we may not ask.
		 */
		if (r == 0 ? S_ISSOCK(st.st_mode) : errno == EACCES)
			add(&ns, e->d_name);
	}
	if (ns.n)
		qsort(ns.name, ns.n, sizeof(*ns.name), compare);
	*ret = ns;
	return 0;
}

void names_free(struct names *ns)
{
	free(ns->name);
	memset(ns, 0, sizeof(*ns));
}

int names_only(const char *rundir, char *name, struct ctl_error *err)
{
	struct names ns;
	int r = names_scan(rundir, &ns, err);

	if (r < 0)
		return r;
	if (ns.n == 1) {
		memcpy(name, ns.name[0], sizeof(ns.name[0]));
	} else if (ns.n == 0) {
		r = ctl_fail(err, CTL_E_NO_SUCH_LUN, "there is no LUN in %s", rundir);
		ctl_hint(err,
			 "\"lunmuxd NAME\" starts one, -R names another directory");
	} else {
		r = ctl_fail(err, CTL_E_USAGE, "which LUN? There are %zu in %s", ns.n,
			     rundir);
		ctl_hint(err, "name one: %s, %s%s", ns.name[0], ns.name[1],
			 ns.n > 2 ? ", ... (\"lunmuxctl list\")" : "");
	}
	names_free(&ns);
	return r;
}
