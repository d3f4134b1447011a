/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disks, networks, shares and vsock of a plan as JSON, and back. */
#ifndef CARVE_PLAN_PLAN_JSON_VIRTIO_H
#define CARVE_PLAN_PLAN_JSON_VIRTIO_H

#include "plan/plan.h"

/* Each: NULL, and then no member of the plan, without any. */
struct json_t *plan_disks_json(const struct plan *p);
struct json_t *plan_nets_json(const struct plan *p);
struct json_t *plan_shares_json(const struct plan *p);
struct json_t *plan_vsock_json(const struct plan *p);

/* Each reads its member of the plan @j; without it there is none. Return: 0, -EINVAL, -ENOMEM. */
int plan_read_disks(const struct json_t *j, struct plan *p);
int plan_read_nets(const struct json_t *j, struct plan *p);
int plan_read_shares(const struct json_t *j, struct plan *p);
int plan_read_vsock(const struct json_t *j, struct plan *p);

#endif
