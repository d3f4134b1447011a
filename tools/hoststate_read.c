// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads the host state. Each part takes a folder of the host; a part that is not there is empty. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/state.h"
#include "sriov/function.h"
#include "sriov/nvme.h"
#include "sriov/steps.h"
#include "tools/hoststate.h"

#define PCI_DIR "/sys/bus/pci/devices"
#define NET_DIR "/sys/class/net"
#define NODE_DIR "/sys/devices/system/node"
#define CGROUP_DIR "/sys/fs/cgroup"
#define CGROUP_DEPTH 3
#define RESCTRL_DIR "/sys/fs/resctrl"
#define NVME_TIMEOUT_MS 5000
#define LOCKED_MS 1000

/**
 * struct reading - in progress
 * @msi:   interrupts listed with their PCI function: by number they mean nothing
 * @error: the first -ENOMEM; nothing is added after it
 */
struct reading {
	struct cv_sysroot *root;
	json_t *values;
	struct cv_strv msi;
	int error;
};

static void __attribute__((format(printf, 3, 4)))
put(struct reading *s, const char *value, const char *fmt, ...)
{
	char key[CV_PATH_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(key, sizeof(key), fmt, args);
	va_end(args);
	if (s->error == 0 && json_object_set_new(s->values, key, cv_json_string(value)) < 0)
		s->error = -ENOMEM;
}

/* The text on one line, single blanks. */
static void squeeze(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		char c = *from == '\n' || *from == '\t' ? ' ' : *from;

		if (c != ' ' || (to > text && to[-1] != ' '))
			*to++ = c;
	}
	*to = '\0';
}

static void put_file(struct reading *s, const char *path, const char *key)
{
	_cleanup_free_ char *text = NULL;

	if (cv_read_str(s->root, path, &text) < 0)
		return;
	squeeze(text);
	put(s, strcmp(text, "(null)") == 0 ? "" : text, "%s", key);
}

/* One that the kernel reads with the lock of the function, which somebody may keep for ever. */
static void put_locked(struct reading *s, const char *path, const char *key)
{
	char text[256];
	int r;

	if (!cv_exists(s->root, path))
		return;
	r = sr_read_deadline(s->root, path, text, sizeof(text), LOCKED_MS);
	if (r < 0 && r != -ETIMEDOUT)
		return;
	if (r == 0)
		squeeze(text);
	put(s, r < 0 ? "no answer" : strcmp(text, "(null)") == 0 ? "" : text, "%s", key);
}

static void put_link(struct reading *s, const char *path, const char *key)
{
	char name[64];

	put(s, cv_readlink_base(s->root, path, name, sizeof(name)) < 0 ? "" : name, "%s", key);
}

/* ---- PCI ---- */

static void read_attributes(struct reading *s, const char *bdf)
{
	static const struct {
		const char *file, *key;
		void (*put)(struct reading *s, const char *path, const char *key);
	} attributes[] = {
		{ "driver_override", "driver_override", put_locked },
		{ "sriov_numvfs", "numvfs", put_locked },
		{ "sriov_drivers_autoprobe", "autoprobe", put_file },
	};
	char path[CV_PATH_MAX], key[CV_PATH_MAX];

	put_link(s, cv_pathf(path, PCI_DIR "/%s/driver", bdf), cv_pathf(key, "pci/%s/driver", bdf));
	for (size_t i = 0; i < CV_ARRAY_SIZE(attributes); i++)
		attributes[i].put(s, cv_pathf(path, PCI_DIR "/%s/%s", bdf, attributes[i].file),
				  cv_pathf(key, "pci/%s/%s", bdf, attributes[i].key));
}

static void read_interrupts(struct reading *s, const char *bdf)
{
	_cleanup_strv_ struct cv_strv irqs = { 0 };
	char path[CV_PATH_MAX], key[CV_PATH_MAX];

	if (cv_list(s->root, cv_pathf(path, PCI_DIR "/%s/msi_irqs", bdf), &irqs) < 0)
		return;
	for (size_t i = 0; i < irqs.n; i++) {
		if (cv_strv_add(&s->msi, irqs.v[i]) < 0)
			s->error = -ENOMEM;
		put_file(s, cv_pathf(path, "/proc/irq/%s/smp_affinity_list", irqs.v[i]),
			 cv_pathf(key, "pci/%s/irq/%zu", bdf, i));
	}
}

static void put_vf(struct reading *s, const char *bdf, const struct sr_vf_net *vf)
{
	char text[160];

	snprintf(text, sizeof(text),
		 "mac %s vlan %d qos %d trust %d spoofchk %d link %d rate %u-%u", vf->mac, vf->vlan,
		 vf->qos, vf->trust, vf->spoofchk, vf->linkstate, vf->min_rate, vf->max_rate);
	put(s, text, "pci/%s/vf/%u", bdf, vf->index);
}

/* Netlink knows the host only, not a snapshot. */
static void read_vfs(struct reading *s, const char *bdf, const char *netdev)
{
	_cleanup_free_ struct sr_vf_net *vfs = NULL;
	int n = cv_sysroot_is_live(s->root) ? sr_vf_net_list(netdev, &vfs, NULL) : 0;

	for (int i = 0; i < n; i++)
		put_vf(s, bdf, &vfs[i]);
}

static void read_netdevs(struct reading *s, const char *bdf)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	char path[CV_PATH_MAX], key[CV_PATH_MAX];

	if (cv_list(s->root, cv_pathf(path, PCI_DIR "/%s/net", bdf), &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		put_file(s, cv_pathf(path, PCI_DIR "/%s/net/%s/flags", bdf, names.v[i]),
			 cv_pathf(key, "pci/%s/net/%s/flags", bdf, names.v[i]));
		put_file(s, cv_pathf(path, PCI_DIR "/%s/net/%s/operstate", bdf, names.v[i]),
			 cv_pathf(key, "pci/%s/net/%s/operstate", bdf, names.v[i]));
		read_vfs(s, bdf, names.v[i]);
	}
}

static void read_secondaries(struct reading *s, const char *bdf, const char *controller)
{
	_cleanup_close_ int fd = -1;
	char path[CV_PATH_MAX], text[48];
	struct sr_nvme_secondary vf;
	uint64_t total;

	if (cv_read_u64(s->root, cv_pathf(path, PCI_DIR "/%s/sriov_totalvfs", bdf), &total) < 0)
		return;
	fd = cv_open(s->root, cv_pathf(path, "/dev/%s", controller), O_RDONLY, 0);
	for (unsigned int i = 0; fd >= 0 && i < total; i++) {
		if (sr_nvme_secondary_read(fd, i + 1, NVME_TIMEOUT_MS, &vf, NULL) < 0)
			return;
		snprintf(text, sizeof(text), "%s vq %u vi %u", vf.is_online ? "online" : "offline",
			 vf.vq, vf.vi);
		put(s, text, "pci/%s/nvme/%u", bdf, i);
	}
}

static void read_nvme(struct reading *s, const char *bdf)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	char path[CV_PATH_MAX];

	if (!cv_sysroot_is_live(s->root) ||
	    cv_list(s->root, cv_pathf(path, PCI_DIR "/%s/nvme", bdf), &names) < 0 || names.n == 0)
		return;
	read_secondaries(s, bdf, names.v[0]);
}

static void read_pci(struct reading *s)
{
	_cleanup_strv_ struct cv_strv names = { 0 };

	if (cv_list(s->root, PCI_DIR, &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		read_attributes(s, names.v[i]);
		read_interrupts(s, names.v[i]);
		read_netdevs(s, names.v[i]);
		read_nvme(s, names.v[i]);
	}
}

/* ---- networks of the host: bridges with their ports, and taps ---- */

static void read_bridge(struct reading *s, const char *name, const struct cv_strv *ports)
{
	_cleanup_free_ char *text = cv_strv_join(ports, " ");
	char path[CV_PATH_MAX], key[CV_PATH_MAX];

	put(s, text ? text : "", "net/%s/ports", name);
	put_file(s, cv_pathf(path, NET_DIR "/%s/address", name),
		 cv_pathf(key, "net/%s/address", name));
	put_file(s, cv_pathf(path, NET_DIR "/%s/mtu", name), cv_pathf(key, "net/%s/mtu", name));
}

static void read_interfaces(struct reading *s)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	char path[CV_PATH_MAX], key[CV_PATH_MAX];

	if (cv_list(s->root, NET_DIR, &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		_cleanup_strv_ struct cv_strv ports = { 0 };

		if (cv_list(s->root, cv_pathf(path, NET_DIR "/%s/brif", names.v[i]), &ports) == 0)
			read_bridge(s, names.v[i], &ports);
		if (cv_exists(s->root, cv_pathf(path, NET_DIR "/%s/tun_flags", names.v[i])))
			put_link(s, cv_pathf(path, NET_DIR "/%s/master", names.v[i]),
				 cv_pathf(key, "net/%s/tap", names.v[i]));
	}
}

/* ---- the rest of the host ---- */

static void read_other_interrupts(struct reading *s)
{
	_cleanup_strv_ struct cv_strv irqs = { 0 };
	char path[CV_PATH_MAX], key[CV_PATH_MAX], actions[128];

	put_file(s, "/proc/irq/default_smp_affinity", "irq/default");
	if (cv_list(s->root, "/proc/irq", &irqs) < 0)
		return;
	for (size_t i = 0; i < irqs.n; i++) {
		if (cv_strv_has(&s->msi, irqs.v[i]))
			continue;
		cv_pathf(path, "/sys/kernel/irq/%s/actions", irqs.v[i]);
		if (cv_read_into(s->root, path, actions, sizeof(actions)) < 0)
			actions[0] = '\0';
		else if (!actions[0]) /* nobody's: its affinity is the kernel's own affair */
			continue;
		put_file(s, cv_pathf(path, "/proc/irq/%s/smp_affinity_list", irqs.v[i]),
			 cv_pathf(key, "irq/%s:%s", irqs.v[i], actions));
	}
}

static void read_pools(struct reading *s, const char *dir, const char *node)
{
	_cleanup_strv_ struct cv_strv pools = { 0 };
	char path[CV_PATH_MAX], key[CV_PATH_MAX];

	if (cv_list(s->root, dir, &pools) < 0)
		return;
	for (size_t i = 0; i < pools.n; i++) {
		put_file(s, cv_pathf(path, "%s/%s/nr_hugepages", dir, pools.v[i]),
			 cv_pathf(key, "%s/%s/nr", node, pools.v[i]));
		put_file(s, cv_pathf(path, "%s/%s/surplus_hugepages", dir, pools.v[i]),
			 cv_pathf(key, "%s/%s/surplus", node, pools.v[i]));
	}
}

static void read_memory(struct reading *s)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	char path[CV_PATH_MAX];

	if (cv_list(s->root, NODE_DIR, &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++)
		read_pools(s, cv_pathf(path, NODE_DIR "/%s/hugepages", names.v[i]), names.v[i]);
}

/* @dir: path below the mount, "" for the mount itself */
static void read_cgroup(struct reading *s, const char *dir, unsigned int depth)
{
	static const char *const files[] = { "cgroup.type", "cpuset.cpus", "cpuset.cpus.exclusive",
					     "cpuset.cpus.partition" };
	_cleanup_strv_ struct cv_strv names = { 0 };
	char path[CV_PATH_MAX], key[CV_PATH_MAX];
	struct stat st;

	for (size_t i = 0; i < CV_ARRAY_SIZE(files); i++)
		put_file(s, cv_pathf(path, CGROUP_DIR "%s/%s", dir, files[i]),
			 cv_pathf(key, "cgroup%s/%s", dir, files[i]));
	if (depth == 0 || cv_list(s->root, cv_pathf(path, CGROUP_DIR "%s", dir), &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		cv_pathf(key, "%s/%s", dir, names.v[i]);
		if (cv_stat(s->root, cv_pathf(path, CGROUP_DIR "%s", key), &st) == 0 &&
		    S_ISDIR(st.st_mode))
			read_cgroup(s, key, depth - 1);
	}
}

static void read_cgroups(struct reading *s)
{
	if (!cv_exists(s->root, CGROUP_DIR "/cgroup.controllers"))
		return;
	put_file(s, CGROUP_DIR "/cgroup.subtree_control", "cgroup/cgroup.subtree_control");
	put_file(s, CGROUP_DIR "/cpuset.cpus.isolated", "cgroup/cpuset.cpus.isolated");
	read_cgroup(s, "", CGROUP_DEPTH);
}

/* The default group, and each group that somebody made. */
static void read_resctrl(struct reading *s)
{
	static const char *const files[] = { "schemata", "cpus_list" };
	_cleanup_strv_ struct cv_strv names = { 0 };
	char path[CV_PATH_MAX], key[CV_PATH_MAX];

	put_file(s, RESCTRL_DIR "/schemata", "resctrl/schemata");
	if (cv_list(s->root, RESCTRL_DIR, &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++)
		for (size_t k = 0; k < CV_ARRAY_SIZE(files); k++)
			put_file(s, cv_pathf(path, RESCTRL_DIR "/%s/%s", names.v[i], files[k]),
				 cv_pathf(key, "resctrl/%s/%s", names.v[i], files[k]));
}

static void put_node(struct reading *s, const char *path)
{
	struct stat st;
	char text[48];

	if (cv_stat(s->root, path, &st) < 0 || S_ISDIR(st.st_mode))
		return;
	snprintf(text, sizeof(text), "%04o %u:%u", (unsigned int)st.st_mode & 07777,
		 (unsigned int)st.st_uid, (unsigned int)st.st_gid);
	put(s, text, "%s", path + 1);
}

static void read_nodes(struct reading *s)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	char path[CV_PATH_MAX];

	put_node(s, "/dev/kvm");
	if (cv_list(s->root, "/dev/vfio", &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++)
		put_node(s, cv_pathf(path, "/dev/vfio/%s", names.v[i]));
}

static void read_modules(struct reading *s)
{
	_cleanup_free_ char *text = NULL;
	char *save = NULL;

	if (cv_read_str(s->root, "/proc/modules", &text) < 0)
		return;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		line[strcspn(line, " ")] = '\0';
		if (strncmp(line, "vfio", 4) == 0 || strncmp(line, "vhost", 5) == 0 ||
		    strcmp(line, "tun") == 0)
			put(s, "loaded", "module/%s", line);
	}
}

/* Files of state directories with their contents, directories as such. */
static void read_entries(struct reading *s, const char *dir)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	char path[CV_PATH_MAX];
	struct stat st;

	if (cv_list(s->root, dir, &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		cv_pathf(path, "%s/%s", dir, names.v[i]);
		if (cv_stat(s->root, path, &st) == 0 && S_ISREG(st.st_mode))
			put_file(s, path, path + 1);
		else
			put(s, "directory", "%s", path + 1);
	}
}

static void read_state(struct reading *s)
{
	read_entries(s, CV_LEASE_DIR);
	read_entries(s, CV_VM_DIR);
	read_entries(s, CV_OPERATION_DIR);
	read_entries(s, CV_SHARED_DIR);
	read_entries(s, CV_QUARANTINE_DIR);
}

int hoststate_read(struct cv_sysroot *root, json_t **ret, struct cv_error *err)
{
	_cleanup_json_ json_t *values = json_object();
	struct reading s = { .root = root, .values = values, .error = values ? 0 : -ENOMEM };
	json_t *j = NULL;

	read_pci(&s);
	read_interfaces(&s);
	read_other_interrupts(&s);
	read_memory(&s);
	read_cgroups(&s);
	read_resctrl(&s);
	read_nodes(&s);
	read_modules(&s);
	read_state(&s);
	cv_strv_done(&s.msi);
	if (s.error == 0)
		j = json_pack("{s:i,s:O}", "carve_hoststate", HOSTSTATE_VERSION, "values", values);
	if (!j)
		return cv_fail_errno(err, -ENOMEM, NULL, "cannot read the host state");
	*ret = j;
	return 0;
}
