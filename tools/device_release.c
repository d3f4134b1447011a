// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/device_release.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/quarantine.h"
#include "tools/operation.h"

/** struct ends - of the operations of @x, in their order; an error that is all zero: it is undone */
struct ends {
	struct cmd *c;
	const struct device_release *x;
	struct cv_error *errors;
	size_t n_failed;
};

static void undo_all(struct ends *e)
{
	for (size_t i = 0; i < e->x->names->n; i++) {
		if (operation_release_locked(e->c, e->x->names->v[i]) == 0)
			continue;
		e->errors[i] = e->c->err;
		e->n_failed++;
	}
}

/* Return: why the function is still held, NULL when it is not. */
static const struct cv_error *find_error(const struct ends *e, struct cv_bdf bdf)
{
	const struct cv_lease *l = inv_device_lease(e->x->inv, bdf);

	for (size_t i = 0; l && i < e->x->names->n; i++)
		if (strcmp(e->x->names->v[i], l->name) == 0 && e->errors[i].err)
			return &e->errors[i];
	return NULL;
}

/* A release that went through may still have found a device that is not well. */
static bool is_quarantined(struct cmd *c, struct cv_bdf bdf)
{
	struct cv_quarantine q;

	return cv_quarantine_read(c->root, bdf, &q, NULL) != -ENOENT;
}

static json_t *error_json(const struct cv_error *error)
{
	_cleanup_json_ json_t *j = error ? cv_error_json(error) : NULL;

	return j ? json_incref(json_object_get(j, "error")) : json_null();
}

static json_t *device_end_json(const struct ends *e, struct cv_bdf bdf)
{
	const struct cv_error *error = find_error(e, bdf);
	char name[CV_BDF_MAX];

	return json_pack("{s:s,s:b,s:b,s:o}", "bdf", cv_format_bdf(bdf, name), "given_back", !error,
			 "quarantined", is_quarantined(e->c, bdf), "error", error_json(error));
}

static void tell(const struct ends *e, struct cv_bdf bdf)
{
	const struct cv_error *error = find_error(e, bdf);
	const char *set_aside = is_quarantined(e->c, bdf)
					? ", in quarantine: carve device show tells why"
					: "";
	char name[CV_BDF_MAX];

	cv_format_bdf(bdf, name);
	if (error)
		cmd_note(e->c, "%s: not given back: %s%s", name, error->what, set_aside);
	else
		cmd_print("%s: given back%s\n", name, set_aside);
}

static int report(const struct ends *e)
{
	json_t *list = e->c->json ? json_array() : NULL;

	for (size_t i = 0; i < e->x->n_devices; i++)
		if (e->c->json)
			json_array_append_new(list, device_end_json(e, e->x->devices[i]));
		else
			tell(e, e->x->devices[i]);
	if (!e->c->json)
		return 0;
	return cmd_print_json(e->c,
			      json_pack("{s:i,s:o}", "carve_device_release", 1, "devices", list));
}

/* The one to tell */
static int fail_some(const struct ends *e)
{
	size_t i = 0;

	while (!e->errors[i].err)
		i++;
	e->c->err = e->errors[i];
	if (e->n_failed < e->x->names->n)
		e->c->err.exit = CV_EXIT_PARTIAL;
	return e->errors[i].err;
}

int device_release_each(struct cmd *c, const struct device_release *x)
{
	_cleanup_free_ struct cv_error *errors = calloc(x->names->n + 1, sizeof(*errors));
	struct ends e = { .c = c, .x = x, .errors = errors };
	int r;

	if (!errors)
		return cv_fail_errno(&c->err, -ENOMEM, NULL, "cannot give the devices back");
	undo_all(&e);
	r = report(&e);
	return e.n_failed > 0 ? fail_some(&e) : r;
}
