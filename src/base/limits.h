/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * limits.h - every fixed bound, in one place, with its unit and its reason.
 * Relations between them are checked at compile time at the end.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define KIB (1024u)
#define MIB (1024u * 1024u)

/* --- names --- */
#define NAME_BYTES_MAX 64    /* alias of a LUN: sun_path is 108 bytes */
#define WWID_BYTES_MAX 256   /* printed WWID, terminator included */
#define IDENT_BYTES_MAX 1024 /* all designators of a path, printed */
#define CAUSE_BYTES 160	     /* why something has failed or moved, in words */
#define PATH_NAME_BYTES 256  /* "/dev/sg12", "/srv/images/lab.img" and their like */
#define NODE_NAME_BYTES 232  /* of a target: an iSCSI name has 223 (RFC 3720, 3.2.6.1) */

/* --- the LUN --- */
#define PATHS_MAX 256	       /* per LUN */
#define GROUPS_MAX 64	       /* per LUN */
#define BLOCK_BYTES_MIN 512u   /* logical block sizes that we serve */
#define BLOCK_BYTES_MAX 65536u /* NBD's bound for a minimum block size */
#define PHYS_BLOCK_BYTES_MAX (1u << 20) /* a device that tells more is not believed */
#define NUMA_NODES_MAX 64u     /* nodes whose distances are known */
#define NUMA_LOCAL_DISTANCE 10u /* ACPI SLIT: a node to itself */
#define DEPTH_DEFAULT 64u      /* slots of the LUN where nothing says otherwise */
#define DEPTH_MAX 4096u	       /* slots of the LUN */
#define REQS_DEFAULT 1024u     /* requests of all clients of a LUN */
#define REQS_MAX 8192u
#define TRANSITION_SEC 60u   /* of a port group where the target does not tell (SPC-6, 6.36) */
#define ACTIVATE_SEC 10u     /* between two requests to serve: hosts must not fight over a LUN */

/* --- one command --- */
#define CMD_SEGS_MAX 256u	      /* requests merged into one command */
#define CMD_BYTES_MAX (8u * MIB)     /* data of one command */
#define MERGE_BYTES_MAX (512u * KIB) /* of requests that share one: see cmd_gather() */
#define CMD_SAME_MAX 3	      /* V_SAME in a row before V_OTHER */
#define CMD_TRIES_MAX 32      /* attempts of one command in all */
#define CMD_RETRY_SEC 180u    /* time in these and between them: sd's, six times 30 s */
#define PATH_STREAK_MAX 3     /* VF_STREAK outcomes in a row on one path */

/* --- one request --- */
#define REQ_BYTES_MAX (32u * MIB)    /* payload of a READ or WRITE: NBD's customary cap */
#define BUF_ARENA_DEFAULT (64u * MIB) /* buffers of all requests of a LUN */
#define BUF_MIN_BYTES 4096u

/* --- sg driver --- */
#define SG_CMDS_PER_FILE 16u /* drivers/scsi/sg.c SG_MAX_QUEUE */

/* --- checks --- */
#define CHECK_READ_BYTES_MAX (1u * MIB) /* of the READ that a check of a path may make */
/* So often a path that works is asked who it is, beside its data: its LUN may have been exchanged
 * with nobody told, or somebody else was. A hundred times what that costs would not be felt. */
#define IDENTITY_SEC 60u
#define IDENTITY_FRESH_SEC 10u /* a path that was asked so lately need not be asked again */

/* --- NBD clients (doc: integrity notes, "NBD clients are hostile") --- */
#define NBD_HANDSHAKE_SEC 10u
#define NBD_OPTIONS_MAX 128u	      /* options of one handshake */
#define NBD_OPTION_BYTES_MAX (64u * KIB + 16u)
#define NBD_STRING_MAX 4096u
#define NBD_CONNS_MAX 128u
#define NBD_CONN_REQS_MAX 128u	       /* in flight per connection */
#define NBD_CONN_BYTES_MAX (64u * MIB) /* in flight per connection */
#define NBD_REPLY_QUEUE_MAX (1u * MIB) /* unsent replies: above this, stop reading */
#define NBD_PAYLOAD_MIN_RATE (64u * KIB) /* bytes a second, or the connection is cut */

/* --- control socket --- */
#define CTL_LINE_MAX (64u * KIB)
#define CTL_CLIENTS_MAX 32u

_Static_assert(CMD_SEGS_MAX <= 1024, "an iovec array may not exceed UIO_MAXIOV");
_Static_assert(BUF_ARENA_DEFAULT >= REQ_BYTES_MAX, "the largest request must fit the arena");
_Static_assert((BUF_MIN_BYTES & (BUF_MIN_BYTES - 1)) == 0, "buddy sizes are powers of two");
_Static_assert(NBD_CONN_BYTES_MAX >= REQ_BYTES_MAX, "one largest request per client");
_Static_assert(DEPTH_MAX <= REQS_MAX, "depth without requests is useless");

#endif
