/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the module promise each other: a VM, its memory, its vCPUs, and the CPU they
 * run on.
 *
 * Locks, outermost first: vcpu->lock (one ioctl at a time on a vCPU), vm->lock (slots, the list of
 * vCPUs). Slots are read under RCU. While a vCPU runs its guest it holds vcpu->lock and, from
 * fpu_load to fpu_unload, keeps preemption off: what handles an exit there never sleeps.
 */
#ifndef CARVE_KERNEL_CARVE_H
#define CARVE_KERNEL_CARVE_H

#include <linux/cpumask.h>
#include <linux/kref.h>
#include <linux/kvm.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <asm/svm.h>

#define CARVE_MAX_VCPUS 1024
#define CARVE_MAX_SLOTS 512
#define CARVE_MAX_CPUID 256

/* Pages of the mapping of a vCPU: struct kvm_run, port data, the ring of coalesced writes. */
enum { CARVE_RUN_PAGE, CARVE_PIO_PAGE, CARVE_RING_PAGE, CARVE_RUN_PAGES };

/* Numbers of general registers, as instructions encode them. */
enum { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_COUNT = 16 };

/**
 * struct carve_run - page frames of pinned user memory that follow each other
 * @first: index of the first page within the pinned range
 * @pfn: its page frame number
 * @count: how many pages follow each other in memory
 */
struct carve_run {
	u64 first;
	u64 pfn;
	u64 count;
};

/* A pinned range of user memory; made and freed by mem.c, belongs to one slot. */
struct carve_pin {
	struct mm_struct *mm; /* charged; held by mmgrab */
	u64 pages;
	bool writable;
	unsigned int run_count;
	unsigned int run_room;
	struct carve_run *runs;
};

struct carve_slot {
	u64 gpa;
	u64 bytes;
	unsigned long hva;
	u32 id;
	u32 flags; /* KVM_MEM_* */
	struct carve_pin *pin;
};

/* The slots of a VM in the order of their guest addresses; replaced as a whole. */
struct carve_slots {
	unsigned int count;
	struct carve_slot slot[];
};

/* Nested page tables: 4 levels, 48 bits of guest address. Changed under vm->lock. */
struct carve_npt {
	u64 *root;
	int node; /* NUMA node of the tables */
};

struct carve_vm {
	struct kref refs;     /* the VM file and each vCPU file */
	struct mm_struct *mm; /* the process that made it; held by mmgrab */
	struct mutex lock;
	struct carve_slots __rcu *slots; /* written under lock */
	struct carve_npt npt;		 /* under lock */
	u64 tlb_generation;		 /* a vCPU that last entered under an older one flushes */
	u64 tsc_offset;
	u64 identity_map;			  /* accepted and kept: AMD needs no such page */
	unsigned int vcpu_count;		  /* under lock */
	struct carve_vcpu *vcpu[CARVE_MAX_VCPUS]; /* by order of making; published with release */
};

/* What is to be injected at the next entry. */
struct carve_event {
	bool pending;
	u32 type; /* SVM_EVTINJ_TYPE_* */
	u8 vector;
	bool has_error;
	u32 error;
};

/* What waits for the user's answer to the last exit. */
enum carve_completion { CARVE_DONE, CARVE_PORT_IN, CARVE_PORT_OUT };

struct carve_io {
	enum carve_completion completion;
	u8 bytes;
	u64 next_rip;
	u64 linear_rip; /* a port write moves RIP only if the guest is still there */
};

/* Registers that only the store of MSRs knows. */
struct carve_msrs {
	u64 apic_base;
	u64 tsc_adjust;
	u64 tsc_aux;
	u64 misc_enable;
	u64 mtrr_def;
	u64 mtrr_fixed[11];
	u64 mtrr_variable[16];
	u64 mcg_cap;
	u64 mcg_status;
	u64 mcg_ctl;
	u64 mce_bank[32 * 4];
	u64 hwcr;
	u64 syscfg;
	u64 patch_level;
};

struct carve_vcpu {
	struct carve_vm *vm; /* counted */
	struct mutex lock;
	u32 id;
	struct page *run_page[CARVE_RUN_PAGES];
	struct kvm_run *run;

	/* The guest's registers; RAX, RSP, RIP and what VMRUN loads lie in the VMCB. */
	u64 regs[REG_COUNT];
	struct vmcb *vmcb;
	u64 vmcb_pa;
	u64 dr[4];
	bool dr_live; /* the guest's DR0-3 are loaded with its FPU */
	u64 cr8;
	struct carve_msrs msrs;
	struct carve_event event;
	struct carve_io io;
	bool shutdown; /* a third fault: the run ends with KVM_EXIT_SHUTDOWN */
	bool nmi_pending;
	bool nmi_blocked;
	int user_interrupt; /* vector of KVM_INTERRUPT, or -1 */
	u32 mp_state;

	void *fpu; /* XSAVE area, standard format */
	u64 xcr0;
	u32 host_pkru;

	int cpu;       /* the last one it ran on, or -1 */
	bool in_guest; /* between the last check for requests and the exit */
	u64 asid_generation;
	u64 tlb_generation;
	u64 host_tsc_aux; /* while loaded */
	u64 exits;

	unsigned int cpuid_count;
	struct kvm_cpuid_entry2 *cpuid; /* kvmalloc'ed */
};

/* Per CPU; cpu.c. */
struct carve_cpu {
	bool enabled;
	struct page *hsave;	 /* what VM_HSAVE_PA names; unused while shared */
	struct page *host_state; /* the host's VMSAVE */
	u64 asid_generation;
	u32 next_asid;
};
DECLARE_PER_CPU(struct carve_cpu, carve_cpus);

/* cpu.c: the CPU's virtualization, on and off */
extern bool carve_share;
extern u32 carve_asids;
int carve_cpus_init(void);
void carve_cpus_done(void);
bool carve_cpus_stopped(void);
int carve_vm_begin(void);
void carve_vm_end(void);

/* main.c */
long carve_check_extension(unsigned long cap);

/* vm.c */
int carve_vm_create(void);
void carve_vm_put(struct carve_vm *vm);
void carve_vm_flush(struct carve_vm *vm);

/* mem.c */
struct carve_pin *carve_pin_new(unsigned long hva, u64 pages, bool read_only);
void carve_pin_free(struct carve_pin *pin);

/* npt.c */
int carve_npt_init(struct carve_npt *npt);
void carve_npt_done(struct carve_npt *npt);
int carve_npt_map(struct carve_npt *npt, u64 gpa, const struct carve_pin *pin, bool writable);
void carve_npt_unmap(struct carve_npt *npt, u64 gpa, u64 bytes, struct list_head *unused);
void carve_npt_free(struct list_head *unused);
u64 carve_npt_max(void);

/* vcpu.c */
int carve_vcpu_create(struct carve_vm *vm, unsigned long id);
void carve_vcpu_free(struct carve_vcpu *vcpu);

/* run.c */
int carve_vcpu_run(struct carve_vcpu *vcpu);
void carve_inject(struct carve_vcpu *vcpu, u8 vector, bool has_error, u32 error);
int carve_skip(struct carve_vcpu *vcpu, unsigned int bytes);
u64 carve_linear_rip(const struct carve_vcpu *vcpu);

/* work.c */
int carve_task_work(void);
bool carve_task_must_leave(void);

/* state.c: registers in and out */
void carve_vcpu_reset(struct carve_vcpu *vcpu);
void carve_get_regs(struct carve_vcpu *vcpu, struct kvm_regs *regs);
void carve_set_regs(struct carve_vcpu *vcpu, const struct kvm_regs *regs);
void carve_get_sregs(struct carve_vcpu *vcpu, struct kvm_sregs *sregs);
int carve_set_sregs(struct carve_vcpu *vcpu, const struct kvm_sregs *sregs);
void carve_get_debugregs(struct carve_vcpu *vcpu, struct kvm_debugregs *debug);
int carve_set_debugregs(struct carve_vcpu *vcpu, const struct kvm_debugregs *debug);
void carve_get_events(struct carve_vcpu *vcpu, struct kvm_vcpu_events *events);
int carve_set_events(struct carve_vcpu *vcpu, const struct kvm_vcpu_events *events);
int carve_set_efer(struct carve_vcpu *vcpu, u64 efer, bool from_guest);
bool carve_is_long(const struct carve_vcpu *vcpu);

/* svm.c: the VMCB and the world switch */
int carve_svm_init(void);
void carve_svm_done(void);
int carve_svm_vcpu_new(struct carve_vcpu *vcpu);
void carve_svm_vcpu_free(struct carve_vcpu *vcpu);
void carve_svm_reset(struct carve_vcpu *vcpu);
void carve_svm_load(struct carve_vcpu *vcpu);
void carve_svm_unload(struct carve_vcpu *vcpu);
void carve_svm_prepare(struct carve_vcpu *vcpu);
void carve_svm_enter(struct carve_vcpu *vcpu);
void carve_svm_watch_dr(struct carve_vcpu *vcpu, bool watch_it);
void carve_svm_watch_window(struct carve_vcpu *vcpu, bool watch_it);
void carve_svm_watch_iret(struct carve_vcpu *vcpu, bool watch_it);
bool carve_svm_can_interrupt(const struct carve_vcpu *vcpu);

/* svm_exit.c: Return: 1 to enter again, 0 to go to the user, -errno */
int carve_svm_exit(struct carve_vcpu *vcpu);

/* svm_entry.S; irqs off, RCU does not watch */
void carve_svm_switch(u64 vmcb_pa, u64 *regs, u64 host_pa);

/* cpuid.c */
int carve_cpuid_supported(struct kvm_cpuid2 __user *user);
int carve_cpuid_set(struct carve_vcpu *vcpu, struct kvm_cpuid2 __user *user);
int carve_cpuid_get(struct carve_vcpu *vcpu, struct kvm_cpuid2 __user *user);
const struct kvm_cpuid_entry2 *carve_cpuid_find(const struct carve_vcpu *vcpu, u32 function,
						u32 index);
void carve_cpuid(struct carve_vcpu *vcpu, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx);

u64 carve_cr4_features(void);

/* msr.c */
int carve_msr_index_list(struct kvm_msr_list __user *user);
int carve_msr_feature_list(struct kvm_msr_list __user *user);
int carve_msr_features(struct kvm_msrs __user *user);
int carve_msr_io(struct carve_vcpu *vcpu, struct kvm_msrs __user *user, bool write);
int carve_msr_read(struct carve_vcpu *vcpu, u32 index, u64 *value, bool from_guest);
int carve_msr_write(struct carve_vcpu *vcpu, u32 index, u64 value, bool from_guest);

void carve_msr_reset(struct carve_vcpu *vcpu);

/* fpu.c */
int carve_fpu_init(void);
int carve_fpu_new(struct carve_vcpu *vcpu);
void carve_fpu_free(struct carve_vcpu *vcpu);
void carve_fpu_reset(struct carve_vcpu *vcpu);
void carve_fpu_load(struct carve_vcpu *vcpu);
void carve_fpu_unload(struct carve_vcpu *vcpu);
u64 carve_fpu_features(void);
u32 carve_fpu_bytes(u64 xcr0);
int carve_fpu_set_xcr0(struct carve_vcpu *vcpu, u64 xcr0);
void carve_fpu_get(struct carve_vcpu *vcpu, struct kvm_fpu *fpu);
int carve_fpu_set(struct carve_vcpu *vcpu, const struct kvm_fpu *fpu);
void carve_fpu_get_xsave(struct carve_vcpu *vcpu, struct kvm_xsave *xsave);
int carve_fpu_set_xsave(struct carve_vcpu *vcpu, const struct kvm_xsave *xsave);

#endif
