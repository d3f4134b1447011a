// SPDX-License-Identifier: GPL-2.0-or-later
/* Settings of a network VF as text: one key and value each. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "plan/vf_policy.h"

#define MAX_VLAN 4094 /* IEEE 802.1Q: 4095 is reserved */
#define MAX_QOS 7
#define GUID_BYTES 8
#define VALUE_MAX 32

void vf_settings_none(struct vf_settings *ret)
{
	*ret = (struct vf_settings){
		.vlan = -1,
		.qos = -1,
		.trust = VF_KEEP,
		.spoofchk = VF_KEEP,
		.link = VF_KEEP,
		.min_rate = -1,
		.max_rate = -1,
	};
}

static int set_mac(struct vf_settings *s, const char *value)
{
	static const uint8_t zero[6];
	uint8_t mac[6];

	if (cv_parse_mac(value, mac) < 0 || (mac[0] & 1) || memcmp(mac, zero, sizeof(mac)) == 0)
		return -EINVAL;
	memcpy(s->mac, mac, sizeof(mac));
	s->has_mac = true;
	return 0;
}

static int parse_number(const char *value, uint64_t max, uint64_t *ret)
{
	uint64_t number;

	if (cv_parse_u64(value, &number) < 0 || number > max)
		return -EINVAL;
	*ret = number;
	return 0;
}

static int parse_small(const char *value, uint64_t max, int *ret)
{
	uint64_t number;

	if (parse_number(value, max, &number) < 0)
		return -EINVAL;
	*ret = (int)number;
	return 0;
}

static int set_vlan(struct vf_settings *s, const char *value)
{
	return parse_small(value, MAX_VLAN, &s->vlan);
}

static int set_qos(struct vf_settings *s, const char *value)
{
	return parse_small(value, MAX_QOS, &s->qos);
}

static int parse_switch(const char *value, enum vf_switch *ret)
{
	bool is_on;

	if (cv_parse_bool(value, &is_on) < 0)
		return -EINVAL;
	*ret = is_on ? VF_ON : VF_OFF;
	return 0;
}

static int set_trust(struct vf_settings *s, const char *value)
{
	return parse_switch(value, &s->trust);
}

static int set_spoofchk(struct vf_settings *s, const char *value)
{
	return parse_switch(value, &s->spoofchk);
}

static int set_link(struct vf_settings *s, const char *value)
{
	if (strcmp(value, "auto") != 0)
		return parse_switch(value, &s->link);
	s->link = VF_AUTO;
	return 0;
}

/* The kernel keeps a rate in 32 bits. */
static int parse_rate(const char *value, int64_t *ret)
{
	uint64_t number;

	if (parse_number(value, UINT32_MAX, &number) < 0)
		return -EINVAL;
	*ret = (int64_t)number;
	return 0;
}

static int set_min_rate(struct vf_settings *s, const char *value)
{
	return parse_rate(value, &s->min_rate);
}

static int set_max_rate(struct vf_settings *s, const char *value)
{
	return parse_rate(value, &s->max_rate);
}

/* Eight bytes, as a MAC address is written. */
static int parse_guid(const char *value, uint64_t *ret)
{
	uint64_t guid = 0, byte;

	if (strlen(value) != GUID_BYTES * 3 - 1)
		return -EINVAL;
	for (size_t i = 0; i < GUID_BYTES; i++) {
		const char digits[3] = { value[3 * i], value[3 * i + 1], '\0' };
		char separator = value[3 * i + 2];

		if (cv_parse_hex(digits, &byte) < 0 || separator != (i + 1 < GUID_BYTES ? ':' : 0))
			return -EINVAL;
		guid = guid << 8 | byte;
	}
	if (guid == 0)
		return -EINVAL;
	*ret = guid;
	return 0;
}

static int set_node_guid(struct vf_settings *s, const char *value)
{
	return parse_guid(value, &s->node_guid);
}

static int set_port_guid(struct vf_settings *s, const char *value)
{
	return parse_guid(value, &s->port_guid);
}

static bool format_mac(const struct vf_settings *s, char buf[VALUE_MAX])
{
	return s->has_mac && cv_format_mac(s->mac, buf);
}

/* Return: there is something to write, the number is not "keep". */
static bool format_number(int64_t number, char buf[VALUE_MAX])
{
	return number >= 0 && snprintf(buf, VALUE_MAX, "%" PRId64, number) > 0;
}

static bool format_vlan(const struct vf_settings *s, char buf[VALUE_MAX])
{
	return format_number(s->vlan, buf);
}

static bool format_qos(const struct vf_settings *s, char buf[VALUE_MAX])
{
	return format_number(s->qos, buf);
}

static bool format_switch(enum vf_switch value, char buf[VALUE_MAX])
{
	static const char *const words[] = {
		[VF_OFF] = "off",
		[VF_ON] = "on",
		[VF_AUTO] = "auto",
	};

	return value != VF_KEEP && snprintf(buf, VALUE_MAX, "%s", words[value]) > 0;
}

static bool format_trust(const struct vf_settings *s, char buf[VALUE_MAX])
{
	return format_switch(s->trust, buf);
}

static bool format_spoofchk(const struct vf_settings *s, char buf[VALUE_MAX])
{
	return format_switch(s->spoofchk, buf);
}

static bool format_link(const struct vf_settings *s, char buf[VALUE_MAX])
{
	return format_switch(s->link, buf);
}

static bool format_min_rate(const struct vf_settings *s, char buf[VALUE_MAX])
{
	return format_number(s->min_rate, buf);
}

static bool format_max_rate(const struct vf_settings *s, char buf[VALUE_MAX])
{
	return format_number(s->max_rate, buf);
}

static bool format_guid(uint64_t guid, char buf[VALUE_MAX])
{
	size_t len = 0;

	for (int shift = 56; shift >= 0; shift -= 8)
		len += (size_t)snprintf(buf + len, VALUE_MAX - len, "%s%02x", len ? ":" : "",
					(unsigned int)(guid >> shift & 0xff));
	return guid != 0;
}

static bool format_node_guid(const struct vf_settings *s, char buf[VALUE_MAX])
{
	return format_guid(s->node_guid, buf);
}

static bool format_port_guid(const struct vf_settings *s, char buf[VALUE_MAX])
{
	return format_guid(s->port_guid, buf);
}

/**
 * struct setting - one key
 * @set:    Return: 0, -EINVAL: not a value of this key, nothing is set
 * @format: Return: false: the setting stays as it is
 */
struct setting {
	const char *key, *wanted;
	int (*set)(struct vf_settings *s, const char *value);
	bool (*format)(const struct vf_settings *s, char buf[VALUE_MAX]);
};

static const struct setting table[] = {
	{ "mac", "the address of one station, 02:00:00:00:00:01: neither multicast nor zero",
	  set_mac, format_mac },
	{ "vlan", "1 to 4094, 0: none", set_vlan, format_vlan },
	{ "qos", "a priority, 0 to 7", set_qos, format_qos },
	{ "trust", "on or off", set_trust, format_trust },
	{ "spoofchk", "on or off", set_spoofchk, format_spoofchk },
	{ "link", "auto, on or off", set_link, format_link },
	{ "min_rate", "Mbit/s, 0: no limit", set_min_rate, format_min_rate },
	{ "max_rate", "Mbit/s, 0: no limit", set_max_rate, format_max_rate },
	{ "node_guid", "eight bytes, 00:11:22:33:44:55:66:77, not all zero", set_node_guid,
	  format_node_guid },
	{ "port_guid", "eight bytes, 00:11:22:33:44:55:66:77, not all zero", set_port_guid,
	  format_port_guid },
};

static const struct setting *find_setting(const char *key)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(table); i++)
		if (strcmp(table[i].key, key) == 0)
			return &table[i];
	return NULL;
}

static int fail_key(const char *key, struct cv_error *err)
{
	cv_fail(err, -EINVAL, CV_EXIT_USAGE, "VF_SETTING", key[0] ? key : "=",
		"a VF has no such setting");
	cv_error_found(err, "%s", key[0] ? key : "no key");
	cv_error_wanted(err, "one of mac, vlan, qos, trust, spoofchk, link, min_rate, max_rate, "
			     "node_guid, port_guid");
	return -EINVAL;
}

int vf_settings_set(struct vf_settings *s, const char *key, const char *value, struct cv_error *err)
{
	const struct setting *setting = find_setting(key);

	if (!setting)
		return fail_key(key, err);
	if (setting->set(s, value) == 0)
		return 0;
	cv_fail(err, -EINVAL, CV_EXIT_USAGE, "VF_SETTING", key, "%s has a bad value", key);
	cv_error_found(err, "%s", value[0] ? value : "nothing");
	cv_error_wanted(err, "%s", setting->wanted);
	return -EINVAL;
}

int vf_settings_check(const struct vf_settings *s, const char *object, struct cv_error *err)
{
	if (s->qos > 0 && s->vlan <= 0) {
		cv_fail(err, -EINVAL, CV_EXIT_USAGE, "VF_QOS", object,
			"a priority needs a VLAN to be written in");
		cv_error_found(err, "qos %d without a VLAN", s->qos);
		cv_error_wanted(err, "vlan 1 to 4094 with it");
		return -EINVAL;
	}
	if (s->max_rate <= 0 || s->min_rate <= s->max_rate)
		return 0;
	cv_fail(err, -EINVAL, CV_EXIT_USAGE, "VF_RATE", object,
		"the highest rate is below the one that is promised");
	cv_error_found(err, "max_rate %" PRId64 " Mbit/s", s->max_rate);
	cv_error_wanted(err, "at least min_rate, %" PRId64 " Mbit/s", s->min_rate);
	cv_error_hint(err, "lower min_rate as well, or leave max_rate at 0: no limit");
	return -EINVAL;
}

char *vf_settings_text(const struct vf_settings *s)
{
	char *text = NULL, value[VALUE_MAX];
	size_t len;
	FILE *f = open_memstream(&text, &len);
	bool is_broken;

	if (!f)
		return NULL;
	for (size_t i = 0, n = 0; i < CV_ARRAY_SIZE(table); i++)
		if (table[i].format(s, value))
			fprintf(f, "%s%s=%s", n++ ? " " : "", table[i].key, value);
	is_broken = ferror(f);
	if (fclose(f) == 0 && !is_broken)
		return text;
	free(text);
	return NULL;
}

/* "mac=" is how a plan says that it asks for no address. */
static int parse_part(char *part, struct vf_settings *s, struct cv_error *err)
{
	char *value = strchr(part, '='), given[VALUE_MAX];
	const struct setting *setting;

	if (!value) {
		cv_fail(err, -EINVAL, CV_EXIT_USAGE, "VF_SETTING", part, "not a VF setting");
		cv_error_found(err, "%s", part);
		cv_error_wanted(err, "KEY=VALUE");
		return -EINVAL;
	}
	*value++ = '\0';
	if (strcmp(part, "mac") == 0 && !value[0])
		return 0;
	setting = find_setting(part);
	if (setting && setting->format(s, given))
		return cv_fail(err, -EINVAL, CV_EXIT_USAGE, "VF_SETTING", part, "%s is given twice",
			       part);
	return vf_settings_set(s, part, value, err);
}

int vf_settings_parse(const char *text, struct vf_settings *ret, struct cv_error *err)
{
	_cleanup_free_ char *copy = strdup(text);
	struct vf_settings s;
	char *save = NULL;
	int r = copy ? 0 : cv_fail_errno(err, -ENOMEM, text, "cannot read VF settings");

	vf_settings_none(&s);
	for (char *part = copy ? strtok_r(copy, " ", &save) : NULL; part && r == 0;
	     part = strtok_r(NULL, " ", &save))
		r = parse_part(part, &s, err);
	if (r == 0)
		r = vf_settings_check(&s, text, err);
	if (r == 0)
		*ret = s;
	return r;
}

void vf_settings_over(const struct vf_settings *now, struct vf_settings *s)
{
	if (!s->has_mac && now->has_mac) {
		memcpy(s->mac, now->mac, sizeof(s->mac));
		s->has_mac = true;
	}
	if (s->qos < 0)
		s->qos = s->vlan == 0 ? 0 : now->qos; /* no VLAN: no priority in it */
	if (s->vlan < 0)
		s->vlan = now->vlan;
	if (s->trust == VF_KEEP)
		s->trust = now->trust;
	if (s->spoofchk == VF_KEEP)
		s->spoofchk = now->spoofchk;
	if (s->link == VF_KEEP)
		s->link = now->link;
	if (s->min_rate < 0)
		s->min_rate = now->min_rate;
	if (s->max_rate < 0)
		s->max_rate = now->max_rate;
	if (!s->node_guid)
		s->node_guid = now->node_guid;
	if (!s->port_guid)
		s->port_guid = now->port_guid;
}

bool vf_settings_match(const struct vf_settings *wanted, const struct vf_settings *now)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(table); i++) {
		char asked[VALUE_MAX], found[VALUE_MAX];

		if (table[i].format(wanted, asked) &&
		    (!table[i].format(now, found) || strcmp(asked, found) != 0))
			return false;
	}
	return true;
}
