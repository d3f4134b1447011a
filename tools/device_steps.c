// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/device_steps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

/* The function as it is, NULL for one to come. */
static const struct inv_dev *dev_at(const struct device_wish *w, size_t i)
{
	return w->take[i].f.dev < 0 ? NULL : &w->inv->devs[w->take[i].f.dev];
}

static const char *text_at(const struct device_wish *w, size_t i, char buf[CV_BDF_MAX])
{
	return cv_format_bdf(w->take[i].f.bdf, buf);
}

static bool driver_is_new(const struct device_wish *w, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(w->take[k].driver, w->take[i].driver) == 0)
			return false;
	return true;
}

static bool pf_is_new(const struct device_wish *w, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (w->take[k].f.pf == w->take[i].f.pf)
			return false;
	return true;
}

/* The group of a VF to come is known once it is there. */
static bool group_is_new(const struct device_wish *w, size_t i)
{
	const struct inv_dev *d = dev_at(w, i);

	for (size_t k = 0; d && k < i; k++)
		if (dev_at(w, k) && dev_at(w, k)->group == d->group)
			return false;
	return true;
}

static int add_modules(const struct device_wish *w, struct cv_step_list *l)
{
	int r = 0;

	for (size_t i = 0; i < w->n && r == 0; i++)
		if (driver_is_new(w, i))
			r = cv_step_list_add(l, "module", w->take[i].driver, "loaded",
					     "driver of VFIO");
	return r;
}

/* ---- VFs ---- */

static unsigned int count_to_come(const struct device_wish *w, int pf)
{
	unsigned int n = 0;

	for (size_t i = 0; i < w->n; i++)
		n += w->take[i].f.dev < 0 && w->take[i].f.pf == pf;
	return n;
}

static int add_autoprobe(const struct device_wish *w, int pf, struct cv_step_list *l)
{
	char bdf[CV_BDF_MAX], path[96];

	if (count_to_come(w, pf) == 0)
		return 0;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/sriov_drivers_autoprobe",
		 cv_format_bdf(w->inv->devs[pf].bdf, bdf));
	return cv_step_list_add(l, "attr-shared", path, "0", "no host driver shall touch the VFs");
}

/* Either all VFs of a PF are to come, or none. */
static int add_count(const struct device_wish *w, int pf, struct cv_step_list *l)
{
	unsigned int n = count_to_come(w, pf);
	char bdf[CV_BDF_MAX], value[16];

	cv_format_bdf(w->inv->devs[pf].bdf, bdf);
	snprintf(value, sizeof(value), "%u", n ? n : w->inv->devs[pf].sriov.num);
	return cv_step_list_add(l, "numvfs", bdf, value, "%s",
				n ? "VFs to bind" : "its VFs stay while one is bound");
}

static int add_per_pf(const struct device_wish *w, struct cv_step_list *l,
		      int (*add)(const struct device_wish *w, int pf, struct cv_step_list *l))
{
	int r = 0;

	for (size_t i = 0; i < w->n && r == 0; i++)
		if (w->take[i].f.pf >= 0 && pf_is_new(w, i))
			r = add(w, w->take[i].f.pf, l);
	return r;
}

/* One kind after the other: counts that follow each other are set at the same time. */
static int add_vfs(const struct device_wish *w, struct cv_step_list *l)
{
	int r = add_per_pf(w, l, add_autoprobe);

	return r ?: add_per_pf(w, l, add_count);
}

/* ---- pages ---- */

static int add_pages(const struct device_wish *w, struct cv_step_list *l)
{
	int r = 0;

	for (size_t i = 0; i < w->n_pages && r == 0; i++) {
		char size[CV_SIZE_MAX], object[48], pages[24];

		snprintf(object, sizeof(object), "node%d/%s", w->pages[i].node,
			 cv_format_size(w->pages[i].page_size, size));
		snprintf(pages, sizeof(pages), "%" PRIu64, w->pages[i].pages);
		r = cv_step_list_add(l, "hugepages", object, pages,
				     "memory of who works with the devices");
	}
	return r;
}

/* ---- functions ---- */

static int add_health(const struct device_wish *w, struct cv_step_list *l)
{
	char bdf[CV_BDF_MAX];
	int r = 0;

	for (size_t i = 0; i < w->n && r == 0; i++)
		r = cv_step_list_add(l, "health", text_at(w, i, bdf),
				     dev_at(w, i) ? dev_at(w, i)->driver : "",
				     "it comes back as good as it was");
	return r;
}

static int add_hooks(const struct device_wish *w, const char *object, const char *why,
		     struct cv_step_list *l)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	_cleanup_free_ char *value = NULL;
	char bdf[CV_BDF_MAX];

	for (size_t i = 0; i < w->n; i++)
		if (cv_strv_add(&names, text_at(w, i, bdf)) < 0)
			return -ENOMEM;
	value = cv_strv_join(&names, " ");
	return value ? cv_step_list_add(l, "hooks", object, value, "%s", why) : -ENOMEM;
}

/* A function that slept deeply may not wake up under a driver that knows nothing of it. A VF has no
 * power states of its own (SR-IOV 1.1 section 2.4). */
static int add_power(const struct device_wish *w, struct cv_step_list *l)
{
	char bdf[CV_BDF_MAX], path[96];
	int r = 0;

	for (size_t i = 0; i < w->n && r == 0; i++) {
		const struct inv_dev *d = dev_at(w, i);

		if (!d || d->pf >= 0 || !d->has_d3cold)
			continue;
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/d3cold_allowed",
			 text_at(w, i, bdf));
		r = cv_step_list_add(l, "attr", path, "0", "it stays awake while nobody uses it");
	}
	return r;
}

/* Before VFIO has it, which resets what it opens and closes by any method that is left. */
static int add_reset_methods(const struct device_wish *w, struct cv_step_list *l)
{
	char bdf[CV_BDF_MAX];
	int r = 0;

	for (size_t i = 0; i < w->n && r == 0; i++) {
		const struct inv_dev *d = dev_at(w, i);

		if (d && d->is_reset_limited)
			r = cv_step_list_add(l, "reset-method", text_at(w, i, bdf),
					     d->reset_allowed,
					     "the model does not survive its other resets");
	}
	return r;
}

static int add_binding(const struct device_wish *w, struct cv_step_list *l)
{
	char bdf[CV_BDF_MAX];
	int r = 0;

	for (size_t i = 0; i < w->n && r == 0; i++)
		r = cv_step_list_add(l, "bind", text_at(w, i, bdf), w->take[i].driver,
				     "taken from the host");
	for (size_t i = 0; i < w->n && r == 0; i++)
		if (group_is_new(w, i))
			r = cv_step_list_add(l, "group-owner", text_at(w, i, bdf),
					     w->user[0] ? w->user : "0", "who may open the group");
	return r;
}

int device_steps(const struct device_wish *w, struct cv_step_list *ret)
{
	struct cv_step_list l = { 0 };
	int r = add_modules(w, &l);

	r = r ?: add_vfs(w, &l);
	r = r ?: add_pages(w, &l);
	r = r ?: add_health(w, &l);
	r = r ?: add_hooks(w, "bind", "what the site does before devices change hands", &l);
	r = r ?: add_power(w, &l);
	r = r ?: add_reset_methods(w, &l);
	r = r ?: add_binding(w, &l);
	r = r ?: add_hooks(w, "ready", "what the site does with devices that are ready", &l);
	if (r < 0) {
		cv_step_list_done(&l);
		return r;
	}
	*ret = l;
	return 0;
}
