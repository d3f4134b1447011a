// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/core/machine_parts.h"

#include <errno.h>
#include <fcntl.h>

#include "vmm/boot/acpi.h"
#include "vmm/core/layout.h"

#define RESET_VECTOR 0xffff0 /* Intel SDM vol. 3 section 10.1.4, below 1 MiB */

static int open_file(const char *path, const char *what, int *ret_fd, struct cv_error *err)
{
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return *ret_fd < 0
		       ? cv_fail_errno(err, -errno, path, "cannot open the %s of the guest", what)
		       : 0;
}

static int make_tables(struct machine *m, struct cv_error *err)
{
	const struct vmm_root *roots = NULL;
	struct vmm_acpi_input in = { .plan = m->in.plan, .base = VMM_ACPI, .has_serial = true };
	int r;

	in.n_roots = vmm_pci_roots(m->pci, &roots);
	in.roots = roots;
	r = vmm_acpi_make(&in, &m->acpi);
	r = r ?: vmm_smbios_make(&in, &m->smbios);
	return r < 0 ? cv_fail_errno(err, r, "ACPI", "cannot make the tables of the guest") : 0;
}

/* Linux leaves the reset register of the FADT alone on a hardware-reduced machine: it reboots by the
 * EFI runtime (reboot_init() of arch/x86/kernel/reboot.c, efi_reboot_required()), and where there is
 * none goes on to the BIOS: in real mode to this address. So the reset is here, too: mov al, 6;
 * mov dx, 0xcf9; out dx, al; hlt; jmp to it. */
static const uint8_t reset_vector[] = { 0xb0, 0x06, 0xba, 0xf9, 0x0c, 0xee, 0xf4, 0xeb, 0xfd };

/*
 * Also after a reset: the guest may have written over all of it.
 * @later: what takes long is noted there; NULL: all is loaded now
 */
int vmm_machine_load(struct machine *m, struct vmm_load_later *later, struct cv_error *err)
{
	const struct plan *p = m->in.plan;
	struct vmm_boot_input in = {
		.memory = &m->memory,
		.plan = p,
		.kernel_fd = m->kernel_fd,
		.initrd_fd = m->initrd_fd,
		.kernel_name = p->kernel,
		.initrd_name = p->initrd,
		.cmdline = p->cmdline,
		.rsdp = VMM_ACPI,
		.later = later,
	};
	int r = vmm_memory_ready(&m->memory, VMM_ACPI, m->acpi.len);

	r = r ?: vmm_memory_write(&m->memory, VMM_ACPI, m->acpi.data, m->acpi.len);
	r = r ?: vmm_memory_ready(&m->memory, VMM_SMBIOS, m->smbios.len);
	r = r ?: vmm_memory_write(&m->memory, VMM_SMBIOS, m->smbios.data, m->smbios.len);
	r = r ?: vmm_memory_write(&m->memory, RESET_VECTOR, reset_vector, sizeof(reset_vector));
	if (r < 0)
		return cv_fail_errno(err, r, "ACPI", "the tables cannot be put below 1 MiB");
	return vmm_load(&in, &m->entry, err);
}

int vmm_machine_make_boot(struct machine *m, struct cv_error *err)
{
	const struct plan *p = m->in.plan;
	int r = make_tables(m, err);

	r = r ?: open_file(p->kernel, "kernel", &m->kernel_fd, err);
	if (r == 0 && p->initrd[0])
		r = open_file(p->initrd, "initrd", &m->initrd_fd, err);
	r = r ?: vmm_machine_load(m, &m->later, err);
	vmm_phase_end(&m->phases, "kernel");
	return r;
}
