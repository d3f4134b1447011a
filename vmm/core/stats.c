// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/core/stats.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"

#define MAX_STATS 1024
#define MAX_NAME 256
#define MAX_OFFSET (1U << 20)

static int read_at(int fd, uint64_t offset, void *data, size_t len)
{
	ssize_t n = pread(fd, data, len, (off_t)offset);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

static int read_header(int fd, struct kvm_stats_header *h)
{
	int r = read_at(fd, 0, h, sizeof(*h));

	if (r < 0)
		return r;
	if (h->num_desc > MAX_STATS || !h->name_size || h->name_size > MAX_NAME ||
	    h->name_size % _Alignof(struct kvm_stats_desc))
		return -EPROTO;
	return 0;
}

/** struct table - as read: descriptors, each @size bytes with its name, and the values */
struct table {
	struct kvm_stats_header header;
	size_t size;
	uint8_t *descs;
	uint64_t *values;
	size_t n_values;
};

static void table_done(struct table *t)
{
	free(t->descs);
	free(t->values);
}

static const struct kvm_stats_desc *desc_of(const struct table *t, uint32_t i)
{
	return (const struct kvm_stats_desc *)(const void *)(t->descs + i * t->size);
}

static bool is_number(const struct kvm_stats_desc *d)
{
	return d->size == 1 && (d->flags & KVM_STATS_TYPE_MASK) <= KVM_STATS_TYPE_PEAK &&
	       d->offset < MAX_OFFSET && d->offset % sizeof(uint64_t) == 0;
}

static int read_descs(int fd, struct table *t)
{
	size_t len = t->header.num_desc * t->size;
	int r;

	t->descs = malloc(len + 1);
	if (!t->descs)
		return -ENOMEM;
	r = read_at(fd, t->header.desc_offset, t->descs, len);
	for (uint32_t i = 0; r == 0 && i < t->header.num_desc; i++) {
		const struct kvm_stats_desc *d = desc_of(t, i);
		size_t end = d->offset / sizeof(uint64_t) + 1;

		/* names end in the descriptor, whatever the hypervisor wrote */
		t->descs[(i + 1) * t->size - 1] = '\0';
		if (is_number(d) && end > t->n_values)
			t->n_values = end;
	}
	return r;
}

static int read_table(int fd, struct table *t)
{
	int r = read_header(fd, &t->header);

	if (r < 0)
		return r;
	t->size = sizeof(struct kvm_stats_desc) + t->header.name_size;
	r = read_descs(fd, t);
	if (r < 0)
		return r;
	t->values = calloc(t->n_values + 1, sizeof(*t->values));
	return t->values ? read_at(fd, t->header.data_offset, t->values,
				   t->n_values * sizeof(*t->values))
			 : -ENOMEM;
}

static int add_numbers(const struct table *t, json_t *to)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < t->header.num_desc; i++) {
		const struct kvm_stats_desc *d = desc_of(t, i);

		if (is_number(d))
			r = json_object_set_new(
				to, d->name,
				json_integer((json_int_t)t->values[d->offset / sizeof(uint64_t)]));
	}
	return r;
}

int vmm_stats_open(const struct vmm_vm_call *of)
{
	return vmm_vm_call(of, KVM_GET_STATS_FD, NULL);
}

json_t *vmm_stats_read(int fd)
{
	__attribute__((cleanup(table_done))) struct table t = { .n_values = 0 };
	_cleanup_json_ json_t *all = json_object();

	if (fd < 0 || !all || read_table(fd, &t) < 0 || add_numbers(&t, all) < 0)
		return NULL;
	return TAKE_PTR(all);
}
