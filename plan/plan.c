// SPDX-License-Identifier: GPL-2.0-or-later
/* The plan as a value: reasons and release. */
#include "plan/plan.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/step_list.h"
#include "plan/placement.h"

const char *const plan_accept_words[PLAN_ACCEPT_BITS] = {
	"no-reset",	/* SPEC_ACCEPT_NO_RESET */
	"shared-group", /* SPEC_ACCEPT_SHARED_GROUP */
	"no-intremap",	/* SPEC_ACCEPT_NO_INTREMAP */
};

const char *const plan_port_words[PLAN_PORTS] = {
	[PLAN_HOST_BRIDGE] = "host-bridge",
	[PLAN_ROOT_PORT] = "root-port",
	[PLAN_SWITCH_UP] = "switch-up",
	[PLAN_SWITCH_DOWN] = "switch-down",
};

const char *const plan_net_words[PLAN_NET_KINDS] = {
	[PLAN_NET_BRIDGE] = "bridge",
	[PLAN_NET_OVS] = "ovs",
	[PLAN_NET_PASST] = "passt",
	[PLAN_NET_VHOST_USER] = "vhost-user",
};

const char *const plan_range_words[PLAN_RANGE_KINDS] = {
	[PLAN_RAM] = "ram",
	[PLAN_MMIO32] = "mmio32",
	[PLAN_MMIO64] = "mmio64",
	[PLAN_RESERVED] = "reserved",
};

static void reasons_done(struct plan_reason *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(r[i].object);
		free(r[i].text);
	}
	free(r);
}

void plan_done(struct plan *p)
{
	cv_step_list_done(&(struct cv_step_list){ p->steps, p->n_steps });
	reasons_done(p->reasons, p->n_reasons);
	reasons_done(p->rejected, p->n_rejected);
	free(p->kernel);
	free(p->initrd);
	free(p->cmdline);
	free(p->vcpus);
	free(p->bridges);
	free(p->devices);
	for (size_t i = 0; i < p->n_disks; i++)
		free(p->disks[i].path);
	for (size_t i = 0; i < p->n_nets; i++)
		free(p->nets[i].to);
	for (size_t i = 0; i < p->n_shares; i++)
		free(p->shares[i].path);
	free(p->ranges);
	memset(p, 0, sizeof(*p));
}

const struct plan_link *plan_find_link(const struct plan_link *links, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(links[i].id, id) == 0)
			return &links[i];
	return NULL;
}

static int reason_add(struct plan_reason **list, size_t *n, const char *object, const char *fmt,
		      va_list ap)
{
	struct plan_reason *grown = reallocarray(*list, *n + 1, sizeof(**list));

	if (!grown)
		return -ENOMEM;
	*list = grown;
	_cleanup_free_ char *copy = strdup(object);
	char *text = NULL;
	if (!copy || vasprintf(&text, fmt, ap) < 0)
		return -ENOMEM;
	grown[*n] = (struct plan_reason){ .object = TAKE_PTR(copy), .text = text };
	(*n)++;
	return 0;
}

int plan_add_reason(struct plan *p, const char *object, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int r = reason_add(&p->reasons, &p->n_reasons, object, fmt, ap);
	va_end(ap);
	return r;
}

int plan_add_rejected(struct plan *p, const char *object, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int r = reason_add(&p->rejected, &p->n_rejected, object, fmt, ap);
	va_end(ap);
	return r;
}
