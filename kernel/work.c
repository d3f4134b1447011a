// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a task owes Linux before it enters a guest again: signals, rescheduling, work queued to it.
 */
#include <linux/interrupt.h>
#if __has_include(<linux/entry-virt.h>)
#include <linux/entry-virt.h>
#else
#include <linux/kvm_host.h>
#include <linux/entry-kvm.h>
#endif

#include "carve.h"

#if __has_include(<linux/entry-virt.h>)
static int handle_work(void)
{
	return xfer_to_guest_mode_handle_work();
}
#else
/*
 * Up to 6.17 the function counts a signal in a vCPU of KVM's, and writes the exit reason into its
 * page. Nobody reads these: one of each serves everybody.
 */
static int handle_work(void)
{
	static struct kvm_run run;
	static struct kvm_vcpu unread = { .run = &run };

	return xfer_to_guest_mode_handle_work(&unread);
}
#endif

/**
 * carve_task_must_leave() - whether the current task must leave the guest loop before it enters
 * again
 *
 * Context: irqs off, so that nothing new comes before the entry. Softirqs wait for the end of the
 * loop.
 */
bool carve_task_must_leave(void)
{
	xfer_to_guest_mode_prepare();
	return xfer_to_guest_mode_work_pending() || local_softirq_pending();
}

/**
 * carve_task_work() - does what waits for the current task
 *
 * Return: 0 when nothing is left, -EINTR when a signal waits.
 * Context: process, preemptible.
 */
int carve_task_work(void)
{
	return __xfer_to_guest_mode_work_pending() ? handle_work() : 0;
}
