// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/iommu_groups.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "sriov/function.h"
#include "sriov/holders.h"

#define GROUPS "/sys/kernel/iommu_groups"
#define LINE_MAX_BYTES 128

void sr_group_link(struct cv_sysroot *root, struct inv_dev *d)
{
	char bdf[CV_BDF_MAX];

	d->group = sr_group(root, cv_format_bdf(d->bdf, bdf));
}

static int dev_of_name(const struct inventory *inv, const char *name)
{
	struct cv_bdf bdf;

	return cv_parse_bdf(name, &bdf) < 0 ? -1 : inv_find_dev(inv, bdf);
}

bool sr_group_members(struct cv_sysroot *root, struct inventory *inv, int dev, bool *mark)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	int group = inv->devs[dev].group;
	char path[CV_PATH_MAX];
	bool names_dev = false;

	if (cv_list(root, cv_pathf(path, GROUPS "/%d/devices", group), &names) < 0)
		return false;
	for (size_t i = 0; i < names.n; i++)
		names_dev |= dev_of_name(inv, names.v[i]) == dev;
	for (size_t i = 0; names_dev && i < names.n; i++) {
		int member = dev_of_name(inv, names.v[i]);

		if (member >= 0) {
			inv->devs[member].group = group;
			mark[member] = true;
		}
	}
	return names_dev;
}

/* "0x00000000fee00000 0x00000000feefffff msi" */
static bool parse_region(char *line, struct inv_region *ret)
{
	char *save = NULL;
	char *start = strtok_r(line, " ", &save);
	char *end = strtok_r(NULL, " ", &save);
	char *type = strtok_r(NULL, " ", &save);

	if (!type || cv_parse_hex(start, &ret->start) < 0 || cv_parse_hex(end, &ret->end) < 0 ||
	    ret->start > ret->end)
		return false;
	snprintf(ret->type, sizeof(ret->type), "%s", type);
	return true;
}

/* More than there is room for: the last one grows over the rest, so that none is used for memory. */
static void add_region(struct inv_group *g, const struct inv_region *region)
{
	struct inv_region *last = &g->regions[INV_MAX_REGIONS - 1];

	if (g->n_regions < INV_MAX_REGIONS) {
		g->regions[g->n_regions++] = *region;
		return;
	}
	if (region->start < last->start)
		last->start = region->start;
	if (region->end > last->end)
		last->end = region->end;
	snprintf(last->type, sizeof(last->type), "several");
}

void sr_parse_regions(const char *text, struct inv_group *g)
{
	char line[LINE_MAX_BYTES];

	g->n_regions = 0;
	while (sr_take_line(&text, line, sizeof(line))) {
		struct inv_region region;

		if (parse_region(line, &region))
			add_region(g, &region);
	}
}

static void read_domain(struct cv_sysroot *root, struct inv_group *g)
{
	char path[CV_PATH_MAX];

	if (cv_read_into(root, cv_pathf(path, GROUPS "/%d/type", g->id), g->domain,
			 sizeof(g->domain)) < 0)
		g->domain[0] = '\0';
}

static void read_regions(struct cv_sysroot *root, struct inv_group *g)
{
	_cleanup_free_ char *text = NULL;
	char path[CV_PATH_MAX];

	if (cv_read_str(root, cv_pathf(path, GROUPS "/%d/reserved_regions", g->id), &text) == 0)
		sr_parse_regions(text, g);
}

/* Does anything in [@first, @end) of by_group ask for the group's facts? */
static bool is_asked_for(const struct inventory *inv, size_t first, size_t end, bool is_plan)
{
	for (size_t i = first; i < end; i++) {
		const struct inv_dev *d = &inv->devs[inv->by_group[i]];

		if (!d->is_shallow && !(is_plan && inv_is_bridge(d)))
			return true;
	}
	return false;
}

/* Where the group of a plan's VF has its like: 1 + index of that group, 0 when it is the first. */
static size_t *find_like(const struct inventory *inv, size_t first, size_t end, size_t *of_pf)
{
	int pf = inv->devs[inv->by_group[first]].pf;

	return end - first == 1 && pf >= 0 ? &of_pf[pf] : NULL;
}

static void read_group(struct cv_sysroot *root, struct inventory *inv, int id, size_t *like)
{
	struct inv_group *g = &inv->groups[inv->n_groups++];

	if (like && *like > 0) {
		*g = inv->groups[*like - 1];
		g->id = id;
		return;
	}
	*g = (struct inv_group){ .id = id };
	read_regions(root, g);
	if (like)
		*like = inv->n_groups;
}

int sr_groups_read(struct cv_sysroot *root, bool is_plan, struct inventory *inv,
		   struct cv_error *err)
{
	_cleanup_free_ size_t *of_pf = calloc(inv->n_devs + 1, sizeof(*of_pf));
	size_t end;

	inv->groups = calloc(inv->n_devs + 1, sizeof(*inv->groups));
	if (!inv->groups || !of_pf)
		return cv_fail_errno(err, -ENOMEM, GROUPS, "cannot read the IOMMU groups");
	for (size_t i = 0; i < inv->n_by_group; i = end) {
		int id = inv->devs[inv->by_group[i]].group;

		for (end = i + 1; end < inv->n_by_group; end++)
			if (inv->devs[inv->by_group[end]].group != id)
				break;
		if (is_asked_for(inv, i, end, is_plan))
			read_group(root, inv, id, is_plan ? find_like(inv, i, end, of_pf) : NULL);
	}
	for (size_t i = 0; !is_plan && i < inv->n_groups; i++)
		read_domain(root, &inv->groups[i]);
	return 0;
}
