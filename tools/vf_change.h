/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the verbs of carve vf share: the host as they decide on it, the steps that are really needed, and
 * making them. */
#ifndef CARVE_TOOLS_VF_CHANGE_H
#define CARVE_TOOLS_VF_CHANGE_H

#include "plan/vf_policy.h"
#include "sriov/steps.h"
#include "tools/cmd.h"

#define VF_JSON_VERSION 1

/** struct vf_host - @lock is held but for a dry run or a look (-1); release with vf_host_done() */
struct vf_host {
	struct site site;
	struct inventory inv;
	int lock;
};

/** vf_host_open() - @is_change: what is read stays true until it is closed. Return: 0, -errno. */
int vf_host_open(struct cmd *c, bool is_change, struct vf_host *ret);
void vf_host_done(struct vf_host *h);
#define _cleanup_vf_host_ __attribute__((cleanup(vf_host_done)))

/**
 * vf_reports() - VFs of a PF as it reports them, heap
 * Return: count; 0 where nobody can be asked: not the live host, no VFs, no interface, switchdev.
 */
int vf_reports(struct cmd *c, const struct inv_dev *pf, struct sr_vf_net **ret);

/**
 * vf_steps_make() - the steps of targets without those whose VF is already as wanted
 * Return: 0, -errno.
 */
int vf_steps_make(struct cmd *c, const struct inventory *inv, const struct vf_target *targets,
		  size_t n, struct cv_step_list *ret);
/** vf_steps_drop_done() - of settings of VFs, those that are as wanted; numbers the rest anew. */
void vf_steps_drop_done(struct cmd *c, const struct inventory *inv, struct cv_step_list *s);

/**
 * vf_change_check() - an earlier change of @dev that was killed is not what was asked for: carve recover
 * would take it away again
 * Return: 0, -EEXIST.
 */
int vf_change_check(struct cmd *c, const struct inventory *inv, int dev);
/**
 * vf_change_foresee() - would vf_change_make() of these steps be refused before it changes anything? By a
 * leftover, a lease, or whoever needs the VFs that another count takes away
 * Context: the node lock is held: what holds now holds when the change is made.
 * Return: 0, what vf_change_make() would fail with.
 */
int vf_change_foresee(struct cmd *c, const struct inventory *inv, int dev,
		      const struct cv_step_list *s);
/**
 * vf_change_make() - run the steps as one operation, or print them (--dry-run); what a driver does not
 * do of it is told as a note
 * @dev:   PF or VF that it is named after and leases; of a PF its free VFs as well; -1 in a dry run
 *         about several
 * @title: for messages
 * Context: the node lock is held but for a dry run.
 * Return: 0, -errno.
 */
int vf_change_make(struct cmd *c, const struct inventory *inv, int dev, const char *title,
		   const struct cv_step_list *s);

/**
 * vf_policy_apply() - bring all targets to their policy, each as a change of its own: one that fails does
 * not keep the others from theirs. Nothing is changed when one is sure to be refused.
 *
 * Prints what became of each; as JSON also when one failed, but not when nothing was begun. A dry run is
 * refused by the same, and prints the steps of all.
 * Context: the node lock is held but for a dry run.
 * Return: 0; the first error, or the first that left something to recover.
 */
int vf_policy_apply(struct cmd *c, const struct vf_host *h, const struct vf_target *targets,
		    size_t n);

#endif
