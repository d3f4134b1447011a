// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Access Control Services of the ports above devices, against what they shall be good for. Bits are those
 * of the ACS Control register (PCIe Base 6.0 section 7.7.11.3).
 *
 * The fix is always a word for the boot: the kernel makes IOMMU groups when it finds the devices, so bits
 * changed later with setpci leave groups that are no longer true.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/audit_checks.h"

enum acs_bit {
	ACS_SV = 0x01, /* source validation */
	ACS_RR = 0x04, /* peer-to-peer request redirect */
	ACS_CR = 0x08, /* peer-to-peer completion redirect */
	ACS_UF = 0x10, /* upstream forwarding */
	ACS_EC = 0x20, /* peer-to-peer egress control */
	ACS_DT = 0x40, /* direct translated peer-to-peer */
};

#define ACS_APART (ACS_SV | ACS_RR | ACS_CR | ACS_UF)
#define ACS_DETOUR (ACS_RR | ACS_CR | ACS_EC)
#define ACS_BITS 7
#define ACS_TEXT 32
#define MAX_GROUPS 6

/** struct ports - which functions are ports that a finding is about, by index */
struct ports {
	const struct inventory *inv;
	bool *is_found;
};

static bool is_port(const struct inv_dev *d)
{
	return d->port == INV_PORT_ROOT || d->port == INV_PORT_DOWNSTREAM;
}

/* PCIe-PCI bridges have no ACS of their own. */
static bool has_control(const struct inv_dev *d)
{
	return is_port(d) && d->has_acs;
}

/* What a port cannot do it need not be told (kernel, pci_acs_flags_enabled()). */
static uint16_t bits_off(const struct inv_dev *port)
{
	uint16_t can = port->acs_cap ? port->acs_cap : ACS_APART;

	return (uint16_t)(ACS_APART & can & ~port->acs_ctrl);
}

static bool is_same_card(const struct inv_dev *a, const struct inv_dev *b)
{
	return a->bdf.domain == b->bdf.domain && a->bdf.bus == b->bdf.bus &&
	       a->bdf.dev == b->bdf.dev;
}

/* Is, or with VFs would be, more than one card in the group of @d? */
static bool is_shared(const struct inventory *inv, const struct inv_dev *d)
{
	if (d->sriov.total)
		return true;
	for (size_t i = 0; i < inv->n_devs; i++)
		if (inv->devs[i].group == d->group && !inv_is_bridge(&inv->devs[i]) &&
		    !is_same_card(&inv->devs[i], d))
			return true;
	return false;
}

/* A port without the capability is judged by what the kernel made of it: some are known to keep devices
 * apart all the same, and above a single card (the bridge of a BMC's display) there is nothing to join. */
static bool joins(const struct inventory *inv, const struct inv_dev *port,
		  const struct inv_dev *below)
{
	if (has_control(port))
		return bits_off(port) != 0;
	if (!is_port(port) && port->port != INV_PORT_BRIDGE)
		return false;
	return port->group >= 0 && port->group == below->group && is_shared(inv, below);
}

static void mark_joining(struct ports *p, size_t dev)
{
	const struct inventory *inv = p->inv;
	int up = inv->devs[dev].parent;

	for (size_t hops = 0; up >= 0 && hops < inv->n_devs; hops++) {
		if (joins(inv, &inv->devs[up], &inv->devs[dev]))
			p->is_found[up] = true;
		up = inv->devs[up].parent;
	}
}

static bool is_below(const struct inventory *inv, int dev, int port)
{
	int up = inv->devs[dev].parent;

	for (size_t hops = 0; up >= 0 && hops < inv->n_devs; hops++) {
		if (up == port)
			return true;
		up = inv->devs[up].parent;
	}
	return false;
}

/* ---- words ---- */

/* "SV RR" */
static const char *format_bits(uint16_t bits, char buf[ACS_TEXT])
{
	static const char *const names[ACS_BITS] = { "SV", "TB", "RR", "CR", "UF", "EC", "DT" };
	size_t len = 0;

	buf[0] = '\0';
	for (int i = 0; i < ACS_BITS; i++)
		if (bits >> i & 1)
			len += (size_t)snprintf(buf + len, ACS_TEXT - len, "%s%s", len ? " " : "",
						names[i]);
	return buf;
}

/* Documentation/admin-guide/kernel-parameters.txt, pci=config_acs=: one character for each bit, the
 * highest (DT) first: '1' on, '0' off, 'x' as it is. */
static void format_flags(uint16_t on, char buf[ACS_BITS + 1])
{
	for (int i = 0; i < ACS_BITS; i++)
		buf[i] = on >> (ACS_BITS - 1 - i) & 1 ? '1' : 'x';
	buf[ACS_BITS] = '\0';
}

/* A port of a switch stands between all that is below the switch, a root port between what is below it. */
static int scope_of(const struct inventory *inv, int port)
{
	const struct inv_dev *d = &inv->devs[port];

	return d->port == INV_PORT_DOWNSTREAM && d->parent >= 0 ? d->parent : port;
}

static bool has_group(const int *groups, size_t n, int group)
{
	for (size_t i = 0; i < n; i++)
		if (groups[i] == group)
			return true;
	return false;
}

/* The groups of the functions that a port without ACS joins: "3, 4". */
static void format_groups(const struct inventory *inv, int port, char *buf, size_t size)
{
	int scope = scope_of(inv, port), groups[MAX_GROUPS];
	size_t n = 0, len = 0;

	snprintf(buf, size, "none");
	for (size_t i = 0; i < inv->n_devs && len < size; i++) {
		int group = inv->devs[i].group;

		if (group < 0 || inv_is_bridge(&inv->devs[i]) || !is_below(inv, (int)i, scope) ||
		    has_group(groups, n, group))
			continue;
		if (n == MAX_GROUPS) {
			snprintf(buf + len, size - len, ", ...");
			return;
		}
		groups[n++] = group;
		len += (size_t)snprintf(buf + len, size - len, "%s%d", len ? ", " : "", group);
	}
}

/* The first device that the finding is about. */
static const char *first_below(const struct inventory *inv, int port, char buf[CV_BDF_MAX])
{
	for (size_t i = 0; i < inv->n_devs; i++)
		if (audit_is_candidate(&inv->devs[i]) && is_below(inv, (int)i, port))
			return cv_format_bdf(inv->devs[i].bdf, buf);
	return "";
}

static struct audit_finding *add_port(struct audit *a, const char *check,
				      enum audit_verdict verdict, const struct inv_dev *port)
{
	char bdf[CV_BDF_MAX];

	return audit_add(a, check, verdict, cv_format_bdf(port->bdf, bdf));
}

/* ---- isolate ---- */

static void advise_isolation(const struct inv_dev *port, struct audit_finding *f)
{
	char flags[ACS_BITS + 1], bdf[CV_BDF_MAX];

	if (!has_control(port)) {
		audit_fix(f,
			  "move the card to a slot below its own root port, or give all of them to "
			  "one guest: accept: [shared-group]");
		return;
	}
	format_flags(bits_off(port), flags);
	audit_set_change(f, AUDIT_CMDLINE, "", "", "pci=config_acs=%s@%s", flags,
			 cv_format_bdf(port->bdf, bdf));
	audit_fix(
		f,
		"boot with %s (Linux 6.11 or later) and without pci=disable_acs_redir; or turn on "
		"ACS in the firmware",
		f->change.value);
}

static int add_joining(const struct inventory *inv, int port, struct audit *a)
{
	const struct inv_dev *d = &inv->devs[port];
	char off[ACS_TEXT], groups[64], bdf[CV_BDF_MAX], first[CV_BDF_MAX];
	struct audit_finding *f = add_port(a, "acs", AUDIT_FAIL, d);

	if (!f)
		return -ENOMEM;
	cv_format_bdf(d->bdf, bdf);
	if (has_control(d))
		audit_evidence(f, "port %s, above %s: ACS control 0x%02x, off: %s", bdf,
			       first_below(inv, port, first), d->acs_ctrl,
			       format_bits(bits_off(d), off));
	else
		audit_evidence(f, "port %s, above %s: no ACS capability", bdf,
			       first_below(inv, port, first));
	format_groups(inv, port, groups, sizeof(groups));
	audit_effect(f, "it joins groups %s: their functions can reach each other past the IOMMU",
		     groups);
	advise_isolation(d, f);
	return 0;
}

static int add_pass(struct audit *a, const char *check, const char *evidence, const char *effect)
{
	struct audit_finding *f = audit_add(a, check, AUDIT_PASS, "");

	if (!f)
		return -ENOMEM;
	audit_evidence(f, "%s", evidence);
	audit_effect(f, "%s", effect);
	return 0;
}

static int report(const struct ports *p, struct audit *a, size_t *ret_n,
		  int (*add)(const struct inventory *inv, int port, struct audit *a))
{
	*ret_n = 0;
	for (size_t i = 0; i < p->inv->n_devs; i++) {
		int rc = p->is_found[i] ? add(p->inv, (int)i, a) : 0;

		if (rc)
			return rc;
		*ret_n += p->is_found[i];
	}
	return 0;
}

static int check_isolation(struct ports *p, struct audit *a)
{
	size_t n;
	int rc;

	if (p->inv->host.n_iommu_groups <= 0)
		return 0; /* check "iommu" says so; the kernel sets no ACS then */
	for (size_t i = 0; i < p->inv->n_devs; i++)
		if (audit_is_candidate(&p->inv->devs[i]))
			mark_joining(p, i);
	rc = report(p, a, &n, add_joining);
	if (rc || n)
		return rc;
	return add_pass(a, "acs", "no port above a GPU, network or NVMe function joins groups",
			"devices reach each other only through the IOMMU");
}

/* ---- p2p ---- */

static bool is_peer(const struct inv_dev *d)
{
	static const char *const words[] = { "gpu", "accel", "net", "ib" };

	for (size_t i = 0; i < CV_ARRAY_SIZE(words); i++)
		if (strcmp(inv_class_name(d), words[i]) == 0)
			return d->pf < 0 && !inv_is_bmc_display(d);
	return false;
}

/* With both ends translating by themselves (ATS), DT lets their requests pass in spite of the redirects. */
static bool detours(const struct inv_dev *port, const struct inv_dev *x, const struct inv_dev *y)
{
	if (!port->has_acs || !(port->acs_ctrl & ACS_DETOUR))
		return false;
	return !(port->acs_ctrl & ACS_DT) || !x->ats_enabled || !y->ats_enabled;
}

/* The ports of switches on the way from @x up to the switch where it meets @y. */
static void mark_detours(struct ports *p, int x, int y, int common)
{
	const struct inventory *inv = p->inv;
	int up = inv->devs[x].parent;

	for (size_t hops = 0; up >= 0 && up != common && hops < inv->n_devs; hops++) {
		const struct inv_dev *port = &inv->devs[up];

		if (port->port == INV_PORT_DOWNSTREAM &&
		    detours(port, &inv->devs[x], &inv->devs[y]))
			p->is_found[up] = true;
		up = port->parent;
	}
}

/* The lowest upstream port of a switch above both, or -1. */
static int common_switch(const struct inventory *inv, int x, int y)
{
	int up = inv->devs[x].parent;

	for (size_t hops = 0; up >= 0 && hops < inv->n_devs; hops++) {
		if (is_below(inv, y, up))
			return inv->devs[up].port == INV_PORT_UPSTREAM ? up : -1;
		up = inv->devs[up].parent;
	}
	return -1;
}

static int add_detour(const struct inventory *inv, int port, struct audit *a)
{
	const struct inv_dev *d = &inv->devs[port];
	char on[ACS_TEXT], bdf[CV_BDF_MAX], first[CV_BDF_MAX];
	struct audit_finding *f = add_port(a, "acs-p2p", AUDIT_WARN, d);

	if (!f)
		return -ENOMEM;
	cv_format_bdf(d->bdf, bdf);
	audit_evidence(f, "port %s, above %s: ACS control 0x%02x, on: %s", bdf,
		       first_below(inv, port, first), d->acs_ctrl,
		       format_bits(d->acs_ctrl & ACS_DETOUR, on));
	audit_effect(f, "transfers to its neighbours below the switch go through the root complex: "
			"slower, and they load its link");
	audit_set_change(f, AUDIT_CMDLINE, "", on, "pci=disable_acs_redir=%s", bdf);
	audit_fix(
		f,
		"boot with %s; what is below the switch then shares a group and goes to one guest",
		f->change.value);
	return 0;
}

/* Return: number of pairs that meet below a switch. */
static size_t mark_pairs(struct ports *p)
{
	const struct inventory *inv = p->inv;
	size_t pairs = 0;

	for (int x = 0; x < (int)inv->n_devs; x++)
		for (int y = 0; is_peer(&inv->devs[x]) && y < (int)inv->n_devs; y++) {
			int common = -1;

			if (x != y && is_peer(&inv->devs[y]))
				common = common_switch(inv, x, y);
			if (common < 0)
				continue;
			mark_detours(p, x, y, common);
			pairs++;
		}
	return pairs;
}

static int check_p2p(struct ports *p, struct audit *a)
{
	size_t pairs = mark_pairs(p), n;
	int rc = report(p, a, &n, add_detour);

	if (rc || n)
		return rc;
	if (pairs == 0)
		return add_pass(a, "acs-p2p", "no two GPU or network functions below one switch",
				"there is nothing to talk past the root complex");
	return add_pass(a, "acs-p2p",
			"no port of a switch between GPU and network functions redirects",
			"they talk to each other below their switch; one guest gets all of them");
}

int audit_acs(const struct inventory *inv, enum audit_intent intent, struct audit *a)
{
	_cleanup_free_ bool *is_found = calloc(inv->n_devs + 1, sizeof(*is_found));
	struct ports p = { .inv = inv, .is_found = is_found };

	if (!is_found)
		return -ENOMEM;
	return intent == AUDIT_P2P ? check_p2p(&p, a) : check_isolation(&p, a);
}
