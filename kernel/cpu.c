// SPDX-License-Identifier: GPL-2.0-only
/*
 * The CPUs' virtualization: switched on when a CPU comes, off when it goes and at reboot. EFER.SVME
 * belongs to one owner at a time. Where kvm-amd has it already, the module refuses to load, or
 * (share=1) uses what kvm-amd switched on and keeps kvm-amd from being unloaded.
 *
 * A crash needs nothing: the NMI that stops a CPU reaches it with GIF set, so that INIT is not held
 * back (AMD APM vol. 2, 15.17), and EFER.SVME alone harms no crash kernel. The one place that Linux
 * has for a callback is left to kvm-amd, which warns when it is taken.
 */
#define pr_fmt(fmt) "carve: " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/reboot.h>
#include <linux/smp.h>
#include <linux/suspend.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>

#include "carve.h"
#include "compat.h"

DEFINE_PER_CPU(struct carve_cpu, carve_cpus);

bool carve_share;
u32 carve_asids;

static int hotplug_state;
static struct file *held_kvm; /* share=1: keeps kvm-amd loaded */
static bool stopped;	      /* reboot: no guest is entered any more */
static bool suspending;	      /* under vm_count_lock */
static unsigned int vm_count; /* under vm_count_lock */
static DEFINE_MUTEX(vm_count_lock);

static bool svm_is_on(void)
{
	u64 efer;

	carve_rdmsr(MSR_EFER, efer);
	return efer & EFER_SVME;
}

static void count_if_on(void *count)
{
	if (svm_is_on())
		atomic_inc(count);
}

/* AMD APM vol. 2, 15.4 (EFER.SVME), 15.30.4 (VM_HSAVE_PA). Runs on the CPU. */
static void cpu_enable(void *unused)
{
	struct carve_cpu *cpu = this_cpu_ptr(&carve_cpus);
	u64 efer;

	if (!carve_share) {
		carve_rdmsr(MSR_EFER, efer);
		carve_wrmsr(MSR_EFER, efer | EFER_SVME);
		carve_wrmsr(MSR_VM_HSAVE_PA, page_to_phys(cpu->hsave));
	}
	/* Nothing is known of what the TLB holds: every vCPU takes a new ASID. */
	cpu->asid_generation++;
	cpu->next_asid = carve_asids;
	cpu->enabled = true;
}

static void cpu_disable(void *unused)
{
	struct carve_cpu *cpu = this_cpu_ptr(&carve_cpus);
	u64 efer;

	if (!cpu->enabled)
		return;
	cpu->enabled = false;
	if (carve_share)
		return;
	/* A CPU with GIF clear would hang once SVME is off. */
	asm volatile("stgi");
	carve_wrmsr(MSR_VM_HSAVE_PA, 0);
	carve_rdmsr(MSR_EFER, efer);
	carve_wrmsr(MSR_EFER, efer & ~EFER_SVME);
}

static void free_pages_of(unsigned int cpu)
{
	struct carve_cpu *state = per_cpu_ptr(&carve_cpus, cpu);

	if (state->hsave)
		__free_page(state->hsave);
	if (state->host_state)
		__free_page(state->host_state);
	state->hsave = NULL;
	state->host_state = NULL;
}

static int alloc_pages_of(unsigned int cpu)
{
	struct carve_cpu *state = per_cpu_ptr(&carve_cpus, cpu);

	if (state->host_state)
		return 0;
	state->hsave = alloc_pages_node(cpu_to_node(cpu), GFP_KERNEL | __GFP_ZERO, 0);
	state->host_state = alloc_pages_node(cpu_to_node(cpu), GFP_KERNEL | __GFP_ZERO, 0);
	if (state->hsave && state->host_state)
		return 0;
	free_pages_of(cpu);
	return -ENOMEM;
}

/* Context: the hotplug thread of the CPU that comes. */
static int cpu_comes(unsigned int cpu)
{
	int ret = alloc_pages_of(cpu);

	if (ret)
		return ret;
	if (svm_is_on() != carve_share) {
		pr_err("CPU %u came with EFER.SVME %s; it stays offline\n", cpu,
		       carve_share ? "clear: kvm-amd did not switch it on"
				   : "set by another owner");
		return -EBUSY;
	}
	cpu_enable(NULL);
	return 0;
}

/* A vCPU that ran there is moved by the scheduler, and takes a new ASID where it goes. */
static int cpu_goes(unsigned int cpu)
{
	cpu_disable(NULL);
	return 0;
}

/*
 * Reboot and kexec: the interrupt that switches a CPU off takes it out of its guest first, and the
 * flag keeps it from entering again.
 */
static int on_reboot(struct notifier_block *block, unsigned long action, void *data)
{
	WRITE_ONCE(stopped, true);
	on_each_cpu(cpu_disable, NULL, 1);
	return NOTIFY_DONE;
}

static struct notifier_block reboot_block = { .notifier_call = on_reboot };

/* The state of a guest would not survive: suspend is refused while a VM lives. */
static int on_suspend(struct notifier_block *block, unsigned long action, void *data)
{
	int ret = NOTIFY_DONE;

	mutex_lock(&vm_count_lock);
	switch (action) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
		if (vm_count) {
			pr_err("%u VMs live: end them before suspending\n", vm_count);
			ret = notifier_from_errno(-EBUSY);
		} else {
			suspending = true;
		}
		break;
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
		/* The boot CPU came back as the firmware left it. */
		if (suspending)
			on_each_cpu(cpu_enable, NULL, 1);
		suspending = false;
		break;
	}
	mutex_unlock(&vm_count_lock);
	return ret;
}

static struct notifier_block suspend_block = { .notifier_call = on_suspend };

/* AMD APM vol. 2, 15.4: SVM may be missing, or locked off by the firmware (VM_CR.SVMDIS). */
static int check_svm(void)
{
	u64 vm_cr;

	if (!boot_cpu_has(X86_FEATURE_SVM)) {
		pr_err("no AMD SVM on this CPU\n");
		return -EOPNOTSUPP;
	}
	carve_rdmsr(MSR_VM_CR, vm_cr);
	if (vm_cr & BIT(4)) {
		pr_err("SVM is disabled by the firmware; enable it in the setup (SVM Mode)\n");
		return -EOPNOTSUPP;
	}
	if (!boot_cpu_has(X86_FEATURE_NPT)) {
		pr_err("no nested paging on this CPU\n");
		return -EOPNOTSUPP;
	}
	carve_asids = cpuid_ebx(0x8000000a);
	return carve_asids < 2 ? -EOPNOTSUPP : 0;
}

/* Keeps the owner of EFER.SVME loaded for as long as this module is. */
static int hold_kvm(unsigned int cpus_on)
{
	if (cpus_on != num_online_cpus()) {
		pr_err("EFER.SVME is set on %u of %u CPUs: kvm-amd must be loaded with enable_virt_at_load=1\n",
		       cpus_on, num_online_cpus());
		return -EBUSY;
	}
	held_kvm = filp_open("/dev/kvm", O_RDWR, 0);
	if (!IS_ERR(held_kvm))
		return 0;
	pr_err("share=1: cannot open /dev/kvm, which keeps kvm-amd loaded\n");
	return PTR_ERR(held_kvm);
}

/* Who owns EFER.SVME now decides whether, and how, the module loads. */
static int settle_owner(void)
{
	atomic_t cpus_on = ATOMIC_INIT(0);

	on_each_cpu(count_if_on, &cpus_on, 1);
	if (!atomic_read(&cpus_on)) {
		carve_share = false;
		return 0;
	}
	if (carve_share)
		return hold_kvm(atomic_read(&cpus_on));
	pr_err("kvm-amd owns SVM (EFER.SVME is set): unload it (modprobe -r kvm-amd), or load carve with share=1\n");
	return -EBUSY;
}

/**
 * carve_cpus_init() - switches virtualization on, on every CPU there is and will be
 *
 * Return: 0, -EOPNOTSUPP without SVM and nested paging, -EBUSY when kvm-amd owns SVM, -ENOMEM.
 * Context: module load.
 */
int carve_cpus_init(void)
{
	int ret = check_svm();

	if (!ret)
		ret = settle_owner();
	if (ret)
		return ret;
	ret = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "virt/carve:online", cpu_comes, cpu_goes);
	if (ret < 0)
		goto release_kvm;
	hotplug_state = ret;
	ret = register_pm_notifier(&suspend_block);
	if (ret)
		goto remove_state;
	ret = register_reboot_notifier(&reboot_block);
	if (ret)
		goto remove_suspend;
	return 0;

remove_suspend:
	unregister_pm_notifier(&suspend_block);
remove_state:
	cpuhp_remove_state(hotplug_state);
release_kvm:
	if (held_kvm)
		filp_close(held_kvm, NULL);
	return ret;
}

/**
 * carve_cpus_done() - gives every CPU back as it was found
 *
 * Context: module unload; no VM lives.
 */
void carve_cpus_done(void)
{
	unsigned int cpu;

	unregister_reboot_notifier(&reboot_block);
	unregister_pm_notifier(&suspend_block);
	cpuhp_remove_state(hotplug_state);
	for_each_possible_cpu(cpu) free_pages_of(cpu);
	if (held_kvm)
		filp_close(held_kvm, NULL);
}

/**
 * carve_cpus_stopped() - whether this CPU may enter a guest no more
 *
 * Context: irqs off, so that the answer holds until they are on again.
 */
bool carve_cpus_stopped(void)
{
	return READ_ONCE(stopped) || !this_cpu_read(carve_cpus.enabled);
}

/**
 * carve_vm_begin() - counts a VM that is made
 *
 * Return: 0, -EBUSY while the machine suspends or reboots.
 */
int carve_vm_begin(void)
{
	int ret = 0;

	mutex_lock(&vm_count_lock);
	if (suspending || READ_ONCE(stopped))
		ret = -EBUSY;
	else
		vm_count++;
	mutex_unlock(&vm_count_lock);
	return ret;
}

/**
 * carve_vm_end() - counts a VM that is gone
 */
void carve_vm_end(void)
{
	mutex_lock(&vm_count_lock);
	vm_count--;
	mutex_unlock(&vm_count_lock);
}
