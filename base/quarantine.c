// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/quarantine.h"
#include "base/state.h"

#define MARKER "carve_quarantine"

static const char *entry_path(char buf[CV_PATH_MAX], struct cv_bdf bdf)
{
	char name[CV_BDF_MAX];

	return cv_pathf(buf, CV_QUARANTINE_DIR "/%s.json", cv_format_bdf(bdf, name));
}

static char *entry_text(const struct cv_quarantine *q)
{
	char name[CV_BDF_MAX];
	_cleanup_json_ json_t *j = json_pack(
		"{s:i, s:s, s:o, s:o, s:I, s:o}", MARKER, CV_QUARANTINE_VERSION, "bdf",
		cv_format_bdf(q->bdf, name), "reason", cv_json_string(q->reason), "evidence",
		cv_json_string(q->evidence), "since", (json_int_t)q->since, "owner",
		cv_owner_json(&q->owner));

	return j ? cv_json_text(j) : NULL;
}

int cv_quarantine_add(struct cv_sysroot *r, const struct cv_quarantine *q, struct cv_error *err)
{
	_cleanup_free_ char *text = entry_text(q);
	char path[CV_PATH_MAX];
	int rc = cv_mkdir_p(r, CV_QUARANTINE_DIR, 0755);

	entry_path(path, q->bdf);
	if (!rc)
		rc = text ? cv_replace_file(r, path, text, 0644) : -ENOMEM;
	return rc ? cv_fail_errno(err, rc, path, "cannot write the quarantine entry") : 0;
}

static int entry_from_json(const json_t *j, struct cv_bdf bdf, struct cv_quarantine *q)
{
	q->since = cv_json_int(j, "since", -1);
	if (q->since < 0 || cv_parse_bdf(cv_json_str(j, "bdf", ""), &q->bdf) ||
	    cv_bdf_cmp(q->bdf, bdf))
		return -EINVAL;
	if (cv_json_copy(j, "reason", q->reason, sizeof(q->reason)) ||
	    cv_json_copy(j, "evidence", q->evidence, sizeof(q->evidence)))
		return -EINVAL;
	return cv_owner_from_json(json_object_get(j, "owner"), &q->owner);
}

int cv_quarantine_read(struct cv_sysroot *r, struct cv_bdf bdf, struct cv_quarantine *ret,
		       struct cv_error *err)
{
	struct cv_quarantine q = { 0 };
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *j = NULL;
	char path[CV_PATH_MAX];
	int rc = cv_read_str(r, entry_path(path, bdf), &text);

	if (rc)
		return cv_fail_errno(err, rc, path, "cannot read the quarantine entry");
	rc = cv_json_parse(text, path, &j, err);
	if (!rc)
		rc = cv_json_version(j, MARKER, CV_QUARANTINE_VERSION, path, err);
	if (rc)
		return rc;
	rc = entry_from_json(j, bdf, &q);
	if (rc)
		return cv_fail(err, rc, CV_EXIT_FAILED, "EQUARANTINE", path,
			       "damaged quarantine entry");
	*ret = q;
	return 0;
}

int cv_quarantine_clear(struct cv_sysroot *r, struct cv_bdf bdf, struct cv_error *err)
{
	char path[CV_PATH_MAX];
	int rc = cv_unlink(r, entry_path(path, bdf));

	return rc ? cv_fail_errno(err, rc, path, "cannot clear the quarantine entry") : 0;
}
