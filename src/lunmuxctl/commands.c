/* SPDX-License-Identifier: GPL-2.0-or-later */
/* commands.c - the table of verbs, and the help made of it. The manual page lunmuxctl(8) says
 * the same. */
#include "config.h"

#include "lunmuxctl/cmd.h"

#include <string.h>

#include "base/units.h"

static const struct command commands[] = {
	{"list", "[NAME]", "one line a LUN", NULL, 0, 1, VIEW_LIST, cmd_show},
	{"status", "[NAME]", "state, queue, groups and paths", NULL, 0, 1, VIEW_STATUS,
	 cmd_show},
	{"paths", "[NAME]", "one line a path", NULL, 0, 1, VIEW_PATHS, cmd_show},
	{"stats", "[NAME]", "counters and latencies", NULL, 0, 1, VIEW_STATS, cmd_show},
	{"events", "[NAME]", "what has happened: paths, groups, depth, settings, clients",
	 "The last moves of the LUN, at most 1024, oldest first, with the time and the cause.\n"
	 "With --json --follow each is an object on a line of its own.\n",
	 0, 1, VIEW_EVENTS, cmd_record, OPT_BIT_FOLLOW | OPT_BIT_LINES},
	{"trace", "[NAME]", "the last commands: path, range, times, verdict",
	 "Each command that a path has carried, as it ended: its range in blocks, how long its\n"
	 "oldest request had waited, how long it took, and how often it had been sent.\n",
	 0, 1, VIEW_TRACE, cmd_record, OPT_BIT_LINES},
	{"top", "[NAME]", "rates of LUNs and paths, again and again",
	 "On a terminal until it is interrupted; else, and with --batch, -n says how often (1).\n",
	 0, 1, VIEW_TEXT, cmd_top, OPT_BIT_BATCH | OPT_BIT_INTERVAL | OPT_BIT_LINES},
	{"metrics", "[NAME]", "counters as OpenMetrics text, for Prometheus and the like", NULL, 0, 1,
	 VIEW_TEXT, cmd_metrics, 0},
	{"check", "[NAME]", "one line for Nagios and the like",
	 "Exit status 0 ok, 1 warning, 2 critical, 3 unknown. Without limits some path that does\n"
	 "not serve is a warning, and a LUN that does not is critical.\n",
	 0, 1, VIEW_CHECK, cmd_check, OPT_BIT_LIMITS},
	{"show", "maps|paths [NAME]", "as multipathd shows it, in its JSON",
	 "show maps json and show paths json of multipathd: the same members, for tools that\n"
	 "read those. NAME picks one LUN.\n",
	 1, 3, VIEW_TEXT, cmd_show_maps, 0},
	{"doctor", "[NAME]", "look at this machine for what makes trouble",
	 "Kernel modules, limits, other users of paths: a line each, ok, warn or fail, with a\n"
	 "hint. Exit status 0, 3 if there is a warning, 1 if something fails.\n",
	 0, 1, VIEW_TEXT, cmd_doctor, 0},
	{"support-bundle", "DIR", "gather what a bug report needs in a new directory",
	 "Status, statistics, events and trace of all LUNs, the configuration, versions and what\n"
	 "doctor finds. Read it before you give it away: it holds names and WWIDs, no data.\n",
	 1, 1, VIEW_TEXT, cmd_bundle, 0},
	{"config", "check|dump|import [FILE]", "look at a configuration, or make one",
	 "check: is FILE (/etc/lunmux.conf) good? dump: every setting as it is in force. import:\n"
	 "FILE (/etc/multipath.conf) as a lunmux.conf, what has no counterpart as comments. No\n"
	 "daemon is asked.\n",
	 1, 2, VIEW_TEXT, cmd_config, 0},
	{"scan", "[FILE]", "all LUNs of this machine, configured or not",
	 "SCSI and loop devices by LUN: names, paths, who holds it, and lines to paste into\n"
	 "lunmux.conf for those that FILE (/etc/lunmux.conf) does not list. No daemon is asked,\n"
	 "no device is opened, no right is needed.\n",
	 0, 1, VIEW_SCAN, cmd_scan, 0},
	{"fail-path", "[NAME] PATH", "take a path out of use",
	 "PATH is /dev/sg3, sg3, or its H:C:T:L; /dev/loop4, loop4, or its 7:4. Commands\n"
	 "on it end; it gets no new ones until reinstate-path.\n",
	 1, 2, VIEW_PATH_CHANGE, cmd_path},
	{"drain-path", "[NAME] PATH", "take a path out of use and wait until it is idle",
	 "As fail-path, but refused for the last usable path, and it ends when the path's\n"
	 "commands have, or after --timeout.\n",
	 1, 2, VIEW_PATH_CHANGE, cmd_io, 0},
	{"add-path", "[NAME] PATH", "take a device as a path by hand",
	 "PATH is /dev/sg3, sg3, /dev/loop4 or a file, configured or found or not. It is refused if\n"
	 "it would be as a configured one, or fails its first check, which is waited for.\n",
	 1, 2, VIEW_PATH_CHANGE, cmd_io, 0},
	{"del-path", "[NAME] PATH [--force]", "take a path away, and do not take it back",
	 "Its commands end first, for --timeout at most. Refused for the last usable path, unless\n"
	 "with --force. It comes back by add-path, or with a restart of the daemon.\n",
	 1, 2, VIEW_REMOVED, cmd_io, OPT_BIT_FORCE},
	{"flush", "[NAME]", "write the caches of the LUN out now", NULL, 0, 1, VIEW_FLUSH, cmd_io, 0},
	{"resize", "[NAME]", "take over a capacity that has grown, at once",
	 "Each usable path is checked, one after the other, and when all tell of the new size,\n"
	 "that is it. A smaller one is refused.\n",
	 0, 1, VIEW_RESIZE, cmd_io, 0},
	{"reinstate-path", "[NAME] PATH", "take it back, after a check",
	 "PATH is /dev/sg3, sg3, or its H:C:T:L; /dev/loop4, loop4, or its 7:4. It carries\n"
	 "data once its check has passed, which wait --paths waits for.\n",
	 1, 2, VIEW_PATH_CHANGE, cmd_path},
	{"accept-path", "[NAME] PATH", "check a path in quarantine again",
	 "PATH is /dev/sg3, sg3, or its H:C:T:L; /dev/loop4, loop4, or its 7:4. It comes\n"
	 "back if the whole check finds this LUN behind it, else it stays in quarantine.\n",
	 1, 2, VIEW_PATH_CHANGE, cmd_path},
	{"switch-group", "[NAME] GROUP", "let another group of paths carry the I/O",
	 "GROUP is the group's number in status, or one of its paths. It carries the I/O\n"
	 "until it has no usable path, or as failback says.\n",
	 1, 2, VIEW_GROUP_CHANGE, cmd_group},
	{"queueing", "[NAME] on|off|default",
	 "hold requests while no path is usable, or fail them",
	 "Overrides no_path_retry until it is said otherwise, or the daemon restarts:\n"
	 "on holds them without a limit, off fails them, default is what the configuration\n"
	 "says.\n",
	 1, 2, VIEW_LUN_CHANGE, cmd_queueing},
	{"fail", "[NAME] now", "fail the requests that are held for want of a path",
	 "They end with an I/O error, and so do new ones until a path is usable.\n", 1, 2,
	 VIEW_LUN_CHANGE, cmd_fail},
	{"wait", "[NAME] [--paths N] [--state up|down]",
	 "until the LUN is so, or --timeout",
	 "Without --paths and --state it waits for state up. A daemon that does not "
	 "run is\n"
	 "waited for, too.\n",
	 0, 1, VIEW_WAIT, cmd_wait, OPT_BIT_PATHS | OPT_BIT_STATE},
	{"attach", "[NAME] [DEVICE]", "make the LUN a block device of the kernel",
	 "DEVICE is /dev/nbdN; without it the kernel chooses. The device survives the\n"
	 "daemon: requests wait for the next one.\n",
	 0, 2, VIEW_DEVICE, cmd_device},
	{"detach", "[NAME] [--force]", "take it back from the kernel",
	 "Refused while somebody uses the device, unless with --force: they get errors then.\n",
	 0, 1, VIEW_DEVICE, cmd_device, OPT_BIT_FORCE},
	{"inject", "[NAME] PATH FAULT [count N] [percent P]", "put a test fault on a path, for drills",
	 "FAULT is error (commands that were good count as failed), delay MS (they end so much\n"
	 "later), drop (they do not end), refuse (they are not taken), check (checks fail), or\n"
	 "off. It strikes N times, or P of 100 commands; without these all, until off or the\n"
	 "daemon's end. The clients should notice nothing but the time.\n",
	 2, 8, VIEW_INJECT, cmd_inject, 0},
	{"set", "[NAME] KEY VALUE", "change a setting until the next restart or reload",
	 "KEY is a keyword of lunmux.conf that takes effect at once: path_selector (last-used,\n"
	 "round-robin, queue-length, service-time, historical-service-time, numa; selector for\n"
	 "short), queue_depth (a number, or auto; depth), path_grouping_policy (policy),\n"
	 "path_depth, host_depth, elevator, no_path_retry, failback and others, also while I/O\n"
	 "runs.\n",
	 2, 3, VIEW_SET, cmd_set},
	{"reload", "[NAME]", "read lunmux.conf anew and apply what differs",
	 "Validated first: a bad file changes nothing. What takes effect only at the next start\n"
	 "of the daemon is named.\n",
	 0, 1, VIEW_RELOAD, cmd_show},
	{"upgrade", "[NAME]", "go on with the lunmuxd that is installed now",
	 "The daemon becomes that program in the same process: connections and /dev/nbdN go on,\n"
	 "clients only wait for a moment. Refused, with nothing changed, if that program cannot\n"
	 "take over or does not like the configuration, if requests hang, or with a FUSE file.\n",
	 0, 1, VIEW_UPGRADE, cmd_upgrade},
	{"ping", "[NAME]", "does the daemon answer?", NULL, 0, 1, VIEW_PING, cmd_show},
	{"help", "[VERB]", "this text, or that of a verb", NULL, 0, 1, VIEW_LIST, NULL},
};

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	}
	return NULL;
}

/* --- help --- */

void command_list(FILE *f)
{
	fputs("Usage: lunmuxctl [-R DIR] [--json] [--timeout S] VERB [NAME] ...\n"
	      "Show and change what lunmuxd does. NAME may be left out if there is "
	      "only one LUN;\n"
	      "list, status, paths, stats, top, metrics, check, reload and ping then take all\n"
	      "there are.\n\nVerbs:\n",
	      f);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(f, "  %s %s\n      %s\n", commands[i].name, commands[i].args,
			commands[i].summary);
	fputc('\n', f);
	options_help(f, ~0u);
	fputs("\nExit status:\n"
	      "  0   ok\n"
	      "  1   failed\n"
	      "  2   usage\n"
	      "  3   degraded: some path does not serve\n"
	      "  4   down: no path serves\n"
	      "  5   no such LUN or path\n"
	      "  6   daemon not reachable\n"
	      "  7   permission denied\n"
	      "  8   timeout\n"
	      "  78  bad configuration\n",
	      f);
}

void command_help(const struct command *cmd, FILE *f)
{
	fprintf(f, "Usage: lunmuxctl [-R DIR] [--json] [--timeout S] %s %s\n%s\n",
		cmd->name, cmd->args, cmd->summary);
	if (cmd->help)
		fprintf(f, "\n%s", cmd->help);
	fputc('\n', f);
	options_help(f, cmd->options);
}

const char *command_nearest(const char *word)
{
	const char *names[ARRAY_SIZE(commands)];

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		names[i] = commands[i].name;
	return ctl_nearest(word, names, ARRAY_SIZE(names));
}
