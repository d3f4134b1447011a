/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What carve plan prints: text, JSON, a drawing, or one projection of the plans. */
#ifndef CARVE_TOOLS_PLAN_OUTPUT_H
#define CARVE_TOOLS_PLAN_OUTPUT_H

#include "plan/plan.h"
#include "tools/cmd.h"

/** The values of --format and --draw, as in struct cmd_option. */
#define PLAN_FORMATS "json qemu libvirt nccl hwloc cmdline"
#define PLAN_DRAWINGS "text svg"

/**
 * plan_output_check() - do --json, --format, --draw and --guest go together?
 * @specs: c->n_args of them: --guest names one
 * Return: 0, -EINVAL, -ENOENT.
 */
int plan_output_check(struct cmd *c, const struct spec *specs);

/** plan_output_suppose() - a command line or a domain of QEMU is of a plan for QEMU, whatever @specs say. */
void plan_output_suppose(struct cmd *c, struct spec *specs);

/** plan_output() - print @plans, c->n_args of them, in the form that the options ask for. */
int plan_output(struct cmd *c, const struct inventory *inv, const struct plan *plans);

#endif
