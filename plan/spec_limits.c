// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/spec_limits.h"

#include <errno.h>
#include <stdio.h>

#include "plan/value.h"

int spec_read_limits(const struct source *s, const struct raw_limits *raw, struct plan_limits *ret)
{
	struct plan_limits l = { 0 };

	for (int i = 0; raw && i < PLAN_LIMITS; i++) {
		const char *const texts[PLAN_LIMITS] = {
			[PLAN_LIMIT_EXITS] = raw->exits_per_second,
			[PLAN_LIMIT_OFF_CORE] = raw->off_core,
			[PLAN_LIMIT_LEAF] = raw->page_leaf,
			[PLAN_LIMIT_IRQS] = raw->irqs_per_second,
		};
		char path[SOURCE_PATH_MAX];

		if (!texts[i])
			continue;
		snprintf(path, sizeof(path), "limits.%s", plan_limit_words[i]);
		if (plan_limit_parse((enum plan_limit)i, texts[i], &l.value[i]) < 0)
			return value_refuse(s, path, texts[i],
					    plan_limit_wanted((enum plan_limit)i));
		l.is_given[i] = true;
	}
	*ret = l;
	return 0;
}
