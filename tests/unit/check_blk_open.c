// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_blk_open.c - paths that must not be opened: each is refused with the
 * right errno and a line that names the device, says what is wrong and what to
 * do; nothing stays open or locked.  And what is found out about a file.
 */
#include <config.h>

#include "check_blk_env.h"
#include "base/limits.h"
#include "base/units.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct env v;
static char dir[] = "/tmp/check_blk_open.XXXXXX";
static char err[300];

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	make_file(dir, v.file, sizeof(v.file), NBLOCKS);
	memcpy(v.dev, v.file, sizeof(v.dev));
	env_engine(&v, BLK_ENGINE_AUTO, 8);
}

static unsigned open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void teardown(void)
{
	env_end(&v);
	ck_assert_int_eq(rmdir(dir), 0);
}

/* Refused with @want, and with each of the words in the line; nothing is left behind. */
static void refused(const struct blk_conf *conf, const char *dev, int want, const char *word1,
		    const char *word2)
{
	unsigned before = open_files();
	struct path *p = NULL;
	int r;

	err[0] = '\0';
	r = blk_path_new(v.engine, conf, dev, &p, err, sizeof(err));
	ck_assert_msg(r == want, "%s: %d, not %d: %s", dev, r, want, err);
	ck_assert_ptr_null(p);
	ck_assert_msg(strstr(err, word1) && strstr(err, word2), "%s", err);
	ck_assert_uint_eq(open_files(), before);
}

static char wwid[200];

static struct blk_conf conf_of(const char *file)
{
	snprintf(wwid, sizeof(wwid), "file:%s", file);
	return (struct blk_conf){ .wwid = wwid };
}

START_TEST(not_there)
{
	struct blk_conf conf = conf_of(v.file);

	refused(&conf, "/nonexistent/x.img", -ENOENT, "/nonexistent/x.img", "no such device");
	conf = conf_of("/nonexistent/y.img");
	refused(&conf, v.file, -ENOENT, "file:/nonexistent/y.img", "no such file");
}
END_TEST

START_TEST(wrong_kind)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct blk_conf conf = conf_of(v.file);
	char name[100];
	int s;

	refused(&conf, dir, -EISDIR, dir, "directory");
	refused(&conf, "/dev/null", -ENOTBLK, "/dev/null", "character device");
	snprintf(name, sizeof(name), "%s/fifo", dir);
	ck_assert_int_eq(mkfifo(name, 0600), 0);
	refused(&conf, name, -ENOTBLK, name, "FIFO"); /* and does not wait for a writer */
	unlink(name);
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/sock", dir);
	ck_assert_int_eq(bind(s, (void *)&sun, sizeof(sun)), 0);
	refused(&conf, sun.sun_path, -ENOTBLK, sun.sun_path, "socket");
	unlink(sun.sun_path);
	close(s);
	conf = conf_of(dir);
	refused(&conf, v.file, -ENOTBLK, "wwid file:", "neither");
}
END_TEST

START_TEST(wrong_size)
{
	struct blk_conf conf = conf_of(v.file);

	ck_assert_int_eq(truncate(v.file, 0), 0);
	refused(&conf, v.file, -EINVAL, v.file, "empty");
	ck_assert_int_eq(truncate(v.file, 1000), 0);
	refused(&conf, v.file, -EINVAL, "1000 bytes", "512");
	ck_assert_int_eq(truncate(v.file, 512), 0);
	conf.file_block_bytes = 4096;
	refused(&conf, v.file, -EINVAL, "512 bytes", "4096");
	conf.file_block_bytes = 1000;
	refused(&conf, v.file, -EINVAL, "1000 bytes", "block size");
	conf.file_block_bytes = 2 * BLOCK_BYTES_MAX;
	refused(&conf, v.file, -EINVAL, "131072 bytes", "block size");
}
END_TEST

/* A copy is another disk, a hard link is the same one. */
START_TEST(identity)
{
	struct blk_conf conf = conf_of(v.file);
	char other[128], link_name[150];
	struct path *p;

	make_file(dir, other, sizeof(other), NBLOCKS);
	refused(&conf, other, -EREMCHG, other, "another disk");
	conf.wwid = "3600a098038303053742b463230313233";
	refused(&conf, v.file, -EREMCHG, "has no WWID", "file:NAME");
	snprintf(link_name, sizeof(link_name), "%s/link", dir);
	ck_assert_int_eq(link(v.file, link_name), 0);
	p = env_open(&v, link_name, BLK_DIRECT_AUTO, 0);
	ck_assert_int_eq(env_check(&v, p, true), CHECK_OK);
	snprintf(wwid, sizeof(wwid), "file:%s", v.file);
	ck_assert_str_eq(told.info.ident, wwid);
	env_close(&v, p);
	/* The name is taken over by another file while the path is open: that does not matter to
	 * the path, and does to the next one. */
	unlink(link_name);
	ck_assert_int_eq(rename(other, link_name), 0);
	conf = conf_of(v.file);
	refused(&conf, link_name, -EREMCHG, link_name, "another disk");
	unlink(link_name);
}
END_TEST

/* As somebody who may not. */
START_TEST(permission)
{
	struct blk_conf conf = conf_of(v.file);

	ck_assert_int_eq(chmod(v.file, 0400), 0);
	if (geteuid() == 0) {
		ck_assert_int_eq(chmod(dir, 0755), 0);
		ck_assert_int_eq(seteuid(65534), 0);
		refused(&conf, v.file, -EACCES, "no permission", "65534");
		ck_assert_int_eq(seteuid(0), 0);
	} else {
		refused(&conf, v.file, -EACCES, "no permission", "read and write");
	}
}
END_TEST

/* Another process has the file: whoever it is, we don't write to it. */
START_TEST(locked)
{
	struct blk_conf conf = conf_of(v.file);
	int go[2], ready[2];
	char c;
	pid_t pid;

	ck_assert_int_eq(pipe(go) | pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
		int fd = open(v.file, O_RDWR);

		close(go[1]);
		if (fcntl(fd, F_OFD_SETLK, &fl) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		_exit(read(go[0], &c, 1) < 0);
	}
	close(go[0]);
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	refused(&conf, v.file, -EBUSY, "locked", "check_blk_open");
	close(go[1]);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	blk_path_free(env_open(&v, v.file, BLK_DIRECT_AUTO, 0));
	close(ready[0]);
	close(ready[1]);
}
END_TEST

/* The paths of one engine share the lock; another engine (another lunmuxd) does not get it. */
START_TEST(shared_lock)
{
	struct blk_conf conf = conf_of(v.file);
	struct path *a = env_open(&v, v.file, BLK_DIRECT_AUTO, 0);
	struct path *b = env_open(&v, v.file, BLK_DIRECT_AUTO, 0), *c = NULL;
	struct blk_engine *other;

	ck_assert_int_eq(blk_engine_new(v.loop, 8, BLK_ENGINE_AUTO, &other), 0);
	ck_assert_int_eq(blk_path_new(other, &conf, v.file, &c, err, sizeof(err)), -EBUSY);
	ck_assert_ptr_nonnull(strstr(err, "locked"));
	blk_path_free(a);
	ck_assert_int_eq(blk_path_new(other, &conf, v.file, &c, err, sizeof(err)), -EBUSY);
	blk_path_free(b);
	ck_assert_int_eq(blk_path_new(other, &conf, v.file, &c, err, sizeof(err)), 0);
	blk_path_free(c);
	blk_engine_free(other);
}
END_TEST

/* `on` and `off` are obeyed; `on` is refused where the file system has no O_DIRECT. */
START_TEST(direct_io)
{
	static const enum blk_direct modes[] = { BLK_DIRECT_ON, BLK_DIRECT_OFF };
	int probe = open(v.file, O_RDWR | O_DIRECT), fd, flags;
	bool can = probe >= 0;
	char link_name[64], target[128];

	if (can)
		close(probe);
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
		struct blk_conf conf = conf_of(v.file);
		struct path *p = NULL;
		unsigned direct = 0, seen = 0;

		conf.direct_io = modes[i];
		conf.file_block_bytes = 4096;
		if (modes[i] == BLK_DIRECT_ON && !can) {
			refused(&conf, v.file, -EINVAL, "direct_io on", "O_DIRECT");
			continue;
		}
		ck_assert_int_eq(blk_path_new(v.engine, &conf, v.file, &p, err, sizeof(err)), 0);
		for (fd = 0; fd < 64; fd++) {
			snprintf(link_name, sizeof(link_name), "/proc/self/fd/%d", fd);
			memset(target, 0, sizeof(target));
			if (readlink(link_name, target, sizeof(target) - 1) <= 0 ||
			    strcmp(target, v.file) != 0)
				continue;
			flags = fcntl(fd, F_GETFL);
			direct += (flags & O_DIRECT) != 0;
			seen++;
		}
		ck_assert_uint_eq(seen, 2); /* the data's and the lock's */
		ck_assert_uint_eq(direct, modes[i] == BLK_DIRECT_ON);
		blk_path_free(p);
	}
}
END_TEST

/* Longer than a path's name may be: its end is kept, which tells paths apart. */
START_TEST(long_name)
{
	char name[3 * PATH_NAME_BYTES + 100], sub[3][3 * PATH_NAME_BYTES + 100];
	struct path *p;
	size_t len = (size_t)snprintf(name, sizeof(name), "%s", dir);

	for (int i = 0; i < 3; i++) {
		len += (size_t)snprintf(name + len, sizeof(name) - len, "/%0*d", PATH_NAME_BYTES / 2, i);
		ck_assert_int_eq(mkdir(name, 0755), 0);
		memcpy(sub[i], name, sizeof(name));
	}
	snprintf(name + len, sizeof(name) - len, "/disk.img");
	ck_assert_int_eq(link(v.file, name), 0);
	p = env_open(&v, name, BLK_DIRECT_AUTO, 0);
	ck_assert_ptr_nonnull(strstr(p->name, "2/disk.img"));
	ck_assert_int_eq(strncmp(p->name, "...", 3), 0);
	blk_path_free(p);
	unlink(name);
	for (int i = 2; i >= 0; i--)
		rmdir(sub[i]);
}
END_TEST

/* "file:NAME" is the file that it was for the first path, whatever has the name later. */
START_TEST(replaced)
{
	struct blk_identity id = { 0 };
	struct blk_conf conf = conf_of(v.file);
	char other[128], old[160];
	struct path *p;

	conf.identity = &id;
	ck_assert_int_eq(blk_path_new(v.engine, &conf, v.file, &p, err, sizeof(err)), 0);
	ck_assert(id.known);
	make_file(dir, other, sizeof(other), NBLOCKS);
	snprintf(old, sizeof(old), "%s.old", v.file);
	ck_assert_int_eq(rename(v.file, old), 0);
	ck_assert_int_eq(rename(other, v.file), 0);
	refused(&conf, v.file, -EREMCHG, v.file, "another file");
	blk_path_free(p);
	refused(&conf, v.file, -EREMCHG, v.file, "another file");
	ck_assert_int_eq(rename(old, v.file), 0);
	ck_assert_int_eq(blk_path_new(v.engine, &conf, v.file, &p, err, sizeof(err)), 0);
	blk_path_free(p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("blk_open");
	TCase *tc = tcase_create("refused");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, not_there);
	tcase_add_test(tc, wrong_kind);
	tcase_add_test(tc, wrong_size);
	tcase_add_test(tc, identity);
	tcase_add_test(tc, permission);
	tcase_add_test(tc, locked);
	tcase_add_test(tc, shared_lock);
	tcase_add_test(tc, direct_io);
	tcase_add_test(tc, long_name);
	tcase_add_test(tc, replaced);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
