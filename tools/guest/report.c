// SPDX-License-Identifier: GPL-2.0-or-later
/* The report: what the guest sees, and the device tests a request asks for. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tools/guest/guest.h"

struct test_kind {
	const char *name;
	int (*run)(const struct guest *g, const json_t *test, struct guest_result *result);
};

static const struct test_kind test_kinds[] = {
	{ .name = "nvme-pattern", .run = guest_test_nvme },
	{ .name = "nvme-write", .run = guest_test_nvme_write },
	{ .name = "disk-pattern", .run = guest_test_nvme },
	{ .name = "disk-write", .run = guest_test_nvme_write },
	{ .name = "ping", .run = guest_test_ping },
	{ .name = "net", .run = guest_test_net },
	{ .name = "tcp-echo", .run = guest_test_tcp_echo },
	{ .name = "vsock-echo", .run = guest_test_vsock_echo },
	{ .name = "silence", .run = guest_test_silence },
	{ .name = "edu-dma", .run = guest_test_edu },
	{ .name = "link", .run = guest_test_link },
	{ .name = "mac", .run = guest_test_mac },
	{ .name = "share-read", .run = guest_test_share_read },
	{ .name = "share-write", .run = guest_test_share_write },
	{ .name = "program", .run = guest_test_program },
};

int guest_fail(struct guest_result *result, int err, const char *format, ...)
{
	va_list args;
	size_t used;

	va_start(args, format);
	vsnprintf(result->detail, sizeof(result->detail), format, args);
	va_end(args);
	used = strlen(result->detail);
	if (err != -EBADMSG)
		snprintf(result->detail + used, sizeof(result->detail) - used, ": %s",
			 strerror(-err));
	return err;
}

int guest_say(struct guest_result *result, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(result->detail, sizeof(result->detail), format, args);
	va_end(args);
	return 0;
}

int guest_arg_uint(const json_t *test, const char *key, uint64_t fallback, uint64_t max,
		   uint64_t *ret_value)
{
	const json_t *value = json_object_get(test, key);

	if (!value) {
		*ret_value = fallback;
		return 0;
	}
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    (uint64_t)json_integer_value(value) > max)
		return -EINVAL;
	*ret_value = json_integer_value(value);
	return 0;
}

static int run_kind(const struct guest *g, const json_t *test, struct guest_result *result)
{
	const char *kind = json_string_value(json_object_get(test, "kind"));

	if (!kind)
		return guest_fail(result, -EBADMSG, "the test names no kind");
	if (!guest_is_bdf(json_string_value(json_object_get(test, "bdf"))))
		return guest_fail(result, -EBADMSG, "bdf must be a PCI address like 0000:41:00.0");
	for (size_t i = 0; i < ARRAY_SIZE(test_kinds); i++)
		if (strcmp(kind, test_kinds[i].name) == 0)
			return test_kinds[i].run(g, test, result);
	return guest_fail(result, -EBADMSG, "this checker knows no test of kind %s", kind);
}

static void copy_member(json_t *to, const json_t *from, const char *key)
{
	json_t *value = json_object_get(from, key);

	json_object_set_new(to, key, json_is_string(value) ? json_incref(value) : json_null());
}

static json_t *run_test(const struct guest *g, const json_t *test)
{
	struct guest_result result = { .json = json_object() };
	uint64_t start = guest_now_us();
	int ret;

	copy_member(result.json, test, "kind");
	copy_member(result.json, test, "bdf");
	ret = run_kind(g, test, &result);
	json_object_set_new(result.json, "ok", json_boolean(ret == 0));
	json_object_set_new(result.json, "detail", json_string(result.detail));
	json_object_set_new(result.json, "ms", json_integer((guest_now_us() - start) / 1000));
	return result.json;
}

static json_t *run_tests(const struct guest *g, const json_t *request)
{
	json_t *results = json_array();
	const json_t *test;
	size_t i;

	json_array_foreach(json_object_get(request, "tests"), i, test)
		json_array_append_new(results, run_test(g, test));
	return results;
}

static json_t *text_of(const struct guest *g, const char *path)
{
	char text[GUEST_TEXT_MAX];
	json_t *string;

	if (guest_read_text(g, text, sizeof(text), "%s", path) < 0)
		return json_null();
	string = json_string(text);
	return string ? string : json_null();
}

json_t *guest_report(const struct guest *g, const json_t *request)
{
	_cleanup_json_ json_t *tests = run_tests(g, request);

	return json_pack("{si so so sO so so so si so sO}", "carve_guest_report", GUEST_FORMAT,
			 "kernel", text_of(g, "proc/sys/kernel/osrelease"), "cmdline",
			 text_of(g, "proc/cmdline"), "modules", g->modules, "cpus", guest_cpus(g),
			 "nodes", guest_nodes(g), "ram", guest_ram(g), "base_page_kib",
			 (int)(sysconf(_SC_PAGESIZE) / 1024), "pci", guest_pci_devices(g), "tests",
			 tests);
}

static json_t *error_report(const char *text)
{
	return json_pack("{si ss s[{ss sn sb ss si}]}", "carve_guest_report", GUEST_FORMAT, "error",
			 text, "tests", "kind", "request", "bdf", "ok", 0, "detail", text, "ms", 0);
}

/* NULL when the request can be served, else the error to answer. */
static json_t *refuse(const json_t *request, const json_error_t *error, bool is_overlong)
{
	const json_t *tests = json_object_get(request, "tests");
	char text[256];

	if (is_overlong)
		snprintf(text, sizeof(text), "the request line is longer than %d bytes",
			 GUEST_LINE_MAX);
	else if (!request)
		snprintf(text, sizeof(text), "the request is not JSON: %s", error->text);
	else if (!json_is_integer(json_object_get(request, "carve_request")))
		snprintf(text, sizeof(text), "the request has no number carve_request");
	else if (json_integer_value(json_object_get(request, "carve_request")) != GUEST_FORMAT)
		snprintf(text, sizeof(text),
			 "the request has version %" JSON_INTEGER_FORMAT
			 ", this checker speaks version %d",
			 json_integer_value(json_object_get(request, "carve_request")),
			 GUEST_FORMAT);
	else if (tests && !json_is_array(tests))
		snprintf(text, sizeof(text), "tests must be an array");
	else
		return NULL;
	return error_report(text);
}

char *guest_answer(const struct guest *g, const char *line, size_t length)
{
	json_error_t error;
	_cleanup_json_ json_t *request = line ? json_loadb(line, length, JSON_REJECT_DUPLICATES,
							   &error)
					      : NULL;
	_cleanup_json_ json_t *report = refuse(request, &error, !line);
	json_t *id = json_object_get(request, "id");

	if (!report)
		report = guest_report(g, request);
	if (!report)
		return NULL;
	if (id && json_object_set(report, "id", id) < 0)
		return NULL;
	return json_dumps(report, JSON_COMPACT);
}
