// SPDX-License-Identifier: GPL-2.0-or-later
/* All strict parsers; what they accept must survive being formatted and parsed again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bdf.h"
#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/json.h"
#include "base/parse.h"
#include "base/strv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int is_true)
{
	if (!is_true)
		abort();
}

static void try_numbers(const char *s)
{
	char buf[CV_SIZE_MAX];
	uint64_t u, again;
	bool b;
	int i;

	cv_parse_u64(s, &u);
	cv_parse_hex(s, &u);
	cv_parse_int(s, &i);
	cv_parse_bool(s, &b);
	if (!cv_parse_size(s, &u))
		check(!cv_parse_size(cv_format_size(u, buf), &again) && again == u);
}

static void try_addresses(const char *s)
{
	char bdf_text[CV_BDF_MAX], mac_text[CV_MAC_MAX];
	uint8_t mac[6], mac_again[6];
	struct cv_bdf b, b_again;

	if (!cv_parse_bdf(s, &b))
		check(!cv_parse_bdf(cv_format_bdf(b, bdf_text), &b_again) &&
		      !cv_bdf_cmp(b, b_again));
	if (!cv_parse_mac(s, mac))
		check(!cv_parse_mac(cv_format_mac(mac, mac_text), mac_again) &&
		      !memcmp(mac, mac_again, 6));
}

static void try_cpulist(const char *s)
{
	_cleanup_free_ char *text = NULL;
	struct cv_cpuset set, again;

	if (cv_parse_cpulist(s, &set))
		return;
	text = cv_format_cpulist(&set);
	check(text && !cv_parse_cpulist(text, &again) && cv_cpuset_equal(&set, &again));
}

static void try_strv(const char *s, size_t size)
{
	_cleanup_strv_ struct cv_strv l = { 0 };

	for (size_t i = 0; i < size && i < 64; i++)
		cv_strv_add(&l, s + i);
	cv_strv_sort(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *s = strndup((const char *)data, size);
	_cleanup_json_ json_t *j = NULL;
	struct cv_error err;

	if (!s)
		return 0;
	try_numbers(s);
	try_addresses(s);
	try_cpulist(s);
	try_strv(s, strlen(s));
	if (!cv_json_parse(s, "fuzz", &j, &err))
		cv_json_version(j, "carve", 1, "fuzz", &err);
	return 0;
}
