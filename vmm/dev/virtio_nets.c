// SPDX-License-Identifier: GPL-2.0-or-later
/* The networks of a plan, each with the descriptors that were opened for it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "vmm/dev/devices.h"
#include "vmm/dev/virtio_net.h"

/** struct vmm_nets - the first @n are made */
struct vmm_nets {
	struct vnet *nets[PLAN_MAX_NETS];
	size_t n;
};

CV_DEFINE_CLEANUP(struct vmm_nets *, vmm_nets_free)

static int add_net(const struct vmm_virtio_env *env, const struct plan_net *net,
		   const struct plan_link *link, struct vnet **ret, struct cv_error *err)
{
	if (!link) {
		cv_fail(err, -ENOENT, CV_EXIT_USAGE, "NO_DESCRIPTOR", net->id,
			"the network was not handed over");
		cv_error_wanted(err, "--link %s=FD[,FD...]", net->id);
		cv_error_hint(err, "start the guest with carve run");
		return -ENOENT;
	}
	return vnet_new(env, net, link, ret, err);
}

static void close_links(const struct plan *p, size_t first, const struct plan_link *links,
			size_t n_links)
{
	for (size_t i = first; i < p->n_nets; i++) {
		const struct plan_link *link = plan_find_link(links, n_links, p->nets[i].id);

		for (size_t k = 0; link && k < link->n; k++)
			close(link->fds[k]);
	}
}

int vmm_nets_new(const struct vmm_virtio_env *env, const struct plan *p,
		 const struct plan_link *links, size_t n_links, struct vmm_nets **ret,
		 struct cv_error *err)
{
	_cleanup_(vmm_nets_freep) struct vmm_nets *n = calloc(1, sizeof(*n));
	int r = n ? 0 : cv_fail_errno(err, -ENOMEM, NULL, "cannot make the networks");
	size_t i = 0;

	for (; i < p->n_nets && r == 0; i++) {
		r = add_net(env, &p->nets[i], plan_find_link(links, n_links, p->nets[i].id),
			    &n->nets[i], err);
		if (r == 0)
			n->n++;
	}
	if (r < 0) {
		close_links(p, i, links, n_links);
		return r;
	}
	*ret = TAKE_PTR(n);
	return 0;
}

void vmm_nets_free(struct vmm_nets *n)
{
	for (size_t i = 0; i < n->n; i++)
		vnet_free(n->nets[i]);
	free(n);
}
