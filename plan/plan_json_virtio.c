// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/plan_json_virtio.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/parse.h"
#include "plan/json_members.h"

#define CID_MIN 3
#define CID_MAX 0xfffffffe
#define MTU_MAX 65521
#define VLAN_MAX 4094

static const char *const protocols[] = { "tcp", "udp" };

static json_t *bdf_json(struct cv_bdf b)
{
	char text[CV_BDF_MAX];

	return json_string(cv_format_bdf(b, text));
}

/* ---- to JSON ---- */

json_t *plan_disks_json(const struct plan *p)
{
	json_t *a = p->n_disks ? json_array() : NULL;

	for (size_t i = 0; i < p->n_disks; i++) {
		const struct plan_disk *d = &p->disks[i];

		json_array_append_new(a, json_pack("{s:s,s:o,s:o,s:s,s:b,s:b,s:b}", "id", d->id,
						   "path", cv_json_string(d->path), "guest",
						   bdf_json(d->guest), "serial", d->serial,
						   "readonly", d->is_readonly, "discard",
						   d->has_discard, "vhost_user", d->is_vhost_user));
	}
	return a;
}

static json_t *forwards_json(const struct plan_net *n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n->n_forwards; i++) {
		const struct plan_forward *f = &n->forwards[i];

		json_array_append_new(a,
				      json_pack("{s:s,s:i,s:i}", "protocol", protocols[f->is_udp],
						"host", (int)f->host, "guest", (int)f->guest));
	}
	return a;
}

json_t *plan_nets_json(const struct plan *p)
{
	json_t *a = p->n_nets ? json_array() : NULL;

	for (size_t i = 0; i < p->n_nets; i++) {
		const struct plan_net *n = &p->nets[i];

		json_array_append_new(a, json_pack("{s:s,s:s,s:o,s:s,s:o,s:s,s:i,s:i,s:i,s:o}",
						   "id", n->id, "kind", plan_net_words[n->kind],
						   "to", cv_json_string(n->to), "tap", n->tap,
						   "guest", bdf_json(n->guest), "mac", n->mac,
						   "vlan", n->vlan, "mtu", (int)n->mtu, "queues",
						   (int)n->queues, "forwards", forwards_json(n)));
	}
	return a;
}

json_t *plan_shares_json(const struct plan *p)
{
	json_t *a = p->n_shares ? json_array() : NULL;

	for (size_t i = 0; i < p->n_shares; i++) {
		const struct plan_share *d = &p->shares[i];

		json_array_append_new(a, json_pack("{s:s,s:o,s:o,s:s,s:b}", "id", d->id, "path",
						   cv_json_string(d->path), "guest",
						   bdf_json(d->guest), "tag", d->tag, "readonly",
						   d->is_readonly));
	}
	return a;
}

json_t *plan_vsock_json(const struct plan *p)
{
	return p->vsock_cid ? json_integer(p->vsock_cid) : NULL;
}

/* ---- and back ---- */

/* The elements of an optional array: not there, or 1 to @max. */
static int find_list(const json_t *j, const char *key, size_t max, const json_t **ret)
{
	const json_t *a = json_object_get(j, key);
	size_t n = json_array_size(a);

	*ret = a;
	return a && (n == 0 || n > max) ? -EINVAL : 0;
}

static int read_disk(const json_t *v, struct plan_disk *d)
{
	int r = member_text(v, "id", d->id, sizeof(d->id));

	r = r ?: member_copy(v, "path", &d->path);
	r = r ?: member_bdf(v, "guest", &d->guest);
	r = r ?: member_text(v, "serial", d->serial, sizeof(d->serial));
	r = r ?: member_bool(v, "readonly", &d->is_readonly);
	r = r ?: member_bool(v, "discard", &d->has_discard);
	return r ?: member_bool(v, "vhost_user", &d->is_vhost_user);
}

int plan_read_disks(const json_t *j, struct plan *p)
{
	const json_t *a;
	int r = find_list(j, "disks", PLAN_MAX_DISKS, &a);

	for (size_t i = 0; i < json_array_size(a) && r == 0; i++) {
		p->n_disks = i + 1;
		r = read_disk(json_array_get(a, i), &p->disks[i]);
	}
	return r;
}

static int read_forward(const json_t *v, struct plan_forward *f)
{
	int protocol = 0, host = 0, guest = 0;
	int r = member_word(v, "protocol", protocols, 2, &protocol);

	r = r ?: member_int(v, "host", 1, UINT16_MAX, &host);
	r = r ?: member_int(v, "guest", 1, UINT16_MAX, &guest);
	*f = (struct plan_forward){ protocol == 1, (uint16_t)host, (uint16_t)guest };
	return r;
}

static int read_forwards(const json_t *v, struct plan_net *n)
{
	const json_t *a = json_object_get(v, "forwards");
	int r = json_is_array(a) && json_array_size(a) <= PLAN_MAX_FORWARDS ? 0 : -EINVAL;

	for (size_t i = 0; r == 0 && i < json_array_size(a); i++) {
		n->n_forwards = i + 1;
		r = read_forward(json_array_get(a, i), &n->forwards[i]);
	}
	return r;
}

static int read_net(const json_t *v, struct plan_net *n)
{
	int kind = 0, mtu = 0, queues = 0;
	int r = member_text(v, "id", n->id, sizeof(n->id));

	r = r ?: member_word(v, "kind", plan_net_words, PLAN_NET_KINDS, &kind);
	r = r ?: member_copy(v, "to", &n->to);
	r = r ?: member_text(v, "tap", n->tap, sizeof(n->tap));
	r = r ?: member_bdf(v, "guest", &n->guest);
	r = r ?: member_text(v, "mac", n->mac, sizeof(n->mac));
	r = r ?: member_int(v, "vlan", 0, VLAN_MAX, &n->vlan);
	r = r ?: member_int(v, "mtu", 0, MTU_MAX, &mtu);
	r = r ?: member_int(v, "queues", 1, PLAN_NET_QUEUES_MAX, &queues);
	n->kind = (enum plan_net_kind)kind;
	n->mtu = (unsigned int)mtu;
	n->queues = (unsigned int)queues;
	return r ?: read_forwards(v, n);
}

int plan_read_nets(const json_t *j, struct plan *p)
{
	const json_t *a;
	int r = find_list(j, "net", PLAN_MAX_NETS, &a);

	for (size_t i = 0; i < json_array_size(a) && r == 0; i++) {
		p->n_nets = i + 1;
		r = read_net(json_array_get(a, i), &p->nets[i]);
	}
	return r;
}

static int read_share(const json_t *v, struct plan_share *d)
{
	int r = member_text(v, "id", d->id, sizeof(d->id));

	r = r ?: member_copy(v, "path", &d->path);
	r = r ?: member_bdf(v, "guest", &d->guest);
	r = r ?: member_text(v, "tag", d->tag, sizeof(d->tag));
	return r ?: member_bool(v, "readonly", &d->is_readonly);
}

int plan_read_shares(const json_t *j, struct plan *p)
{
	const json_t *a;
	int r = find_list(j, "shares", PLAN_MAX_SHARES, &a);

	for (size_t i = 0; i < json_array_size(a) && r == 0; i++) {
		p->n_shares = i + 1;
		r = read_share(json_array_get(a, i), &p->shares[i]);
	}
	return r;
}

int plan_read_vsock(const json_t *j, struct plan *p)
{
	const json_t *v = json_object_get(j, "vsock_cid");
	json_int_t cid = json_integer_value(v);

	if (!v)
		return 0;
	if (!json_is_integer(v) || cid < CID_MIN || cid > CID_MAX)
		return -EINVAL;
	p->vsock_cid = (uint32_t)cid;
	return 0;
}
