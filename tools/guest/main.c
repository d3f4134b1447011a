// SPDX-License-Identifier: GPL-2.0-or-later
/* carve-guest: pid 1 of the checker initramfs, a server in a distribution guest, or a plain command. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tools/guest/guest.h"

#define RETRY_MS 1000
#define DRAIN_MS 1000

struct options {
	bool is_print, is_selftest, is_help;
	const char *request, *root;
};

static const char help_text[] =
	"Usage: carve-guest [--root DIR]\n"
	"       carve-guest --print [--request FILE] [--root DIR]\n"
	"       carve-guest --selftest\n"
	"\n"
	"Says as JSON what this guest sees of its machine and tests its devices.\n"
	"Without --print it answers requests on the virtio-serial port org.carve.guest.\n"
	"\n"
	"  --print         print one report to standard output\n"
	"  --request FILE  run the tests of this request (- is standard input)\n"
	"  --root DIR      read sys, proc and dev below DIR\n"
	"  --selftest      check the built-in SHA-256\n"
	"  --help          this text\n";

static int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option long_options[] = {
		{ "print", no_argument, NULL, 'p' },
		{ "request", required_argument, NULL, 'r' },
		{ "root", required_argument, NULL, 'R' },
		{ "selftest", no_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 'p':
			options->is_print = true;
			break;
		case 'r':
			options->request = optarg;
			break;
		case 'R':
			options->root = optarg;
			break;
		case 's':
			options->is_selftest = true;
			break;
		case 'h':
			options->is_help = true;
			break;
		default:
			return -EINVAL;
		}
	}
	return optind == argc && (!options->request || options->is_print) ? 0 : -EINVAL;
}

static int read_request(const char *path, char **ret_text, size_t *ret_length)
{
	_cleanup_free_ char *text = malloc(GUEST_LINE_MAX);
	FILE *file;
	size_t n;

	if (!text)
		return -ENOMEM;
	file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	if (!file)
		return -errno;
	n = fread(text, 1, GUEST_LINE_MAX, file);
	if (file != stdin)
		fclose(file);
	if (n == GUEST_LINE_MAX)
		return -EFBIG;
	*ret_text = text;
	*ret_length = n;
	text = NULL;
	return 0;
}

static bool has_failed_test(const json_t *report)
{
	const json_t *test;
	size_t i;

	json_array_foreach(json_object_get(report, "tests"), i, test)
		if (!json_is_true(json_object_get(test, "ok")))
			return true;
	return false;
}

static int print_report(const struct guest *g, const char *path)
{
	static const char no_tests[] = "{\"carve_request\":1}";
	_cleanup_free_ char *request = NULL, *answer = NULL;
	_cleanup_json_ json_t *report = NULL;
	size_t length;
	int ret;

	if (path) {
		ret = read_request(path, &request, &length);
		if (ret < 0) {
			fprintf(stderr, "carve-guest: %s: %s\n", path, strerror(-ret));
			return EXIT_FAILURE;
		}
	}
	answer = request ? guest_answer(g, request, length)
			 : guest_answer(g, no_tests, strlen(no_tests));
	report = answer ? json_loads(answer, 0, NULL) : NULL;
	if (!report || json_dumpf(report, stdout, JSON_INDENT(2)) < 0 || putchar('\n') == EOF) {
		fprintf(stderr, "carve-guest: cannot print the report\n");
		return EXIT_FAILURE;
	}
	return has_failed_test(report) ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void say_ready(void)
{
	printf("carve-guest: ready\n");
	fflush(stdout);
}

static void say_nothing(void)
{
}

/* Gives the host a moment to take the report in before the machine is gone. */
static void after_answer(const struct guest *g)
{
	bool shall_end = guest_cmdline_has(g, "carve.poweroff=report");

	if (getpid() != 1 || (!shall_end && !guest_cmdline_has(g, "carve.reboot=report")))
		return;
	guest_sleep_ms(DRAIN_MS);
	if (shall_end)
		guest_power_off();
	else
		guest_reboot();
}

/* For ever: pid 1 must not end, and a port may be unplugged and come back. */
static _Noreturn void serve(struct guest *g)
{
	void (*ready)(void) = say_ready;

	for (;;) {
		(void)guest_serve(g, ready, after_answer);
		ready = say_nothing;
		guest_sleep_ms(RETRY_MS);
	}
}

static int run(struct guest *g, const struct options *options)
{
	if (options->is_print)
		return print_report(g, options->request);
	signal(SIGPIPE, SIG_IGN);
	if (getpid() == 1)
		guest_init_system(g);
	serve(g);
}

static int selftest(void)
{
	if (guest_sha256_selftest() < 0) {
		fprintf(stderr, "carve-guest: SHA-256 gives wrong digests\n");
		return EXIT_FAILURE;
	}
	printf("SHA-256: ok\n");
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	_cleanup_json_ json_t *modules = json_object();
	struct options options = { .root = "/" };
	_cleanup_close_ int root = -1;

	/* The kernel hands pid 1 the words of its command line it does not know. */
	if (getpid() != 1 && parse_options(argc, argv, &options) < 0) {
		fputs(help_text, stderr);
		return 2;
	}
	if (options.is_help)
		return fputs(help_text, stdout) == EOF;
	if (options.is_selftest)
		return selftest();
	root = open(options.root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0) {
		fprintf(stderr, "carve-guest: %s: %s\n", options.root, strerror(errno));
		return EXIT_FAILURE;
	}
	return run(&(struct guest){ .root_fd = root, .modules = modules }, &options);
}
