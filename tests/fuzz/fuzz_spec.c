// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a spec, as a site file and as VF settings: an answer, no crash, no leak, no error without
 * its text. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "plan/spec.h"
#include "plan/vf_policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int rc, const struct cv_error *err)
{
	if (rc && (err->err != rc || !err->what[0] || !err->object[0]))
		abort();
}

/* What is taken is written as a text that means the same. */
static void check_settings(const char *text)
{
	struct cv_error err = { 0 };
	struct vf_settings s, again;
	int rc = vf_settings_parse(text, &s, &err);
	char *written;

	check(rc, &err);
	if (rc)
		return;
	written = vf_settings_text(&s);
	if (written && (vf_settings_parse(written, &again, NULL) || !vf_settings_match(&s, &again)))
		abort();
	free(written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct cv_error err = { 0 };
	struct spec spec = { 0 };
	struct site site;

	check(spec_parse((const char *)data, size, "fuzz.yaml", &spec, &err), &err);
	spec_done(&spec);

	site_default(&site);
	err = (struct cv_error){ 0 };
	check(site_parse((const char *)data, size, "fuzz.yaml", &site, &err), &err);
	site_done(&site);

	if (text)
		check_settings(text);
	free(text);
	return 0;
}
