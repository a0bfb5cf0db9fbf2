/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keywords.c - the one table of all keywords.
 *
 * The words are multipath.conf's where it has them; where it has none, the
 * kernel's (read_expire).  A keyword without a line in lunmux.conf(5), or with
 * another default there, fails a test.
 */
#include <config.h>

#include "config/keywords.h"

#include <ctype.h>
#include <string.h>
#include <sys/un.h>

#include "base/limits.h"
#include "base/units.h"
#include "config/lexer.h"
#include "config/nearest.h"

#define MS NS_PER_MS
#define SEC NS_PER_SEC
#define MINUTE (60 * NS_PER_SEC)

/* Where a setting of the LUN, or one of its exports, may stand. */
#define ANYWHERE (KW_DEFAULTS | KW_MULTIPATH)
#define EXPORTS (KW_DEFAULTS_EXPORT | KW_EXPORT)

#define AT(field) .offset = offsetof(struct lun_conf, field)
#define RANGE(lo, hi) .min = (lo), .max = (hi)
#define WORD_LIST(list) .words = (list), .nwords = ARRAY_SIZE(list)

static const char *const tristate_words[] = { "auto", "on", "off" };
static const char *const ghost_words[] = { "hold-writes", "hold-ack" };
static const char *const flush_words[] = { "auto", "lu", "all" };
static const char *const checker_words[] = { "tur", "readsector0", "directio" };
static const char *const level_words[] = { "err", "warn", "notice", "info", "debug" };

_Static_assert(ARRAY_SIZE(tristate_words) == CONF_TRISTATE_NR, "a word each");
_Static_assert(ARRAY_SIZE(ghost_words) == CONF_GHOST_NR, "a word each");
_Static_assert(ARRAY_SIZE(flush_words) == CONF_FLUSH_NR, "a word each");
_Static_assert(ARRAY_SIZE(checker_words) == CONF_CHECKER_NR, "a word each");
_Static_assert(ARRAY_SIZE(level_words) == LOG_L_DEBUG - LOG_L_ERR + 1, "a word each");

/* In the order of the dump and of the manual. */
const struct keyword keywords[KEYWORDS_NR] = {
	{ "wwid", KW_MULTIPATH, KW_UNIQUE, &kw_wwid, AT(wwid) },
	{ "alias", KW_MULTIPATH, KW_UNIQUE, &kw_alias, AT(alias) },
	{ "path", KW_MULTIPATH, KW_UNIQUE | KW_REPEATS | KW_LIVE, &kw_paths, AT(paths),
	  .max = PATH_NAME_BYTES - 1 },
	{ "allow_vpd80", ANYWHERE, 0, &kw_yes_no, AT(allow_vpd80), .def = "no" },

	{ "path_grouping_policy", ANYWHERE, KW_LIVE, &kw_grouping, AT(path_grouping_policy),
	  WORD_LIST(group_policy_names), .def = "group_by_prio" },
	{ "path_selector", ANYWHERE, KW_LIVE, &kw_selector, AT(path_selector),
	  WORD_LIST(sel_kind_names), .def = "service-time" },
	{ "rr_min_io", ANYWHERE, KW_LIVE, &kw_number, AT(rr_min_io), RANGE(1, 1000000), .def = "1" },
	{ "rr_min_bytes", ANYWHERE, KW_LIVE, &kw_bytes, AT(rr_min_bytes), RANGE(0, 1u << 30),
	  .def = "0" },
	{ "rr_weight", ANYWHERE, KW_LIVE, &kw_words, AT(rr_weight), WORD_LIST(rr_weight_names),
	  .def = "uniform" },
	{ "failback", ANYWHERE, KW_LIVE, &kw_failback, AT(failback), RANGE(MS, 1440 * MINUTE),
	  .def = "immediate" },
	{ "no_path_retry", ANYWHERE, KW_LIVE, &kw_no_path_retry, AT(no_path_retry),
	  RANGE(1, 1000000), .def = "12" },
	{ "polling_interval", ANYWHERE, KW_LIVE, &kw_time, AT(polling_interval_ns),
	  RANGE(10 * MS, 60 * MINUTE), .def = "5s" },
	{ "max_polling_interval", ANYWHERE, KW_LIVE, &kw_time_auto, AT(max_polling_interval_ns),
	  RANGE(10 * MS, MAX_POLLING_NS), .def = "auto" },
	{ "path_checker", ANYWHERE, 0, &kw_checker, AT(path_checker), WORD_LIST(checker_words),
	  .def = "tur" },
	{ "checker_read_size", ANYWHERE, 0, &kw_bytes, AT(checker_read_bytes),
	  RANGE(0, CHECK_READ_BYTES_MAX), .def = "0" },

	{ "marginal_path_double_failed_time", ANYWHERE, KW_LIVE, &kw_time_no, AT(flap_window_ns),
	  RANGE(MS, 60 * MINUTE), .def = "1m" },
	{ "marginal_path_err_sample_time", ANYWHERE, KW_LIVE, &kw_time_no, AT(err_sample_ns),
	  RANGE(MS, 60 * MINUTE), .def = "1m" },
	{ "marginal_path_err_rate_threshold", ANYWHERE, KW_LIVE, &kw_number_no, AT(err_rate),
	  RANGE(1, 1000), .def = "100" },
	{ "marginal_path_err_recheck_gap_time", ANYWHERE, KW_LIVE, &kw_time_no, AT(marginal_ns),
	  RANGE(MS, 1440 * MINUTE), .def = "2m" },

	{ "queue_depth", ANYWHERE, KW_LIVE, &kw_number_auto, AT(queue_depth), RANGE(1, DEPTH_MAX),
	  .def = "auto" },
	{ "path_depth", ANYWHERE, KW_LIVE, &kw_number_auto, AT(path_depth), RANGE(1, DEPTH_MAX),
	  .def = "auto" },
	{ "host_depth", ANYWHERE, KW_LIVE, &kw_number_auto, AT(host_depth), RANGE(1, DEPTH_MAX),
	  .def = "auto" },
	{ "elevator", ANYWHERE, KW_LIVE, &kw_words, AT(elevator), WORD_LIST(elv_kind_names),
	  .def = "auto" },
	{ "read_expire", ANYWHERE, KW_LIVE, &kw_time, AT(read_expire_ns), RANGE(MS, MINUTE),
	  .def = "500ms" },
	{ "write_expire", ANYWHERE, KW_LIVE, &kw_time, AT(write_expire_ns), RANGE(MS, MINUTE),
	  .def = "5s" },
	{ "fifo_batch", ANYWHERE, KW_LIVE, &kw_number, AT(fifo_batch), RANGE(1, 1024), .def = "16" },
	{ "writes_starved", ANYWHERE, KW_LIVE, &kw_number, AT(writes_starved), RANGE(0, 1024),
	  .def = "2" },

	{ "io_timeout", ANYWHERE, 0, &kw_time, AT(io_timeout_ns), RANGE(100 * MS, 60 * MINUTE),
	  .def = "30s" },
	{ "suspect_after", ANYWHERE, KW_LIVE, &kw_time_auto, AT(suspect_after_ns),
	  RANGE(MS, 60 * MINUTE), .def = "auto" },

	{ "read_only", ANYWHERE, 0, &kw_yes_no, AT(read_only), .def = "no" },
	{ "direct_io", ANYWHERE, 0, &kw_words, AT(direct_io), WORD_LIST(tristate_words),
	  .def = "auto" },
	{ "flush_scope", ANYWHERE, KW_LIVE, &kw_words, AT(flush_scope), WORD_LIST(flush_words),
	  .def = "auto" },
	{ "ghost_time", ANYWHERE, KW_LIVE, &kw_time, AT(ghost_time_ns), RANGE(0, 60 * MINUTE),
	  .def = "30s" },
	{ "ghost_policy", ANYWHERE, KW_LIVE, &kw_words, AT(ghost_policy), WORD_LIST(ghost_words),
	  .def = "hold-writes" },
	{ "boot_hold", ANYWHERE, 0, &kw_yes_no, AT(boot_hold), .def = "yes" },

	{ "min_paths", ANYWHERE, KW_LIVE, &kw_number, AT(min_paths), RANGE(1, PATHS_MAX), .def = "1" },
	{ "max_requests", ANYWHERE, 0, &kw_number, AT(max_requests), RANGE(16, REQS_MAX),
	  .def = "1024" },
	{ "buffer_memory", ANYWHERE, 0, &kw_size, AT(buffer_memory_bytes),
	  RANGE(REQ_BYTES_MAX, 16ull << 30), .def = "64M" },
	{ "log_level", ANYWHERE, KW_LIVE, &kw_words, AT(log_level), WORD_LIST(level_words),
	  .min = LOG_L_ERR, .def = "info" },

	{ "name", KW_EXPORT, 0, &kw_text, AT(export.name), RANGE(1, CONF_WORD_MAX) },
	{ "nbd_device", EXPORTS, KW_UNIQUE, &kw_nbd_device, AT(export.nbd_device),
	  RANGE(0, 65535), .def = "none" },
	{ "nbd_dead_timeout", EXPORTS, 0, &kw_time_auto, AT(export.nbd_dead_timeout_ns),
	  RANGE(SEC, 1440 * MINUTE), .def = "auto" },
	{ "unix", KW_EXPORT, KW_UNIQUE, &kw_file, AT(export.unix_path),
	  .max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1 },
	{ "tcp", KW_EXPORT, KW_UNIQUE, &kw_tcp, AT(export.tcp), RANGE(1, 65535) },
	{ "fuse", KW_MULTIPATH | KW_EXPORT, KW_UNIQUE, &kw_file, AT(export.fuse_path),
	  .max = CONF_WORD_MAX },
	{ "max_connections", EXPORTS, KW_LIVE, &kw_number, AT(export.max_connections),
	  RANGE(1, NBD_CONNS_MAX), .def = "128" },
	{ "handshake_timeout", EXPORTS, KW_LIVE, &kw_time, AT(export.handshake_timeout_ns),
	  RANGE(100 * MS, 10 * MINUTE), .def = "10s" },
};

const struct keyword *keyword_find(const char *name)
{
	for (size_t i = 0; i < KEYWORDS_NR; i++)
		if (!strcmp(keywords[i].name, name))
			return &keywords[i];
	return NULL;
}

static const char use_log_level[] = "log_level says how much is logged";
static const char use_io_timeout[] = "io_timeout and suspect_after say how long a path has";
static const char use_alias[] = "alias gives a LUN its name";
static const char use_file_mode[] = "access is by the mode of the export's socket or file";

const struct dm_word dm_words[] = {
	{ "alias_prefix", use_alias },
	{ "all_tg_pt" },
	{ "allow_usb_devices" },
	{ "auto_resize" },
	{ "bindings_file", use_alias },
	{ "checker_timeout", use_io_timeout },
	{ "config_dir", "drop-in files are read from lunmux.d beside this file" },
	{ "deferred_remove" },
	{ "delay_wait_checks" },
	{ "delay_watch_checks" },
	{ "detect_checker" },
	{ "detect_pgpolicy" },
	{ "detect_pgpolicy_use_tpg" },
	{ "detect_prio" },
	{ "dev_loss_tmo" },
	{ "disable_changed_wwids" },
	{ "eh_deadline" },
	{ "enable_foreign" },
	{ "fast_io_fail_tmo" },
	{ "features", "no_path_retry says what happens without a path" },
	{ "find_multipaths", "only listed WWIDs are ever opened" },
	{ "find_multipaths_timeout" },
	{ "flush_on_last_del" },
	{ "force_sync" },
	{ "getuid_callout" },
	{ "ghost_delay" },
	{ "gid", use_file_mode },
	{ "hardware_handler" },
	{ "hw_str_match" },
	{ "log_checker_err", use_log_level },
	{ "marginal_pathgroups" },
	{ "max_fds" },
	{ "max_retries" },
	{ "max_sectors_kb" },
	{ "missing_uev_wait_timeout" },
	{ "mode", use_file_mode },
	{ "multipath_dir" },
	{ "partition_delimiter" },
	{ "pg_timeout" },
	{ "prio", "priorities come from the array's ALUA states" },
	{ "prio_args" },
	{ "prkeys_file" },
	{ "queue_without_daemon" },
	{ "reassign_maps" },
	{ "recheck_wwid", "identity is always checked before a path comes back" },
	{ "remove_retries" },
	{ "reservation_key" },
	{ "retain_attached_hw_handler" },
	{ "retrigger_delay" },
	{ "retrigger_tries" },
	{ "rr_min_io_rq", "rr_min_io means the same" },
	{ "san_path_err_forget_rate" },
	{ "san_path_err_recovery_time" },
	{ "san_path_err_threshold" },
	{ "skip_kpartx" },
	{ "strict_timing" },
	{ "udev_dir" },
	{ "uid", use_file_mode },
	{ "uid_attribute", "WWIDs are read from the device, not from udev" },
	{ "uid_attrs", "WWIDs are read from the device, not from udev" },
	{ "user_friendly_names", use_alias },
	{ "uxsock_timeout" },
	{ "verbosity", use_log_level },
	{ "vpd_vendor" },
	{ "wwids_file", "only listed WWIDs are ever opened" },
};
const size_t dm_words_nr = ARRAY_SIZE(dm_words);

const struct dm_word dm_sections[] = {
	{ "blacklist", "only listed WWIDs are ever opened" },
	{ "blacklist_exceptions", "only listed WWIDs are ever opened" },
	{ "devices", "settings by vendor and product go to defaults or multipath" },
	{ "protocol" },
};
const size_t dm_sections_nr = ARRAY_SIZE(dm_sections);

_Static_assert(ARRAY_SIZE(dm_words) + ARRAY_SIZE(dm_sections) <= DM_WORDS_MAX, "bound");

const char *keyword_nearest(const char *word, enum kw_scope scope)
{
	struct nearest near = nearest_start(word);

	for (size_t i = 0; i < KEYWORDS_NR; i++)
		if (keywords[i].scopes & scope)
			nearest_offer(&near, keywords[i].name);
	if (scope & ANYWHERE)
		for (size_t i = 0; i < dm_words_nr; i++)
			nearest_offer(&near, dm_words[i].name);
	return near.best;
}

const char *kw_scope_name(enum kw_scope scope)
{
	switch (scope) {
	case KW_DEFAULTS:
		return "defaults";
	case KW_MULTIPATH:
		return "multipath";
	case KW_DEFAULTS_EXPORT:
	case KW_EXPORT:
		return "export";
	}
	return "?";
}

static bool has_prefix(const char **s, const char *prefix)
{
	size_t len = strlen(prefix);

	if (strncmp(*s, prefix, len))
		return false;
	*s += len;
	return true;
}

/* multipath puts the designator type before the identifier: 3 for NAA, 2 for
 * EUI-64, 1 for T10 vendor; udev and sysfs spell the type out. */
void wwid_common_form(const char *wwid, char *buf)
{
	static const char *const wrappers[] = { "dm-uuid-mpath-", "mpath-", "lunmux-", "scsi-" };
	static const struct {
		const char *prefix;
		char type;
	} spelt[] = { { "wwn-0x", '3' }, { "naa.", '3' }, { "0x", '3' }, { "eui.", '2' },
		      { "t10.", '1' } };
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_SIZE(wrappers); i++)
		if (has_prefix(&wwid, wrappers[i]))
			break;
	for (size_t i = 0; i < ARRAY_SIZE(spelt); i++) {
		if (has_prefix(&wwid, spelt[i].prefix)) {
			buf[at++] = spelt[i].type;
			break;
		}
	}
	snprintf(buf + at, WWID_BYTES_MAX - at, "%s", wwid);
	if (strspn(buf, "0123456789abcdefABCDEF") == strlen(buf))
		for (char *c = buf; *c; c++)
			*c = (char)tolower((unsigned char)*c);
}
