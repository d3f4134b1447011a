/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A tap interface for a network of a guest, as a port of a Linux bridge or of Open vSwitch: made, verified,
 * taken away. The step is in tap_step.c. Everything that asks the kernel or Open vSwitch has a deadline. */
#ifndef CARVE_SRIOV_TAP_H
#define CARVE_SRIOV_TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/step.h"

#define SR_TAP_NAME 16 /* IFNAMSIZ */
#define SR_TAP_MARK_MAX 80

/**
 * struct sr_tap - an interface as a step names it
 * @bridge: of the kernel, or with @is_ovs of Open vSwitch
 * @vlan:   tag of the port (Open vSwitch), 0 none
 * @mtu:    0: the bridge's. One that is smaller than the bridge's is for the guest alone: a bridge takes
 *          the smallest of its ports
 * @queues: pairs; more than one needs IFF_MULTI_QUEUE
 */
struct sr_tap {
	char name[SR_TAP_NAME];
	char user[64];
	char bridge[SR_TAP_NAME];
	bool is_ovs;
	int vlan;
	unsigned int mtu, queues;
};

/** sr_tap_parse() - object and value of a step. Return: 0, -EINVAL with @err filled. */
int sr_tap_parse(const char *object, const char *value, struct sr_tap *ret, struct cv_error *err);
/**
 * sr_tap_check() - is the bridge there and of that kind, and the name of the interface free?
 * Return: 0; -ENODEV no such bridge; -EEXIST the name is taken; -ENOENT Open vSwitch is not installed;
 * -errno.
 */
int sr_tap_check(const struct cv_step_env *env, const struct sr_tap *t, struct cv_error *err);

/** sr_tap_mark() - how an interface of a VM is known as Carve's own: its alias. Return: @buf. */
const char *sr_tap_mark(char buf[SR_TAP_MARK_MAX], const char *vm);

/**
 * sr_tap_make() - the whole interface, up and in its bridge; it stays only when all of that is done
 * Return: 0, -ETIMEDOUT, -errno with @err filled.
 */
int sr_tap_make(const struct cv_step_env *env, const struct sr_tap *t, uid_t uid,
		struct cv_error *err);
/** sr_tap_verify() - read back what sr_tap_make() made. Return: 0, -EIO with @err filled. */
int sr_tap_verify(const struct cv_step_env *env, const struct sr_tap *t, uid_t uid,
		  struct cv_error *err);
/** sr_tap_delete() - the interface with this index. Return: 0, -errno (-ENODEV: gone already). */
int sr_tap_delete(int index, unsigned int deadline_ms);

/**
 * sr_tap_open() - one more queue of an interface that is there
 * @tun_fd: /dev/net/tun, just opened; becomes the queue
 * Return: 0, -errno. Context: may wait for the kernel's network lock.
 */
int sr_tap_open(int tun_fd, const char *name, unsigned int queues);

/* ---- /sys/class/net ---- */

/** sr_net_read() - an attribute of an interface as text. Return: 0, -errno. */
int sr_net_read(struct cv_sysroot *root, const char *ifname, const char *attribute, char *buf,
		size_t size);
/** sr_net_exists() - is there an interface of this name? */
bool sr_net_exists(struct cv_sysroot *root, const char *ifname);

/* ---- Open vSwitch, through ovs-vsctl(8) ---- */

/** sr_ovs_check_bridge() - Return: 0, -ENOENT without ovs-vsctl, -ENODEV, -errno with @err filled. */
int sr_ovs_check_bridge(const char *bridge, unsigned int deadline_ms, struct cv_error *err);
/**
 * sr_ovs_owner() - whose the port is: what sr_ovs_add() noted with it
 * @ret: "" when there is no such port, "?" when it is nobody's of Carve
 */
int sr_ovs_owner(const char *port, unsigned int deadline_ms, char ret[64], struct cv_error *err);
/** sr_ovs_add() - make the interface a port, with its tag, noted as @vm's; waits until it works. */
int sr_ovs_add(const struct sr_tap *t, const char *vm, unsigned int deadline_ms,
	       struct cv_error *err);
/** sr_ovs_remove() - a port that is @vm's. Return: 0 (also when there is none), -errno. */
int sr_ovs_remove(const char *port, const char *vm, unsigned int deadline_ms, struct cv_error *err);

#endif
