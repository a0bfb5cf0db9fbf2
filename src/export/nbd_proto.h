/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_proto.h - the NBD wire: numbers and layouts of doc/proto.md in
 * NetworkBlockDevice/nbd (fixed newstyle, structured replies).  Everything is
 * big-endian and unaligned: read and written with base/bytes.h.
 */
#ifndef EXPORT_NBD_PROTO_H
#define EXPORT_NBD_PROTO_H

#include <linux/types.h>

#define NBD_MAGIC 0x4e42444d41474943ull	   /* "NBDMAGIC" */
#define NBD_OPT_MAGIC 0x49484156454f5054ull /* "IHAVEOPT" */
#define NBD_REP_MAGIC 0x0003e889045565a9ull
#define NBD_REQUEST_MAGIC 0x25609513u
#define NBD_SIMPLE_REPLY_MAGIC 0x67446698u
#define NBD_CHUNK_MAGIC 0x668e33efu

#define NBD_DEFAULT_PORT 10809

/* --- handshake ------------------------------------------------------------- */

enum { /* server's handshake flags; the client answers with the same bits */
	NBD_F_FIXED_NEWSTYLE = 1 << 0,
	NBD_F_NO_ZEROES = 1 << 1,
};

enum {
	NBD_OPT_EXPORT_NAME = 1,
	NBD_OPT_ABORT = 2,
	NBD_OPT_LIST = 3,
	NBD_OPT_PEEK_EXPORT = 4,
	NBD_OPT_STARTTLS = 5,
	NBD_OPT_INFO = 6,
	NBD_OPT_GO = 7,
	NBD_OPT_STRUCTURED_REPLY = 8,
	NBD_OPT_LIST_META_CONTEXT = 9,
	NBD_OPT_SET_META_CONTEXT = 10,
	NBD_OPT_EXTENDED_HEADERS = 11,
};

#define NBD_REP_ERR(n) (0x80000000u | (n))
#define NBD_REP_ACK 1u
#define NBD_REP_SERVER 2u
#define NBD_REP_INFO 3u
#define NBD_REP_META_CONTEXT 4u
#define NBD_REP_ERR_UNSUP NBD_REP_ERR(1u)
#define NBD_REP_ERR_POLICY NBD_REP_ERR(2u)
#define NBD_REP_ERR_INVALID NBD_REP_ERR(3u)
#define NBD_REP_ERR_UNKNOWN NBD_REP_ERR(6u)
#define NBD_REP_ERR_TOO_BIG NBD_REP_ERR(9u)

enum {
	NBD_INFO_EXPORT = 0,
	NBD_INFO_NAME = 1,
	NBD_INFO_DESCRIPTION = 2,
	NBD_INFO_BLOCK_SIZE = 3,
};

struct nbd_greeting {
	__be64 magic, opt_magic;
	__be16 flags;
} __attribute__((packed));

struct nbd_option {
	__be64 magic;
	__be32 opt, len;
} __attribute__((packed));

struct nbd_option_reply {
	__be64 magic;
	__be32 opt, type, len;
} __attribute__((packed));

/* The answer to EXPORT_NAME; the zeroes are left out where both sides said NO_ZEROES. */
struct nbd_export_reply {
	__be64 size;
	__be16 flags;
	__u8 zeroes[124];
} __attribute__((packed));

struct nbd_info_export {
	__be16 type;
	__be64 size;
	__be16 flags;
} __attribute__((packed));

struct nbd_info_block_size {
	__be16 type;
	__be32 minimum, preferred, maximum;
} __attribute__((packed));

#define NBD_CONTEXT_BASE_ALLOCATION "base:allocation"
#define NBD_CONTEXT_ID 1u

/* --- transmission ---------------------------------------------------------- */

enum { /* transmission flags */
	NBD_FLAG_HAS_FLAGS = 1 << 0,
	NBD_FLAG_READ_ONLY = 1 << 1,
	NBD_FLAG_SEND_FLUSH = 1 << 2,
	NBD_FLAG_SEND_FUA = 1 << 3,
	NBD_FLAG_ROTATIONAL = 1 << 4,
	NBD_FLAG_SEND_TRIM = 1 << 5,
	NBD_FLAG_SEND_WRITE_ZEROES = 1 << 6,
	NBD_FLAG_SEND_DF = 1 << 7,
	NBD_FLAG_CAN_MULTI_CONN = 1 << 8,
	NBD_FLAG_SEND_CACHE = 1 << 10,
	NBD_FLAG_SEND_FAST_ZERO = 1 << 11,
};

enum nbd_cmd {
	NBD_READ = 0,
	NBD_WRITE = 1,
	NBD_DISC = 2,
	NBD_FLUSH = 3,
	NBD_TRIM = 4,
	NBD_CACHE = 5,
	NBD_WRITE_ZEROES = 6,
	NBD_BLOCK_STATUS = 7,
	NBD_CMD_NR
};

enum { /* command flags */
	NBD_CF_FUA = 1 << 0,
	NBD_CF_NO_HOLE = 1 << 1,
	NBD_CF_DF = 1 << 2,
	NBD_CF_REQ_ONE = 1 << 3,
	NBD_CF_FAST_ZERO = 1 << 4,
	NBD_CF_PAYLOAD_LEN = 1 << 5,
};

struct nbd_request_hdr {
	__be32 magic;
	__be16 flags, type;
	__be64 cookie, offset;
	__be32 length;
} __attribute__((packed));

struct nbd_simple_reply {
	__be32 magic, error;
	__be64 cookie;
} __attribute__((packed));

struct nbd_chunk {
	__be32 magic;
	__be16 flags, type;
	__be64 cookie;
	__be32 length;
} __attribute__((packed));

#define NBD_CHUNK_F_DONE 1u
#define NBD_CHUNK_NONE 0u
#define NBD_CHUNK_OFFSET_DATA 1u
#define NBD_CHUNK_BLOCK_STATUS 5u
#define NBD_CHUNK_ERROR 0x8001u

struct nbd_extent {
	__be32 length, flags;
} __attribute__((packed));

#define NBD_EXTENT_HOLE 1u
#define NBD_EXTENT_ZERO 2u

enum nbd_error { /* the only ones that go out */
	NBD_OK = 0,
	NBD_EPERM = 1,
	NBD_EIO = 5,
	NBD_ENOMEM = 12,
	NBD_EINVAL = 22,
	NBD_ENOSPC = 28,
	NBD_EOVERFLOW = 75,
	NBD_ENOTSUP = 95,
};

_Static_assert(sizeof(struct nbd_greeting) == 18, "wire layout");
_Static_assert(sizeof(struct nbd_option) == 16, "wire layout");
_Static_assert(sizeof(struct nbd_option_reply) == 20, "wire layout");
_Static_assert(sizeof(struct nbd_export_reply) == 134, "wire layout");
_Static_assert(sizeof(struct nbd_info_export) == 12, "wire layout");
_Static_assert(sizeof(struct nbd_info_block_size) == 14, "wire layout");
_Static_assert(sizeof(struct nbd_request_hdr) == 28, "wire layout");
_Static_assert(sizeof(struct nbd_simple_reply) == 16, "wire layout");
_Static_assert(sizeof(struct nbd_chunk) == 20, "wire layout");
_Static_assert(sizeof(struct nbd_extent) == 8, "wire layout");

#endif
