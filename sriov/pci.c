// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/pci.h"

#include <errno.h>
#include <pci/pci.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define HEADER_BYTES 64
#define CONVENTIONAL_BYTES 256
#define HEADER_TYPE_MASK 0x7f
#define MULTIFUNCTION 0x80
#define ACS_CONTROLS 0x7f /* bits of the ACS capability that have a control bit of the same place */
#define MAX_WIDTH 32

struct sr_pci {
	struct pci_access *access;
};

/* libpci wants these not to return, and a library of ours must not exit. The only error on the way we
 * use (no scan, method set, aligned reads) is lack of memory while the access is set up. */
static __attribute__((noreturn, format(printf, 1, 2))) void on_error(char *msg, ...)
{
	__builtin_trap();
}

static __attribute__((format(printf, 1, 2))) void on_message(char *msg, ...)
{
}

/* Config space is handed in; should libpci look for more, it must not find that of this host. */
static int keep_from_sysfs(struct pci_access *access)
{
	char param[] = "sysfs.path", nowhere[] = "/dev/null";

	return pci_set_param(access, param, nowhere) ? -ENOMEM : 0;
}

int sr_pci_open(struct sr_pci **ret)
{
	_cleanup_free_ struct sr_pci *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->access = pci_alloc();
	if (!p->access)
		return -ENOMEM;
	p->access->error = on_error;
	p->access->warning = on_message;
	p->access->debug = on_message;
	p->access->method = PCI_ACCESS_SYS_BUS_PCI;
	if (keep_from_sysfs(p->access) < 0) {
		pci_cleanup(p->access);
		return -ENOMEM;
	}
	pci_init(p->access);
	*ret = TAKE_PTR(p);
	return 0;
}

void sr_pci_close(struct sr_pci *p)
{
	pci_cleanup(p->access);
	free(p);
}

static uint16_t word(struct pci_dev *d, const struct pci_cap *cap, int offset)
{
	return pci_read_word(d, (int)cap->addr + offset);
}

static uint32_t dword(struct pci_dev *d, const struct pci_cap *cap, int offset)
{
	return pci_read_long(d, (int)cap->addr + offset);
}

static struct pci_cap *extended(struct pci_dev *d, unsigned int id)
{
	return pci_find_cap(d, id, PCI_CAP_EXTENDED);
}

/* PCIe Base 6.0 section 7.5.3.2, Device/Port Type. */
static enum inv_port port_of_type(unsigned int type)
{
	switch (type) {
	case PCI_EXP_TYPE_ROOT_PORT:
		return INV_PORT_ROOT;
	case PCI_EXP_TYPE_UPSTREAM:
		return INV_PORT_UPSTREAM;
	case PCI_EXP_TYPE_DOWNSTREAM:
		return INV_PORT_DOWNSTREAM;
	case PCI_EXP_TYPE_PCI_BRIDGE:
	case PCI_EXP_TYPE_PCIE_BRIDGE:
		return INV_PORT_BRIDGE;
	case PCI_EXP_TYPE_ROOT_INT_EP:
	case PCI_EXP_TYPE_ROOT_EC:
		return INV_PORT_ROOT_ENDPOINT;
	default:
		return INV_PORT_ENDPOINT;
	}
}

/* PCIe Base 6.0 section 7.5.3.6, Max Link Speed: encodings 1 to 6. */
static unsigned int speed_of(unsigned int code)
{
	static const unsigned int speeds[] = { 0, 25, 50, 80, 160, 320, 640 };

	return code < CV_ARRAY_SIZE(speeds) ? speeds[code] : 0;
}

/* The vector of Link Capabilities 2 names every speed; older devices have only the highest one. */
static unsigned int max_speed_of(uint32_t cap, uint32_t cap2)
{
	unsigned int vector = PCI_EXP_LNKCAP2_SPEED(cap2), code = 0;

	while (vector >> code)
		code++;
	return speed_of(code ? code : cap & PCI_EXP_LNKCAP_SPEED);
}

static unsigned int width_of(unsigned int lanes)
{
	return lanes <= MAX_WIDTH ? lanes : 0;
}

static void decode_link(struct pci_dev *d, const struct pci_cap *cap, struct inv_link *l)
{
	uint32_t able = dword(d, cap, PCI_EXP_LNKCAP);
	unsigned int now = word(d, cap, PCI_EXP_LNKSTA);

	l->max_speed = max_speed_of(able, dword(d, cap, PCI_EXP_LNKCAP2));
	l->max_width = width_of((able & PCI_EXP_LNKCAP_WIDTH) >> 4);
	l->speed = speed_of(now & PCI_EXP_LNKSTA_SPEED);
	l->width = width_of((now & PCI_EXP_LNKSTA_WIDTH) >> 4);
}

static void decode_port(struct pci_dev *p, unsigned int header_type, struct inv_dev *d)
{
	struct pci_cap *cap = pci_find_cap(p, PCI_CAP_ID_EXP, PCI_CAP_NORMAL);

	if (!cap) {
		d->port = header_type == PCI_HEADER_TYPE_NORMAL ? INV_PORT_CONVENTIONAL
								: INV_PORT_BRIDGE;
		return;
	}
	d->port = port_of_type((word(p, cap, PCI_EXP_FLAGS) & PCI_EXP_FLAGS_TYPE) >> 4);
	if (d->port != INV_PORT_ROOT_ENDPOINT)
		decode_link(p, cap, &d->link);
}

/* A bridge has its subsystem in a capability (PCI-to-PCI Bridge 1.2 section 3.2.5.13). */
static void decode_subsystem(struct pci_dev *p, struct inv_dev *d)
{
	struct pci_cap *cap = pci_find_cap(p, PCI_CAP_ID_SSVID, PCI_CAP_NORMAL);

	if (!cap)
		return;
	d->subvendor = word(p, cap, PCI_SSVID_VENDOR);
	d->subdevice = word(p, cap, PCI_SSVID_DEVICE);
}

static void decode_isolation(struct pci_dev *p, struct inv_dev *d)
{
	struct pci_cap *cap = extended(p, PCI_EXT_CAP_ID_ACS);

	if (cap) {
		d->has_acs = true;
		d->acs_cap = word(p, cap, PCI_ACS_CAP) & ACS_CONTROLS;
		d->acs_ctrl = word(p, cap, PCI_ACS_CTRL);
	}
	cap = extended(p, PCI_EXT_CAP_ID_ATS);
	if (cap) {
		d->has_ats = true;
		d->ats_enabled = word(p, cap, PCI_ATS_CTRL) & PCI_ATS_CTRL_ENABLE;
	}
	cap = extended(p, PCI_EXT_CAP_ID_PASID);
	if (cap) {
		d->has_pasid = true;
		d->pasid_enabled = word(p, cap, PCI_PASID_CTRL) & PCI_PASID_CTRL_ENABLE;
	}
}

static void decode_sriov(struct pci_dev *p, struct inv_sriov *s, unsigned int *ret_total)
{
	struct pci_cap *cap = extended(p, PCI_EXT_CAP_ID_SRIOV);

	if (!cap)
		return;
	*ret_total = s->total = word(p, cap, PCI_IOV_TOTALVF);
	if (word(p, cap, PCI_IOV_CTRL) & PCI_IOV_CTRL_VFE)
		s->num = word(p, cap, PCI_IOV_NUMVF);
	if (s->num > s->total)
		s->num = s->total;
	s->offset = word(p, cap, PCI_IOV_OFFSET);
	s->stride = word(p, cap, PCI_IOV_STRIDE);
	s->vf_device = word(p, cap, PCI_IOV_DID);
}

/* PCIe Base 6.0 section 7.8.6: a capability and a control register per BAR that can be resized. */
static void decode_rebar(struct pci_dev *p, struct inv_dev *d)
{
	struct pci_cap *cap = extended(p, PCI_EXT_CAP_ID_REBAR);
	unsigned int n = cap ? dword(p, cap, 8) >> 5 & 7 : 0;

	for (unsigned int i = 0; i < n && i < INV_MAX_BARS; i++) {
		uint32_t sizes = dword(p, cap, 4 + (int)i * 8);
		uint32_t ctrl = dword(p, cap, 8 + (int)i * 8);

		if ((ctrl & 7) < INV_MAX_BARS)
			d->bars[ctrl & 7].resizable = sizes >> 4 | (uint64_t)(ctrl >> 16) << 28;
	}
}

static void decode_serial(struct pci_dev *p, struct inv_dev *d)
{
	struct pci_cap *cap = extended(p, PCI_EXT_CAP_ID_DSN);

	if (cap)
		snprintf(d->serial, sizeof(d->serial), "%08x%08x", dword(p, cap, 8),
			 dword(p, cap, 4));
}

static void decode_capabilities(struct pci_dev *p, unsigned int header_type, struct inv_dev *d,
				struct sr_config *c)
{
	decode_port(p, header_type, d);
	if (header_type == PCI_HEADER_TYPE_BRIDGE)
		decode_subsystem(p, d);
	decode_isolation(p, d);
	decode_sriov(p, &d->sriov, &c->total_vfs);
	decode_rebar(p, d);
	decode_serial(p, d);
}

static uint16_t le16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static void decode_header(const uint8_t *bytes, struct inv_dev *d, struct sr_config *c)
{
	unsigned int type = bytes[PCI_HEADER_TYPE];

	c->is_vf = le16(bytes + PCI_VENDOR_ID) == 0xffff;
	if (!c->is_vf) {
		d->vendor = le16(bytes + PCI_VENDOR_ID);
		d->device = le16(bytes + PCI_DEVICE_ID);
	}
	d->class = (uint32_t)(le16(bytes + PCI_CLASS_DEVICE) << 8 | bytes[PCI_CLASS_PROG]);
	d->is_multifunction = type & MULTIFUNCTION;
	if ((type & HEADER_TYPE_MASK) == PCI_HEADER_TYPE_NORMAL) {
		d->subvendor = le16(bytes + PCI_SUBSYSTEM_VENDOR_ID);
		d->subdevice = le16(bytes + PCI_SUBSYSTEM_ID);
	}
}

/* Not by the ids: those of a VF read all ones by design. */
static bool is_dead(const uint8_t *bytes)
{
	return memcmp(bytes + PCI_COMMAND, "\xff\xff\xff\xff", 4) == 0 &&
	       bytes[PCI_HEADER_TYPE] == 0xff;
}

void sr_pci_decode(struct sr_pci *p, uint8_t bytes[SR_CONFIG_SIZE + SR_CONFIG_SLACK], size_t len,
		   struct inv_dev *d, struct sr_config *ret)
{
	struct pci_dev *dev;

	*ret = (struct sr_config){ 0 };
	if (len < HEADER_BYTES)
		return;
	d->is_unreadable = is_dead(bytes);
	if (d->is_unreadable)
		return;
	ret->depth = SR_CONFIG_HEADER;
	decode_header(bytes, d, ret);
	if (len < CONVENTIONAL_BYTES)
		return;
	ret->depth = SR_CONFIG_FULL;
	/* any address does: what libpci asks for is in the cache */
	dev = pci_get_dev(p->access, 0, 0, 0, 0);
	pci_setup_cache(dev, bytes, SR_CONFIG_SIZE + SR_CONFIG_SLACK);
	decode_capabilities(dev, bytes[PCI_HEADER_TYPE] & HEADER_TYPE_MASK, d, ret);
	pci_free_dev(dev);
}

void sr_pci_name(struct sr_pci *p, uint16_t vendor, uint16_t device, char *buf, size_t size)
{
	char text[256];
	int flags = PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE | PCI_LOOKUP_NO_NUMBERS |
		    PCI_LOOKUP_NO_HWDB;
	const char *name = pci_lookup_name(p->access, text, sizeof(text), flags, vendor, device);

	snprintf(buf, size, "%s", name ? name : "");
}
