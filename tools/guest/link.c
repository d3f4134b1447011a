// SPDX-License-Identifier: GPL-2.0-or-later
/* Network interfaces of PCI devices, and the tests link and mac. */
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "tools/guest/guest.h"

#define PCI_DIR "sys/bus/pci/devices"
#define LINK_WAIT_MS 5000
#define NET_WAIT_MS 15000
#define POLL_MS 20

static int first_name(const struct guest *g, const char *prefix, const char *dir, char *name,
		      size_t size)
{
	_cleanup_names_ struct guest_names names = {};
	int ret = guest_list(g, &names, prefix, "%s", dir);

	if (ret < 0)
		return ret;
	if (!names.count || strlen(names.names[0]) >= size)
		return -ENODEV;
	memcpy(name, names.names[0], strlen(names.names[0]) + 1);
	return 0;
}

int guest_net_find(const struct guest *g, const char *bdf, char *name, size_t size)
{
	char dir[GUEST_PATH_MAX], virtio[64];

	snprintf(dir, sizeof(dir), PCI_DIR "/%s/net", bdf);
	if (first_name(g, "", dir, name, size) == 0)
		return 0;
	snprintf(dir, sizeof(dir), PCI_DIR "/%s", bdf);
	if (first_name(g, "virtio", dir, virtio, sizeof(virtio)) < 0)
		return -ENODEV;
	snprintf(dir, sizeof(dir), PCI_DIR "/%s/%s/net", bdf, virtio);
	return first_name(g, "", dir, name, size) < 0 ? -ENODEV : 0;
}

static int change_flags(const char *name, short set, short clear, short *ret_before)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {};

	if (fd < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return -errno;
	*ret_before = request.ifr_flags;
	request.ifr_flags = (request.ifr_flags | set) & ~clear;
	if (request.ifr_flags == *ret_before)
		return 0;
	return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

int guest_net_up(const char *name, bool *ret_was_up)
{
	short before;
	int ret = change_flags(name, IFF_UP, 0, &before);

	if (ret < 0)
		return ret;
	if (ret_was_up)
		*ret_was_up = before & IFF_UP;
	return 0;
}

int guest_net_down(const char *name)
{
	short before;

	return change_flags(name, 0, IFF_UP, &before);
}

int guest_parse_mac(const char *text, uint8_t mac[6])
{
	static const char digits[] = "0123456789abcdef";

	if (!text || strlen(text) != 17)
		return -EINVAL;
	for (size_t i = 0; i < 6; i++) {
		const char *high = strchr(digits, tolower((unsigned char)text[3 * i]));
		const char *low = strchr(digits, tolower((unsigned char)text[3 * i + 1]));

		if (!high || !low || (i < 5 && text[3 * i + 2] != ':'))
			return -EINVAL;
		mac[i] = (high - digits) << 4 | (low - digits);
	}
	return 0;
}

int guest_net_mac(const struct guest *g, const char *name, uint8_t mac[6])
{
	char text[64];
	int ret = guest_read_text(g, text, sizeof(text), "sys/class/net/%s/address", name);

	return ret < 0 ? ret : guest_parse_mac(text, mac);
}

int guest_net_carrier(const struct guest *g, const char *name)
{
	long long carrier;
	int ret = guest_read_int(g, &carrier, "sys/class/net/%s/carrier", name);

	return ret < 0 ? ret : carrier == 1;
}

static int wait_for_net(const struct guest *g, const char *bdf, uint64_t deadline_us, char *name,
			size_t size)
{
	while (guest_net_find(g, bdf, name, size) < 0) {
		if (guest_now_us() >= deadline_us)
			return -ENODEV;
		guest_sleep_ms(POLL_MS);
	}
	return 0;
}

int guest_net_wait(const struct guest *g, const char *bdf, uint64_t deadline_us, char *name,
		   size_t size, bool *ret_was_up, struct guest_result *result)
{
	bool was_up;
	int ret;

	ret = wait_for_net(g, bdf, deadline_us, name, size);
	if (ret < 0)
		return guest_fail(result, ret, "%s has no network interface", bdf);
	ret = guest_net_up(name, &was_up);
	if (ret < 0)
		return guest_fail(result, ret, "cannot set %s up", name);
	while (guest_net_carrier(g, name) != 1) {
		if (guest_now_us() >= deadline_us) {
			if (!was_up)
				(void)guest_net_down(name);
			return guest_fail(result, -ENOLINK, "%s of %s has no carrier", name, bdf);
		}
		guest_sleep_ms(POLL_MS);
	}
	*ret_was_up = was_up;
	return 0;
}

static int test_pcie_link(const struct guest *g, const char *bdf, struct guest_result *result)
{
	long long width;
	char speed[64];
	int ret;

	ret = guest_read_int(g, &width, PCI_DIR "/%s/current_link_width", bdf);
	if (ret < 0)
		return guest_fail(result, ret, "%s has neither a network interface nor a PCIe link",
				  bdf);
	ret = guest_read_text(g, speed, sizeof(speed), PCI_DIR "/%s/current_link_speed", bdf);
	if (ret < 0)
		return guest_fail(result, ret, "%s does not tell its link speed", bdf);
	json_object_set_new(result->json, "speed", json_string(speed));
	json_object_set_new(result->json, "width", json_integer(width));
	if (width == 0)
		return guest_fail(result, -ENOLINK, "the PCIe link of %s has no width", bdf);
	return guest_say(result, "the PCIe link of %s runs at %s, width %lld", bdf, speed, width);
}

int guest_test_link(const struct guest *g, const json_t *test, struct guest_result *result)
{
	const char *bdf = json_string_value(json_object_get(test, "bdf"));
	uint64_t start_us = guest_now_us(), timeout_ms;
	char name[IFNAMSIZ];
	bool was_up;
	int ret;

	ret = guest_arg_uint(test, "timeout_ms", LINK_WAIT_MS, 600000, &timeout_ms);
	if (ret < 0)
		return guest_fail(result, ret, "timeout_ms must be 0 to 600000");
	if (guest_net_find(g, bdf, name, sizeof(name)) < 0)
		return test_pcie_link(g, bdf, result);
	ret = guest_net_wait(g, bdf, start_us + timeout_ms * 1000, name, sizeof(name), &was_up,
			     result);
	if (ret < 0)
		return ret;
	if (!was_up)
		(void)guest_net_down(name);
	json_object_set_new(result->json, "net", json_string(name));
	return guest_say(result, "%s of %s has carrier", name, bdf);
}

int guest_test_mac(const struct guest *g, const json_t *test, struct guest_result *result)
{
	const char *bdf = json_string_value(json_object_get(test, "bdf"));
	const char *wanted = json_string_value(json_object_get(test, "mac"));
	uint64_t deadline_us = guest_now_us() + NET_WAIT_MS * 1000ULL;
	uint8_t want[6], found[6];
	char name[IFNAMSIZ], text[18];
	int ret;

	if (guest_parse_mac(wanted, want) < 0)
		return guest_fail(result, -EINVAL, "mac must be a MAC address");
	ret = wait_for_net(g, bdf, deadline_us, name, sizeof(name));
	if (ret < 0)
		return guest_fail(result, ret, "%s has no network interface", bdf);
	ret = guest_net_mac(g, name, found);
	if (ret < 0)
		return guest_fail(result, ret, "%s does not tell its MAC", name);
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", found[0], found[1], found[2],
		 found[3], found[4], found[5]);
	json_object_set_new(result->json, "net", json_string(name));
	json_object_set_new(result->json, "mac", json_string(text));
	if (memcmp(found, want, sizeof(want)) != 0)
		return guest_fail(result, -EBADMSG, "%s has the MAC %s instead of %s", name, text,
				  wanted);
	return guest_say(result, "%s has the MAC %s", name, text);
}

static int count_queues(const struct guest *g, const char *name)
{
	_cleanup_names_ struct guest_names names = {};
	int ret = guest_list(g, &names, "rx-", "sys/class/net/%s/queues", name);

	return ret < 0 ? ret : (int)names.count;
}

int guest_test_net(const struct guest *g, const json_t *test, struct guest_result *result)
{
	const char *bdf = json_string_value(json_object_get(test, "bdf"));
	uint64_t deadline_us = guest_now_us() + NET_WAIT_MS * 1000ULL, mtu, queues;
	long long found_mtu = 0;
	char name[IFNAMSIZ];
	int ret, found_queues;

	if (guest_arg_uint(test, "mtu", 0, 65535, &mtu) < 0 ||
	    guest_arg_uint(test, "queues", 0, 256, &queues) < 0)
		return guest_fail(result, -EINVAL, "mtu or queues is no number");
	ret = wait_for_net(g, bdf, deadline_us, name, sizeof(name));
	if (ret < 0)
		return guest_fail(result, ret, "%s has no network interface", bdf);
	found_queues = count_queues(g, name);
	if (guest_read_int(g, &found_mtu, "sys/class/net/%s/mtu", name) < 0 || found_queues < 0)
		return guest_fail(result, -EIO, "%s does not tell its MTU and queues", name);
	json_object_set_new(result->json, "mtu", json_integer(found_mtu));
	json_object_set_new(result->json, "queues", json_integer(found_queues));
	if ((mtu && (uint64_t)found_mtu != mtu) || (queues && (uint64_t)found_queues != queues))
		return guest_fail(result, -EBADMSG,
				  "%s has MTU %lld and %d queues, wanted %" PRIu64 " and %" PRIu64,
				  name, found_mtu, found_queues, mtu, queues);
	return guest_say(result, "%s has MTU %lld and %d queues", name, found_mtu, found_queues);
}
