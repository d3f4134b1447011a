// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/health.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/parse.h"
#include "sriov/device.h"
#include "sriov/function.h"
#include "sriov/holders.h"

#define CLASS_NVME 0x010802
#define COMMAND_MEMORY 0x2 /* PCI Local Bus 3.0 section 6.2.2 */
#define PAGE 4096
#define ALL_ONES UINT32_MAX
#define SETTLE_MS 1000

/**
 * struct look - what the child works on
 * @fd: config or resource0, opened by the parent: that alone asks the device for nothing
 */
struct look {
	struct cv_sysroot *root;
	char bdf[CV_BDF_MAX];
	int fd;
	struct sr_health h;
};

static int64_t little_endian(const uint8_t *b)
{
	return (int64_t)((uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
			 (uint32_t)b[3] << 24);
}

/* Two reads of the device: one that is dying answers each of them late. */
static int read_config(const struct look *l, struct sr_health *h)
{
	uint8_t bytes[8];
	ssize_t n = pread(l->fd, bytes, sizeof(bytes), 0);

	if (n < 0)
		return -errno;
	if (n < (ssize_t)sizeof(bytes))
		return -EIO;
	h->header = little_endian(bytes);
	h->command = little_endian(bytes + 4);
	return 0;
}

static int known(unsigned int value)
{
	return value ? (int)value : -1;
}

static void read_link(struct cv_sysroot *root, const char *bdf, struct sr_health *h)
{
	struct inv_link link = { 0 };
	char port[CV_BDF_MAX + 16];

	snprintf(port, sizeof(port), "%s%s", bdf, h->is_vf ? "/physfn" : "");
	sr_device_link(root, port, &link);
	h->link_speed = known(link.speed);
	h->link_width = known(link.width);
	h->link_speed_max = known(link.max_speed);
	h->link_width_max = known(link.max_width);
}

/* The line "TOTAL_ERR_FATAL 3" among those of the single errors. */
static int64_t parse_total(const char *text)
{
	char line[128];
	uint64_t total;

	while (sr_take_line(&text, line, sizeof(line))) {
		const char *space = strrchr(line, ' ');

		if (space && strncmp(line, "TOTAL_ERR_", 10) == 0 &&
		    cv_parse_u64(space + 1, &total) == 0 && total <= INT64_MAX)
			return (int64_t)total;
	}
	return -1;
}

static int64_t read_total(struct cv_sysroot *root, const char *bdf, const char *name)
{
	_cleanup_free_ char *text = NULL;
	char path[CV_PATH_MAX];

	if (cv_read_str(root, sr_path(path, bdf, name), &text) < 0)
		return -1;
	return parse_total(text);
}

static int run_look(void *data)
{
	struct look *l = data;
	struct sr_health *h = &l->h;
	int r = l->fd < 0 ? 0 : read_config(l, h);

	if (r < 0)
		return r;
	read_link(l->root, l->bdf, h);
	h->aer_correctable = read_total(l->root, l->bdf, "aer_dev_correctable");
	h->aer_nonfatal = read_total(l->root, l->bdf, "aer_dev_nonfatal");
	h->aer_fatal = read_total(l->root, l->bdf, "aer_dev_fatal");
	return 0;
}

static int run_memory(void *data)
{
	struct look *l = data;
	const volatile uint32_t *bar = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, l->fd, 0);

	if (bar == MAP_FAILED)
		return -errno;
	l->h.memory = *bar;
	return 0;
}

/* Memory is not decoded below D0: the function sleeps when no driver wants it. */
static bool is_awake(struct cv_sysroot *root, const char *bdf)
{
	char path[CV_PATH_MAX], state[16];
	int r = cv_read_into(root, sr_path(path, bdf, "power_state"), state, sizeof(state));

	return r == -ENOENT || (r == 0 && strcmp(state, "D0") == 0);
}

static bool is_readable(const struct look *l)
{
	const struct sr_health *h = &l->h;

	return h->class == CLASS_NVME && !h->is_vf && h->command >= 0 && h->command != ALL_ONES &&
	       (h->command & COMMAND_MEMORY) &&
	       (!h->driver[0] || strcmp(h->driver, "vfio-pci") == 0) && is_awake(l->root, l->bdf);
}

/* What forbids the mapping (kernel lockdown, a driver that claims the BAR) only leaves it unread. */
static int read_memory(struct look *l, unsigned int deadline_ms)
{
	_cleanup_close_ int fd = -1;
	char path[CV_PATH_MAX];
	int r;

	if (!is_readable(l))
		return 0;
	fd = cv_open(l->root, sr_path(path, l->bdf, "resource0"), O_RDONLY | O_NONBLOCK, 0);
	l->fd = fd;
	if (fd < 0)
		return 0;
	r = sr_child_fill(run_memory, l, sizeof(*l), deadline_ms);
	if (r == -ETIMEDOUT)
		return r;
	if (r == -EIO) /* a bus error ended the child */
		l->h.memory = ALL_ONES;
	/* It may have fallen asleep between the look and the read. */
	if (l->h.memory == ALL_ONES && !is_awake(l->root, l->bdf))
		l->h.memory = -1;
	return 0;
}

static int look_closer(struct look *l, unsigned int deadline_ms)
{
	_cleanup_close_ int fd = -1;
	char path[CV_PATH_MAX];
	uint64_t class = 0;
	int r;

	l->h.is_vf = cv_exists(l->root, sr_path(path, l->bdf, "physfn"));
	if (cv_read_hex(l->root, sr_path(path, l->bdf, "class"), &class) == 0)
		l->h.class = class & 0xffffff;
	r = sr_driver(l->root, l->bdf, l->h.driver, sizeof(l->h.driver));
	if (r < 0)
		return r;
	fd = cv_open(l->root, sr_path(path, l->bdf, "config"), O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0 && fd != -ENOENT)
		return fd;
	l->fd = fd;
	r = sr_child_fill(run_look, l, sizeof(*l), deadline_ms);
	return r < 0 ? r : read_memory(l, deadline_ms);
}

int sr_health_read(struct cv_sysroot *root, const char *bdf, unsigned int deadline_ms,
		   struct sr_health *ret)
{
	struct look l = {
		.root = root,
		.fd = -1,
		.h = { .header = -1,
		       .command = -1,
		       .link_speed = -1,
		       .link_width = -1,
		       .link_speed_max = -1,
		       .link_width_max = -1,
		       .memory = -1,
		       .aer_correctable = -1,
		       .aer_nonfatal = -1,
		       .aer_fatal = -1 },
	};
	int r = cv_copy_text(l.bdf, sizeof(l.bdf), bdf);

	if (r < 0)
		return r;
	l.h.is_present = sr_exists(root, bdf);
	if (l.h.is_present)
		r = look_closer(&l, deadline_ms);
	/* What went away during the look is as good as gone before. */
	if (r < 0 && r != -ETIMEDOUT && !sr_exists(root, bdf)) {
		l.h.is_present = false;
		r = 0;
	}
	if (r == 0)
		*ret = l.h;
	return r;
}

int sr_health_await(struct cv_sysroot *root, const char *bdf, unsigned int deadline_ms,
		    const struct sr_health *before, const char *driver, struct sr_verdict *ret)
{
	unsigned int settle_ms = deadline_ms < SETTLE_MS ? deadline_ms : SETTLE_MS;
	int64_t start = cv_now_ms();

	for (;;) {
		struct sr_health now;
		int r = sr_health_read(root, bdf, deadline_ms, &now);
		int64_t spent = cv_now_ms() - start;

		if (r < 0)
			return r;
		sr_health_judge(before, &now, driver, ret);
		if (ret->is_healthy ||
		    spent >= (ret->failed == SR_CHECK_DRIVER ? deadline_ms : settle_ms))
			return 0;
		sr_pause();
	}
}
