// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a spec and as a site file: an answer, no crash, no leak, no error without its text. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "plan/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int rc, const struct cv_error *err)
{
	if (rc && (err->err != rc || !err->what[0] || !err->object[0]))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cv_error err = { 0 };
	struct spec spec = { 0 };
	struct site site;

	check(spec_parse((const char *)data, size, "fuzz.yaml", &spec, &err), &err);
	spec_done(&spec);

	site_default(&site);
	err = (struct cv_error){ 0 };
	check(site_parse((const char *)data, size, "fuzz.yaml", &site, &err), &err);
	site_done(&site);
	return 0;
}
