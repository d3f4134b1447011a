// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>

#include "base/cleanup.h"
#include "sriov/health.h"

/* The numbers of a look; all are -1 where the kernel did not tell. */
static const struct {
	const char *key;
	size_t offset;
	bool is_wide; /* int64_t, else int */
	int64_t max;
} numbers[] = {
	{ "header", offsetof(struct sr_health, header), true, UINT32_MAX },
	{ "command", offsetof(struct sr_health, command), true, UINT32_MAX },
	{ "memory", offsetof(struct sr_health, memory), true, UINT32_MAX },
	{ "link_speed", offsetof(struct sr_health, link_speed), false, INT_MAX },
	{ "link_width", offsetof(struct sr_health, link_width), false, INT_MAX },
	{ "link_speed_max", offsetof(struct sr_health, link_speed_max), false, INT_MAX },
	{ "link_width_max", offsetof(struct sr_health, link_width_max), false, INT_MAX },
	{ "aer_correctable", offsetof(struct sr_health, aer_correctable), true, INT64_MAX },
	{ "aer_nonfatal", offsetof(struct sr_health, aer_nonfatal), true, INT64_MAX },
	{ "aer_fatal", offsetof(struct sr_health, aer_fatal), true, INT64_MAX },
};

static int64_t number_of(const struct sr_health *h, size_t i)
{
	const char *field = (const char *)h + numbers[i].offset;

	return numbers[i].is_wide ? *(const int64_t *)field : *(const int *)field;
}

static void set_number(struct sr_health *h, size_t i, int64_t value)
{
	char *field = (char *)h + numbers[i].offset;

	if (numbers[i].is_wide)
		*(int64_t *)field = value;
	else
		*(int *)field = (int)value;
}

json_t *sr_health_json(const struct sr_health *h)
{
	_cleanup_json_ json_t *j = json_pack("{sb sb sI so}", "present", (int)h->is_present, "vf",
					     (int)h->is_vf, "class", (json_int_t)h->class, "driver",
					     cv_json_string(h->driver));

	for (size_t i = 0; j && i < CV_ARRAY_SIZE(numbers); i++)
		if (json_object_set_new(j, numbers[i].key, json_integer(number_of(h, i))) < 0)
			return NULL;
	return TAKE_PTR(j);
}

int sr_health_from_json(const json_t *j, struct sr_health *ret)
{
	struct sr_health h = { 0 };
	int is_present = cv_json_bool(j, "present", -1), is_vf = cv_json_bool(j, "vf", -1);
	int64_t class = cv_json_int(j, "class", -1);

	if (is_present < 0 || is_vf < 0 || class < 0 || class > 0xffffff ||
	    cv_json_copy(j, "driver", h.driver, sizeof(h.driver)) < 0)
		return -EINVAL;
	h.is_present = is_present;
	h.is_vf = is_vf;
	h.class = (uint32_t) class;
	for (size_t i = 0; i < CV_ARRAY_SIZE(numbers); i++) {
		int64_t value = cv_json_int(j, numbers[i].key, -2);

		if (value < -1 || value > numbers[i].max)
			return -EINVAL;
		set_number(&h, i, value);
	}
	*ret = h;
	return 0;
}
