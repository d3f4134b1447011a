// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cyaml/cyaml.h>

#include "base/cleanup.h"
#include "plan/spec.h"
#include "plan/spec_yaml.h"
#include "plan/value.h"
#include "plan/vf_policy.h"

#define NEEDED CYAML_FLAG_POINTER
#define OPTIONAL (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)

#define TEXT(flags, type, member) \
	CYAML_FIELD_STRING_PTR(#member, flags, type, member, 0, CYAML_UNLIMITED)
#define MAPPING(type, member, fields) \
	CYAML_FIELD_MAPPING_PTR(#member, OPTIONAL, type, member, fields)
#define LIST(type, member, entry, max) \
	CYAML_FIELD_SEQUENCE(#member, OPTIONAL, type, member, entry, 0, max)

static const cyaml_schema_value_t text_entry = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 0, CYAML_UNLIMITED),
};

static const cyaml_schema_field_t vf_fields[] = {
	TEXT(OPTIONAL, struct raw_vf, pf),
	TEXT(OPTIONAL, struct raw_vf, class),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t device_fields[] = {
	TEXT(OPTIONAL, struct raw_device, id),
	TEXT(OPTIONAL, struct raw_device, bdf),
	TEXT(OPTIONAL, struct raw_device, class),
	MAPPING(struct raw_device, vf, vf_fields),
	TEXT(OPTIONAL, struct raw_device, near),
	TEXT(OPTIONAL, struct raw_device, mac),
	TEXT(OPTIONAL, struct raw_device, vlan),
	TEXT(OPTIONAL, struct raw_device, p2p),
	LIST(struct raw_device, accept, &text_entry, 16),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t device_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_device, device_fields),
};

static const cyaml_schema_field_t disk_fields[] = {
	TEXT(OPTIONAL, struct raw_disk, path),
	TEXT(OPTIONAL, struct raw_disk, vhost_user),
	TEXT(OPTIONAL, struct raw_disk, readonly),
	TEXT(OPTIONAL, struct raw_disk, serial),
	TEXT(OPTIONAL, struct raw_disk, discard),
	TEXT(OPTIONAL, struct raw_disk, format),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t disk_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_disk, disk_fields),
};

static const cyaml_schema_field_t net_fields[] = {
	TEXT(OPTIONAL, struct raw_net, id),
	TEXT(OPTIONAL, struct raw_net, bridge),
	TEXT(OPTIONAL, struct raw_net, ovs),
	TEXT(OPTIONAL, struct raw_net, passt),
	TEXT(OPTIONAL, struct raw_net, vhost_user),
	TEXT(OPTIONAL, struct raw_net, mac),
	TEXT(OPTIONAL, struct raw_net, vlan),
	TEXT(OPTIONAL, struct raw_net, mtu),
	TEXT(OPTIONAL, struct raw_net, queues),
	LIST(struct raw_net, forward, &text_entry, SPEC_MAX_FORWARDS),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t net_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_net, net_fields),
};

static const cyaml_schema_field_t share_fields[] = {
	TEXT(NEEDED, struct raw_share, path),
	TEXT(OPTIONAL, struct raw_share, tag),
	TEXT(OPTIONAL, struct raw_share, readonly),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t share_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_share, share_fields),
};

static const cyaml_schema_field_t boot_fields[] = {
	TEXT(OPTIONAL, struct raw_boot, kernel),
	TEXT(OPTIONAL, struct raw_boot, initrd),
	TEXT(OPTIONAL, struct raw_boot, cmdline),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t limits_fields[] = {
	TEXT(OPTIONAL, struct raw_limits, exits_per_second),
	TEXT(OPTIONAL, struct raw_limits, off_core),
	TEXT(OPTIONAL, struct raw_limits, page_leaf),
	TEXT(OPTIONAL, struct raw_limits, irqs_per_second),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t cache_fields[] = {
	TEXT(OPTIONAL, struct raw_cache, l3_ways),
	TEXT(OPTIONAL, struct raw_cache, memory_bandwidth),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t spec_fields[] = {
	TEXT(OPTIONAL, struct raw_spec, version),
	TEXT(NEEDED, struct raw_spec, name),
	TEXT(OPTIONAL, struct raw_spec, user),
	TEXT(NEEDED, struct raw_spec, cpus),
	TEXT(OPTIONAL, struct raw_spec, smt),
	TEXT(NEEDED, struct raw_spec, memory),
	TEXT(OPTIONAL, struct raw_spec, page_size),
	LIST(struct raw_spec, nodes, &text_entry, SPEC_MAX_NODES),
	TEXT(OPTIONAL, struct raw_spec, split),
	MAPPING(struct raw_spec, cache, cache_fields),
	TEXT(OPTIONAL, struct raw_spec, rt_priority),
	LIST(struct raw_spec, devices, &device_entry, SPEC_MAX_DEVICES),
	LIST(struct raw_spec, disks, &disk_entry, SPEC_MAX_DISKS),
	LIST(struct raw_spec, net, &net_entry, SPEC_MAX_NETS),
	LIST(struct raw_spec, shares, &share_entry, SPEC_MAX_SHARES),
	TEXT(OPTIONAL, struct raw_spec, vsock),
	MAPPING(struct raw_spec, limits, limits_fields),
	MAPPING(struct raw_spec, boot, boot_fields),
	TEXT(OPTIONAL, struct raw_spec, backend),
	TEXT(OPTIONAL, struct raw_spec, hypervisor),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t spec_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_spec, spec_fields),
};

static const cyaml_schema_field_t site_node_fields[] = {
	TEXT(OPTIONAL, struct raw_site_node, housekeeping_cores),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t vm_defaults_fields[] = {
	TEXT(OPTIONAL, struct raw_vm_defaults, user),
	TEXT(OPTIONAL, struct raw_vm_defaults, page_size),
	TEXT(OPTIONAL, struct raw_vm_defaults, backend),
	TEXT(OPTIONAL, struct raw_vm_defaults, hypervisor),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t vf_policy_fields[] = {
	TEXT(OPTIONAL, struct raw_vf_policy, pf),
	TEXT(OPTIONAL, struct raw_vf_policy, vendor),
	TEXT(OPTIONAL, struct raw_vf_policy, device),
	TEXT(OPTIONAL, struct raw_vf_policy, count),
	TEXT(OPTIONAL, struct raw_vf_policy, autoprobe),
	TEXT(OPTIONAL, struct raw_vf_policy, vlan),
	TEXT(OPTIONAL, struct raw_vf_policy, qos),
	TEXT(OPTIONAL, struct raw_vf_policy, trust),
	TEXT(OPTIONAL, struct raw_vf_policy, spoofchk),
	TEXT(OPTIONAL, struct raw_vf_policy, link),
	TEXT(OPTIONAL, struct raw_vf_policy, min_rate),
	TEXT(OPTIONAL, struct raw_vf_policy, max_rate),
	TEXT(OPTIONAL, struct raw_vf_policy, queues),
	TEXT(OPTIONAL, struct raw_vf_policy, interrupts),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t vf_policy_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_vf_policy, vf_policy_fields),
};

static const cyaml_schema_field_t site_fields[] = {
	TEXT(OPTIONAL, struct raw_site, version),
	MAPPING(struct raw_site, node, site_node_fields),
	MAPPING(struct raw_site, vm_defaults, vm_defaults_fields),
	MAPPING(struct raw_site, boot, boot_fields),
	LIST(struct raw_site, vfs, &vf_policy_entry, VF_POLICY_MAX),
	TEXT(OPTIONAL, struct raw_site, lock_wait),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t site_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_site, site_fields),
};

static const char *const kind_names[] = {
	[SOURCE_SCALAR] = "a single value",
	[SOURCE_MAP] = "a mapping (key: value)",
	[SOURCE_LIST] = "a list ([a, b], or lines that begin with \"- \")",
};

/*
 * The shape is checked on the source tree with the same schema that libcyaml then loads by: that
 * knows line, column and the known keys, which libcyaml's errors do not carry.
 */
static int check_shape(const struct source *s, int node, const cyaml_schema_value_t *schema);

static const char *path_or_file(const struct source *s, int node, char buf[SOURCE_PATH_MAX])
{
	return source_path(s, node, buf)[0] ? buf : "the file";
}

static int check_kind(const struct source *s, int node, enum source_kind wanted)
{
	const struct source_node *n = &s->nodes[node];
	char path[SOURCE_PATH_MAX], text[SOURCE_SHORT_MAX];

	if (n->kind == wanted)
		return 0;
	source_fail(s, node, SOURCE_TYPE, "%s has the wrong type", path_or_file(s, node, path));
	if (n->kind != SOURCE_SCALAR)
		cv_error_found(s->err, "%s", kind_names[n->kind]);
	else
		cv_error_found(s->err, "%s",
			       n->text[0] ? source_shorten(n->text, text) : "nothing");
	cv_error_wanted(s->err, "%s", kind_names[wanted]);
	return -EINVAL;
}

static const cyaml_schema_field_t *find_field(const cyaml_schema_field_t *fields, const char *key)
{
	for (; fields->key; fields++)
		if (!strcmp(fields->key, key))
			return fields;
	return NULL;
}

#define MAX_FIELDS 32

/* Lists the keys of @fields, NULL-terminated. Return: them as text, in @buf. */
static const char *list_keys(const cyaml_schema_field_t *fields, const char *keys[MAX_FIELDS],
			     char *buf, size_t size)
{
	size_t n = 0, len = 0;

	for (; fields->key && n + 1 < MAX_FIELDS && len < size; fields++) {
		len += (size_t)snprintf(buf + len, size - len, "%s%s", n ? ", " : "", fields->key);
		keys[n++] = fields->key;
	}
	keys[n] = NULL;
	return buf;
}

static int fail_unknown(const struct source *s, int node, const cyaml_schema_field_t *fields)
{
	const char *keys[MAX_FIELDS], *nearest;
	char path[SOURCE_PATH_MAX], all[200];

	list_keys(fields, keys, all, sizeof(all));
	source_fail_key(s, node, SOURCE_KEY, "unknown key %s", source_path(s, node, path));
	cv_error_found(s->err, "%s", source_shorten(s->nodes[node].key, path));
	cv_error_wanted(s->err, "one of %s", all);
	nearest = value_nearest(s->nodes[node].key, keys);
	if (nearest)
		cv_error_hint(s->err, "did you mean %s?", nearest);
	return -EINVAL;
}

static int check_needed(const struct source *s, int node, const cyaml_schema_field_t *fields)
{
	char path[SOURCE_PATH_MAX];

	for (; fields->key; fields++) {
		if (fields->value.flags & CYAML_FLAG_OPTIONAL ||
		    source_member(s, node, fields->key) >= 0)
			continue;
		source_path(s, node, path);
		source_fail(s, node, SOURCE_KEY, "%s%s%s is missing", path, path[0] ? "." : "",
			    fields->key);
		cv_error_found(s->err, "no such key");
		cv_error_wanted(s->err, "a line \"%s: ...\"", fields->key);
		cv_error_hint(s->err, "carve-spec(5) describes the keys");
		return -EINVAL;
	}
	return 0;
}

static int check_map(const struct source *s, int node, const cyaml_schema_field_t *fields)
{
	int rc = check_kind(s, node, SOURCE_MAP);

	for (int i = s->nodes[node].first; !rc && i >= 0; i = s->nodes[i].next) {
		const cyaml_schema_field_t *field = find_field(fields, s->nodes[i].key);

		rc = field ? check_shape(s, i, &field->value) : fail_unknown(s, i, fields);
	}
	return rc ? rc : check_needed(s, node, fields);
}

static int check_list(const struct source *s, int node, const cyaml_schema_value_t *schema)
{
	char path[SOURCE_PATH_MAX];
	int rc = check_kind(s, node, SOURCE_LIST);

	for (int i = s->nodes[node].first; !rc && i >= 0; i = s->nodes[i].next) {
		if (s->nodes[i].index < schema->sequence.max) {
			rc = check_shape(s, i, schema->sequence.entry);
			continue;
		}
		rc = source_fail(s, i, SOURCE_VALUE, "%s has too many entries",
				 source_path(s, node, path));
		cv_error_found(s->err, "%u", s->nodes[s->nodes[node].last].index + 1);
		cv_error_wanted(s->err, "at most %u", (unsigned int)schema->sequence.max);
	}
	return rc;
}

static int check_shape(const struct source *s, int node, const cyaml_schema_value_t *schema)
{
	switch (schema->type) {
	case CYAML_MAPPING:
		return check_map(s, node, schema->mapping.fields);
	case CYAML_SEQUENCE:
		return check_list(s, node, schema);
	case CYAML_STRING:
		return check_kind(s, node, SOURCE_SCALAR);
	default:
		return 0;
	}
}

/* Keeps the first error that libcyaml reports: its return code alone says little. */
static void keep_first(cyaml_log_t level, void *ctx, const char *fmt, va_list ap)
{
	char *first = ctx;

	if (level >= CYAML_LOG_ERROR && !first[0])
		vsnprintf(first, SOURCE_PATH_MAX, fmt, ap);
}

static const cyaml_config_t config = {
	.log_fn = keep_first,
	.mem_fn = cyaml_mem,
	.log_level = CYAML_LOG_ERROR,
	.flags = CYAML_CFG_NO_ALIAS,
};

static int load(const struct source *s, const cyaml_schema_value_t *schema, cyaml_data_t **ret)
{
	char first[SOURCE_PATH_MAX] = "";
	cyaml_config_t logged = config;
	cyaml_err_t e;
	int rc = check_shape(s, 0, schema);

	if (rc)
		return rc;
	logged.log_ctx = first;
	e = cyaml_load_data((const uint8_t *)s->text, s->len, &logged, schema, ret, NULL);
	if (e == CYAML_OK)
		return 0;
	if (e == CYAML_ERR_OOM)
		return -ENOMEM;
	first[strcspn(first, "\n")] = '\0';
	source_fail(s, 0, SOURCE_SYNTAX, "the file cannot be loaded");
	cv_error_found(s->err, "%s", first[0] ? first : cyaml_strerror(e));
	return -EINVAL;
}

static void unload(const cyaml_schema_value_t *schema, void *data)
{
	cyaml_free(&config, schema, data, 0);
}

int raw_spec_open(const struct source *s, struct raw_spec **ret)
{
	return load(s, &spec_schema, (cyaml_data_t **)ret);
}

void raw_spec_free(struct raw_spec *r)
{
	unload(&spec_schema, r);
}

int raw_site_open(const struct source *s, struct raw_site **ret)
{
	return load(s, &site_schema, (cyaml_data_t **)ret);
}

void raw_site_free(struct raw_site *r)
{
	unload(&site_schema, r);
}
