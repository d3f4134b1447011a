/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device models of the native backend. Each is made before the guest runs, freed after its vCPUs
 * have ended; descriptors are handed in by the launcher and owned by the device from then on. */
#ifndef CARVE_VMM_DEVICES_H
#define CARVE_VMM_DEVICES_H

#include "plan/plan.h"
#include "vmm/core/bus.h"
#include "vmm/dev/virtio.h"

/* ---- the serial console: a 16550A at COM1 ---- */
struct vmm_serial;
/**
 * vmm_serial_new() - @listen_fd: unix socket on which one client at a time sees the console (-1 none);
 * @log_fd: everything the guest says is written there, too (-1 none, or full: dropped)
 */
int vmm_serial_new(struct vmm_bus *pio, struct vmm_irqs *irqs, struct vmm_loop *loop, int listen_fd,
		   int log_fd, struct vmm_serial **ret);
void vmm_serial_free(struct vmm_serial *s);
/** vmm_serial_reset() - to power-on, its interrupt line low. Context: no vCPU runs. */
void vmm_serial_reset(struct vmm_serial *s);

/* ---- virtio-console with multiport: port 0 hvc0, port 1 the channel of the checker ---- */
struct vmm_vconsole;
/** struct vmm_vport - one port: @name "org.carve.guest", "" for a console; @listen_fd as above */
struct vmm_vport {
	const char *name;
	bool is_console;
	int listen_fd, log_fd;
};
int vmm_vconsole_new(const struct vmm_virtio_env *env, unsigned int slot,
		     const struct vmm_vport *ports, size_t n, struct vmm_vconsole **ret,
		     struct cv_error *err);
void vmm_vconsole_free(struct vmm_vconsole *c);

/* ---- virtio-rng: getrandom(2) ---- */
struct vmm_vrng;
int vmm_vrng_new(const struct vmm_virtio_env *env, unsigned int slot, struct vmm_vrng **ret,
		 struct cv_error *err);
void vmm_vrng_free(struct vmm_vrng *r);

/* ---- virtio-blk: a raw file or block device, by worker threads ---- */
struct vmm_vblk;
/**
 * struct vmm_disk - @fd opened by the launcher, read-write unless @is_readonly; @serial up to 20 bytes
 * @has_discard: the guest may give blocks back
 * @n_queues:    1 to VMM_DISK_QUEUES_MAX; each has two threads, all of a disk at most 16
 */
#define VMM_DISK_QUEUES_MAX 32
struct vmm_disk {
	const char *id, *serial;
	int fd;
	bool is_readonly, has_discard;
	unsigned int n_queues;
};
/** vmm_vblk_new() - @disk->fd is owned by it from then on, also when it fails; the rest is copied */
int vmm_vblk_new(const struct vmm_virtio_env *env, unsigned int slot, const struct vmm_disk *disk,
		 struct vmm_vblk **ret, struct cv_error *err);
void vmm_vblk_free(struct vmm_vblk *b);

/* ---- virtio-blk: another program serves it, a vhost-user back end (SPDK, qemu-storage-daemon) ---- */
struct vmm_served_disk;
/**
 * vmm_served_disk_new() - @fd: connected socket, owned, also when it fails
 * Return: 0; -EOPNOTSUPP: the back end lacks what a disk needs; -E2BIG: memory in too many pieces; -errno.
 */
int vmm_served_disk_new(const struct vmm_virtio_env *env, const struct plan_disk *p, int fd,
			struct vmm_served_disk **ret, struct cv_error *err);
void vmm_served_disk_free(struct vmm_served_disk *d);

/* ---- all disks of a plan ---- */
struct vmm_disks;
/**
 * vmm_disks_new() - open and lock the plan's disks, and show each in its slot; like kernel and initrd they
 * are opened by the VMM, as its user
 *
 * A disk that is written to is locked against every other program that locks (QEMU with locking=on, too),
 * a block device also against mounts (O_EXCL); one that is only read against those that write.
 * @links: one of the id of each disk that another program serves; its fd is owned by the disk from then
 *         on, also when it fails
 * Return: 0; -EBUSY: somebody else has it; -ENOENT: a served disk has no link; -errno.
 */
int vmm_disks_new(const struct vmm_virtio_env *env, const struct plan *p,
		  const struct plan_link *links, size_t n_links, struct vmm_disks **ret,
		  struct cv_error *err);
void vmm_disks_free(struct vmm_disks *d);

/* ---- virtio-net: vhost-net on taps, a stream socket (passt), or a vhost-user back end ---- */
struct vmm_nets;
/**
 * vmm_nets_new() - all networks of the plan, each in its slot and function
 * @links: one of each network's id; its fds are owned by the device from then on, also when it fails
 * Return: 0; -ENOENT: a network has no link; -EOPNOTSUPP: the other side lacks a feature; -errno.
 */
int vmm_nets_new(const struct vmm_virtio_env *env, const struct plan *p,
		 const struct plan_link *links, size_t n_links, struct vmm_nets **ret,
		 struct cv_error *err);
void vmm_nets_free(struct vmm_nets *n);

/* ---- vsock: vhost-vsock ---- */
struct vmm_vsock;
/** vmm_vsock_new() - @fd of /dev/vhost-vsock, owned. -EADDRINUSE: another guest has the @cid. */
int vmm_vsock_new(const struct vmm_virtio_env *env, uint32_t cid, int fd, struct vmm_vsock **ret,
		  struct cv_error *err);
void vmm_vsock_free(struct vmm_vsock *v);

/* ---- virtio-fs: virtiofsd, a vhost-user back end ---- */
struct vmm_shares;
/** vmm_shares_new() - all shares of the plan; as vmm_nets_new() */
int vmm_shares_new(const struct vmm_virtio_env *env, const struct plan *p,
		   const struct plan_link *links, size_t n_links, struct vmm_shares **ret,
		   struct cv_error *err);
void vmm_shares_free(struct vmm_shares *s);

#endif
