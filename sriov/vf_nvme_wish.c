// SPDX-License-Identifier: GPL-2.0-or-later
/* What a step "vf-nvme" asks for: "vq=2 vi=1 ns=1,2". */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "sriov/nvme.h"

#define MAX_RESOURCES 65535
#define MAX_NSID 0xfffffffeU /* all ones is every namespace */

static int parse_count(const char *value, unsigned int *ret)
{
	uint64_t count;

	if (*ret != 0 || cv_parse_u64(value, &count) < 0 || count > MAX_RESOURCES)
		return -EINVAL;
	*ret = (unsigned int)count;
	return 0;
}

static int add_namespace(const char *text, struct sr_nvme_wish *w)
{
	uint64_t nsid;

	if (cv_parse_u64(text, &nsid) < 0 || nsid == 0 || nsid > MAX_NSID ||
	    w->n_ns == SR_NVME_MAX_NS)
		return -EINVAL;
	for (size_t i = 0; i < w->n_ns; i++)
		if (w->ns[i] == nsid)
			return -EINVAL;
	w->ns[w->n_ns++] = (uint32_t)nsid;
	return 0;
}

/* An empty part between commas is none. */
static int parse_namespaces(char *list, struct sr_nvme_wish *w)
{
	int r = w->n_ns > 0 ? -EINVAL : 0;

	while (list && r == 0) {
		char *comma = strchr(list, ',');

		if (comma)
			*comma++ = '\0';
		r = add_namespace(list, w);
		list = comma;
	}
	return r;
}

static int parse_part(char *part, struct sr_nvme_wish *w)
{
	char *value = strchr(part, '=');

	if (!value)
		return -EINVAL;
	*value++ = '\0';
	if (strcmp(part, "vq") == 0)
		return parse_count(value, &w->vq);
	if (strcmp(part, "vi") == 0)
		return parse_count(value, &w->vi);
	return strcmp(part, "ns") == 0 ? parse_namespaces(value, w) : -EINVAL;
}

int sr_nvme_parse_wish(const char *value, struct sr_nvme_wish *ret)
{
	_cleanup_free_ char *copy = strdup(value);
	struct sr_nvme_wish w = { 0 };
	char *save = NULL;
	int r = copy ? 0 : -ENOMEM;

	for (char *part = copy ? strtok_r(copy, " ", &save) : NULL; part && r == 0;
	     part = strtok_r(NULL, " ", &save))
		r = parse_part(part, &w);
	if (r == 0 && (w.vq < 2 || w.vi < 1))
		r = -EINVAL;
	if (r == 0)
		*ret = w;
	return r;
}
