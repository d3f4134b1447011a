// SPDX-License-Identifier: GPL-2.0-or-later
/* ping: give the interface of a device an address and exchange ICMP echoes with a peer (RFC 792). */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "tools/guest/guest.h"

#define ECHO_WAIT_US 1000000ULL
#define PAYLOAD 56

struct ping_args {
	const char *bdf;
	struct in_addr address, netmask, peer;
	uint64_t count, timeout_ms;
	bool is_kept;
};

struct ping_figures {
	uint64_t sent, replies, best_us;
};

struct echo {
	struct icmphdr header;
	uint8_t payload[PAYLOAD];
};

static int parse_address(const char *text, struct in_addr *address, struct in_addr *netmask)
{
	char host[INET_ADDRSTRLEN];
	const char *slash = text ? strchr(text, '/') : NULL;
	uint64_t prefix;

	if (!slash || (size_t)(slash - text) >= sizeof(host))
		return -EINVAL;
	snprintf(host, sizeof(host), "%.*s", (int)(slash - text), text);
	if (inet_pton(AF_INET, host, address) != 1 ||
	    guest_parse_uint(slash + 1, 10, &prefix) < 0 || prefix < 1 || prefix > 32)
		return -EINVAL;
	netmask->s_addr = htonl(UINT32_MAX << (32 - prefix));
	return 0;
}

static int read_args(const json_t *test, struct ping_args *args, struct guest_result *result)
{
	const char *address = json_string_value(json_object_get(test, "address"));
	const char *peer = json_string_value(json_object_get(test, "peer"));

	*args = (struct ping_args){ .bdf = json_string_value(json_object_get(test, "bdf")) };
	if (parse_address(address, &args->address, &args->netmask) < 0)
		return guest_fail(result, -EINVAL,
				  "address must be an IPv4 address with prefix length");
	if (!peer || inet_pton(AF_INET, peer, &args->peer) != 1)
		return guest_fail(result, -EINVAL, "peer must be an IPv4 address");
	if (guest_arg_uint(test, "count", 3, 1000, &args->count) < 0 || !args->count)
		return guest_fail(result, -EINVAL, "count must be 1 to 1000");
	if (guest_arg_uint(test, "timeout_ms", 15000, 600000, &args->timeout_ms) < 0)
		return guest_fail(result, -EINVAL, "timeout_ms must be 0 to 600000");
	args->is_kept = json_is_true(json_object_get(test, "keep"));
	return 0;
}

static int set_one(int fd, const char *name, unsigned long request, struct in_addr value)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = value };
	struct ifreq ifr = {};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	memcpy(&ifr.ifr_addr, &address, sizeof(address));
	return ioctl(fd, request, &ifr) < 0 ? -errno : 0;
}

static int set_address(const char *name, struct in_addr address, struct in_addr netmask)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret;

	if (fd < 0)
		return -errno;
	ret = set_one(fd, name, SIOCSIFADDR, address);
	return ret < 0 ? ret : set_one(fd, name, SIOCSIFNETMASK, netmask);
}

int guest_net_address(const char *name, const char *text)
{
	struct in_addr address, netmask;

	if (parse_address(text, &address, &netmask) < 0)
		return -EINVAL;
	return set_address(name, address, netmask);
}

/* Address 0.0.0.0 takes the address away. */
static void clear_address(const char *name)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		(void)set_one(fd, name, SIOCSIFADDR, (struct in_addr){});
}

/* RFC 1071. */
static uint16_t checksum(const struct echo *echo)
{
	const uint8_t *bytes = (const uint8_t *)echo;
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof(*echo); i += 2)
		sum += bytes[i] | bytes[i + 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static int send_echo(int fd, struct in_addr peer, uint16_t id, uint16_t sequence)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = peer };
	struct echo echo = { .header.type = ICMP_ECHO };

	echo.header.un.echo.id = htons(id);
	echo.header.un.echo.sequence = htons(sequence);
	for (size_t i = 0; i < sizeof(echo.payload); i++)
		echo.payload[i] = i;
	echo.header.checksum = checksum(&echo);
	if (sendto(fd, &echo, sizeof(echo), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	return 0;
}

/* A raw socket sees every ICMP message of the machine, IP header included. */
static bool is_reply(const uint8_t *packet, size_t length, struct in_addr peer, uint16_t id,
		     uint16_t sequence)
{
	const struct iphdr *ip = (const struct iphdr *)packet;
	struct icmphdr icmp;

	if (length < sizeof(*ip) || length < ip->ihl * 4u + sizeof(icmp))
		return false;
	memcpy(&icmp, packet + ip->ihl * 4u, sizeof(icmp));
	return ip->saddr == peer.s_addr && icmp.type == ICMP_ECHOREPLY &&
	       icmp.un.echo.id == htons(id) && icmp.un.echo.sequence == htons(sequence);
}

static int wait_reply(int fd, uint64_t deadline_us, struct in_addr peer, uint16_t id,
		      uint16_t sequence)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	uint8_t packet[2048] __attribute__((aligned(4)));
	uint64_t now;

	while ((now = guest_now_us()) < deadline_us) {
		ssize_t n;

		if (poll(&poll_fd, 1, (deadline_us - now) / 1000 + 1) < 0 && errno != EINTR)
			return -errno;
		n = recv(fd, packet, sizeof(packet), MSG_DONTWAIT);
		if (n > 0 && is_reply(packet, n, peer, id, sequence))
			return 0;
	}
	return -ETIMEDOUT;
}

static void exchange(int fd, const struct ping_args *args, uint64_t deadline_us,
		     struct ping_figures *figures)
{
	uint16_t id = guest_now_us();

	while (figures->replies < args->count && guest_now_us() < deadline_us) {
		uint64_t start = guest_now_us(), end = start + ECHO_WAIT_US, us;
		uint16_t sequence = ++figures->sent;

		if (end > deadline_us)
			end = deadline_us;
		if (send_echo(fd, args->peer, id, sequence) < 0) {
			guest_sleep_ms(100);
			continue;
		}
		if (wait_reply(fd, end, args->peer, id, sequence) < 0)
			continue;
		us = guest_now_us() - start;
		if (!figures->replies++ || us < figures->best_us)
			figures->best_us = us;
	}
}

static int open_icmp(const char *name)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	int taken;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, strlen(name) + 1) < 0)
		return -errno;
	taken = fd;
	fd = -1;
	return taken;
}

static int ping_from(const char *name, const struct ping_args *args, uint64_t deadline_us,
		     struct ping_figures *figures, struct guest_result *result)
{
	_cleanup_close_ int fd = open_icmp(name);

	if (fd < 0)
		return guest_fail(result, fd, "cannot open an ICMP socket on %s", name);
	exchange(fd, args, deadline_us, figures);
	json_object_set_new(result->json, "sent", json_integer(figures->sent));
	json_object_set_new(result->json, "replies", json_integer(figures->replies));
	if (figures->replies)
		json_object_set_new(result->json, "rtt_us", json_integer(figures->best_us));
	if (figures->replies < args->count)
		return guest_fail(result, -ETIMEDOUT,
				  "%s: %" PRIu64 " replies of %" PRIu64 " wanted came back", name,
				  figures->replies, args->count);
	return guest_say(result, "%s: %" PRIu64 " replies, the fastest after %" PRIu64 " us", name,
			 figures->replies, figures->best_us);
}

static int ping_on(const char *name, const struct ping_args *args, uint64_t deadline_us,
		   struct guest_result *result)
{
	struct ping_figures figures = {};
	int ret;

	ret = set_address(name, args->address, args->netmask);
	if (ret < 0)
		return guest_fail(result, ret, "cannot give %s its address", name);
	ret = ping_from(name, args, deadline_us, &figures, result);
	if (!args->is_kept)
		clear_address(name);
	return ret;
}

int guest_test_ping(const struct guest *g, const json_t *test, struct guest_result *result)
{
	uint64_t deadline_us, start_us = guest_now_us();
	struct ping_args args;
	char name[IFNAMSIZ];
	bool was_up;
	int ret;

	ret = read_args(test, &args, result);
	if (ret < 0)
		return ret;
	deadline_us = start_us + args.timeout_ms * 1000;
	ret = guest_net_wait(g, args.bdf, deadline_us, name, sizeof(name), &was_up, result);
	if (ret < 0)
		return ret;
	json_object_set_new(result->json, "net", json_string(name));
	ret = ping_on(name, &args, deadline_us, result);
	if (!was_up && !args.is_kept)
		(void)guest_net_down(name);
	return ret;
}
