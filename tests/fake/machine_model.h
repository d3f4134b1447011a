/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a description of a machine was parsed into, and the writers of its parts. */
#ifndef CARVE_TESTS_MACHINE_MODEL_H
#define CARVE_TESTS_MACHINE_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bdf.h"
#include "base/cpulist.h"
#include "plan/inventory.h"
#include "tests/fake/machine.h"

#define MACHINE_MAX_NODES 64
#define MACHINE_MAX_CPUS 2048
#define MACHINE_KINDS 3 /* of cores */
#define MACHINE_MAX_FUNCTIONS 4096
#define MACHINE_MAX_ROOTS 64
#define MACHINE_TEXT 128
#define MACHINE_PATH 512

/** enum machine_arch - decides which files the kernel has */
enum machine_arch { MACHINE_X86, MACHINE_ARM64 };

/** struct machine_host - the "host" line */
struct machine_host {
	enum machine_arch arch;
	char vendor[MACHINE_TEXT], model[MACHINE_TEXT];
	int family, model_id, phys_bits, virt_bits;
	char kernel[MACHINE_TEXT], governor[MACHINE_TEXT];
	char cmdline[1024];
	char isolated[MACHINE_TEXT], nohz_full[MACHINE_TEXT];
	enum inv_iommu iommu;
	char domain[MACHINE_TEXT]; /* default type of groups */
	bool threads_adjacent;	   /* siblings are 0-1, 2-3 (hybrid), not 0,N */
	bool has_intremap;
};

/** struct machine_cpu - one logical CPU, by id once numbered */
struct machine_cpu {
	int node, package, die, core, core_id, thread, l2, l3, kind;
	bool has_siblings;
	uint64_t l1d, l1i, l2_size, l3_size;
};

/** struct machine_pool - huge pages of a node */
struct machine_pool {
	uint64_t total, free, surplus;
};

struct machine_node {
	bool is_there;
	int package; /* -1: none, as for memory of a device */
	uint64_t memory, free;
	struct machine_pool small, large; /* 2M and 1G; on arm64 2M and 1G of a 4K kernel */
	int distances[MACHINE_MAX_NODES];
	struct cv_cpuset cpus;
};

/** enum machine_acs - of a port: no capability, capability without bits, isolating */
enum machine_acs { MACHINE_ACS_INHERIT, MACHINE_ACS_NONE, MACHINE_ACS_OFF, MACHINE_ACS_ON };

/** enum machine_bar - kinds of BARs */
enum machine_bar_kind { MACHINE_BAR_MEM32, MACHINE_BAR_MEM64, MACHINE_BAR_PREF64, MACHINE_BAR_IO };

struct machine_bar {
	uint64_t size;
	enum machine_bar_kind kind;
	uint32_t resizable; /* bit n: 2^(20 + n) bytes */
};

/** struct machine_profile - what is the same for all functions of a product */
struct machine_profile {
	const char *name;
	uint16_t vendor, device, subvendor, subdevice;
	uint8_t revision;
	uint32_t class;
	const char *driver;
	enum inv_port port;
	struct machine_bar bars[INV_MAX_BARS];
	unsigned int gen, width; /* PCIe generation and lanes; 0: no link */
	const char *reset;	 /* reset_method, NULL: none */
	bool has_ats, has_pasid, has_serial;
	unsigned int total_vfs, vf_offset, vf_stride;
	uint16_t vf_device;
	struct machine_bar vf_bars[INV_MAX_BARS];
	const char *netdev; /* class/net below it: "eth" or "ib" */
	bool has_rdma, has_nvme;
};

/** machine_profile_find() - Return: the profile, or NULL. */
const struct machine_profile *machine_profile_find(const char *name);

/** struct machine_function - one PCI function */
struct machine_function {
	struct cv_bdf bdf;
	const struct machine_profile *profile; /* of the PF for a VF */
	enum inv_port port;
	int parent; /* -1: on a root bus */
	int root;
	int node;
	int pf, vf_index; /* -1 */
	unsigned int vfs;
	enum machine_acs acs;
	char driver[MACHINE_TEXT];
	unsigned int max_gen, max_width; /* what it is capable of; 0: no link */
	unsigned int gen, width;	 /* of the link as trained; of an endpoint at most this */
	bool is_multifunction;
	uint8_t secondary, subordinate;
	int group;
	uint64_t bars[INV_MAX_BARS], vf_bars[INV_MAX_BARS]; /* addresses */
	uint64_t window[2], window_end[2];		    /* bridges: 32-bit, 64-bit */
	int instance;					    /* number of its netdev or nvme */
	char path[MACHINE_PATH];			    /* below /sys: "devices/pci..." */
};

struct machine_root {
	uint32_t domain;
	uint8_t bus;
	int node;
	int next_bus;
};

struct machine {
	struct machine_host host;
	struct machine_cpu *cpus;
	int n_cpus, n_cores, n_packages, n_l2, n_l3;
	struct machine_node nodes[MACHINE_MAX_NODES];
	int near, far; /* distances */
	struct machine_function *fns;
	int n_fns, n_groups;
	struct machine_root roots[MACHINE_MAX_ROOTS];
	int n_roots;
	struct machine_counts expect;
};

/** machine_parse() - Return: 0, -EINVAL with @err, -ENOMEM; @m is zeroed, freed by machine_free(). */
int machine_parse(const char *text, size_t len, const char *origin, struct machine *m,
		  struct cv_error *err);
void machine_free(struct machine *m);

/* One word of a statement: "key=value", or a bare word with key "". */
struct machine_word {
	char *key, *value;
};

#define MACHINE_MAX_WORDS 24

/** struct machine_line - one statement after expansion */
struct machine_line {
	const char *origin;
	int number;
	char *text; /* owned; words point into it */
	struct machine_word words[MACHINE_MAX_WORDS];
	size_t n_words;
	bool opens;
};

/** machine_line_fail() - a wrong statement. Return: -EINVAL. */
int machine_line_fail(const struct machine_line *l, struct cv_error *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/** machine_line_value() - the value of @key, or NULL. */
const char *machine_line_value(const struct machine_line *l, const char *key);
/* Typed values; a missing key leaves @ret alone. Return: 0, -EINVAL with @err. */
int machine_line_int(const struct machine_line *l, const char *key, int *ret, struct cv_error *err);
int machine_line_size(const struct machine_line *l, const char *key, uint64_t *ret,
		      struct cv_error *err);
int machine_line_text(const struct machine_line *l, const char *key, char *buf, size_t size,
		      struct cv_error *err);
/** machine_line_keys() - refuse any key that is not in @keys (NULL-terminated). */
int machine_line_keys(const struct machine_line *l, const char *const *keys, size_t n_bare,
		      struct cv_error *err);

/** struct machine_sink - where the statements go; @run is called for each, and with NULL at a "}" */
struct machine_sink {
	int (*run)(void *ctx, const struct machine_line *l, struct cv_error *err);
	void *ctx;
};

/** machine_script() - expand "repeat" and "$(...)" and hand over each statement. */
int machine_script(const char *text, size_t len, const char *origin,
		   const struct machine_sink *sink, struct cv_error *err);

/** machine_eval() - an integer expression; @names and @values are the variables. Return: 0, -EINVAL. */
int machine_eval(const char *text, const char *const *names, const int *values, size_t n, int *ret);

/** struct machine_place - where a statement of the PCI tree stands */
struct machine_place {
	int root;
	int parent; /* -1: the root bus */
	uint8_t bus;
	int next_dev;
	enum machine_acs acs; /* of the ports in here */
};

/* The PCI tree: each adds to @m. Return: 0, -EINVAL with @err, -ENOMEM. */
int machine_pci_root(struct machine *m, const struct machine_line *l, struct machine_place *ret,
		     struct cv_error *err);
int machine_pci_port(struct machine *m, const struct machine_line *l, enum inv_port port,
		     struct machine_place *in, struct machine_place *ret, struct cv_error *err);
int machine_pci_function(struct machine *m, const struct machine_line *l, struct machine_place *in,
			 struct cv_error *err);
/** machine_pci_finish() - order, paths, addresses and groups, once all functions are known. */
int machine_pci_finish(struct machine *m, struct cv_error *err);

/** machine_config() - the config space of a function, 4096 bytes. */
void machine_config(const struct machine *m, const struct machine_function *f, uint8_t ret[4096]);

/** struct machine_out - writes entries of a manifest; paths are formats without leading slash */
struct machine_out {
	FILE *f;
};

void machine_put(struct machine_out *o, const char *text, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void machine_put_int(struct machine_out *o, long long value, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void machine_put_bytes(struct machine_out *o, const void *data, size_t len, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void machine_put_link(struct machine_out *o, const char *target, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void machine_put_dir(struct machine_out *o, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/** machine_put_list() - a set as the kernel lists it ("0-3,8"), and machine_put_mask() as a map. */
void machine_put_list(struct machine_out *o, const struct cv_cpuset *set, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void machine_put_mask(struct machine_out *o, const struct cv_cpuset *set, int bits, const char *fmt,
		      ...) __attribute__((format(printf, 4, 5)));
/** machine_all_cpus() - all CPUs of the machine. */
struct cv_cpuset machine_all_cpus(const struct machine *m);

/* Writers, each of one part of the tree. */
void machine_write_host(const struct machine *m, struct machine_out *o);
void machine_write_cpus(const struct machine *m, struct machine_out *o);
void machine_write_nodes(const struct machine *m, struct machine_out *o);
void machine_write_pci(const struct machine *m, struct machine_out *o);
void machine_write_classes(const struct machine *m, struct machine_out *o);

#endif
