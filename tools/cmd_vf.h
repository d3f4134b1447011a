/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs of carve vf, and how they take their arguments. */
#ifndef CARVE_TOOLS_CMD_VF_H
#define CARVE_TOOLS_CMD_VF_H

#include "base/bdf.h"
#include "tools/cmd.h"

#define CMD_VF_CRASH_AT                                                        \
	{                                                                      \
		"crash-at", "N", "end after N journal lines (for tests)", true \
	}

extern const struct cmd_verb cmd_vf_list, cmd_vf_set, cmd_vf_policy;
/* Options of a verb that only changes: */
extern const struct cmd_option cmd_vf_change_options[];

/** cmd_vf_fail_argument() - @arg is not what it should be. Return: -EINVAL. */
int cmd_vf_fail_argument(struct cmd *c, const char *arg, const char *what, const char *wanted);
/** cmd_vf_parse_pf() - Return: 0, -EINVAL. */
int cmd_vf_parse_pf(struct cmd *c, const char *arg, struct cv_bdf *ret);

#endif
