// SPDX-License-Identifier: GPL-2.0-or-later
/* Makes, reads back and deletes a tap interface: tun (Documentation/networking/tuntap.rst) and netlink. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "sriov/function.h"
#include "sriov/netlink.h"
#include "sriov/tap.h"

CV_DEFINE_CLEANUP(struct nl_sock *, nl_socket_free)
CV_DEFINE_CLEANUP(struct nl_msg *, nlmsg_free)

#define TUN "/dev/net/tun"
#define NET_ADDR_SET "3" /* addr_assign_type: somebody chose the address */

/** enum part - of the work, in order */
enum part {
	PART_OPEN,
	PART_CREATE,
	PART_OWNER,
	PART_DRESS,
	PART_QUIET,
	PART_PORT,
	PART_UP,
	PART_KEEP,
	PARTS
};

/**
 * struct making - an interface in the making; comes back from the child
 * @index: 0 until it is there
 * @part:  in progress: what failed
 * @err:   filled when Open vSwitch refused
 */
struct making {
	const struct cv_step_env *env;
	struct sr_tap tap;
	uid_t uid;
	char mark[SR_TAP_MARK_MAX];
	int tun_fd, index, bridge_index;
	unsigned int mtu;
	enum part part;
	struct cv_error err;
};

/* ---- netlink ---- */

/** struct link_change - what is asked of an interface; 0 and NULL: nothing */
struct link_change {
	int index;
	const uint8_t *address;
	unsigned int mtu;
	const char *alias;
	int master;
	bool is_up;
};

static struct nl_msg *new_message(int type, const struct link_change *c)
{
	_cleanup_(nlmsg_freep) struct nl_msg *msg = nlmsg_alloc_simple(type, 0);
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC, .ifi_index = c->index };

	ifi.ifi_flags = ifi.ifi_change = c->is_up ? IFF_UP : 0;
	if (!msg || nlmsg_append(msg, &ifi, sizeof(ifi), NLMSG_ALIGNTO) < 0)
		return NULL;
	if ((c->address && nla_put(msg, IFLA_ADDRESS, 6, c->address) < 0) ||
	    (c->mtu && nla_put_u32(msg, IFLA_MTU, c->mtu) < 0) ||
	    (c->alias && nla_put_string(msg, IFLA_IFALIAS, c->alias) < 0) ||
	    (c->master && nla_put_u32(msg, IFLA_MASTER, (uint32_t)c->master) < 0))
		return NULL;
	return TAKE_PTR(msg);
}

static int request(int type, const struct link_change *c)
{
	_cleanup_(nl_socket_freep) struct nl_sock *sock = NULL;
	_cleanup_(nlmsg_freep) struct nl_msg *msg = new_message(type, c);
	int r = sr_nl_open(&sock);

	if (r < 0)
		return r;
	return msg ? sr_nl_request(sock, msg) : -ENOMEM;
}

/* ---- the parts, in the child ---- */

static int open_tun(struct making *m)
{
	m->tun_fd = cv_open(m->env->root, TUN, O_RDWR | O_NONBLOCK | O_CLOEXEC, 0);
	return m->tun_fd < 0 ? m->tun_fd : 0;
}

static short tun_flags(unsigned int queues)
{
	return (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (queues > 1 ? IFF_MULTI_QUEUE : 0));
}

static int set_iff(int fd, const char *name, short flags)
{
	struct ifreq ifr = { .ifr_flags = flags };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	return ioctl(fd, TUNSETIFF, &ifr) < 0 ? -errno : 0;
}

/* A name that somebody took meanwhile is an error, not his interface. */
static int create(struct making *m)
{
	short flags = (short)(tun_flags(m->tap.queues) | (short)IFF_TUN_EXCL);
	int r = set_iff(m->tun_fd, m->tap.name, flags);

	if (r < 0)
		return r;
	m->index = (int)if_nametoindex(m->tap.name);
	return m->index > 0 ? 0 : -ENODEV;
}

static int set_owner(struct making *m)
{
	return ioctl(m->tun_fd, TUNSETOWNER, (unsigned long)m->uid) < 0 ? -errno : 0;
}

/*
 * A bridge nobody gave an address has the smallest one of its ports: this one shall not be it. The rest of
 * the address is the kernel's choice. The MTU comes before the bridge does: it takes the smallest, too.
 */
static int dress(struct making *m)
{
	struct ifreq ifr = { 0 };
	uint8_t address[6];
	struct link_change c = {
		.index = m->index, .address = address, .mtu = m->mtu, .alias = m->mark
	};

	if (ioctl(m->tun_fd, SIOCGIFHWADDR, &ifr) < 0)
		return -errno;
	memcpy(address, ifr.ifr_hwaddr.sa_data, sizeof(address));
	memcpy(address, (const uint8_t[]){ 0xfe, 0xff, 0xff }, 3);
	return request(RTM_SETLINK, &c);
}

/* The host has no address of its own on it; a kernel without IPv6 has nothing to be told. */
static int be_quiet(struct making *m)
{
	char path[CV_PATH_MAX];
	int r = cv_write_str(
		m->env->root,
		cv_pathf(path, "/proc/sys/net/ipv6/conf/%s/addr_gen_mode", m->tap.name), "1");

	return r == -ENOENT ? 0 : r;
}

static bool has_ports(const struct making *m)
{
	_cleanup_strv_ struct cv_strv ports = { 0 };
	char path[CV_PATH_MAX];

	return cv_list(m->env->root, cv_pathf(path, "/sys/class/net/%s/brif", m->tap.bridge),
		       &ports) < 0 ||
	       ports.n > 0;
}

/* The first port of a bridge brings its address, the last takes it away: one that the host has by chance
 * becomes its own. */
static int keep_bridge_address(struct making *m)
{
	char type[8], text[24];
	uint8_t address[6];
	struct link_change c = { .index = m->bridge_index, .address = address };

	if (sr_net_read(m->env->root, m->tap.bridge, "addr_assign_type", type, sizeof(type)) < 0 ||
	    strcmp(type, NET_ADDR_SET) == 0 || has_ports(m))
		return 0;
	if (sr_net_read(m->env->root, m->tap.bridge, "address", text, sizeof(text)) < 0 ||
	    cv_parse_mac(text, address) < 0 || strcmp(text, "00:00:00:00:00:00") == 0)
		return 0;
	return request(RTM_SETLINK, &c);
}

static int join(struct making *m)
{
	struct link_change c = { .index = m->index, .master = m->bridge_index };
	int r;

	if (m->tap.is_ovs)
		return sr_ovs_add(&m->tap, m->env->vm, m->env->deadline_ms, &m->err);
	r = keep_bridge_address(m);
	return r ?: request(RTM_SETLINK, &c);
}

static int set_up(struct making *m)
{
	struct link_change c = { .index = m->index, .is_up = true };

	return request(RTM_SETLINK, &c);
}

/* Before this an end of ours takes the interface with it. */
static int keep(struct making *m)
{
	return ioctl(m->tun_fd, TUNSETPERSIST, 1) < 0 ? -errno : 0;
}

static const struct {
	const char *what;
	int (*run)(struct making *m);
} parts[PARTS] = {
	[PART_OPEN] = { "open " TUN, open_tun },
	[PART_CREATE] = { "make the interface", create },
	[PART_OWNER] = { "give the interface to the user", set_owner },
	[PART_DRESS] = { "set address, MTU and alias of the interface", dress },
	[PART_QUIET] = { "switch off IPv6 addresses of the interface", be_quiet },
	[PART_PORT] = { "make the interface a port of the bridge", join },
	[PART_UP] = { "set the interface up", set_up },
	[PART_KEEP] = { "keep the interface", keep },
};

static int run_making(void *data)
{
	struct making *m = data;
	int r = 0;

	m->bridge_index = (int)if_nametoindex(m->tap.bridge);
	for (unsigned int i = 0; i < PARTS && r == 0; i++) {
		m->part = i;
		r = parts[i].run(m);
	}
	return r;
}

/* ---- the rest ---- */

static unsigned int read_mtu(struct cv_sysroot *root, const char *ifname)
{
	char text[16];
	uint64_t mtu;

	if (sr_net_read(root, ifname, "mtu", text, sizeof(text)) < 0 ||
	    cv_parse_u64(text, &mtu) < 0)
		return 0;
	return (unsigned int)mtu;
}

/* Not below the bridge's, which would follow. */
static unsigned int mtu_of(struct cv_sysroot *root, const struct sr_tap *t)
{
	unsigned int bridge = read_mtu(root, t->bridge);

	return t->mtu > bridge ? t->mtu : bridge;
}

static int fail_making(const struct making *m, int r, struct cv_error *err)
{
	const char *object = m->part == PART_OPEN ? TUN : m->tap.name;

	if (m->err.err) {
		if (err)
			*err = m->err;
		return r;
	}
	cv_fail_errno(err, r, object, "cannot %s", parts[m->part].what);
	cv_error_wanted(err, "port of %s, MTU %u, %u queues", m->tap.bridge, m->mtu, m->tap.queues);
	if (r == -ENOENT || r == -ENODEV)
		cv_error_hint(err, "modprobe tun");
	return r;
}

int sr_tap_make(const struct cv_step_env *env, const struct sr_tap *t, uid_t uid,
		struct cv_error *err)
{
	struct making m = { .env = env, .tap = *t, .uid = uid, .tun_fd = -1 };
	int r;

	sr_tap_mark(m.mark, env->vm);
	m.mtu = mtu_of(env->root, t);
	r = sr_child_fill(run_making, &m, sizeof(m), env->deadline_ms);
	if (r == -ETIMEDOUT) {
		cv_fail_errno(err, r, t->name, "the interface was not made within %u ms",
			      env->deadline_ms);
		cv_error_hint(err, "something holds the kernel's network lock: see dmesg");
		return r;
	}
	return r < 0 ? fail_making(&m, r, err) : 0;
}

static int fail_verify(const struct sr_tap *t, const char *what, const char *found,
		       const char *wanted, struct cv_error *err)
{
	cv_fail(err, -EIO, CV_EXIT_FAILED, "EREADBACK", t->name,
		"the interface did not take its %s", what);
	cv_error_found(err, "%s", found);
	cv_error_wanted(err, "%s", wanted);
	cv_error_hint(err, "does another program manage it (NetworkManager, systemd-networkd)?");
	return -EIO;
}

/* The switch of the kernel has all ports of Open vSwitch under one name; of the one in user space the
 * interface has no master. */
static int verify_master(const struct cv_step_env *env, const struct sr_tap *t,
			 struct cv_error *err)
{
	char path[CV_PATH_MAX], master[64] = "";

	cv_pathf(path, "/sys/class/net/%s/master", t->name);
	if (t->is_ovs || (cv_readlink_base(env->root, path, master, sizeof(master)) == 0 &&
			  strcmp(master, t->bridge) == 0))
		return 0;
	return fail_verify(t, "bridge", master[0] ? master : "none", t->bridge, err);
}

/** struct fact - a number below /sys/class/net, compared with @wanted under @mask */
struct fact {
	const char *attribute, *what;
	bool is_hex;
	uint64_t mask, wanted;
};

static void put_number(char buf[32], bool is_hex, uint64_t n)
{
	if (is_hex)
		snprintf(buf, 32, "%#llx", (unsigned long long)n);
	else
		snprintf(buf, 32, "%llu", (unsigned long long)n);
}

static int verify_fact(const struct cv_step_env *env, const struct sr_tap *t, const struct fact *f,
		       struct cv_error *err)
{
	char path[CV_PATH_MAX], found[32], wanted[32];
	uint64_t n = 0;

	cv_pathf(path, "/sys/class/net/%s/%s", t->name, f->attribute);
	if ((f->is_hex ? cv_read_hex : cv_read_u64)(env->root, path, &n) < 0)
		n = ~f->wanted;
	if ((n & f->mask) == f->wanted)
		return 0;
	put_number(found, f->is_hex, n);
	put_number(wanted, f->is_hex, f->wanted);
	return fail_verify(t, f->what, found, wanted, err);
}

int sr_tap_verify(const struct cv_step_env *env, const struct sr_tap *t, uid_t uid,
		  struct cv_error *err)
{
	const uint64_t kept = (uint64_t)tun_flags(t->queues) | IFF_PERSIST;
	const struct fact facts[] = {
		{ "tun_flags", "kind and queues", true, kept, kept },
		{ "flags", "state", true, IFF_UP, IFF_UP },
		{ "owner", "owner", false, ~0ULL, uid },
		{ "mtu", "MTU", false, ~0ULL, mtu_of(env->root, t) },
	};
	char alias[128] = "", mark[SR_TAP_MARK_MAX];
	int r = 0;

	(void)sr_net_read(env->root, t->name, "ifalias", alias, sizeof(alias));
	if (strcmp(alias, sr_tap_mark(mark, env->vm)) != 0)
		return fail_verify(t, "alias", alias, mark, err);
	for (size_t i = 0; i < CV_ARRAY_SIZE(facts) && r == 0; i++)
		r = verify_fact(env, t, &facts[i], err);
	return r ?: verify_master(env, t, err);
}

static int run_delete(void *arg)
{
	struct link_change c = { .index = *(const int *)arg };

	return request(RTM_DELLINK, &c);
}

int sr_tap_delete(int index, unsigned int deadline_ms)
{
	int result = 0;
	int r = cv_child_run(run_delete, &index, deadline_ms, &result);

	return r < 0 ? r : result;
}

int sr_tap_open(int tun_fd, const char *name, unsigned int queues)
{
	return set_iff(tun_fd, name, tun_flags(queues));
}
