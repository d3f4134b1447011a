/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * carve-guest: says as JSON what a guest sees of its machine, and tests the devices it was given.
 *
 * The program is static and depends on nothing else of Carve: it is pid 1 of a small initramfs, and
 * runs as a plain command in a distribution guest. Formats: docs/formats/guest-report.md.
 */
#ifndef CARVE_GUEST_H
#define CARVE_GUEST_H

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define GUEST_FORMAT 1
#define GUEST_LINE_MAX (1024 * 1024)
#define GUEST_PATH_MAX 512
#define GUEST_TEXT_MAX 4096

#define _cleanup_(fn) __attribute__((cleanup(fn)))
#define _printf_(string, first) __attribute__((format(printf, string, first)))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static inline void guest_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void guest_freep(void *p)
{
	free(*(void **)p);
}

static inline void guest_json_decrefp(json_t **json)
{
	json_decref(*json);
}

#define _cleanup_close_ _cleanup_(guest_closep)
#define _cleanup_free_ _cleanup_(guest_freep)
#define _cleanup_json_ _cleanup_(guest_json_decrefp)

/**
 * struct guest - what one run of the checker works on
 * @root_fd: directory that holds sys, proc and dev; every path is relative to it
 * @modules: module name to "ok" or an errno text; empty when the modules are not ours to load
 */
struct guest {
	int root_fd;
	json_t *modules;
};

/**
 * struct guest_result - what one device test found
 * @json: object that receives the figures of the test
 * @detail: one plain sentence for the person who reads the report
 */
struct guest_result {
	json_t *json;
	char detail[256];
};

/**
 * struct guest_names - sorted entries of a directory, dot files left out
 * @names: the entries, owned
 * @count: how many
 */
struct guest_names {
	char **names;
	size_t count;
};

/* sysfs.c */

/**
 * guest_open() - open a file under the root
 * @g: the guest
 * @flags: open(2) flags; O_CLOEXEC is added
 * @format: path relative to the root, printf style
 *
 * Return: the file descriptor, or -errno.
 */
int guest_open(const struct guest *g, int flags, const char *format, ...) _printf_(3, 4);

/**
 * guest_read_text() - read a small text file, without its trailing white space
 * @g: the guest
 * @buf: receives the text, always terminated on success
 * @size: of @buf in bytes
 * @format: path relative to the root, printf style
 *
 * Return: the length of the text, or -errno; -EFBIG if it does not fit.
 */
int guest_read_text(const struct guest *g, char *buf, size_t size, const char *format, ...)
	_printf_(4, 5);

/**
 * guest_read_int() - read a decimal number, possibly negative
 * @g: the guest
 * @ret_value: receives the number
 * @format: path relative to the root, printf style
 *
 * Return: 0, -EINVAL if the file holds no number, or another -errno.
 */
int guest_read_int(const struct guest *g, long long *ret_value, const char *format, ...)
	_printf_(3, 4);

/**
 * guest_read_link() - name of the last component a symbolic link points to
 * @g: the guest
 * @buf: receives the name
 * @size: of @buf in bytes
 * @format: path of the link relative to the root, printf style
 *
 * Return: 0 or -errno.
 */
int guest_read_link(const struct guest *g, char *buf, size_t size, const char *format, ...)
	_printf_(4, 5);

/**
 * guest_list() - entries of a directory in version order (node2 before node10)
 * @g: the guest
 * @ret_names: receives the entries; free with guest_names_done()
 * @prefix: only entries that start with it; "" for all
 * @format: path of the directory relative to the root, printf style
 *
 * Return: 0 or -errno.
 */
int guest_list(const struct guest *g, struct guest_names *ret_names, const char *prefix,
	       const char *format, ...) _printf_(4, 5);

/**
 * guest_names_done() - free what guest_list() gave
 * @names: the entries; may be zeroed
 */
void guest_names_done(struct guest_names *names);

#define _cleanup_names_ _cleanup_(guest_names_done)

/**
 * guest_parse_uint() - strict unsigned number: the whole text, nothing else
 * @text: digits, with a leading 0x for base 16 allowed
 * @base: 10 or 16
 * @ret_value: receives the number
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int guest_parse_uint(const char *text, unsigned int base, uint64_t *ret_value);

/**
 * guest_is_bdf() - is this a full PCI address, dddd:bb:dd.f in lower case
 * @text: the candidate, may be NULL
 */
bool guest_is_bdf(const char *text);

/**
 * guest_now_us() - monotonic clock in microseconds
 */
uint64_t guest_now_us(void);

/**
 * guest_sleep_ms() - sleep
 * @ms: milliseconds
 */
void guest_sleep_ms(unsigned int ms);

/* report.c */

/**
 * guest_fail() - say why a test failed
 * @result: receives the sentence
 * @err: -errno; its text is appended, unless it is -EBADMSG (the sentence says it all)
 * @format: the sentence, printf style
 *
 * Return: @err.
 */
int guest_fail(struct guest_result *result, int err, const char *format, ...) _printf_(3, 4);

/**
 * guest_say() - one plain sentence for a test that passed
 * @result: receives the sentence
 * @format: the sentence, printf style
 *
 * Return: 0.
 */
int guest_say(struct guest_result *result, const char *format, ...) _printf_(2, 3);

/**
 * guest_arg_uint() - optional number of a test request
 * @test: the request object
 * @key: member name
 * @fallback: value when it is absent
 * @max: largest accepted value
 * @ret_value: receives the value
 *
 * Return: 0, -EINVAL if it is no number or out of range.
 */
int guest_arg_uint(const json_t *test, const char *key, uint64_t fallback, uint64_t max,
		   uint64_t *ret_value);

/**
 * guest_report() - collect everything and run the tests of a request
 * @g: the guest
 * @request: parsed request, borrowed; NULL for no tests
 *
 * Return: new reference to the report, or NULL if memory ran out.
 */
json_t *guest_report(const struct guest *g, const json_t *request);

/**
 * guest_answer() - answer one request line
 * @g: the guest
 * @line: the JSON text, or NULL for a line that was too long to keep
 * @length: of @line in bytes
 *
 * Return: the report as text without newline, to be freed, or NULL if memory ran out.
 */
char *guest_answer(const struct guest *g, const char *line, size_t length);

/* topology.c, memory.c, pci.c */

/**
 * guest_cpus() - every CPU that is online, with package, die, core, L3 and NUMA node
 * @g: the guest
 *
 * Return: new reference to a JSON array, or NULL if memory ran out.
 */
json_t *guest_cpus(const struct guest *g);

/**
 * guest_nodes() - every NUMA node with CPUs, memory, distances and huge page pools
 * @g: the guest
 *
 * Return: new reference to a JSON array, or NULL if memory ran out.
 */
json_t *guest_nodes(const struct guest *g);

/**
 * guest_ram() - ranges of physical addresses that are memory; needs root to see addresses
 * @g: the guest
 *
 * Return: new reference to a JSON array, or NULL if memory ran out.
 */
json_t *guest_ram(const struct guest *g);

/**
 * guest_pci_devices() - every PCI device with its place in the tree, driver, link and BARs
 * @g: the guest
 *
 * Return: new reference to a JSON array, or NULL if memory ran out.
 */
json_t *guest_pci_devices(const struct guest *g);

/* The device tests: return 0 when passed, else -errno with the reason in @result. */
int guest_test_nvme(const struct guest *g, const json_t *test, struct guest_result *result);
int guest_test_nvme_write(const struct guest *g, const json_t *test, struct guest_result *result);
int guest_test_ping(const struct guest *g, const json_t *test, struct guest_result *result);
int guest_test_silence(const struct guest *g, const json_t *test, struct guest_result *result);
int guest_test_tcp_echo(const struct guest *g, const json_t *test, struct guest_result *result);
int guest_test_vsock_echo(const struct guest *g, const json_t *test, struct guest_result *result);
int guest_test_net(const struct guest *g, const json_t *test, struct guest_result *result);
int guest_test_edu(const struct guest *g, const json_t *test, struct guest_result *result);
int guest_test_link(const struct guest *g, const json_t *test, struct guest_result *result);
int guest_test_mac(const struct guest *g, const json_t *test, struct guest_result *result);
int guest_test_share_read(const struct guest *g, const json_t *test, struct guest_result *result);
int guest_test_share_write(const struct guest *g, const json_t *test, struct guest_result *result);
int guest_test_program(const struct guest *g, const json_t *test, struct guest_result *result);

/* share.c */

#define GUEST_SHARE_MOUNT "/run/share"

/**
 * guest_share_mount() - mount a virtiofs share at GUEST_SHARE_MOUNT; waits 5 s for its device
 * @tag: of the share
 *
 * Return: 0 or -errno.
 */
int guest_share_mount(const char *tag);

/** guest_share_umount() - the mirror; a share that is in use stays */
void guest_share_umount(void);

/* nvme.c */

/**
 * guest_nvme_open() - open the first namespace of an NVMe controller, or a virtio disk, past the page cache
 * @g: the guest
 * @bdf: PCI address of the controller or of the virtio function
 * @flags: O_RDONLY or O_RDWR
 * @name: receives the name of the block device
 * @size: of @name in bytes
 *
 * Return: the file descriptor; -ENODEV if no namespace appears within 15 s; or another -errno.
 */
int guest_nvme_open(const struct guest *g, const char *bdf, int flags, char *name, size_t size);

/* link.c */

/**
 * guest_net_find() - network interface of a PCI device
 * @g: the guest
 * @bdf: PCI address
 * @name: receives the interface name
 * @size: of @name in bytes
 *
 * Return: 0, -ENODEV if it has none.
 */
int guest_net_find(const struct guest *g, const char *bdf, char *name, size_t size);

/**
 * guest_net_up() - set an interface administratively up
 * @name: interface
 * @ret_was_up: receives whether it was up before; may be NULL
 *
 * Return: 0 or -errno.
 */
int guest_net_up(const char *name, bool *ret_was_up);

/**
 * guest_net_address() - give an interface its only IPv4 address
 * @name: interface
 * @text: "192.0.2.1/24"
 *
 * Return: 0, -EINVAL or another -errno.
 */
int guest_net_address(const char *name, const char *text);

/**
 * guest_net_down() - set an interface administratively down
 * @name: interface
 *
 * Return: 0 or -errno.
 */
int guest_net_down(const char *name);

/**
 * guest_parse_mac() - strict MAC address: six pairs of hexadecimal digits, colons between them
 * @text: the candidate, may be NULL
 * @mac: receives the six bytes
 *
 * Return: 0 or -EINVAL.
 */
int guest_parse_mac(const char *text, uint8_t mac[6]);

/**
 * guest_net_mac() - MAC address of an interface
 * @g: the guest
 * @name: interface
 * @mac: receives the six bytes
 *
 * Return: 0, -EINVAL if it has none of six bytes, or another -errno.
 */
int guest_net_mac(const struct guest *g, const char *name, uint8_t mac[6]);

/**
 * guest_net_carrier() - does the interface see a link
 * @g: the guest
 * @name: interface
 *
 * Return: 1 or 0, -EINVAL while the interface is down, or another -errno.
 */
int guest_net_carrier(const struct guest *g, const char *name);

/**
 * guest_net_wait() - wait for the interface of a device, set it up, wait for its carrier
 * @g: the guest
 * @bdf: PCI address
 * @deadline_us: on the clock of guest_now_us()
 * @name: receives the interface name
 * @size: of @name in bytes
 * @ret_was_up: receives whether the interface was up before
 * @result: receives the reason on failure
 *
 * Return: 0, -ENODEV without interface, -ENOLINK without carrier, or another -errno.
 */
int guest_net_wait(const struct guest *g, const char *bdf, uint64_t deadline_us, char *name,
		   size_t size, bool *ret_was_up, struct guest_result *result);

/* init.c */

/**
 * guest_init_system() - what pid 1 does first: mounts, modules, interfaces, the power button
 * @g: the guest; @g->modules is filled
 *
 * Guarantees: returns; whatever is missing is reported, not fatal.
 */
void guest_init_system(struct guest *g);

/**
 * guest_power_off() - sync and power the machine off; does not return on success
 */
void guest_power_off(void);
/** guest_reboot() - like guest_power_off(), and begin again */
void guest_reboot(void);

/**
 * guest_cmdline_has() - is a word on the kernel command line
 * @g: the guest
 * @word: the whole word
 */
bool guest_cmdline_has(const struct guest *g, const char *word);

/* channel.c */

/**
 * guest_serve() - answer requests on the channel org.carve.guest for ever
 * @g: the guest
 * @ready: called once, when the channel is open
 * @answered: called after each report that was delivered
 *
 * Return: -errno only if polling itself fails.
 */
int guest_serve(const struct guest *g, void (*ready)(void),
		void (*answered)(const struct guest *g));

/* sha256.c */

#define GUEST_SHA256_SIZE 32
#define GUEST_SHA256_HEX (2 * GUEST_SHA256_SIZE + 1)

/**
 * struct guest_sha256 - running SHA-256 (FIPS 180-4, section 6.2)
 * @state: the eight working words
 * @length: bytes taken so far
 * @block: bytes of the block that is not complete yet
 */
struct guest_sha256 {
	uint32_t state[8];
	uint64_t length;
	uint8_t block[64];
};

/**
 * guest_sha256_init() - start
 * @sha: the state
 */
void guest_sha256_init(struct guest_sha256 *sha);

/**
 * guest_sha256_update() - take bytes
 * @sha: the state
 * @data: borrowed
 * @length: of @data in bytes
 */
void guest_sha256_update(struct guest_sha256 *sha, const void *data, size_t length);

/**
 * guest_sha256_hex() - finish
 * @sha: the state, to be initialised again before further use
 * @hex: receives lower-case hexadecimal digits and a terminator
 */
void guest_sha256_hex(struct guest_sha256 *sha, char hex[GUEST_SHA256_HEX]);

/**
 * guest_sha256_selftest() - the examples of FIPS 180-4
 *
 * Return: 0, -EBADMSG if a digest is wrong.
 */
int guest_sha256_selftest(void);

#endif
