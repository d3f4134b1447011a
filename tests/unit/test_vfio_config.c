// SPDX-License-Identifier: GPL-2.0-or-later
/* The guest's view of a device's configuration space: what is shown, what is hidden, who answers. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "vmm/dev/vfio_parts.h"

#define SIZE 256
#define PM 0x40
#define MSI 0x50
#define MSIX 0x70
#define EXP 0xa0
#define VNDR 0xe0
#define VNDR_LEN 0x10

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
}

static void put_cap(uint8_t *config, uint8_t at, uint8_t id, uint8_t next)
{
	config[at] = id;
	config[at + 1] = next;
}

/* A NIC: power, MSI and MSI-X that a driver of the host left on, VPD, PCI Express, one of the vendor. */
static void make_nic(uint8_t config[SIZE])
{
	memset(config, 0, SIZE);
	put16(&config[PCI_VENDOR_ID], 0x8086);
	put16(&config[PCI_DEVICE_ID], 0x10ca);
	put16(&config[PCI_COMMAND], 0x0007);
	put16(&config[PCI_STATUS], 0xf910 | PCI_STATUS_CAP_LIST);
	put16(&config[PCI_CLASS_DEVICE], 0x0200);
	config[PCI_REVISION_ID] = 1;
	put16(&config[PCI_SUBSYSTEM_VENDOR_ID], 0x1234);
	put16(&config[PCI_SUBSYSTEM_ID], 0x5678);
	config[PCI_BASE_ADDRESS_0 + 1] = 0xc0;
	config[PCI_ROM_ADDRESS] = 1;
	config[PCI_INTERRUPT_PIN] = 2;
	config[PCI_CAPABILITY_LIST] = PM;
	put_cap(config, PM, PCI_CAP_ID_PM, MSI);
	put_cap(config, MSI, PCI_CAP_ID_MSI, MSIX);
	put16(&config[MSI + PCI_MSI_FLAGS],
	      PCI_MSI_FLAGS_ENABLE | 3 << 1 | 3 << 4 | PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT);
	memset(&config[MSI + PCI_MSI_ADDRESS_LO], 0x5a, 10);
	put_cap(config, MSIX, PCI_CAP_ID_MSIX, 0x90);
	put16(&config[MSIX + PCI_MSIX_FLAGS], PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL | 9);
	put_cap(config, 0x90, PCI_CAP_ID_VPD, EXP);
	put_cap(config, EXP, PCI_CAP_ID_EXP, VNDR);
	put_cap(config, VNDR, PCI_CAP_ID_VNDR, 0);
	config[VNDR + PCI_CAP_FLAGS] = VNDR_LEN;
}

/** struct view - of one device */
struct view {
	uint8_t physical[SIZE];
	struct vmm_pci_function f;
	struct pass_caps caps;
};

static struct view *open_view(void **state)
{
	static struct view v;

	memset(&v, 0, sizeof(v));
	v.f.name = "nic";
	make_nic(v.physical);
	*state = &v;
	return &v;
}

static void show(struct view *v)
{
	assert_int_equal(vmm_pass_config_init(v->physical, SIZE, &v->f, &v->caps), 0);
}

static void assert_list(const struct view *v, const uint8_t *wanted, size_t n)
{
	uint8_t at = v->f.config[PCI_CAPABILITY_LIST];

	for (size_t i = 0; i < n; i++) {
		assert_int_equal(at, wanted[i]);
		at = v->f.config[at + 1];
	}
	assert_int_equal(at, 0);
}

static enum pass_access access_of(const struct view *v, unsigned int offset)
{
	return vmm_pass_config_access(&v->caps, &v->f, (uint16_t)offset);
}

static void assert_access(const struct view *v, unsigned int from, unsigned int to,
			  enum pass_access wanted)
{
	for (unsigned int at = from; at < to; at++)
		if (access_of(v, at) != wanted)
			fail_msg("byte 0x%x: %d, not %d", at, access_of(v, at), wanted);
}

/* ---- the header ---- */

static void test_header(void **state)
{
	struct view *v = open_view(state);

	show(v);
	assert_int_equal(vmm_pci_word(&v->f, PCI_VENDOR_ID), 0x8086);
	assert_int_equal(vmm_pci_word(&v->f, PCI_DEVICE_ID), 0x10ca);
	assert_int_equal(vmm_pci_word(&v->f, PCI_CLASS_DEVICE), 0x0200);
	assert_int_equal(v->f.config[PCI_REVISION_ID], 1);
	assert_int_equal(vmm_pci_word(&v->f, PCI_SUBSYSTEM_VENDOR_ID), 0x1234);
	assert_int_equal(vmm_pci_word(&v->f, PCI_SUBSYSTEM_ID), 0x5678);
	assert_int_equal(v->f.config[PCI_INTERRUPT_PIN], 2);
	/* what the host had there is not the guest's */
	assert_int_equal(vmm_pci_word(&v->f, PCI_COMMAND), 0);
	assert_int_equal(vmm_pci_word(&v->f, PCI_STATUS), PCI_STATUS_CAP_LIST);
	assert_int_equal(vmm_pci_word(&v->f, PCI_BASE_ADDRESS_0), 0);
	assert_int_equal(v->f.config[PCI_ROM_ADDRESS], 0);
}

static void test_header_types(void **state)
{
	struct view *v = open_view(state);

	for (unsigned int type = 0; type < 256; type++) {
		v->physical[PCI_HEADER_TYPE] = (uint8_t)type;
		assert_int_equal(vmm_pass_config_init(v->physical, SIZE, &v->f, &v->caps),
				 (type & 0x7f) == 0 ? 0 : -EINVAL);
		assert_int_equal(v->f.config[PCI_HEADER_TYPE], 0);
	}
}

static void test_short(void **state)
{
	struct view *v = open_view(state);

	assert_int_equal(vmm_pass_config_init(v->physical, SIZE - 1, &v->f, &v->caps), -EINVAL);
	assert_int_equal(vmm_pass_config_init(v->physical, 0, &v->f, &v->caps), -EINVAL);
}

/* ---- capabilities ---- */

static void test_list(void **state)
{
	static const uint8_t wanted[] = { PM, MSI, MSIX, EXP, VNDR };
	struct view *v = open_view(state);

	show(v);
	assert_list(v, wanted, CV_ARRAY_SIZE(wanted));
	assert_int_equal(v->caps.pm, PM);
	assert_int_equal(v->caps.msi, MSI);
	assert_int_equal(v->caps.msix, MSIX);
	assert_int_equal(v->caps.express, EXP);
}

/* Of all ids there are, those of the table. */
static void test_ids(void **state)
{
	static const uint8_t shown[] = { PCI_CAP_ID_PM, PCI_CAP_ID_MSI, PCI_CAP_ID_VNDR,
					 PCI_CAP_ID_EXP, PCI_CAP_ID_MSIX };
	struct view *v = open_view(state);

	for (unsigned int id = 0; id < 256; id++) {
		const uint8_t at = PM;

		put_cap(v->physical, PM, (uint8_t)id, 0);
		show(v);
		assert_list(v, &at, memchr(shown, (int)id, sizeof(shown)) != NULL);
	}
}

static void test_no_list(void **state)
{
	struct view *v = open_view(state);

	put16(&v->physical[PCI_STATUS], 0);
	show(v);
	assert_list(v, NULL, 0);
	assert_int_equal(v->caps.msi, 0);
	assert_int_equal(v->caps.msix, 0);
}

static void test_interrupts_off(void **state)
{
	struct view *v = open_view(state);

	show(v);
	assert_int_equal(vmm_pci_word(&v->f, MSI + PCI_MSI_FLAGS), PCI_MSI_FLAGS_64BIT);
	assert_int_equal(vmm_pci_word(&v->f, MSI + PCI_MSI_ADDRESS_LO), 0);
	assert_int_equal(vmm_pci_word(&v->f, MSI + PCI_MSI_DATA_64), 0);
	assert_true(v->caps.msi_is_wide);
	assert_false(v->caps.msi_has_mask);
	assert_int_equal(vmm_pci_word(&v->f, MSIX + PCI_MSIX_FLAGS), 9);
}

/* The guest turns MSI on and says where; no more vectors, no wider addresses. */
static void test_msi_mask(void **state)
{
	struct view *v = open_view(state);

	show(v);
	assert_int_equal(v->f.mask[MSI + PCI_MSI_FLAGS], PCI_MSI_FLAGS_ENABLE);
	assert_int_equal(v->f.mask[MSI + PCI_MSI_FLAGS + 1], 0);
	assert_int_equal(v->f.mask[MSI + PCI_MSI_DATA_64 + 1], 0xff);
	assert_int_equal(v->f.mask[MSI + PCI_MSI_DATA_64 + 2], 0);
	put16(&v->physical[MSI + PCI_MSI_FLAGS], PCI_MSI_FLAGS_ENABLE);
	show(v);
	assert_false(v->caps.msi_is_wide);
	assert_int_equal(vmm_pci_word(&v->f, MSI + PCI_MSI_FLAGS), 0);
	assert_int_equal(v->f.mask[MSI + PCI_MSI_DATA_32 + 1], 0xff);
	assert_int_equal(v->f.mask[MSI + PCI_MSI_DATA_32 + 2], 0);
}

/* ---- lists of broken or hostile devices ---- */

static void test_loops(void **state)
{
	static const uint8_t wanted[] = { PM, MSI, MSIX, EXP, VNDR };
	struct view *v = open_view(state);

	/* the last leads to each of them, and to itself */
	for (size_t i = 0; i < CV_ARRAY_SIZE(wanted); i++) {
		v->physical[VNDR + 1] = wanted[i];
		show(v);
		assert_list(v, wanted, CV_ARRAY_SIZE(wanted));
	}
	v->physical[PM + 1] = PM;
	show(v);
	assert_list(v, wanted, 1);
	assert_int_equal(v->caps.msi, 0);
}

static void test_into_header(void **state)
{
	static const uint8_t leads[] = { 0x04, 0x10, 0x34, 0x3c, 0x3f, 0x01 };
	static const uint8_t wanted[] = { PM, MSI };
	struct view *v = open_view(state);

	for (size_t i = 0; i < CV_ARRAY_SIZE(leads); i++) {
		v->physical[MSI + 1] = leads[i];
		show(v);
		assert_list(v, wanted, CV_ARRAY_SIZE(wanted));
	}
	v->physical[PCI_CAPABILITY_LIST] = 0x10;
	show(v);
	assert_list(v, NULL, 0);
}

/* The two lowest bits of a pointer are reserved (PCI Local Bus 3.0 section 6.7). */
static void test_reserved_bits(void **state)
{
	static const uint8_t wanted[] = { PM, MSI, MSIX, EXP, VNDR };
	struct view *v = open_view(state);

	v->physical[PCI_CAPABILITY_LIST] |= 3;
	v->physical[MSI + 1] |= 2;
	show(v);
	assert_list(v, wanted, CV_ARRAY_SIZE(wanted));
}

static void test_last_place(void **state)
{
	static const uint8_t ids[] = { PCI_CAP_ID_PM, PCI_CAP_ID_MSI, PCI_CAP_ID_MSIX,
				       PCI_CAP_ID_EXP, PCI_CAP_ID_VNDR };
	const uint8_t at = 0xfc;
	struct view *v = open_view(state);

	v->physical[PCI_CAPABILITY_LIST] = at;
	for (size_t i = 0; i < sizeof(ids); i++) {
		put_cap(v->physical, at, ids[i], at);
		show(v);
		assert_list(v, &at, 1);
		assert_access(v, 0x100, 0x200, PASS_SHADOW);
	}
}

/* One that lies in what the guest writes of another stays what it is. */
static void test_overlap(void **state)
{
	const uint8_t inner = MSI + 8;
	const uint8_t wanted[] = { PM, MSI, inner };
	struct view *v = open_view(state);

	v->physical[MSI + 1] = inner;
	put_cap(v->physical, inner, PCI_CAP_ID_PM, 0);
	show(v);
	assert_list(v, wanted, CV_ARRAY_SIZE(wanted));
	assert_int_equal(v->f.mask[inner], 0);
	assert_int_equal(v->f.mask[inner + 1], 0);
}

/* ---- who answers ---- */

static void test_access_header(void **state)
{
	struct view *v = open_view(state);

	show(v);
	assert_access(v, 0, PCI_COMMAND, PASS_SHADOW);
	assert_access(v, PCI_COMMAND, PCI_COMMAND + 2, PASS_BOTH);
	assert_access(v, PCI_STATUS, PCI_STD_HEADER_SIZEOF, PASS_SHADOW);
	assert_access(v, 0x100, VMM_PCI_CONFIG, PASS_SHADOW);
}

static void test_access_caps(void **state)
{
	struct view *v = open_view(state);

	show(v);
	assert_access(v, PM, PM + 2, PASS_SHADOW); /* the guest's list */
	assert_access(v, PM + 2, PM + PCI_PM_SIZEOF, PASS_LIVE);
	assert_access(v, PM + PCI_PM_SIZEOF, MSI, PASS_SHADOW);
	assert_access(v, MSI, MSIX, PASS_SHADOW);
	assert_access(v, MSIX, EXP, PASS_SHADOW); /* with VPD, which is hidden */
	assert_access(v, EXP, EXP + 2, PASS_SHADOW);
	assert_access(v, EXP + 2, EXP + 0x3c, PASS_LIVE);
	assert_access(v, EXP + 0x3c, VNDR + 2, PASS_SHADOW);
	assert_access(v, VNDR + 2, VNDR + VNDR_LEN, PASS_LIVE);
	assert_access(v, VNDR + VNDR_LEN, 0x100, PASS_SHADOW);
}

/* What the vendor says of its length does not reach into the next one. */
static void test_access_vendor(void **state)
{
	struct view *v = open_view(state);

	v->physical[PM + 1] = 0x48;
	put_cap(v->physical, 0x48, PCI_CAP_ID_VNDR, MSI);
	v->physical[0x48 + PCI_CAP_FLAGS] = 0xff;
	show(v);
	assert_access(v, 0x4a, MSI, PASS_LIVE);
	assert_access(v, MSI, MSIX, PASS_SHADOW);
	v->physical[0x48 + PCI_CAP_FLAGS] = 0;
	show(v);
	assert_access(v, 0x48, MSI, PASS_SHADOW);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_header_types),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_no_list),
		cmocka_unit_test(test_interrupts_off),
		cmocka_unit_test(test_msi_mask),
		cmocka_unit_test(test_loops),
		cmocka_unit_test(test_into_header),
		cmocka_unit_test(test_reserved_bits),
		cmocka_unit_test(test_last_place),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_access_header),
		cmocka_unit_test(test_access_caps),
		cmocka_unit_test(test_access_vendor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
