// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * silence: a peer is not reachable. ARP requests (RFC 826) go out through a link that is up, and no
 * frame of the peer comes in. Alone it could also pass because the peer is off: a ping before and after
 * shows that it is there.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/if_ether.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "tools/guest/guest.h"

#define LINK_WAIT_US (30 * 1000000ULL)
#define ASK_EVERY_US 250000ULL
#define SETTLE_MS 2000 /* until a driver has counted what it sent */
#define POLL_MS 20

struct silence_args {
	const char *bdf;
	struct in_addr address, peer;
	uint8_t peer_mac[ETH_ALEN];
	uint64_t timeout_ms;
	bool has_mac;
};

struct silence_figures {
	uint64_t sent, heard, of_peer;
};

struct arp_frame {
	struct ether_header ethernet;
	struct ether_arp arp;
	uint8_t padding[ETH_ZLEN - sizeof(struct ether_header) - sizeof(struct ether_arp)];
};

static int read_args(const json_t *test, struct silence_args *args, struct guest_result *result)
{
	const char *address = json_string_value(json_object_get(test, "address"));
	const char *peer = json_string_value(json_object_get(test, "peer"));
	const json_t *mac = json_object_get(test, "peer_mac");

	*args = (struct silence_args){
		.bdf = json_string_value(json_object_get(test, "bdf")),
		.has_mac = mac,
	};
	if (!address || inet_pton(AF_INET, address, &args->address) != 1)
		return guest_fail(result, -EINVAL, "address must be an IPv4 address");
	if (!peer || inet_pton(AF_INET, peer, &args->peer) != 1)
		return guest_fail(result, -EINVAL, "peer must be an IPv4 address");
	if (mac && guest_parse_mac(json_string_value(mac), args->peer_mac) < 0)
		return guest_fail(result, -EINVAL, "peer_mac must be a MAC address");
	if (guest_arg_uint(test, "timeout_ms", 4000, 600000, &args->timeout_ms) < 0 ||
	    args->timeout_ms < 500)
		return guest_fail(result, -EINVAL, "timeout_ms must be 500 to 600000");
	return 0;
}

static int open_packets(const char *name)
{
	_cleanup_close_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(name),
	};
	int taken;

	if (fd < 0)
		return -errno;
	if (!at.sll_ifindex)
		return -ENODEV;
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return -errno;
	taken = fd;
	fd = -1;
	return taken;
}

static void make_request(const struct silence_args *args, const uint8_t mac[ETH_ALEN],
			 struct arp_frame *frame)
{
	struct ether_arp *arp = &frame->arp;

	*frame = (struct arp_frame){ .ethernet.ether_type = htons(ETHERTYPE_ARP) };
	memset(frame->ethernet.ether_dhost, 0xff, ETH_ALEN);
	memcpy(frame->ethernet.ether_shost, mac, ETH_ALEN);
	arp->arp_hrd = htons(ARPHRD_ETHER);
	arp->arp_pro = htons(ETHERTYPE_IP);
	arp->arp_hln = ETH_ALEN;
	arp->arp_pln = sizeof(args->address);
	arp->arp_op = htons(ARPOP_REQUEST);
	memcpy(arp->arp_sha, mac, ETH_ALEN);
	memcpy(arp->arp_spa, &args->address, sizeof(args->address));
	memcpy(arp->arp_tpa, &args->peer, sizeof(args->peer));
}

/* The sender of an ARP message and the source of an IPv4 packet (RFC 791, section 3.1). */
static bool is_of_peer(const struct silence_args *args, const uint8_t *frame, size_t length)
{
	struct ether_header header;
	size_t at;

	if (length < sizeof(header))
		return false;
	memcpy(&header, frame, sizeof(header));
	if (args->has_mac && memcmp(header.ether_shost, args->peer_mac, ETH_ALEN) == 0)
		return true;
	if (ntohs(header.ether_type) == ETHERTYPE_ARP)
		at = offsetof(struct ether_arp, arp_spa);
	else if (ntohs(header.ether_type) == ETHERTYPE_IP)
		at = 12;
	else
		return false;
	at += sizeof(header);
	return length >= at + sizeof(args->peer) &&
	       memcmp(frame + at, &args->peer, sizeof(args->peer)) == 0;
}

static void take_frames(int fd, const struct silence_args *args, struct silence_figures *figures)
{
	struct sockaddr_ll from;
	uint8_t frame[2048];
	ssize_t n;

	for (;;) {
		socklen_t size = sizeof(from);

		n = recvfrom(fd, frame, sizeof(frame), MSG_DONTWAIT, (struct sockaddr *)&from,
			     &size);
		if (n < 0)
			return;
		if (from.sll_pkttype == PACKET_OUTGOING)
			continue;
		figures->heard++;
		figures->of_peer += is_of_peer(args, frame, n);
	}
}

static int listen_for(int fd, const struct silence_args *args, const struct arp_frame *request,
		      struct silence_figures *figures)
{
	uint64_t now = guest_now_us(), end = now + args->timeout_ms * 1000, next = now;

	for (; now < end; now = guest_now_us()) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

		if (now >= next) {
			if (send(fd, request, sizeof(*request), 0) < 0)
				return -errno;
			figures->sent++;
			next += ASK_EVERY_US;
		}
		if (poll(&poll_fd, 1, POLL_MS) < 0 && errno != EINTR)
			return -errno;
		take_frames(fd, args, figures);
	}
	return 0;
}

static long long sent_by(const struct guest *g, const char *name)
{
	long long packets;
	int ret = guest_read_int(g, &packets, "sys/class/net/%s/statistics/tx_packets", name);

	return ret < 0 ? ret : packets;
}

/* Only a request that has left proves anything. */
static bool has_sent(const struct guest *g, const char *name, long long before, uint64_t count)
{
	uint64_t end = guest_now_us() + SETTLE_MS * 1000ULL;

	while (before < 0 || sent_by(g, name) < before + (long long)count) {
		if (before < 0 || guest_now_us() >= end)
			return false;
		guest_sleep_ms(POLL_MS);
	}
	return true;
}

static int judge(const struct guest *g, const char *name, long long before,
		 const struct silence_figures *figures, struct guest_result *result)
{
	json_object_set_new(result->json, "sent", json_integer(figures->sent));
	json_object_set_new(result->json, "heard", json_integer(figures->heard));
	json_object_set_new(result->json, "of_peer", json_integer(figures->of_peer));
	if (figures->of_peer)
		return guest_fail(result, -EBADMSG, "%s: %" PRIu64 " frames of the peer came in",
				  name, figures->of_peer);
	if (!has_sent(g, name, before, figures->sent))
		return guest_fail(result, -EBADMSG, "%s: the requests did not leave", name);
	if (guest_net_carrier(g, name) != 1)
		return guest_fail(result, -ENOLINK, "%s has lost its carrier", name);
	return guest_say(result, "%s: %" PRIu64 " requests left, no frame of the peer came in",
			 name, figures->sent);
}

static int silence_on(const struct guest *g, const char *name, const struct silence_args *args,
		      struct guest_result *result)
{
	long long before = sent_by(g, name);
	struct silence_figures figures = {};
	_cleanup_close_ int fd = -1;
	struct arp_frame request;
	uint8_t mac[ETH_ALEN];
	int ret;

	ret = guest_net_mac(g, name, mac);
	if (ret < 0)
		return guest_fail(result, ret, "%s does not tell its MAC", name);
	fd = open_packets(name);
	if (fd < 0)
		return guest_fail(result, fd, "cannot open a packet socket on %s", name);
	make_request(args, mac, &request);
	ret = listen_for(fd, args, &request, &figures);
	if (ret < 0)
		return guest_fail(result, ret, "cannot send on %s", name);
	return judge(g, name, before, &figures, result);
}

int guest_test_silence(const struct guest *g, const json_t *test, struct guest_result *result)
{
	struct silence_args args;
	char name[IFNAMSIZ];
	bool was_up;
	int ret;

	ret = read_args(test, &args, result);
	if (ret < 0)
		return ret;
	ret = guest_net_wait(g, args.bdf, guest_now_us() + LINK_WAIT_US, name, sizeof(name),
			     &was_up, result);
	if (ret < 0)
		return ret;
	json_object_set_new(result->json, "net", json_string(name));
	ret = silence_on(g, name, &args, result);
	if (!was_up)
		(void)guest_net_down(name);
	return ret;
}
