// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/buddyinfo.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define PAGE_BYTES 4096
#define ORDER_HUGE 9  /* 2 MiB */
#define ORDERS_MAX 24 /* 32 GiB: more than any kernel's largest block */

static bool has_pool(const struct inventory *inv, uint64_t page_size)
{
	for (size_t i = 0; i < inv->n_nodes; i++)
		if (inv_find_pool(&inv->nodes[i], page_size))
			return true;
	return false;
}

/* The sizes of huge pages tell: 512 MiB mean pages of 64 KiB, 32 MiB without 64 KiB of 16 KiB. */
static bool has_small_pages(const struct inventory *inv)
{
	if (has_pool(inv, UINT64_C(512) << 20))
		return false;
	return !has_pool(inv, UINT64_C(32) << 20) || has_pool(inv, UINT64_C(64) << 10);
}

/* Bytes in large blocks of the counts per order at @text. Return: false for no such line. */
static bool sum_blocks(char *text, uint64_t *ret)
{
	uint64_t sum = 0;
	char *save = NULL;
	unsigned int order = 0;

	for (char *w = strtok_r(text, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
		uint64_t count, bytes;

		if (order == ORDERS_MAX || cv_parse_u64(w, &count) < 0)
			return false;
		if (order >= ORDER_HUGE &&
		    (__builtin_mul_overflow(count, (uint64_t)PAGE_BYTES << order, &bytes) ||
		     __builtin_add_overflow(sum, bytes, &sum)))
			return false;
		order++;
	}
	*ret = sum;
	return order > 0;
}

/* "Node 0, zone   Normal   4381   2013 ...": one count of free blocks per order */
static void add_line(struct inventory *inv, char *line)
{
	struct inv_node *node;
	char zone[16];
	int id, at = 0, i;
	uint64_t bytes;

	if (sscanf(line, "Node %4d, zone %15s%n", &id, zone, &at) != 2 || at == 0)
		return;
	i = inv_find_node(inv, id);
	if (i < 0 || strcmp(zone, "DMA") == 0 || !sum_blocks(line + at, &bytes))
		return;
	node = &inv->nodes[i];
	if (node->free_blocks == INV_UNKNOWN)
		node->free_blocks = 0;
	if (__builtin_add_overflow(node->free_blocks, bytes, &node->free_blocks))
		node->free_blocks = INV_UNKNOWN;
}

void nu_free_blocks_read(struct cv_sysroot *root, struct inventory *inv)
{
	_cleanup_free_ char *text = NULL;
	char *save = NULL;

	if (!has_small_pages(inv) || cv_read_str(root, "/proc/buddyinfo", &text) < 0)
		return;
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		add_line(inv, l);
}
