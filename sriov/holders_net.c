// SPDX-License-Identifier: GPL-2.0-or-later
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "sriov/function.h"
#include "sriov/holders.h"
#include "sriov/vf_net.h"

#define LINE_MAX_BYTES 256
#define DUMP_MS 10000
#define UPPER "upper_" /* the link to an interface on top */
#define CLASS_NETWORK 0x02
#define SCOPE_LINK 0x20 /* include/net/ipv6.h: IPV6_ADDR_LINKLOCAL */

/**
 * struct net_tables - what is configured in this namespace
 * @routes:     /proc/net/route
 * @addresses6: /proc/net/if_inet6
 * @addressed:  interfaces with an IPv4 address; of the live host only: no file shows them
 */
struct net_tables {
	char *routes;
	char *addresses6;
	struct sr_links addressed;
};

/* Most IPv4 addresses bring a route to their network. */
static bool has_route(const struct net_tables *t, const char *ifname)
{
	const char *text = t->routes;
	char line[LINE_MAX_BYTES], name[INV_TEXT];

	while (sr_take_line(&text, line, sizeof(line))) {
		if (sscanf(line, "%63s", name) == 1 && strcmp(name, ifname) == 0)
			return true;
	}
	return false;
}

/* An address of its own network (/32), or one added without a route */
static bool has_address4(struct cv_sysroot *root, const struct net_tables *t, const char *ifname)
{
	char path[CV_PATH_MAX];
	int index;

	cv_pathf(path, "/sys/class/net/%s/ifindex", ifname);
	if (cv_read_int(root, path, &index) < 0)
		return false;
	for (size_t i = 0; i < t->addressed.n; i++) {
		if (t->addressed.index[i] == index)
			return true;
	}
	return false;
}

/* A link-local address comes by itself: it shows no use. */
static bool has_address6(const struct net_tables *t, const char *ifname)
{
	const char *text = t->addresses6;
	char line[LINE_MAX_BYTES], name[INV_TEXT];
	unsigned int scope;

	while (sr_take_line(&text, line, sizeof(line))) {
		if (sscanf(line, "%*s %*s %*s %x %*s %63s", &scope, name) == 2 &&
		    strcmp(name, ifname) == 0 && scope != SCOPE_LINK)
			return true;
	}
	return false;
}

static bool is_up(struct cv_sysroot *root, const char *ifname)
{
	char path[CV_PATH_MAX];
	uint64_t flags;

	cv_pathf(path, "/sys/class/net/%s/flags", ifname);
	return cv_read_hex(root, path, &flags) == 0 && (flags & IFF_UP);
}

/* Names the interface that was made on top of @ifname: VLAN, macvlan, bridge, bond. */
static bool find_upper(struct cv_sysroot *root, const char *ifname, char *buf, size_t size)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	char path[CV_PATH_MAX];

	if (cv_list(root, cv_pathf(path, "/sys/class/net/%s", ifname), &names) < 0)
		return false;
	for (size_t i = 0; i < names.n; i++) {
		if (strncmp(names.v[i], UPPER, strlen(UPPER)) == 0) {
			snprintf(buf, size, "%s", names.v[i] + strlen(UPPER));
			return true;
		}
	}
	return false;
}

static void mark_netdev(struct cv_sysroot *root, struct sr_marks *m, int dev,
			const struct net_tables *t, const char *ifname)
{
	char path[CV_PATH_MAX], master[INV_TEXT];

	cv_pathf(path, "/sys/class/net/%s/master", ifname);
	if (cv_readlink_base(root, path, master, sizeof(master)) >= 0)
		sr_markf(m, dev, INV_HOLDER_NETDEV, ifname, "network interface %s is a port of %s",
			 ifname, master);
	if (find_upper(root, ifname, master, sizeof(master)))
		sr_markf(m, dev, INV_HOLDER_NETDEV, ifname, "network interface %s carries %s",
			 ifname, master);
	if (!is_up(root, ifname))
		return;
	if (has_route(t, ifname))
		sr_markf(m, dev, INV_HOLDER_NETDEV, ifname,
			 "network interface %s is up with an address or route", ifname);
	if (has_address4(root, t, ifname))
		sr_markf(m, dev, INV_HOLDER_NETDEV, ifname,
			 "network interface %s is up with an IPv4 address", ifname);
	if (has_address6(t, ifname))
		sr_markf(m, dev, INV_HOLDER_NETDEV, ifname,
			 "network interface %s is up with an IPv6 address", ifname);
}

/*
 * The directory of an interface stays where it is made: empty means that it belongs to another
 * namespace, not that the driver makes none.
 */
static void mark_moved(struct cv_sysroot *root, struct sr_marks *m, int dev, const char *bdf)
{
	const char *driver = m->inv->devs[dev].driver;
	char path[CV_PATH_MAX];
	uint64_t class;

	if (!driver[0] || sr_is_handover_driver(driver) ||
	    cv_read_hex(root, sr_path(path, bdf, "class"), &class) < 0 ||
	    class >> 16 != CLASS_NETWORK)
		return;
	sr_markf(m, dev, INV_HOLDER_NETDEV, "",
		 "interface in another network namespace (driver %s)", driver);
}

static void mark_dev(struct cv_sysroot *root, struct sr_marks *m, int dev,
		     const struct net_tables *t)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	char path[CV_PATH_MAX], bdf[CV_BDF_MAX];

	cv_format_bdf(m->inv->devs[dev].bdf, bdf);
	if (cv_list(root, sr_path(path, bdf, "net"), &names) < 0)
		return;
	if (names.n == 0)
		mark_moved(root, m, dev, bdf);
	for (size_t i = 0; i < names.n; i++)
		mark_netdev(root, m, dev, t, names.v[i]);
}

void sr_holders_netdevs(struct cv_sysroot *root, struct sr_marks *m)
{
	struct net_tables t = { 0 };

	if (cv_read_str(root, "/proc/net/route", &t.routes) < 0)
		t.routes = NULL;
	if (cv_read_str(root, "/proc/net/if_inet6", &t.addresses6) < 0)
		t.addresses6 = NULL;
	if (!cv_sysroot_is_live(root) || sr_links_addressed(DUMP_MS, &t.addressed) < 0)
		t.addressed.n = 0;
	for (size_t i = 0; i < m->inv->n_devs; i++)
		if (m->inv->devs[i].driver[0])
			mark_dev(root, m, (int)i, &t);
	free(t.routes);
	free(t.addresses6);
}
