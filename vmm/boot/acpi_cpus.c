// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables about processors, interrupt controllers and what is near to what: MADT, SRAT, SLIT, HMAT.
 * Source: ACPI 6.5 chapter 5.2. */
#include "plan/apic_id.h"
#include "vmm/boot/acpi_tables.h"
#include "vmm/boot/bytes.h"
#include "vmm/core/layout.h"

#define ENABLED 1
#define ALL_UIDS8 0xff
#define ALL_UIDS32 0xffffffff
#define NMI_LINT 1
#define FIRST_X2APIC 255 /* an ID of 255 is "all" in the structures of 8 bits (section 5.2.12.12) */

/* ---- MADT (section 5.2.12) ---- */

static void put_local_apic(struct vmm_bytes *b, uint32_t uid, uint32_t id)
{
	bytes_put8(b, 0);
	bytes_put8(b, 8);
	bytes_put8(b, (uint8_t)uid);
	bytes_put8(b, (uint8_t)id);
	bytes_put32(b, ENABLED);
}

static void put_x2apic(struct vmm_bytes *b, uint32_t uid, uint32_t id)
{
	bytes_put8(b, 9);
	bytes_put8(b, 16);
	bytes_put16(b, 0);
	bytes_put32(b, id);
	bytes_put32(b, ENABLED);
	bytes_put32(b, uid);
}

static void put_io_apic(struct vmm_bytes *b)
{
	bytes_put8(b, 1);
	bytes_put8(b, 12);
	bytes_put16(b, 0); /* ID 0 */
	bytes_put32(b, VMM_IOAPIC);
	bytes_put32(b, 0); /* first GSI */
}

static void put_nmi(struct vmm_bytes *b, bool is_x2apic)
{
	bytes_put8(b, is_x2apic ? 10 : 4);
	bytes_put8(b, is_x2apic ? 12 : 6);
	if (!is_x2apic)
		bytes_put8(b, ALL_UIDS8);
	bytes_put16(b, 0);
	if (is_x2apic)
		bytes_put32(b, ALL_UIDS32);
	bytes_put8(b, NMI_LINT);
	if (is_x2apic)
		bytes_put_zeros(b, 3);
}

/* IDs below 255 have the structure of 8 bits, and only the others that of 32 (section 5.2.12.12). The
 * flag PCAT_COMPAT is off: nobody shall look for a pair of 8259s. */
void acpi_put_madt(struct vmm_bytes *b, const struct vmm_acpi_input *in)
{
	const struct plan *p = in->plan;

	bytes_put32(b, (uint32_t)VMM_LAPIC);
	bytes_put32(b, 0);
	for (size_t i = 0; i < p->n_vcpus; i++) {
		uint32_t id = plan_apic_id(p, i);

		if (id < FIRST_X2APIC)
			put_local_apic(b, (uint32_t)i, id);
		else
			put_x2apic(b, (uint32_t)i, id);
	}
	put_io_apic(b);
	put_nmi(b, false);
	if (plan_needs_ext_dest_id(p))
		put_nmi(b, true);
}

/* ---- SRAT (section 5.2.16) ---- */

static void put_local_apic_affinity(struct vmm_bytes *b, uint32_t node, uint32_t id)
{
	bytes_put8(b, 0);
	bytes_put8(b, 16);
	bytes_put8(b, (uint8_t)node);
	bytes_put8(b, (uint8_t)id);
	bytes_put32(b, ENABLED);
	bytes_put_zeros(b, 8);
}

static void put_x2apic_affinity(struct vmm_bytes *b, uint32_t node, uint32_t id)
{
	bytes_put8(b, 2);
	bytes_put8(b, 24);
	bytes_put16(b, 0);
	bytes_put32(b, node);
	bytes_put32(b, id);
	bytes_put32(b, ENABLED);
	bytes_put_zeros(b, 8);
}

static void put_memory_affinity(struct vmm_bytes *b, const struct plan_range *r)
{
	bytes_put8(b, 1);
	bytes_put8(b, 40);
	bytes_put32(b, (uint32_t)r->guest_node);
	bytes_put16(b, 0);
	bytes_put64(b, r->start);
	bytes_put64(b, r->size);
	bytes_put32(b, 0);
	bytes_put32(b, ENABLED); /* neither hot-pluggable nor non-volatile */
	bytes_put_zeros(b, 8);
}

void acpi_put_srat(struct vmm_bytes *b, const struct vmm_acpi_input *in)
{
	const struct plan *p = in->plan;

	bytes_put32(b, 1);
	bytes_put_zeros(b, 8);
	for (size_t i = 0; i < p->n_vcpus; i++) {
		uint32_t node = (uint32_t)p->vcpus[i].guest_node, id = plan_apic_id(p, i);

		if (id < FIRST_X2APIC)
			put_local_apic_affinity(b, node, id);
		else
			put_x2apic_affinity(b, node, id);
	}
	for (size_t i = 0; i < p->n_ranges; i++)
		if (p->ranges[i].kind == PLAN_RAM)
			put_memory_affinity(b, &p->ranges[i]);
}

/* ---- SLIT (section 5.2.17), HMAT (section 5.2.27) ---- */

void acpi_put_slit(struct vmm_bytes *b, const struct vmm_acpi_input *in)
{
	const struct plan *p = in->plan;

	bytes_put64(b, p->n_nodes);
	for (size_t i = 0; i < p->n_nodes; i++)
		for (size_t k = 0; k < p->n_nodes; k++)
			bytes_put8(b, (uint8_t)p->nodes[i].distances[k]);
}

/* Memory Proximity Domain Attributes: the CPUs of a node are those nearest to its memory. Latency and
 * bandwidth are not known. */
void acpi_put_hmat(struct vmm_bytes *b, const struct vmm_acpi_input *in)
{
	bytes_put32(b, 0);
	for (uint32_t i = 0; i < in->plan->n_nodes; i++) {
		bool has_cpus = !cv_cpuset_is_empty(&in->plan->nodes[i].vcpus);

		bytes_put16(b, 0);
		bytes_put16(b, 0);
		bytes_put32(b, 40);
		bytes_put16(b, has_cpus); /* the next field is valid */
		bytes_put16(b, 0);
		bytes_put32(b, has_cpus ? i : 0);
		bytes_put32(b, i);
		bytes_put_zeros(b, 20);
	}
}
