// SPDX-License-Identifier: GPL-2.0-or-later
/* Interfaces of a PF, and those of the ports of its switch. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "sriov/function.h"
#include "sriov/vf_net.h"

#define CLASS_NET "/sys/class/net"
#define ID_MAX 80 /* 32 bytes in hexadecimal */

/* The digits behind a letter or two. Return: what follows, NULL when there are none. */
static const char *skip_number(const char *s, const char *prefix)
{
	size_t len = strlen(prefix), digits;

	if (strncmp(s, prefix, len) != 0)
		return NULL;
	digits = strspn(s + len, "0123456789");
	return digits > 0 ? s + len + digits : NULL;
}

/* "pf0vf3", "c1pf0vf3"; not "p0", "pf0" or "pf0sf3" */
static bool is_vf_port(const char *name)
{
	const char *s = skip_number(name, "c");

	s = skip_number(s ? s : name, "pf");
	s = s ? skip_number(s, "vf") : NULL;
	return s && !*s;
}

static bool read_port(struct cv_sysroot *root, const char *ifname, const char *attribute,
		      char ret[ID_MAX])
{
	char path[CV_PATH_MAX];

	cv_pathf(path, CLASS_NET "/%s/%s", ifname, attribute);
	return cv_read_into(root, path, ret, ID_MAX) == 0 && ret[0];
}

static bool is_representor(struct cv_sysroot *root, const char *ifname)
{
	char name[ID_MAX];

	return read_port(root, ifname, "phys_port_name", name) && is_vf_port(name);
}

static int list_netdevs(struct cv_sysroot *root, const char *pf, struct cv_strv *ret)
{
	char path[CV_PATH_MAX];

	return cv_list(root, sr_path(path, pf, "net"), ret);
}

int sr_vf_net_netdev(struct cv_sysroot *root, const char *pf, char ret[64])
{
	_cleanup_strv_ struct cv_strv names = { 0 };

	if (list_netdevs(root, pf, &names) < 0)
		return -ENODEV;
	for (size_t i = 0; i < names.n; i++) {
		if (strlen(names.v[i]) >= 64 || is_representor(root, names.v[i]))
			continue;
		snprintf(ret, 64, "%s", names.v[i]);
		return 0;
	}
	return -ENODEV;
}

static bool has_own_representor(struct cv_sysroot *root, const char *pf)
{
	_cleanup_strv_ struct cv_strv names = { 0 };

	if (list_netdevs(root, pf, &names) < 0)
		return false;
	for (size_t i = 0; i < names.n; i++)
		if (is_representor(root, names.v[i]))
			return true;
	return false;
}

/* Does a VF's representor stand beside the port @id? */
static bool has_representor_of(struct cv_sysroot *root, const char *id)
{
	_cleanup_strv_ struct cv_strv names = { 0 };

	if (cv_list(root, CLASS_NET, &names) < 0)
		return false;
	for (size_t i = 0; i < names.n; i++) {
		char other[ID_MAX];

		if (read_port(root, names.v[i], "phys_switch_id", other) &&
		    strcmp(other, id) == 0 && is_representor(root, names.v[i]))
			return true;
	}
	return false;
}

bool sr_vf_net_is_switchdev(struct cv_sysroot *root, const char *pf)
{
	char ifname[64], id[ID_MAX];

	if (has_own_representor(root, pf))
		return true;
	return sr_vf_net_netdev(root, pf, ifname) == 0 &&
	       read_port(root, ifname, "phys_switch_id", id) && has_representor_of(root, id);
}
