/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_netlink.c - the generic netlink family "nbd" (include/uapi/linux/nbd-netlink.h):
 * one socket, one request and its answers a call.
 *
 * The family has no word for whose a device is but the backend identifier,
 * which sysfs shows (Linux 5.14): see nbd_device.c.
 */
#include <config.h>

#include "export/nbd_kernel.h"

#include <errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <string.h>

#include <linux/nbd-netlink.h>

struct talk {
	struct nl_sock *sk;
	struct nl_msg *msg;
	int family;
	int index; /* of the kernel's answer to CONNECT */
};

/* libnl has numbers of its own; the kernel's errnos come as they are from the callback below. */
static int nl_errno(int err)
{
	switch (-err) {
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_BUSY:
		return -EBUSY;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_OBJ_NOTFOUND:
		return -ENODEV;
	case NLE_INVAL:
		return -EINVAL;
	case NLE_OPNOTSUPP:
		return -EOPNOTSUPP;
	}
	return -EIO;
}

static void talk_end(struct talk *t)
{
	nlmsg_free(t->msg);
	nl_socket_free(t->sk);
}

static int talk_begin(struct talk *t, uint8_t cmd)
{
	int r;

	memset(t, 0, sizeof(*t));
	t->index = -1;
	t->sk = nl_socket_alloc();
	t->msg = nlmsg_alloc();
	if (!t->sk || !t->msg) {
		talk_end(t);
		return -ENOMEM;
	}
	r = genl_connect(t->sk);
	if (r == 0)
		r = t->family = genl_ctrl_resolve(t->sk, NBD_GENL_FAMILY_NAME);
	if (r >= 0 && !genlmsg_put(t->msg, NL_AUTO_PORT, NL_AUTO_SEQ, t->family, 0, 0, cmd,
				   NBD_GENL_VERSION))
		r = -NLE_NOMEM;
	if (r < 0) {
		talk_end(t);
		/* The family is the module's. */
		return r == -NLE_OBJ_NOTFOUND ? -ENODEV : nl_errno(r);
	}
	return 0;
}

static int on_answer(struct nl_msg *msg, void *arg)
{
	struct talk *t = arg;
	struct nlattr *attrs[NBD_ATTR_MAX + 1];

	if (genlmsg_parse(nlmsg_hdr(msg), 0, attrs, NBD_ATTR_MAX, NULL) == 0 && attrs[NBD_ATTR_INDEX])
		t->index = (int)nla_get_u32(attrs[NBD_ATTR_INDEX]);
	return NL_OK;
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *err, void *arg)
{
	*(int *)arg = err->error;
	return NL_STOP;
}

static int on_ack(struct nl_msg *msg, void *arg)
{
	*(int *)arg = 0;
	return NL_STOP;
}

/* Send what was put together, and hear the answers: that to CONNECT is a message and then the
 * acknowledgement, any other the latter alone. 0 or -errno of the kernel. */
static int talk_do(struct talk *t)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int r, end = 1;

	if (!cb)
		return -ENOMEM;
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_answer, t);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, &end);
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, &end);
	r = nl_send_auto(t->sk, t->msg);
	while (r >= 0 && end > 0)
		r = nl_recvmsgs(t->sk, cb);
	nl_cb_put(cb);
	if (end <= 0)
		return end;
	return nl_errno(r);
}

static int put_socket(struct nl_msg *msg, int fd)
{
	struct nlattr *list, *item;

	list = nla_nest_start(msg, NBD_ATTR_SOCKETS);
	if (!list)
		return -ENOMEM;
	item = nla_nest_start(msg, NBD_SOCK_ITEM);
	if (!item || nla_put_u32(msg, NBD_SOCK_FD, (uint32_t)fd) < 0)
		return -ENOMEM;
	nla_nest_end(msg, item);
	nla_nest_end(msg, list);
	return 0;
}

static int put_common(struct nl_msg *msg, const struct nbd_device_spec *spec)
{
	if (nla_put_u64(msg, NBD_ATTR_DEAD_CONN_TIMEOUT, spec->dead_sec) < 0 ||
	    nla_put_string(msg, NBD_ATTR_BACKEND_IDENTIFIER, spec->backend) < 0)
		return -ENOMEM;
	return 0;
}

static int kernel_connect(const struct nbd_device_spec *spec, int index, int fd)
{
	struct talk t;
	int r = talk_begin(&t, NBD_CMD_CONNECT);

	if (r < 0)
		return r;
	/* Timeout 0: the kernel cuts no connection because a request takes long. A LUN without a path holds
	 * its requests, and that is not the connection's fault. */
	if ((index != NBD_ANY_INDEX && nla_put_u32(t.msg, NBD_ATTR_INDEX, (uint32_t)index) < 0) ||
	    nla_put_u64(t.msg, NBD_ATTR_TIMEOUT, 0) < 0 ||
	    nla_put_u64(t.msg, NBD_ATTR_SIZE_BYTES, spec->size_bytes) < 0 ||
	    nla_put_u64(t.msg, NBD_ATTR_BLOCK_SIZE_BYTES, spec->block_bytes) < 0 ||
	    nla_put_u64(t.msg, NBD_ATTR_SERVER_FLAGS, spec->flags) < 0 ||
	    put_common(t.msg, spec) < 0 || put_socket(t.msg, fd) < 0)
		r = -ENOMEM;
	else
		r = talk_do(&t);
	if (r == 0)
		r = t.index >= 0 ? t.index : index;
	talk_end(&t);
	return r;
}

static int kernel_reconfigure(const struct nbd_device_spec *spec, int index, int fd)
{
	struct talk t;
	int r = talk_begin(&t, NBD_CMD_RECONFIGURE);

	if (r < 0)
		return r;
	/* No timeout: told again, even the same, it sets the queue's timer back to 30 s (nbd_set_cmd_timeout(),
	 * drivers/block/nbd.c), which a request that went down with the old socket waits for. */
	if (nla_put_u32(t.msg, NBD_ATTR_INDEX, (uint32_t)index) < 0 ||
	    (spec->size_bytes && nla_put_u64(t.msg, NBD_ATTR_SIZE_BYTES, spec->size_bytes) < 0) ||
	    put_common(t.msg, spec) < 0 || (fd >= 0 && put_socket(t.msg, fd) < 0))
		r = -ENOMEM;
	else
		r = talk_do(&t);
	talk_end(&t);
	return r;
}

static int kernel_disconnect(int index)
{
	struct talk t;
	int r = talk_begin(&t, NBD_CMD_DISCONNECT);

	if (r < 0)
		return r;
	if (nla_put_u32(t.msg, NBD_ATTR_INDEX, (uint32_t)index) < 0)
		r = -ENOMEM;
	else
		r = talk_do(&t);
	talk_end(&t);
	return r;
}

static int kernel_find(const struct nbd_device_spec *spec, char ret[NBD_BACKEND_BYTES])
{
	return nbd_device_find("", spec->backend, spec->backend_key_len, ret);
}

static uint64_t kernel_size(int index)
{
	return nbd_device_size("", index);
}

static int kernel_tune(int index, char *what, size_t size)
{
	return nbd_device_tune("", index, what, size);
}

static bool kernel_in_use(int index, char *who, size_t size)
{
	return nbd_device_in_use("", index, who, size);
}

const struct nbd_kernel_ops nbd_kernel_netlink = {
	.name = "netlink",
	.find = kernel_find,
	.connect = kernel_connect,
	.reconfigure = kernel_reconfigure,
	.disconnect = kernel_disconnect,
	.size_bytes = kernel_size,
	.tune = kernel_tune,
	.in_use = kernel_in_use,
};
