/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.h - what the administrator asked for, with every default resolved.
 *
 * config_load() reads the main file and its drop-in directory and makes one
 * immutable struct config, or none at all and a list of messages: a running
 * daemon keeps the configuration it has.  Times are nanoseconds, sizes bytes,
 * whatever the file says them in.  Knows no device: nothing is opened but the
 * files of the configuration, no path is looked at.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/log.h"
#include "base/policy.h"

#define CONF_FILE_BYTES_MAX (10u << 20) /* of one file */
#define CONF_LUNS_MAX	    4096u
#define CONF_ERRORS_MAX	    20u	 /* messages kept; all are counted */
#define CONF_WARNINGS_MAX   100u /* the same, for warnings */

enum conf_tristate { CONF_AUTO, CONF_ON, CONF_OFF, CONF_TRISTATE_NR };

/* flush_scope as written: auto is lu over sg paths and all over block paths. */
enum conf_ghost { CONF_GHOST_HOLD_WRITES, CONF_GHOST_HOLD_ACK, CONF_GHOST_NR };
enum conf_flush { CONF_FLUSH_AUTO, CONF_FLUSH_LU, CONF_FLUSH_ALL, CONF_FLUSH_NR };

/* Both of the others read; multipath.conf has a word for each of its ways to do it. */
enum conf_checker { CONF_CHECKER_TUR, CONF_CHECKER_READSECTOR0, CONF_CHECKER_DIRECTIO, CONF_CHECKER_NR };

enum nbd_device_kind { NBD_DEVICE_NONE, NBD_DEVICE_AUTO, NBD_DEVICE_FIXED };

struct nbd_device_conf {
	enum nbd_device_kind kind;
	unsigned index; /* N of /dev/nbdN, for NBD_DEVICE_FIXED */
};

struct tcp_conf {
	char *host;    /* numeric loopback address or "localhost"; NULL: no TCP */
	uint16_t port; /* host byte order */
};

struct export_conf {
	char *name; /* NBD export name; never NULL in a LUN (default: its alias) */
	struct nbd_device_conf nbd_device;
	uint64_t nbd_dead_timeout_ns; /* 0 = auto: the LUN's own times decide */
	char *unix_path; /* NULL: RUNDIR/NAME/nbd.sock */
	struct tcp_conf tcp;
	char *fuse_path; /* file to mount the image on; NULL: no FUSE export */
	unsigned max_connections;
	uint64_t handshake_timeout_ns;
};

struct failback_conf {
	enum failback_kind kind;
	uint64_t after_ns; /* for FAILBACK_AFTER, else 0 */
};

struct no_path_conf {
	enum no_path_kind kind;
	unsigned checks; /* polling intervals, for NO_PATH_RETRY, else 0 */
};

struct lun_conf {
	/* Which LUN. */
	char *alias; /* never NULL in a LUN; at most NAME_BYTES_MAX bytes without terminator */
	char *wwid;  /* as written, shorter than WWID_BYTES_MAX; never NULL in a LUN */
	char **paths; /* explicit paths, absolute; discovery is off if npaths > 0 */
	size_t npaths;
	bool allow_vpd80; /* the identity may come from VPD page 0x80 */

	/* Which path. */
	enum group_policy path_grouping_policy;
	enum sel_kind path_selector;
	unsigned rr_min_io;    /* round-robin: commands in a turn */
	uint64_t rr_min_bytes; /* or bytes; 0: by commands */
	enum rr_weight rr_weight;
	struct failback_conf failback;
	struct no_path_conf no_path_retry;
	uint64_t polling_interval_ns;
	uint64_t max_polling_interval_ns; /* >= polling_interval_ns; 0 in the defaults: 4 x that */

	enum conf_checker path_checker;
	uint64_t checker_read_bytes; /* 0: one block */

	/* Flapping and marginal paths; 0 = no. */
	uint64_t flap_window_ns, err_sample_ns;
	unsigned err_rate; /* errors in 1000 commands */
	uint64_t marginal_ns;

	/* How much, in which order. */
	unsigned queue_depth; /* of the LUN; 0 = auto */
	unsigned path_depth;  /* cap of each path; 0 = auto */
	unsigned host_depth;  /* cap of the paths through one host; 0 = auto */
	enum elv_kind elevator;
	uint64_t read_expire_ns, write_expire_ns;
	unsigned fifo_batch, writes_starved;

	/* How long one command may take. */
	uint64_t io_timeout_ns;
	uint64_t suspect_after_ns; /* 0 = auto: from the path's own latency */

	/* Data. */
	bool read_only;
	enum conf_tristate direct_io;
	enum conf_flush flush_scope;
	uint64_t ghost_time_ns;
	enum conf_ghost ghost_policy;
	bool boot_hold;

	/* The process that serves it. */
	unsigned min_paths; /* usable ones, before the service manager hears that it is ready */
	unsigned max_requests;
	uint64_t buffer_memory_bytes; /* a power of two */
	enum log_level log_level;

	struct export_conf export;
};

struct config {
	char *file;		  /* main file, as given */
	struct lun_conf defaults; /* what a LUN gets that says nothing; alias, wwid, name NULL */
	struct lun_conf *luns;	  /* in the order of the files */
	size_t nluns;
};

struct conf_message {
	bool warning;
	char *text; /* "FILE:LINE:COL: what: why", or "FILE: why" for a file as a whole */
	char *hint; /* what to write instead, or NULL */
};

/* Zero it before the first use. */
struct conf_errors {
	struct conf_message *msgs; /* in the order they were found */
	size_t nmsgs;
	size_t nerrors, nwarnings; /* all that were found, kept or not */
	size_t hint_to;		   /* private: the message that takes the next hint */
};

/* Read @file and, sorted by name, every "*.conf" of the directory "lunmux.d"
 * beside it.  0: *ret is the caller's, to be freed with config_free().
 * -EINVAL: the files were read and are bad; -errno: one could not be read;
 * -ENOMEM.  *ret is untouched then.  @errs gets all messages, also warnings of
 * a good file; what it held before is kept. */
int config_load(const char *file, struct config **ret, struct conf_errors *errs);

/* The same with another drop-in directory; "" for none, NULL for the derived
 * one.  A directory that is not there is an empty one. */
int config_load_dir(const char *file, const char *dir, struct config **ret,
		    struct conf_errors *errs);

/* The same from @len bytes of memory; @file only names them in messages. */
int config_parse(const char *file, const char *text, size_t len, struct config **ret,
		 struct conf_errors *errs);

/* Accepts NULL. */
void config_free(struct config *c);

/* By alias, else by WWID in any of its printed forms; NULL if there is none.
 * Owned by @c. */
const struct lun_conf *config_find(const struct config *c, const char *name);

/* Every setting as it is in force, as a file that config_parse() reads back to
 * an equal configuration.  0, or -errno of @f. */
int config_dump(const struct config *c, FILE *f);

/* Write the multipath.conf @file to @f as a lunmux.conf: what means the same is carried over, the
 * rest becomes comments that say why. 0; -EINVAL: it is not in the language, see @errs; -errno. */
int config_import(const char *file, FILE *f, struct conf_errors *errs);

/* Do all settings agree? */
bool lun_conf_equal(const struct lun_conf *a, const struct lun_conf *b);

/* Told of each keyword whose values differ; several values are joined by blanks, none is "".
 * @live: a running daemon takes it over. */
typedef void conf_diff_fn(void *arg, const char *keyword, bool live, const char *from,
			  const char *to);
/* What is to be done to make @a into @b.  0 or -ENOMEM. */
int lun_conf_diff(const struct lun_conf *a, const struct lun_conf *b, conf_diff_fn *fn, void *arg);

/* The values of @keyword, joined by blanks, to be freed; NULL: no such keyword, no memory. */
char *lun_conf_value(const struct lun_conf *lun, const char *keyword);

struct conf_why {
	char why[640], hint[320]; /* hint may be empty */
};
/* Give setting @key ("selector", "depth" and "policy" for short) of the LUN called @alias the
 * value @value, as the file would write it, if it is a live one and agrees with the others.  0:
 * *ret_keyword is its full name; -EINVAL with @why: nothing has changed; -ENOENT: no such LUN. */
int config_set(struct config *c, const char *alias, const char *key, const char *value,
	       const char **ret_keyword, struct conf_why *why);

/* The rule for aliases, for all names from outside that become part of a file
 * name: letters, digits, '.', '_', '-', no leading '.', 1 to 64 bytes. */
bool config_name_valid(const char *name);

/* Each message and its hint on a line, then how many were left out, if any. */
void conf_errors_print(const struct conf_errors *errs, FILE *f);
/* Free the messages and zero @errs for the next use. */
void conf_errors_clear(struct conf_errors *errs);

#endif
