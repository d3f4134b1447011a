// SPDX-License-Identifier: GPL-2.0-or-later
/* What may be given away: each rule fills the error and returns -errno, or 0. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/placement.h"

#define MAX_NAMED 8 /* group members named in one message */

/**
 * struct rule_ctx - @d, @index, @bdf: the function, for a VF to come its PF; @self: the address that
 * the guest would get; @c: NULL when nothing was chosen; @bdf is only there for an error
 */
struct rule_ctx {
	const struct place *p;
	const struct spec *s;
	const struct place_choice *c;
	const struct spec_device *want;
	const struct inv_dev *d;
	int index;
	bool is_future;
	struct cv_bdf self;
	char bdf[CV_BDF_MAX];
};

static bool is_any_bridge(const struct inv_dev *d)
{
	return inv_is_bridge(d) || d->class >> 16 == 0x06;
}

static int rule_endpoint(const struct rule_ctx *x, struct cv_error *err)
{
	if (!is_any_bridge(x->d))
		return 0;
	cv_fail(err, -EINVAL, CV_EXIT_USAGE, "NOT_AN_ENDPOINT", x->bdf,
		"a bridge cannot be given to a guest");
	cv_error_found(err, "%s", x->d->name[0] ? x->d->name : "PCI bridge");
	cv_error_wanted(err, "an endpoint function");
	cv_error_hint(err, "carve topo shows the functions behind it");
	return -EINVAL;
}

static int rule_iommu(const struct rule_ctx *x, struct cv_error *err)
{
	const struct inv_host *host = &x->p->inv->host;
	bool has_iommu = host->iommu != INV_IOMMU_NONE && host->n_iommu_groups > 0;

	if (has_iommu && x->d->group >= 0)
		return 0;
	cv_fail(err, -EPERM, CV_EXIT_PRECONDITION, has_iommu ? "NO_GROUP" : "NO_IOMMU", x->bdf,
		has_iommu ? "the device cannot be isolated: no IOMMU translates for it"
			  : "the device cannot be isolated: this host has no IOMMU in effect");
	cv_error_found(err, has_iommu ? "a device in no IOMMU group"
				      : "0 groups in /sys/kernel/iommu_groups");
	cv_error_wanted(err, "an IOMMU group for the device");
	cv_error_hint(err, "enable VT-d or AMD-Vi in the firmware, on Intel boot with "
			   "intel_iommu=on; carve audit shows the effect");
	return -EPERM;
}

static int rule_intremap(const struct rule_ctx *x, struct cv_error *err)
{
	if (x->p->inv->host.has_intremap || (x->want->accept & SPEC_ACCEPT_NO_INTREMAP))
		return 0;
	cv_fail(err, -EPERM, CV_EXIT_PRECONDITION, "NO_INTREMAP", x->bdf,
		"a guest could inject interrupts into the host: no interrupt remapping");
	cv_error_found(err, "interrupt remapping off");
	cv_error_wanted(err, "interrupt remapping in effect");
	cv_error_hint(err, "enable it in the firmware, or accept the risk by name: "
			   "accept: [no-intremap]");
	return -EPERM;
}

static int fail_silent(const struct rule_ctx *x, struct cv_error *err)
{
	cv_fail(err, -EPERM, CV_EXIT_PRECONDITION, "SILENT", x->bdf, "the device does not answer");
	cv_error_found(err, "%s", x->d->quarantine);
	cv_error_wanted(err, "a device that answers");
	cv_error_hint(err, "see dmesg for a probe or unbind that hangs; it usually needs a reboot");
	return -EPERM;
}

static int rule_healthy(const struct rule_ctx *x, struct cv_error *err)
{
	if (x->d->is_quarantined && x->d->is_silent)
		return fail_silent(x, err);
	if (x->d->is_quarantined) {
		cv_fail(err, -EPERM, CV_EXIT_PRECONDITION, "QUARANTINED", x->bdf,
			"the device is in quarantine");
		cv_error_found(err, "%s", x->d->quarantine);
		cv_error_wanted(err, "a device that is not in quarantine");
		cv_error_hint(err, "carve device clear %s looks at it again", x->bdf);
		return -EPERM;
	}
	if (!x->d->is_unreadable)
		return 0;
	cv_fail(err, -EIO, CV_EXIT_PRECONDITION, "UNREADABLE", x->bdf,
		"the device does not answer: its configuration space reads all ones");
	cv_error_found(err, "vendor ffff");
	cv_error_wanted(err, "a device that answers");
	cv_error_hint(err, "power-cycle the device or the node");
	return -EIO;
}

/* Until a change of a PF is finished or undone, its VFs are part of it: carve recover may still change
 * them. A PF that is bound as a whole has none. */
static const struct cv_lease *find_lease(const struct inventory *inv, const struct inv_dev *d)
{
	const struct cv_lease *l = inv_device_lease(inv, d->bdf);

	if (l || d->pf < 0)
		return l;
	l = inv_device_lease(inv, inv->devs[d->pf].bdf);
	return l && !cv_lease_is_vm(l) ? l : NULL;
}

/* Nobody holds such a change: it ends by itself, or carve recover ends it. */
static bool is_passing(const struct cv_lease *l)
{
	return !cv_lease_is_vm(l) &&
	       (strncmp(l->name, "vf-", 3) == 0 || strncmp(l->name, "reset-", 6) == 0);
}

static int fail_leased(const struct rule_ctx *x, const struct cv_lease *l, struct cv_error *err)
{
	cv_fail(err, -EBUSY, CV_EXIT_BUSY, "EBUSY_LEASE", x->bdf, "the device is leased already");
	if (l)
		cv_error_found(err, "lease of %s%s, user %s%s%s", cv_lease_is_vm(l) ? "VM " : "",
			       l->name, l->owner.user, l->owner.job[0] ? ", job " : "",
			       l->owner.job);
	else
		cv_error_found(err, "given to another device entry or spec of this plan");
	cv_error_wanted(err, "a device that nobody has leased");
	if (l && is_passing(l))
		cv_error_hint(err, "a change of it is under way, or was cut off: carve recover %s",
			      l->name);
	else if (l && !cv_lease_is_vm(l))
		cv_error_hint(err, "carve device release %s gives it back", x->bdf);
	else
		cv_error_hint(err, "carve list shows who runs; carve stop NAME gives it back");
	return -EBUSY;
}

static bool is_chosen_here(const struct rule_ctx *x, int dev)
{
	for (size_t i = 0; x->c && i < x->c->n_devs; i++)
		if (place_is_chosen(&x->c->devs[i]) && x->c->devs[i].dev == dev)
			return true;
	return false;
}

/* Does a function that was chosen with accept: [shared-group] take this one with it? */
static bool is_mate_here(const struct rule_ctx *x)
{
	const struct inv_dev *devs = x->p->inv->devs;

	for (size_t i = 0; x->c && i < x->c->n_devs; i++)
		if (place_is_chosen(&x->c->devs[i]) && x->c->devs[i].dev >= 0 &&
		    (x->s->devices[i].accept & SPEC_ACCEPT_SHARED_GROUP) &&
		    devs[x->c->devs[i].dev].group == x->d->group)
			return true;
	return false;
}

static bool is_taken(const struct rule_ctx *x)
{
	return x->p->dev_taken[x->index] || is_chosen_here(x, x->index) ||
	       (x->is_future && is_mate_here(x));
}

/* A VF to come needs its own address and its PF free: the PF stays with the host driver. */
static int rule_lease(const struct rule_ctx *x, struct cv_error *err)
{
	const struct cv_lease *l = inv_device_lease(x->p->inv, x->self);

	if (!l)
		l = find_lease(x->p->inv, x->d);
	return l || is_taken(x) ? fail_leased(x, l, err) : 0;
}

static int rule_holder(const struct rule_ctx *x, struct cv_error *err)
{
	if (x->is_future || x->d->holder_kind == INV_HOLDER_NONE)
		return 0;
	cv_fail(err, -EBUSY, CV_EXIT_BUSY, "EBUSY_HOLDER", x->bdf,
		"the device is in use on the host");
	cv_error_found(err, "%s", x->d->holder);
	cv_error_wanted(err, "a device nobody uses");
	cv_error_hint(err, "%s",
		      x->d->holder_kind == INV_HOLDER_FOREIGN
			      ? "give it back with the tool that bound it"
			      : "stop the holder (unmount, ip link set down, end the process)");
	return -EBUSY;
}

static unsigned int count_promised_vfs(const struct rule_ctx *x, int pf)
{
	unsigned int n = 0;

	for (size_t i = 0; i < x->p->n_vfs; i++)
		n += x->p->vfs[i].pf == pf;
	for (size_t i = 0; x->c && i < x->c->n_devs; i++)
		n += place_is_chosen(&x->c->devs[i]) && x->c->devs[i].pf == pf;
	return n;
}

static int rule_active_pf(const struct rule_ctx *x, struct cv_error *err)
{
	unsigned int promised;

	if (x->is_future)
		return 0;
	promised = count_promised_vfs(x, x->index);
	if (x->d->sriov.num == 0 && promised == 0)
		return 0;
	cv_fail(err, -EBUSY, CV_EXIT_BUSY, "EBUSY_VFS", x->bdf,
		"the function is a PF with VFs: taking it would remove them");
	cv_error_found(err, "%u VFs", x->d->sriov.num ? x->d->sriov.num : promised);
	cv_error_wanted(err, "a PF without VFs");
	cv_error_hint(err, "ask for one of its VFs (vf: {pf: %s}), or remove the VFs first",
		      x->bdf);
	return -EBUSY;
}

static int rule_pf_driver(const struct rule_ctx *x, struct cv_error *err)
{
	const char *driver = x->d->driver;

	if (!x->is_future || (driver[0] && strcmp(driver, "vfio-pci") != 0))
		return 0;
	cv_fail(err, -ENODEV, CV_EXIT_PRECONDITION, "PF_NO_DRIVER", x->bdf,
		"VFs cannot be made: the PF has no host driver");
	cv_error_found(err, "%s", driver[0] ? driver : "no driver");
	cv_error_wanted(err, "the host driver of the PF, bound");
	cv_error_hint(err, "load the host driver of the PF");
	return -ENODEV;
}

/* Where a VF is predicted to come, nothing may be yet. */
static int rule_vf_address(const struct rule_ctx *x, struct cv_error *err)
{
	int there = x->is_future ? inv_find_dev(x->p->inv, x->self) : -1;
	char bdf[CV_BDF_MAX];

	if (there < 0)
		return 0;
	const struct inv_dev *d = &x->p->inv->devs[there];
	cv_format_bdf(x->self, bdf);
	cv_fail(err, -EEXIST, CV_EXIT_PRECONDITION, "VF_ADDRESS_TAKEN", x->bdf,
		"VFs cannot be made: another function has the address %s of the VF", bdf);
	cv_error_found(err, "%s: %s (%s)", bdf, d->name[0] ? d->name : inv_class_name(d),
		       d->driver[0] ? d->driver : "no driver");
	cv_error_wanted(err, "no function at %s", bdf);
	cv_error_hint(err, "make the VFs by hand (sriov_numvfs of the PF) and plan again, or ask "
			   "for a VF of another PF");
	return -EEXIST;
}

static void name_members(const struct inventory *inv, const int *idx, size_t n,
			 struct cv_error *err)
{
	char text[sizeof(err->found)] = "";
	size_t used = 0;

	for (size_t i = 0; i < n && i < MAX_NAMED && used < sizeof(text); i++) {
		const struct inv_dev *d = &inv->devs[idx[i]];
		char bdf[CV_BDF_MAX];

		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s (%s)",
					 i ? ", " : "", cv_format_bdf(d->bdf, bdf),
					 d->driver[0] ? d->driver : "no driver");
	}
	if (n > MAX_NAMED && used < sizeof(text))
		snprintf(text + used, sizeof(text) - used, " and %zu more", n - MAX_NAMED);
	cv_error_found(err, "also in the group: %s", text);
}

static bool is_named(const struct spec *s, struct cv_bdf bdf)
{
	for (size_t i = 0; i < s->n_devices; i++)
		if (s->devices[i].select == SPEC_BY_BDF && cv_bdf_cmp(s->devices[i].bdf, bdf) == 0)
			return true;
	return false;
}

/* Members that the spec does not name: each one that it names is judged as an entry of its own. */
static size_t group_blockers(const struct rule_ctx *x, int ret[PLACE_GROUP_MAX])
{
	const struct inventory *inv = x->p->inv;
	size_t n, left = 0;

	place_group(x->p, x->index, &n);
	if (n <= 1 && !x->is_future)
		return 0; /* no need to look at every function of the host */
	n = inv_group_blockers(inv, x->index, x->is_future, ret, PLACE_GROUP_MAX);
	if (n > PLACE_GROUP_MAX)
		return n;
	for (size_t i = 0; i < n; i++)
		if (!is_named(x->s, inv->devs[ret[i]].bdf))
			ret[left++] = ret[i];
	return left;
}

static int fail_group(const struct rule_ctx *x, const int *members, size_t n, struct cv_error *err)
{
	char what[128];

	snprintf(what, sizeof(what), "IOMMU group %d is shared%s", x->d->group,
		 x->is_future ? " (the VF would join its PF's group)" : "");
	cv_fail(err, -EPERM, CV_EXIT_PRECONDITION, "SHARED_GROUP", x->bdf,
		"%s: the devices below reach each other without passing the IOMMU", what);
	name_members(x->p->inv, members, n, err);
	cv_error_wanted(err, "a group of its own");
	cv_error_hint(err,
		      "use a slot behind a port with ACS, give the whole group away, or boot "
		      "with another topology; accept: [shared-group] takes the whole group when "
		      "nothing on the host uses it");
	return -EPERM;
}

static bool is_idle_member(const struct rule_ctx *x, int member)
{
	const struct inv_dev *d = &x->p->inv->devs[member];

	return d->holder_kind == INV_HOLDER_NONE && d->sriov.num == 0 &&
	       !find_lease(x->p->inv, d) && !x->p->dev_taken[member] &&
	       count_promised_vfs(x, member) == 0;
}

/* A shared group can only be accepted as a whole: every other member idle, and no PF of ours. */
static int rule_group(const struct rule_ctx *x, struct cv_error *err)
{
	int members[PLACE_GROUP_MAX];
	size_t n = group_blockers(x, members);
	bool is_whole = n <= PLACE_GROUP_MAX, has_pf = false;

	if (n == 0)
		return 0;
	if (!(x->want->accept & SPEC_ACCEPT_SHARED_GROUP))
		return fail_group(x, members, n, err);
	for (size_t i = 0; i < n && i < PLACE_GROUP_MAX; i++) {
		has_pf |= members[i] == x->d->pf || (x->is_future && members[i] == x->index);
		is_whole &= is_idle_member(x, members[i]);
	}
	if (is_whole && !has_pf)
		return 0;
	fail_group(x, members, n, err);
	cv_error_hint(err, "accept: [shared-group] needs every other member idle%s",
		      has_pf ? "; a VF cannot leave the group of its PF" : "");
	return -EPERM;
}

/* VFIO lets one user open a group: members that are on vfio-pci already do not make it shared, and
 * still belong to who has the first one. */
static int rule_group_owner(const struct rule_ctx *x, struct cv_error *err)
{
	const int *members;
	size_t n;

	members = place_group(x->p, x->index, &n);
	for (size_t i = 0; i < n && !x->is_future; i++) {
		const struct inv_dev *d = &x->p->inv->devs[members[i]];
		const struct cv_lease *l = inv_device_lease(x->p->inv, d->bdf);
		char bdf[CV_BDF_MAX];

		if (members[i] == x->index || (!l && !x->p->dev_taken[members[i]]))
			continue;
		cv_fail(err, -EBUSY, CV_EXIT_BUSY, "EBUSY_GROUP", x->bdf,
			"another guest has a function of the same IOMMU group (%d)", d->group);
		cv_error_found(err, "%s, %s %s", cv_format_bdf(d->bdf, bdf),
			       l ? "lease of VM" : "given to another spec of this plan",
			       l ? l->name : "");
		cv_error_wanted(err, "a group that no other guest uses");
		cv_error_hint(err, "give all functions of the group to one guest");
		return -EBUSY;
	}
	return 0;
}

static int rule_reset(const struct rule_ctx *x, struct cv_error *err)
{
	/* every VF has FLR: SR-IOV 1.1 section 2.2.2 */
	if (x->is_future || x->d->pf >= 0 || x->d->reset_methods[0] ||
	    (x->want->accept & SPEC_ACCEPT_NO_RESET))
		return 0;
	cv_fail(err, -EPERM, CV_EXIT_PRECONDITION, "NO_RESET", x->bdf,
		"the device has no reset method: what one guest leaves in it the next one finds");
	cv_error_found(err, "empty reset_method");
	cv_error_wanted(err, "flr, pm, bus or another method of the kernel");
	cv_error_hint(err, "move it behind a port of its own (bus reset), or accept the risk by "
			   "name: accept: [no-reset]");
	return -EPERM;
}

/* vfio-pci itself resets what is opened and closed: nobody is asked. */
static int rule_reset_fatal(const struct rule_ctx *x, struct cv_error *err)
{
	if (x->is_future || !x->d->reset_why)
		return 0;
	cv_fail(err, -EPERM, CV_EXIT_PRECONDITION, "RESET_FATAL", x->bdf,
		"VFIO would reset the device, and this model does not survive that: %s",
		x->d->reset_why);
	cv_error_found(err, "%04x:%04x, reset_method \"%s\"", x->d->vendor, x->d->device,
		       x->d->reset_methods);
	cv_error_wanted(err, "a model that survives the resets the kernel has for it");
	cv_error_hint(err, "%s", x->d->reset_source);
	return -EPERM;
}

/* Address and VLAN are set through the PF: only VFs of network devices have them. */
static int rule_network(const struct rule_ctx *x, struct cv_error *err)
{
	bool is_vf = x->is_future || x->d->pf >= 0;

	if ((!x->want->has_mac && !x->want->vlan) ||
	    (is_vf && strcmp(inv_class_name(x->d), "net") == 0))
		return 0;
	cv_fail(err, -EINVAL, CV_EXIT_USAGE, "NOT_A_NIC_VF", x->bdf,
		"%s: cannot be set on this device", x->want->has_mac ? "mac" : "vlan");
	cv_error_found(err, "%s of class %s", is_vf ? "a VF" : "a whole function",
		       inv_class_name(x->d));
	cv_error_wanted(err, "a VF of a network device");
	cv_error_hint(err, "ask for a VF (vf: {class: net}), or set it inside the guest");
	return -EINVAL;
}

/* What its group reserves is found out before it is chosen: another function may serve as well. */
static int rule_regions(const struct rule_ctx *x, struct cv_error *err)
{
	return place_check_regions(x->p, x->s, x->index, err);
}

static int (*const rules[])(const struct rule_ctx *x, struct cv_error *err) = {
	rule_endpoint,	  rule_iommu,	  rule_healthy,	    rule_lease,	   rule_holder,
	rule_active_pf,	  rule_pf_driver, rule_vf_address,  rule_intremap, rule_group,
	rule_group_owner, rule_reset,	  rule_reset_fatal, rule_network,  rule_regions,
};

bool place_is_idle(const struct place *p, int dev)
{
	const struct inv_dev *d = &p->inv->devs[dev];

	return !d->is_quarantined && !d->is_unreadable && d->holder_kind == INV_HOLDER_NONE &&
	       d->group >= 0 && !find_lease(p->inv, d);
}

int place_check_device(const struct place *p, const struct spec *s, const struct place_choice *c,
		       const struct spec_device *want, struct place_dev dev, struct cv_error *err)
{
	bool is_future = dev.dev < 0;
	int index = is_future ? dev.pf : dev.dev;
	struct rule_ctx x = { p, s, c, want, &p->inv->devs[index], index, is_future, dev.bdf, "" };

	if (err)
		cv_format_bdf(x.d->bdf, x.bdf);
	for (size_t i = 0; i < CV_ARRAY_SIZE(rules); i++) {
		int r = rules[i](&x, err);

		if (r < 0)
			return r;
	}
	return 0;
}
