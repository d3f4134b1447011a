/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the two halves of the virtio transport: registers, and what a function needs. Not a public
 * header of vmm/dev. */
#ifndef CARVE_VMM_VIRTIO_PCI_H
#define CARVE_VMM_VIRTIO_PCI_H

#include <pthread.h>

#include "vmm/dev/virtio.h"

/* BAR 0. */
#define VIRTIO_BAR_SIZE 0x8000
#define VIRTIO_AT_COMMON 0x0000
#define VIRTIO_AT_ISR 0x1000
#define VIRTIO_AT_DEVICE 0x2000
#define VIRTIO_AT_NOTIFY 0x3000
#define VIRTIO_AT_MSIX 0x4000
#define VIRTIO_AT_PBA 0x6000
#define VIRTIO_PART_SIZE 0x1000
#define VIRTIO_NOTIFY_STEP 4

/** struct vmm_virtio_state - the transport's own */
struct vmm_virtio_state {
	struct vmm_virtio *v;
	pthread_mutex_t lock; /* all of the device: registers, queues, the model's members */
	uint32_t feature_select, driver_feature_select;
	uint16_t queue_select, config_vector;
	uint8_t generation;
	bool is_active;
	struct vmm_kick {
		struct vmm_virtio *v;
		unsigned int queue;
		struct vmm_watch watch; /* of the doorbell's eventfd */
		bool is_watched;
		bool is_handed_over;	     /* somebody else reads the eventfd, and raises @call */
		struct vmm_msix_source call; /* while @is_handed_over */
	} kicks[VMM_VIRTIO_QUEUES_MAX];
	uint64_t bar_at; /* where the doorbells are, while @has_doorbells */
	bool has_doorbells;
	uint8_t window; /* offset of the configuration access capability */
};

/** vmm_virtio_register() - one access of BAR 0 but the MSI-X parts. Context: locked. */
void vmm_virtio_register(struct vmm_virtio *v, uint64_t offset, void *data, unsigned int len,
			 bool is_write);
/** vmm_virtio_vector_changed() - of @queue. Context: locked. */
void vmm_virtio_vector_changed(struct vmm_virtio *v, unsigned int queue);
/** vmm_virtio_reset() - to power-on. Context: locked. */
void vmm_virtio_reset(struct vmm_virtio *v);

#endif
