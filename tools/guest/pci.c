// SPDX-License-Identifier: GPL-2.0-or-later
/* The PCI devices and their place in the tree. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/guest/guest.h"

#define PCI_DIR "sys/bus/pci/devices"
#define BAR_COUNT 6

/* Attribute with its 0x taken off, "" if there is none. */
static void read_hex(const struct guest *g, const char *bdf, const char *attribute, char *buf,
		     size_t size)
{
	char text[32];

	if (guest_read_text(g, text, sizeof(text), PCI_DIR "/%s/%s", bdf, attribute) < 0)
		text[0] = '\0';
	snprintf(buf, size, "%s", strncmp(text, "0x", 2) == 0 ? text + 2 : text);
}

/* The bridges above a device: the PCI addresses in the target of its symbolic link, last one left out. */
static json_t *bridge_path(const struct guest *g, const char *bdf)
{
	char path[GUEST_PATH_MAX], target[GUEST_PATH_MAX];
	json_t *bridges = json_array();
	char *rest, *word;
	ssize_t n;

	snprintf(path, sizeof(path), PCI_DIR "/%s", bdf);
	n = readlinkat(g->root_fd, path, target, sizeof(target) - 1);
	if (n < 0)
		return bridges;
	target[n] = '\0';
	for (word = strtok_r(target, "/", &rest); word; word = strtok_r(NULL, "/", &rest))
		if (guest_is_bdf(word) && strcmp(word, bdf) != 0)
			json_array_append_new(bridges, json_string(word));
	return bridges;
}

static json_t *driver_name(const struct guest *g, const char *bdf)
{
	char name[64];

	if (guest_read_link(g, name, sizeof(name), PCI_DIR "/%s/driver", bdf) < 0)
		return json_null();
	return json_string(name);
}

/* null for a conventional PCI device, and where the link reports no width (most VFs). */
static json_t *link_object(const struct guest *g, const char *bdf)
{
	long long width;
	char speed[64];

	if (guest_read_int(g, &width, PCI_DIR "/%s/current_link_width", bdf) < 0 || width == 0)
		return json_null();
	if (guest_read_text(g, speed, sizeof(speed), PCI_DIR "/%s/current_link_speed", bdf) < 0)
		return json_null();
	return json_pack("{ss sI}", "speed", speed, "width", (json_int_t)width);
}

/* One line of the resource file: "0xstart 0xend 0xflags"; NULL if the BAR is not there. */
static json_t *bar_object(int index, const char *line)
{
	char start_text[32], end_text[32];
	uint64_t start, end;

	if (sscanf(line, "%31s %31s", start_text, end_text) != 2 ||
	    guest_parse_uint(start_text, 16, &start) < 0 ||
	    guest_parse_uint(end_text, 16, &end) < 0 || end <= start)
		return NULL;
	return json_pack("{si sI sI}", "index", index, "start", (json_int_t)start, "size",
			 (json_int_t)(end - start + 1));
}

static json_t *bar_array(const struct guest *g, const char *bdf)
{
	json_t *bars = json_array();
	char text[GUEST_TEXT_MAX];
	char *rest, *line;
	int index = 0;

	if (guest_read_text(g, text, sizeof(text), PCI_DIR "/%s/resource", bdf) < 0)
		return bars;
	for (line = strtok_r(text, "\n", &rest); line && index < BAR_COUNT;
	     line = strtok_r(NULL, "\n", &rest), index++) {
		json_t *bar = bar_object(index, line);

		if (bar)
			json_array_append_new(bars, bar);
	}
	return bars;
}

static json_t *net_object(const struct guest *g, const char *bdf)
{
	char name[64], mac[64];
	int carrier;

	if (guest_net_find(g, bdf, name, sizeof(name)) < 0)
		return json_null();
	if (guest_read_text(g, mac, sizeof(mac), "sys/class/net/%s/address", name) < 0)
		mac[0] = '\0';
	carrier = guest_net_carrier(g, name);
	return json_pack("{ss ss so}", "name", name, "mac", mac, "carrier",
			 carrier < 0 ? json_null() : json_boolean(carrier));
}

static json_t *device_object(const struct guest *g, const char *bdf)
{
	char vendor[32], device[32], class[32];
	long long node;

	read_hex(g, bdf, "vendor", vendor, sizeof(vendor));
	read_hex(g, bdf, "device", device, sizeof(device));
	read_hex(g, bdf, "class", class, sizeof(class));
	if (guest_read_int(g, &node, PCI_DIR "/%s/numa_node", bdf) < 0)
		node = -1;
	return json_pack("{ss ss ss ss sI so so so so so}", "bdf", bdf, "vendor", vendor, "device",
			 device, "class", class, "node", (json_int_t)node, "path",
			 bridge_path(g, bdf), "driver", driver_name(g, bdf), "link",
			 link_object(g, bdf), "bars", bar_array(g, bdf), "net", net_object(g, bdf));
}

json_t *guest_pci_devices(const struct guest *g)
{
	_cleanup_names_ struct guest_names names = {};
	json_t *devices = json_array();

	(void)guest_list(g, &names, "", PCI_DIR);
	for (size_t i = 0; i < names.count; i++)
		if (guest_is_bdf(names.names[i]))
			json_array_append_new(devices, device_object(g, names.names[i]));
	return devices;
}
