/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load.c - which files make up a configuration, and their bytes.
 *
 * All files are read into one tree before anything in it is judged.  A file
 * that cannot be read is an error, never an empty file: half of a configuration
 * is a wrong configuration.
 */
#include <config.h>

#include "config/builder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "config/mem.h"

#define DROP_IN_DIR "lunmux.d"

/* A file's name has to outlive the tree: positions point at it. */
struct file_name {
	STAILQ_ENTRY(file_name) link;
	char s[];
};

struct sources {
	STAILQ_HEAD(, file_name) names;
	struct conf_nodes top;
	struct conf_errors *errs;
};

static void sources_init(struct sources *src, struct conf_errors *errs)
{
	STAILQ_INIT(&src->names);
	STAILQ_INIT(&src->top);
	src->errs = errs;
}

static void sources_fini(struct sources *src)
{
	struct file_name *name;

	conf_nodes_free(&src->top);
	while ((name = STAILQ_FIRST(&src->names))) {
		STAILQ_REMOVE_HEAD(&src->names, link);
		free(name);
	}
}

/* The first @dir_len bytes of @dir, then @base; lives as long as @src. */
static const char *sources_name(struct sources *src, const char *dir, size_t dir_len,
				const char *base)
{
	size_t base_len = strlen(base);
	struct file_name *name = conf_calloc(1, sizeof(*name) + dir_len + base_len + 1);

	if (!name)
		return NULL;
	memcpy(name->s, dir, dir_len);
	memcpy(name->s + dir_len, base, base_len + 1);
	STAILQ_INSERT_TAIL(&src->names, name, link);
	return name->s;
}

static int file_error(struct sources *src, const char *file, int err, const char *what)
{
	conf_error(src->errs, (struct conf_pos){ .file = file }, "%s", what);
	return err;
}

/* Up to CONF_FILE_BYTES_MAX + 1 bytes, so that too long a file shows. */
static int read_all(int fd, char **ret, size_t *ret_len)
{
	_cleanup_free_ char *buf = NULL;
	size_t len = 0, room = 0;

	for (;;) {
		ssize_t n;

		if (len == room) {
			char *more = conf_realloc(buf, room = room ? 2 * room : 16384);

			if (!more)
				return -ENOMEM;
			buf = more;
		}
		n = read(fd, buf + len, room - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		len += (size_t)n;
		if (!n || len > CONF_FILE_BYTES_MAX)
			break;
	}
	*ret = take_ptr(buf);
	*ret_len = len;
	return 0;
}

static int read_file(struct sources *src, const char *file, char **ret, size_t *ret_len)
{
	/* Not blocking: a FIFO must not hold us up. */
	_cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ char *text = NULL;
	struct stat st;
	int r;

	if (fd < 0) {
		r = -errno;
		return file_error(src, file, r, strerror(-r));
	}
	if (fstat(fd, &st) < 0) {
		r = -errno;
		return file_error(src, file, r, strerror(-r));
	}
	if (S_ISDIR(st.st_mode))
		return file_error(src, file, -EISDIR, "is a directory, not a file");
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
		return file_error(src, file, -EINVAL, "is not a regular file");
	r = read_all(fd, &text, ret_len);
	if (r == -ENOMEM)
		return r;
	if (r)
		return file_error(src, file, r, strerror(-r));
	if (*ret_len > CONF_FILE_BYTES_MAX)
		return file_error(src, file, -EFBIG, "is larger than 10M: no configuration");
	*ret = take_ptr(text);
	return 0;
}

static int add_file(struct sources *src, const char *file)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r = read_file(src, file, &text, &len);

	return r ? r : parser_run(file, text, len, &src->top, src->errs);
}

static int is_drop_in(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return d->d_name[0] != '.' && len > 5 && !strcmp(d->d_name + len - 5, ".conf");
}

/* By bytes: not in the order of anybody's language. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_drop_in(struct sources *src, const char *dir, const char *base)
{
	const char *slashed = sources_name(src, dir, strlen(dir), "/");
	const char *file = slashed ? sources_name(src, slashed, strlen(slashed), base) : NULL;

	return file ? add_file(src, file) : -ENOMEM;
}

static int add_dir(struct sources *src, const char *dir)
{
	struct dirent **found;
	int n = scandir(dir, &found, is_drop_in, by_name), r = 0;

	if (n < 0) {
		r = -errno;
		return r == -ENOENT ? 0 : file_error(src, dir, r, strerror(-r));
	}
	for (int i = 0; i < n; i++) {
		int one = add_drop_in(src, dir, found[i]->d_name);

		if (!r || one == -ENOMEM)
			r = one; /* read on after an error: report them all */
		free(found[i]);
	}
	free(found);
	return r;
}

/* The drop-in directory beside @file. */
static const char *derived_dir(struct sources *src, const char *file)
{
	const char *slash = strrchr(file, '/');

	return sources_name(src, file, slash ? (size_t)(slash + 1 - file) : 0, DROP_IN_DIR);
}

static int load_sources(struct sources *src, const char *file, const char *dir)
{
	const char *name = sources_name(src, "", 0, file);
	int r = name ? add_file(src, name) : -ENOMEM, r_dir = 0;

	if (r != -ENOMEM && !dir) {
		dir = derived_dir(src, file);
		r = dir ? r : -ENOMEM;
	}
	if (r != -ENOMEM && *dir)
		r_dir = add_dir(src, dir);
	return r && r_dir != -ENOMEM ? r : r_dir;
}

/* Judge what was read, and end @src.  @r: how reading went; the tree is judged
 * after most errors, too, so that they are reported together. */
static int sources_build(struct sources *src, const char *file, int r, size_t errors_before,
			 struct config **ret)
{
	struct config *c = NULL;
	int r_build = r == -ENOMEM ? r : config_build(file, &src->top, &c, src->errs);

	r = r ? r : r_build;
	if (!r && src->errs->nerrors > errors_before)
		r = -EINVAL; /* of the parser */
	if (!r)
		*ret = take_ptr(c);
	config_free(c);
	sources_fini(src);
	return r;
}

int config_read_nodes(const char *file, struct conf_nodes *top, struct conf_errors *errs)
{
	struct sources src;
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r;

	sources_init(&src, errs);
	r = read_file(&src, file, &text, &len);
	return r ? r : parser_run(file, text, len, top, errs);
}

int config_load_dir(const char *file, const char *dir, struct config **ret,
		    struct conf_errors *errs)
{
	struct sources src;
	size_t errors_before = errs->nerrors;

	sources_init(&src, errs);
	return sources_build(&src, file, load_sources(&src, file, dir), errors_before, ret);
}

int config_load(const char *file, struct config **ret, struct conf_errors *errs)
{
	return config_load_dir(file, NULL, ret, errs);
}

int config_parse(const char *file, const char *text, size_t len, struct config **ret,
		 struct conf_errors *errs)
{
	struct sources src;
	size_t errors_before = errs->nerrors;
	int r;

	sources_init(&src, errs);
	r = parser_run(file, text, len, &src.top, errs);
	return sources_build(&src, file, r, errors_before, ret);
}
