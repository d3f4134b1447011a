// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/spec_net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "plan/value.h"

#define MTU_MIN 68 /* RFC 791; the most: what a tap can have (65535 without an Ethernet header) */
#define MTU_MAX 65521

#define BIT(kind) (1u << (kind))

/** struct entry - one network while it is read; @path: "net[1]" */
struct entry {
	const struct source *s;
	const struct raw_net *raw;
	struct spec_net *n;
	size_t index;
	char path[32];
};

static const char *const kind_keys[] = {
	[SPEC_NET_BRIDGE] = "bridge",
	[SPEC_NET_OVS] = "ovs",
	[SPEC_NET_PASST] = "passt",
	[SPEC_NET_VHOST_USER] = "vhost_user",
};

/* What only networks of some kinds can have. */
static const struct {
	const char *key;
	unsigned int kinds;
	const char *wanted, *hint;
} limits[] = {
	{ "vlan", BIT(SPEC_NET_OVS), "ovs: BRIDGE",
	  "a Linux bridge has its VLANs from bridge(8), or from a bridge on a VLAN interface" },
	{ "mtu", BIT(SPEC_NET_BRIDGE) | BIT(SPEC_NET_OVS),
	  "bridge: or ovs:", "take mtu: out; inside the guest it can be set" },
	{ "queues", BIT(SPEC_NET_BRIDGE) | BIT(SPEC_NET_OVS) | BIT(SPEC_NET_VHOST_USER),
	  "bridge:, ovs: or vhost_user:", "take queues: out: passt(1) has one pair" },
	{ "forward", BIT(SPEC_NET_PASST), "passt: true",
	  "a guest on a bridge has an address of its own: nothing is to be forwarded" },
};

static const char *key_path(const struct entry *e, const char *key, char buf[SOURCE_PATH_MAX])
{
	snprintf(buf, SOURCE_PATH_MAX, "%s.%s", e->path, key);
	return buf;
}

static bool is_given(const struct entry *e, const char *key)
{
	char path[SOURCE_PATH_MAX];

	return source_find(e->s, key_path(e, key, path)) >= 0;
}

/* ---- what it leads to ---- */

static int fail_kind(const struct entry *e, size_t given, const char *found)
{
	source_fail(e->s, source_find(e->s, e->path), SOURCE_VALUE, "%s leads %s", e->path,
		    given ? "to more than one place" : "nowhere");
	cv_error_found(e->s->err, "%s", given ? found : "none of them");
	cv_error_wanted(e->s->err, "exactly one of bridge:, ovs:, passt: true and vhost_user:");
	cv_error_hint(e->s->err, "each network of a guest is an entry of its own");
	return -EINVAL;
}

static int find_kind(const struct entry *e)
{
	char found[64] = "";
	size_t given = 0;

	for (size_t i = 0; i < CV_ARRAY_SIZE(kind_keys); i++) {
		size_t len = strlen(found);

		if (!is_given(e, kind_keys[i]))
			continue;
		snprintf(found + len, sizeof(found) - len, "%s%s:", given ? " and " : "",
			 kind_keys[i]);
		e->n->kind = (enum spec_net_kind)i;
		given++;
	}
	return given == 1 ? 0 : fail_kind(e, given, found);
}

static int read_bridge(const struct entry *e, const char *text)
{
	char path[SOURCE_PATH_MAX];

	if (value_is_interface(text))
		return value_text(text, &e->n->to);
	value_refuse(e->s, key_path(e, kind_keys[e->n->kind], path), text,
		     "the name of a bridge: 1 to 15 bytes without / : and white space");
	cv_error_hint(e->s->err, "%s",
		      e->n->kind == SPEC_NET_OVS ? "ovs-vsctl list-br shows those of this node"
						 : "ip link show type bridge shows those of "
						   "this node");
	return -EINVAL;
}

static int read_passt(const struct entry *e)
{
	char path[SOURCE_PATH_MAX];
	bool is_on = false;
	int rc = value_bool(e->s, key_path(e, "passt", path), e->raw->passt, &is_on);

	if (!rc && !is_on)
		rc = value_refuse(e->s, path, e->raw->passt,
				  "true; an entry without it leads somewhere else");
	return rc ? rc : value_text("", &e->n->to);
}

static int read_socket(const struct entry *e)
{
	const char *text = e->raw->vhost_user;
	char path[SOURCE_PATH_MAX], wanted[80];

	key_path(e, "vhost_user", path);
	if (text[0] != '/') {
		value_refuse(e->s, path, text, "the absolute path of a socket");
		cv_error_hint(e->s->err, "begin it with /: the VMM does not run in the directory "
					 "of carve");
		return -EINVAL;
	}
	if (strlen(text) < sizeof(((struct sockaddr_un *)0)->sun_path))
		return value_path(e->s, path, text, &e->n->to);
	snprintf(wanted, sizeof(wanted), "a path of at most %zu bytes: no socket has a longer one",
		 sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
	return value_refuse(e->s, path, text, wanted);
}

static int read_target(const struct entry *e)
{
	switch (e->n->kind) {
	case SPEC_NET_BRIDGE:
		return read_bridge(e, e->raw->bridge);
	case SPEC_NET_OVS:
		return read_bridge(e, e->raw->ovs);
	case SPEC_NET_PASST:
		return read_passt(e);
	case SPEC_NET_VHOST_USER:
		break;
	}
	return read_socket(e);
}

static int check_limits(const struct entry *e)
{
	char path[SOURCE_PATH_MAX];

	for (size_t i = 0; i < CV_ARRAY_SIZE(limits); i++) {
		if ((limits[i].kinds & BIT(e->n->kind)) || !is_given(e, limits[i].key))
			continue;
		key_path(e, limits[i].key, path);
		source_fail_key(e->s, source_find(e->s, path), SOURCE_VALUE,
				"%s is not for this kind of network", path);
		cv_error_found(e->s->err, "a network with %s:", kind_keys[e->n->kind]);
		cv_error_wanted(e->s->err, "%s", limits[i].wanted);
		cv_error_hint(e->s->err, "%s", limits[i].hint);
		return -EINVAL;
	}
	return 0;
}

/* ---- the rest ---- */

/* Links are handed to the VMM by the ids of networks and shares, and by "vsock". */
static bool is_taken(const char *id)
{
	return strcmp(id, "vsock") == 0 || (strncmp(id, "share", 5) == 0 && id[5] &&
					    strspn(id + 5, "0123456789") == strlen(id + 5));
}

static int read_id(const struct entry *e)
{
	char path[SOURCE_PATH_MAX];

	snprintf(e->n->id, sizeof(e->n->id), "net%zu", e->index);
	key_path(e, "id", path);
	if (e->raw->id && is_taken(e->raw->id))
		return value_refuse(e->s, path, e->raw->id,
				    "another id: this one is of a share or of vsock");
	return value_id(e->s, path, e->raw->id, e->n->id, sizeof(e->n->id));
}

static int read_numbers(const struct entry *e)
{
	char path[SOURCE_PATH_MAX];
	int rc = value_vlan(e->s, key_path(e, "vlan", path), e->raw->vlan, &e->n->vlan);

	if (!rc)
		rc = value_number(e->s, key_path(e, "mtu", path), e->raw->mtu, MTU_MIN, MTU_MAX,
				  "bytes", &e->n->mtu);
	if (!rc)
		rc = value_number(e->s, key_path(e, "queues", path), e->raw->queues, 1,
				  SPEC_NET_QUEUES_MAX, "queue pairs", &e->n->queues);
	if (rc)
		return rc;
	e->n->has_mac = e->raw->mac;
	return value_mac(e->s, key_path(e, "mac", path), e->raw->mac, e->n->mac);
}

/* A port number up to @end, or to the end of the text. Return: 0, -EINVAL. */
static int parse_port(const char *text, const char *end, uint16_t *ret)
{
	size_t len = end ? (size_t)(end - text) : strlen(text);
	uint64_t value;
	char copy[8];

	if (len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (cv_parse_u64(copy, &value) < 0 || value < 1 || value > UINT16_MAX)
		return -EINVAL;
	*ret = (uint16_t)value;
	return 0;
}

static int parse_forward(const char *text, struct spec_forward *ret)
{
	const char *middle;

	ret->is_udp = strncmp(text, "udp:", 4) == 0;
	if (!ret->is_udp && strncmp(text, "tcp:", 4) != 0)
		return -EINVAL;
	text += 4;
	middle = strchr(text, ':');
	if (!middle || parse_port(text, middle, &ret->host) < 0)
		return -EINVAL;
	return parse_port(middle + 1, NULL, &ret->guest);
}

/* Does one of @n already lead from the same port of the host? */
static bool is_forwarded(const struct spec_net *n, size_t count, const struct spec_forward *f)
{
	for (size_t i = 0; i < count; i++)
		if (n->forwards[i].is_udp == f->is_udp && n->forwards[i].host == f->host)
			return true;
	return false;
}

static int read_forward(const struct entry *e, unsigned int i)
{
	struct spec_forward *f = &e->n->forwards[i];
	const char *text = e->raw->forward[i];
	char path[SOURCE_PATH_MAX], key[32];
	bool is_twice;

	snprintf(key, sizeof(key), "forward[%u]", i);
	key_path(e, key, path);
	if (parse_forward(text, f) < 0) {
		value_refuse(e->s, path, text,
			     "tcp:HOST_PORT:GUEST_PORT or udp:HOST_PORT:GUEST_PORT, ports 1 to "
			     "65535");
		cv_error_hint(e->s->err,
			      "\"tcp:2222:22\": port 2222 of the host leads to ssh in the guest");
		return -EINVAL;
	}
	is_twice = is_forwarded(e->n, i, f);
	for (size_t k = 1; k <= e->index && !is_twice; k++)
		is_twice = is_forwarded(e->n - k, (e->n - k)->n_forwards, f);
	e->n->n_forwards = i + 1;
	return is_twice ? value_refuse(e->s, path, text, "each port of the host once") : 0;
}

static int read_forwards(const struct entry *e)
{
	int rc = 0;

	for (unsigned int i = 0; i < e->raw->forward_count && !rc; i++)
		rc = read_forward(e, i);
	return rc;
}

/* @key may have its default: then the entry is what is refused. */
static int refuse_twice(const struct entry *e, const char *key, const char *found,
			const char *wanted)
{
	char path[SOURCE_PATH_MAX];

	return value_refuse(e->s, is_given(e, key) ? key_path(e, key, path) : e->path, found,
			    wanted);
}

static int check_unique(const struct entry *e)
{
	const struct spec_net *n = e->n;

	for (size_t i = 1; i <= e->index; i++) {
		const struct spec_net *other = n - i;
		char mac[CV_MAC_MAX];

		if (!strcmp(other->id, n->id))
			return refuse_twice(e, "id", n->id, "an id that no other network has");
		if (n->has_mac && other->has_mac && !memcmp(other->mac, n->mac, sizeof(n->mac)))
			return refuse_twice(e, "mac", cv_format_mac(n->mac, mac),
					    "an address that no other network has");
		if (n->kind == SPEC_NET_VHOST_USER && other->kind == n->kind &&
		    !strcmp(other->to, n->to))
			return refuse_twice(e, "vhost_user", n->to,
					    "each socket once: it serves one interface");
	}
	return 0;
}

static int read_net(const struct entry *e)
{
	int rc = find_kind(e);

	if (!rc)
		rc = read_target(e);
	if (!rc)
		rc = check_limits(e);
	if (!rc)
		rc = read_id(e);
	if (!rc)
		rc = read_numbers(e);
	if (!rc)
		rc = read_forwards(e);
	return rc ? rc : check_unique(e);
}

int spec_read_nets(const struct source *s, const struct raw_spec *raw, struct spec *spec)
{
	if (!raw->net_count)
		return 0;
	spec->nets = calloc(raw->net_count, sizeof(*spec->nets));
	if (!spec->nets)
		return -ENOMEM;
	spec->n_nets = raw->net_count;
	for (size_t i = 0; i < spec->n_nets; i++) {
		struct entry e = { .s = s, .raw = &raw->net[i], .n = &spec->nets[i], .index = i };
		int rc;

		snprintf(e.path, sizeof(e.path), "net[%zu]", i);
		rc = read_net(&e);
		if (rc)
			return rc;
	}
	return 0;
}

void spec_nets_done(struct spec *spec)
{
	for (size_t i = 0; i < spec->n_nets; i++)
		free(spec->nets[i].to);
	free(spec->nets);
}
