// SPDX-License-Identifier: GPL-2.0-or-later
/* Changes of findings, as one plan. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "plan/audit_checks.h"

/* What is found comes from the machine, or from somebody's snapshot of one, and the plan is pasted into
 * shells: nothing of it may end the comment it stands in. */
static void copy_found(char *dst, size_t size, const char *src)
{
	snprintf(dst, size, "%s", src);
	for (; *dst; dst++)
		if ((unsigned char)*dst < ' ' || *dst == 0x7f)
			*dst = '?';
}

void audit_set_change(struct audit_finding *f, enum audit_how how, const char *path,
		      const char *now, const char *fmt, ...)
{
	struct audit_change c = { .how = how };
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(c.value, sizeof(c.value), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(c.value) || strlen(path) >= sizeof(c.path))
		return;
	snprintf(c.path, sizeof(c.path), "%s", path);
	copy_found(c.now, sizeof(c.now), now);
	f->change = c;
}

void audit_fix_by_change(struct audit_finding *f)
{
	const struct audit_change *c = &f->change;

	switch (c->how) {
	case AUDIT_WRITE:
		audit_fix(f, "echo %s > %s", c->value, c->path);
		break;
	case AUDIT_CMDLINE:
		audit_fix(f, "boot with %s", c->value);
		break;
	case AUDIT_MODULE:
		audit_fix(f, "\"%s\" in modprobe.d, then load the module again", c->value);
		break;
	case AUDIT_SERVICE:
		audit_fix(f, "systemctl disable --now %s", c->value);
		break;
	case AUDIT_FIRMWARE:
		audit_fix(f, "in the firmware: %s", c->value);
		break;
	case AUDIT_NO_CHANGE:
		break;
	}
}

/* Of these the kernel keeps only the last: pci=config_acs=A pci=config_acs=B is B. */
static const char *const merged[] = { "pci=config_acs=", "pci=disable_acs_redir=" };

static size_t merged_length(const char *word)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(merged); i++)
		if (strncmp(word, merged[i], strlen(merged[i])) == 0)
			return strlen(merged[i]);
	return 0;
}

static bool is_cmdline(const struct audit_finding *f)
{
	return f->change.how == AUDIT_CMDLINE;
}

/* The word with the values of all others of its key, in quotes: boot loaders read ';' their own way. */
static int add_merged(const struct audit *a, size_t first, size_t key, struct cv_strv *words)
{
	_cleanup_strv_ struct cv_strv values = { 0 };
	const char *word = a->findings[first].change.value;
	_cleanup_free_ char *joined = NULL;

	for (size_t i = first; i < a->n; i++) {
		const char *other = a->findings[i].change.value;

		if (is_cmdline(&a->findings[i]) && strncmp(word, other, key) == 0 &&
		    !cv_strv_has(&values, other + key) && cv_strv_add(&values, other + key) < 0)
			return -1;
	}
	joined = cv_strv_join(&values, ";");
	if (!joined)
		return -1;
	return cv_strv_addf(words, values.n > 1 ? "\"%.*s%s\"" : "%.*s%s", (int)key, word, joined);
}

static bool is_merged_before(const struct audit *a, size_t at, size_t key)
{
	for (size_t i = 0; i < at; i++)
		if (is_cmdline(&a->findings[i]) &&
		    strncmp(a->findings[i].change.value, a->findings[at].change.value, key) == 0)
			return true;
	return false;
}

static int add_word(const struct audit *a, size_t i, struct cv_strv *words)
{
	const char *word = a->findings[i].change.value;
	size_t key = merged_length(word);

	if (key == 0)
		return cv_strv_has(words, word) ? 0 : cv_strv_add(words, word);
	return is_merged_before(a, i, key) ? 0 : add_merged(a, i, key, words);
}

/* The words of the kernel command line stand in one line. */
static int add_cmdline(const struct audit *a, struct cv_strv *plan)
{
	_cleanup_strv_ struct cv_strv words = { 0 };
	_cleanup_free_ char *line = NULL;

	for (size_t i = 0; i < a->n; i++)
		if (is_cmdline(&a->findings[i]) && add_word(a, i, &words) < 0)
			return -1;
	if (words.n == 0)
		return 0;
	line = cv_strv_join(&words, " ");
	if (!line)
		return -1;
	return cv_strv_addf(plan, "# add to the kernel command line\n%s\n", line);
}

static int add_line(const struct audit_change *c, struct cv_strv *lines)
{
	char line[sizeof(c->path) + sizeof(c->value) + sizeof(c->now) + 32];

	switch (c->how) {
	case AUDIT_WRITE:
		snprintf(line, sizeof(line), "echo %s > %s%s%s", c->value, c->path,
			 c->now[0] ? "  # now: " : "", c->now);
		break;
	case AUDIT_SERVICE:
		snprintf(line, sizeof(line), "systemctl disable --now %s", c->value);
		break;
	default:
		snprintf(line, sizeof(line), "%s", c->value);
	}
	return cv_strv_has(lines, line) ? 0 : cv_strv_add(lines, line);
}

static int add_section(const struct audit *a, enum audit_how how, const char *title,
		       struct cv_strv *plan)
{
	_cleanup_strv_ struct cv_strv lines = { 0 };
	_cleanup_free_ char *text = NULL;

	for (size_t i = 0; i < a->n; i++)
		if (a->findings[i].change.how == how &&
		    add_line(&a->findings[i].change, &lines) < 0)
			return -1;
	if (lines.n == 0)
		return 0;
	text = cv_strv_join(&lines, "\n");
	return text ? cv_strv_addf(plan, "# %s\n%s\n", title, text) : -1;
}

char *audit_fix_plan(const struct audit *a)
{
	static const struct {
		enum audit_how how;
		const char *title;
	} sections[] = {
		{ AUDIT_WRITE, "write now; lost at the next boot" },
		{ AUDIT_SERVICE, "stop and disable" },
		{ AUDIT_MODULE, "put into /etc/modprobe.d/carve.conf; when the module is loaded" },
		{ AUDIT_FIRMWARE, "set in the firmware" },
	};
	_cleanup_strv_ struct cv_strv plan = { 0 };

	for (size_t i = 0; i < CV_ARRAY_SIZE(sections); i++)
		if (add_section(a, sections[i].how, sections[i].title, &plan) < 0)
			return NULL;
	if (add_cmdline(a, &plan) < 0)
		return NULL;
	return cv_strv_join(&plan, "\n");
}
