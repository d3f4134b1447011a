// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/fake/machine.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "tests/fake/machine_model.h"

static int write_all(const struct machine *m, char **ret, size_t *ret_len)
{
	_cleanup_free_ char *text = NULL;
	struct machine_out o = { open_memstream(&text, ret_len) };

	if (!o.f)
		return -ENOMEM;
	fputs("carve-sysroot 1\n", o.f);
	machine_write_host(m, &o);
	machine_write_cpus(m, &o);
	machine_write_nodes(m, &o);
	machine_write_pci(m, &o);
	machine_write_classes(m, &o);
	if (fclose(o.f) != 0)
		return -ENOMEM;
	*ret = TAKE_PTR(text);
	return 0;
}

int machine_compile(const char *text, size_t len, const char *origin, char **ret, size_t *ret_len,
		    struct machine_counts *ret_counts, struct cv_error *err)
{
	struct machine *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return cv_fail_errno(err, -ENOMEM, origin, "cannot read the description");
	r = machine_parse(text, len, origin, m, err);
	if (r == 0 && write_all(m, ret, ret_len) < 0)
		r = cv_fail_errno(err, -ENOMEM, origin, "cannot write the manifest");
	if (r == 0 && ret_counts)
		*ret_counts = m->expect;
	machine_free(m);
	free(m);
	return r;
}
