// SPDX-License-Identifier: GPL-2.0-or-later
/* carve metrics: the text is what Prometheus reads, and no VMM can keep it waiting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/strv.h"
#include "inventory_builder.h"
#include "plan/metrics.h"
#include "plan/metrics_text.h"
#include "tools/metrics_ask.h"

/* ---- a strict reader of the format ---- */

/** struct reader - @family: of the samples that may follow; @seen: families and series so far */
struct reader {
	char family[128], type[16];
	bool has_help, has_type;
	struct cv_strv seen;
	size_t n_samples;
};

static size_t name_length(const char *s, bool is_label)
{
	size_t n = 0;

	while (isalpha((unsigned char)s[n]) || s[n] == '_' || (s[n] == ':' && !is_label) ||
	       (n > 0 && isdigit((unsigned char)s[n])))
		n++;
	return n;
}

static void once(struct reader *r, const char *what)
{
	if (cv_strv_has(&r->seen, what))
		fail_msg("twice: %s", what);
	assert_int_equal(cv_strv_add(&r->seen, what), 0);
}

static void read_help(struct reader *r, const char *s)
{
	size_t n = name_length(s, false);

	assert_true(n > 0 && s[n] == ' ');
	snprintf(r->family, sizeof(r->family), "%.*s", (int)n, s);
	once(r, r->family);
	for (s += n + 1; *s; s++)
		if (*s == '\\' && *++s != '\\' && *s != 'n')
			fail_msg("escape in HELP of %s", r->family);
	r->has_help = true;
	r->has_type = false;
}

static void read_type(struct reader *r, const char *s)
{
	size_t n = strlen(r->family);

	assert_true(r->has_help && !r->has_type);
	assert_true(strncmp(s, r->family, n) == 0 && s[n] == ' ');
	snprintf(r->type, sizeof(r->type), "%s", s + n + 1);
	assert_true(strcmp(r->type, "gauge") == 0 || strcmp(r->type, "counter") == 0);
	r->has_type = true;
	n = strlen(r->family);
	/* the suffix is the counters' */
	assert_int_equal(n > 6 && strcmp(r->family + n - 6, "_total") == 0,
			 strcmp(r->type, "counter") == 0);
}

/* Return: what follows the labels. */
static const char *read_labels(const char *s)
{
	size_t n;

	if (*s != '{')
		return s;
	do {
		s++;
		n = name_length(s, true);
		assert_true(n > 0 && s[n] == '=' && s[n + 1] == '"');
		for (s += n + 2; *s != '"'; s++) {
			assert_true((unsigned char)*s < 128 && *s);
			if (*s == '\\' && *++s != '\\' && *s != '"' && *s != 'n')
				fail_msg("escape in a label: %s", s);
		}
		s++;
	} while (*s == ',');
	assert_int_equal(*s, '}');
	return s + 1;
}

static void read_sample(struct reader *r, const char *s)
{
	size_t n = name_length(s, false);
	const char *value = read_labels(s + n);
	char series[512], *end;

	if (!r->has_type || strlen(r->family) != n || strncmp(s, r->family, n) != 0)
		fail_msg("not of family %s: %s", r->family, s);
	snprintf(series, sizeof(series), "%.*s", (int)(value - s), s);
	if (strchr(series, '{'))
		once(r, series);
	assert_int_equal(*value, ' ');
	(void)strtod(value + 1, &end);
	assert_true(isdigit((unsigned char)value[1]) && *end == '\0');
	r->n_samples++;
}

static void read_line(struct reader *r, const char *line)
{
	if (strncmp(line, "# HELP ", 7) == 0)
		read_help(r, line + 7);
	else if (strncmp(line, "# TYPE ", 7) == 0)
		read_type(r, line + 7);
	else
		read_sample(r, line);
}

/* Return: number of samples. */
static size_t read_format(const char *text)
{
	_cleanup_free_ char *copy = strdup(text);
	struct reader r = { 0 };
	char *rest = copy, *line;

	assert_int_equal(text[strlen(text) - 1], '\n');
	copy[strlen(copy) - 1] = '\0';
	while ((line = strsep(&rest, "\n")))
		read_line(&r, line);
	cv_strv_done(&r.seen);
	return r.n_samples;
}

static void has(const char *text, const char *line)
{
	const char *found = strstr(text, line);

	if (!found || (found != text && found[-1] != '\n') || found[strlen(line)] != '\n')
		fail_msg("no line \"%s\" in:\n%s", line, text);
}

/* ---- the text ---- */

static const struct metrics_family gauge = { "a_thing", "Back\\slash\nand \"quotes\".",
					     METRICS_GAUGE };
static const struct metrics_family counter = { "things_total", "Many.", METRICS_COUNTER };

static void test_text(void **state)
{
	const struct metrics_label labels[] = { { "x", "a\\b\"c\nd" },
						{ "y", "" },
						{ NULL, NULL } };
	_cleanup_free_ char *text = NULL;
	struct metrics_text m;

	assert_int_equal(metrics_text_init(&m), 0);
	metrics_sample(&m, &gauge, labels, 0.25);
	metrics_sample(&m, &gauge, NULL, 8589934592.0);
	metrics_sample(&m, &counter, NULL, 123456789012.0);
	text = metrics_text_take(&m);
	assert_string_equal(text, "# HELP a_thing Back\\\\slash\\nand \"quotes\".\n"
				  "# TYPE a_thing gauge\n"
				  "a_thing{x=\"a\\\\b\\\"c\\nd\",y=\"\"} 0.25\n"
				  "a_thing 8589934592\n"
				  "# HELP things_total Many.\n"
				  "# TYPE things_total counter\n"
				  "things_total 123456789012\n");
	assert_int_equal(read_format(text), 3);
}

/* One byte that is no UTF-8, and a reader drops the whole file. */
static void test_bytes(void **state)
{
	const struct metrics_label labels[] = { { "x", "a\xff\xc3z" }, { NULL, NULL } };
	_cleanup_free_ char *text = NULL;
	struct metrics_text m;

	assert_int_equal(metrics_text_init(&m), 0);
	metrics_sample(&m, &gauge, labels, 1);
	text = metrics_text_take(&m);
	assert_non_null(strstr(text, "{x=\"a??z\"} 1\n"));
	read_format(text);
}

static const char *const states[] = { "running", "silent" };

static char *metrics_text_of(struct inventory *inv, const struct metrics_guest *guests, size_t n)
{
	return metrics_of(&(struct metrics_node){ .version = "1.0",
						  .build = "x",
						  .inv = inv,
						  .states = states,
						  .n_states = 2,
						  .guests = guests,
						  .n_guests = n });
}

static void test_node(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	_cleanup_free_ char *text = NULL;
	struct cv_lease *l;

	ib_emulated(&inv, false);
	ib_make_vfs(&inv, IB_IGB1, 3, "");
	l = ib_lease(&inv, "vm1", "alice", "");
	ib_lease_pages(l, 1, IB_2M, 64);
	ib_lease_pages(l, 1, IB_1G, 1);
	ib_lease_device(l, IB_EDU);
	l = ib_lease(&inv, "vm2", "bob", "");
	ib_lease_pages(l, 1, IB_2M, 32);
	ib_dev(&inv, IB_NVME)->is_quarantined = true;
	ib_dev(&inv, IB_IGB0)->holder_kind = INV_HOLDER_NETDEV;
	text = metrics_text_of(&inv, NULL, 0);
	read_format(text);
	has(text, "carve_guests{state=\"running\"} 0");
	has(text, "carve_hugepages_held{node=\"1\",size=\"2097152\"} 96");
	has(text, "carve_hugepages_held{node=\"1\",size=\"1073741824\"} 1");
	has(text, "carve_hugepages_held{node=\"0\",size=\"2097152\"} 0");
	has(text, "carve_hugepages{node=\"0\",size=\"2097152\"} 256");
	has(text, "carve_devices{state=\"quarantined\"} 1");
	has(text, "carve_devices{state=\"leased\"} 1");
	has(text, "carve_devices{state=\"held\"} 1");
	has(text, "carve_device_quarantined{device=\"" IB_NVME "\"} 1");
	has(text, "carve_pf_vfs{pf=\"" IB_IGB1 "\"} 3");
	has(text, "carve_pf_vfs_limit{pf=\"" IB_IGB1 "\"} 7");
	has(text, "carve_pf_vfs_leased{pf=\"" IB_IGB1 "\"} 0");
	assert_null(strstr(text, "carve_guest_info"));
}

static void test_guests(void **state)
{
	_cleanup_json_ json_t *stats = json_pack("{s:[{s:i,s:i,s:i,s:i,s:i,s:i}],s:{s:I}}", "vcpus",
						 "vcpu", 0, "exits", 10, "io", 3, "mmio", 4,
						 "interrupted", 1, "other", 2, "dma", "bytes",
						 (json_int_t)1 << 33);
	_cleanup_json_ json_t *timings = json_pack(
		"{s:[{s:s,s:s,s:i},{s:s,s:s,s:i},{s:s,s:s,s:i}]}", "steps", "step", "bind",
		"object", "x", "ms", 9, "step", "launch", "object", "a", "ms", 90, "step", "launch",
		"object", "pin vCPUs", "ms", 25);
	const struct metrics_guest guests[] = {
		{ .name = "a",
		  .state = "running",
		  .backend = "native",
		  .user = "al\"ice",
		  .job = "7",
		  .is_asked = true,
		  .has_answered = true,
		  .vcpus = 2,
		  .pinned = 1,
		  .memory = 1ULL << 30,
		  .since = 1700000000,
		  .stats = stats,
		  .timings = timings },
		{ .name = "b",
		  .state = "silent",
		  .backend = "qemu",
		  .user = "bob",
		  .job = "",
		  .is_asked = true,
		  .pinned = -1,
		  .vcpus = 4 },
	};
	_cleanup_inventory_ struct inventory inv = { 0 };
	_cleanup_free_ char *text = NULL;

	ib_emulated(&inv, false);
	text = metrics_text_of(&inv, guests, 2);
	read_format(text);
	has(text, "carve_guests{state=\"running\"} 1");
	has(text, "carve_guests{state=\"silent\"} 1");
	has(text, "carve_guest_info{guest=\"a\",backend=\"native\",user=\"al\\\"ice\",job=\"7\","
		  "state=\"running\"} 1");
	has(text, "carve_guest_vmm_answers{guest=\"a\"} 1");
	has(text, "carve_guest_vmm_answers{guest=\"b\"} 0");
	has(text, "carve_guest_vcpus_pinned{guest=\"a\"} 1");
	has(text, "carve_guest_vcpus{guest=\"b\"} 4");
	has(text, "carve_guest_start_time_seconds{guest=\"a\"} 1700000000");
	has(text, "carve_guest_dma_mapped_bytes{guest=\"a\"} 8589934592");
	has(text, "carve_vcpu_vmm_exits_total{guest=\"a\",vcpu=\"0\",reason=\"mmio\"} 4");
	has(text, "carve_launch_phase_seconds{guest=\"a\",phase=\"pin vCPUs\"} 0.025");
	/* what is not known is not told; the step itself is no phase */
	assert_null(strstr(text, "pinned{guest=\"b\"}"));
	assert_null(strstr(text, "phase=\"a\""));
	assert_null(strstr(text, "phase=\"x\""));
}

/* ---- asking ---- */

/** struct answer - what the VMM of a test returns to a command; NULL: an error */
struct answer {
	const char *command, *returned;
};

/** struct vmm - serves one client, then ends; @answers NULL: says nothing at all */
struct vmm {
	char dir[32], path[64];
	int listen_fd;
	const struct answer *answers;
	pthread_t thread;
};

static const char *find_answer(const struct answer *a, const char *line)
{
	for (; a->command; a++)
		if (strstr(line, a->command))
			return a->returned;
	return NULL;
}

static void *serve(void *arg)
{
	struct vmm *v = arg;
	/* cppcheck-suppress nullPointer */ /* the peer has no address */
	_cleanup_close_ int fd = accept4(v->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	_cleanup_fclose_ FILE *in = fdopen(dup(fd), "re");
	char line[4096];

	dprintf(fd, "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n");
	while (fgets(line, sizeof(line), in)) {
		_cleanup_json_ json_t *j = json_loads(line, 0, NULL);
		int id = (int)cv_json_int(j, "id", 0);
		const char *returned = find_answer(v->answers, line);

		if (returned)
			dprintf(fd, "{\"return\": %s, \"id\": %d}\r\n", returned, id);
		else
			dprintf(fd,
				"{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"x\"}, "
				"\"id\": %d}\r\n",
				id);
	}
	return NULL;
}

static void vmm_start(struct vmm *v, const struct answer *answers)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	*v = (struct vmm){ .answers = answers };
	snprintf(v->dir, sizeof(v->dir), "/tmp/carve-XXXXXX");
	assert_non_null(mkdtemp(v->dir));
	snprintf(v->path, sizeof(v->path), "%s/sock", v->dir);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", v->path);
	v->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(v->listen_fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(v->listen_fd, 4), 0);
	if (answers)
		assert_int_equal(pthread_create(&v->thread, NULL, serve, v), 0);
}

static void vmm_end(struct vmm *v)
{
	if (v->answers)
		pthread_join(v->thread, NULL);
	close(v->listen_fd);
	unlink(v->path);
	rmdir(v->dir);
}

#define CPUS                                                                     \
	"[{\"cpu-index\": 1, \"thread-id\": 12, \"qom-path\": \"/machine/b\"}, " \
	"{\"cpu-index\": 0, \"thread-id\": 11, \"qom-path\": \"/machine/a\"}]"
#define HANDSHAKE                       \
	{ "qmp_capabilities", "{}" },   \
	{                               \
		"query-cpus-fast", CPUS \
	}

static void test_ask_native(void **state)
{
	static const struct answer answers[] = {
		HANDSHAKE,
		{ "query-status", "{\"status\": \"paused\", \"running\": false}" },
		{ "query-carve-stats", "{\"vcpus\": [{\"vcpu\": 0, \"io\": 5}]}" },
		{ NULL, NULL },
	};
	struct metrics_answer a = { 0 };
	struct vmm v;

	vmm_start(&v, answers);
	assert_int_equal(metrics_ask(v.path, 5000, &a), 0);
	vmm_end(&v);
	assert_false(a.is_running);
	assert_int_equal(a.n, 2);
	assert_int_equal(a.tids[1], 12);
	assert_int_equal(json_array_size(json_object_get(a.stats, "vcpus")), 1);
	assert_null(a.kvm_stats);
	metrics_answer_done(&a);
}

static void test_ask_qemu(void **state)
{
	static const struct answer answers[] = {
		HANDSHAKE,
		{ "query-status", "{\"status\": \"running\", \"running\": true}" },
		{ "query-stats",
		  "[{\"provider\": \"kvm\", \"qom-path\": \"/machine/b\", \"stats\": ["
		  "{\"name\": \"halt_exits\", \"value\": 9}, {\"name\": \"guest_mode\", \"value\": 0}, "
		  "{\"name\": \"halt_wait_hist\", \"value\": [1, 2]}]}]" },
		{ NULL, NULL },
	};
	struct metrics_answer a = { 0 };
	struct vmm v;

	vmm_start(&v, answers);
	assert_int_equal(metrics_ask(v.path, 5000, &a), 0);
	vmm_end(&v);
	assert_true(a.is_running);
	assert_null(a.stats);
	assert_int_equal(json_array_size(a.kvm_stats), 1);
	assert_int_equal(cv_json_int(json_array_get(a.kvm_stats, 0), "vcpu", -1), 1);
	assert_string_equal(cv_json_str(json_array_get(a.kvm_stats, 0), "reason", ""),
			    "halt_exits");
	assert_int_equal(cv_json_int(json_array_get(a.kvm_stats, 0), "exits", -1), 9);
	metrics_answer_done(&a);
}

/* Neither has statistics: that is no failure. */
static void test_ask_without_stats(void **state)
{
	static const struct answer answers[] = {
		HANDSHAKE,
		{ "query-status", "{\"status\": \"running\", \"running\": true}" },
		{ NULL, NULL },
	};
	struct metrics_answer a = { 0 };
	struct vmm v;

	vmm_start(&v, answers);
	assert_int_equal(metrics_ask(v.path, 5000, &a), 0);
	vmm_end(&v);
	assert_null(a.stats);
	assert_null(a.kvm_stats);
	metrics_answer_done(&a);
}

/* It takes the connection and never says a word. */
static void test_ask_hung(void **state)
{
	struct metrics_answer a = { 0 };
	int64_t began = cv_now_ms();
	struct vmm v;

	vmm_start(&v, NULL);
	assert_int_equal(metrics_ask(v.path, 300, &a), -ETIMEDOUT);
	assert_in_range(cv_now_ms() - began, 250, 5000);
	vmm_end(&v);
	assert_true(metrics_ask(v.path, 100, &a) < 0);
	assert_null(a.tids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_node),
		cmocka_unit_test(test_guests),
		cmocka_unit_test(test_ask_native),
		cmocka_unit_test(test_ask_qemu),
		cmocka_unit_test(test_ask_without_stats),
		cmocka_unit_test(test_ask_hung),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
