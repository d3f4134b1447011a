// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/health.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/child.h"
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
#define RETRY_PAUSES 20 /* of sr_pause(), before what this machine lacked is tried once more */

/**
 * struct look - what the child works on
 * @fd:     config, opened by the parent: that alone asks the device for nothing
 * @answer: what the device made of the read, 0 or -errno
 */
struct look {
	struct cv_sysroot *root;
	char bdf[CV_BDF_MAX];
	int fd;
	int answer;
	struct sr_health h;
};

/**
 * struct glance - shared with the child that reads the BAR
 * @is_touched: it got as far as the read: its end was a bus error
 */
struct glance {
	int fd;
	volatile bool is_touched;
	volatile uint32_t memory;
};

bool sr_health_is_answer(int r)
{
	return r == -ETIMEDOUT || r == -EIO || r == -ENOENT || r == -ENODEV || r == -ENXIO ||
	       r == -ENOTDIR;
}

const char *sr_health_cause(int r)
{
	return r == -ECHILD ? "the process that looks at it was killed" : strerror(-r);
}

/* Return: 1, 0 there is no such thing, -errno: that is not known. */
static int is_there(struct cv_sysroot *root, const char *path)
{
	struct stat st;
	int r = cv_stat(root, path, &st);

	if (r < 0)
		return sr_health_is_answer(r) ? 0 : r;
	return 1;
}

static int is_present(struct cv_sysroot *root, const char *bdf)
{
	char path[CV_PATH_MAX];

	return is_there(root, cv_pathf(path, SR_DEVICES "/%s", bdf));
}

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
		return errno == EINTR || errno == ENOMEM ? -errno : -EIO;
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

	l->answer = l->fd < 0 ? 0 : read_config(l, h);
	if (l->answer < 0)
		return 0;
	read_link(l->root, l->bdf, h);
	h->aer_correctable = read_total(l->root, l->bdf, "aer_dev_correctable");
	h->aer_nonfatal = read_total(l->root, l->bdf, "aer_dev_nonfatal");
	h->aer_fatal = read_total(l->root, l->bdf, "aer_dev_fatal");
	return 0;
}

static int run_memory(void *data)
{
	struct glance *g = data;
	const volatile uint32_t *bar = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, g->fd, 0);

	if (bar == MAP_FAILED)
		return -errno;
	g->is_touched = true;
	g->memory = *bar;
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

/* cv_child_run() calls a child that died of a signal an I/O error: no device said so. */
static int of_child(int r)
{
	return r == -EIO ? -ECHILD : r;
}

/*
 * What forbids the mapping (kernel lockdown, a driver that claims the BAR) only leaves it unread. Always in
 * a child: a bus error must not end who has the deadline (@deadline_ms 0, see sr_child_fill()).
 */
static int touch_memory(struct glance *g, unsigned int deadline_ms, int64_t *ret)
{
	int forbidden = 0;
	int r = cv_child_run(run_memory, g, deadline_ms ?: UINT_MAX, &forbidden);

	if (r == -EIO && g->is_touched)
		*ret = ALL_ONES;
	else if (r < 0)
		return of_child(r);
	else if (forbidden < 0)
		return forbidden == -ENOMEM ? forbidden : 0;
	else
		*ret = g->memory;
	return 0;
}

static int glance_at(int fd, unsigned int deadline_ms, int64_t *ret)
{
	struct glance *g = mmap(NULL, sizeof(*g), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int r;

	if (g == MAP_FAILED)
		return -errno;
	*g = (struct glance){ .fd = fd };
	r = touch_memory(g, deadline_ms, ret);
	munmap(g, sizeof(*g));
	return r;
}

static int read_memory(struct look *l, unsigned int deadline_ms)
{
	_cleanup_close_ int fd = -1;
	char path[CV_PATH_MAX];
	int r;

	if (!is_readable(l))
		return 0;
	fd = cv_open(l->root, sr_path(path, l->bdf, "resource0"), O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0)
		return fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM ? fd : 0;
	r = glance_at(fd, deadline_ms, &l->h.memory);
	/* It may have fallen asleep between the look and the read. */
	if (r == 0 && l->h.memory == ALL_ONES && !is_awake(l->root, l->bdf))
		l->h.memory = -1;
	return r;
}

/* What decides how the rest is judged: none of it may be taken for granted. */
static int look_outside(struct look *l)
{
	char path[CV_PATH_MAX];
	uint64_t class = 0;
	int is_vf = is_there(l->root, sr_path(path, l->bdf, "physfn"));
	int r;

	if (is_vf < 0)
		return is_vf;
	l->h.is_vf = is_vf;
	r = cv_read_hex(l->root, sr_path(path, l->bdf, "class"), &class);
	if (r < 0 && r != -EINVAL && !sr_health_is_answer(r))
		return r;
	l->h.class = class & 0xffffff;
	return sr_driver(l->root, l->bdf, l->h.driver, sizeof(l->h.driver));
}

static int look_closer(struct look *l, unsigned int deadline_ms)
{
	_cleanup_close_ int fd = -1;
	char path[CV_PATH_MAX];
	int r = look_outside(l);

	if (r < 0)
		return r;
	fd = cv_open(l->root, sr_path(path, l->bdf, "config"), O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0 && fd != -ENOENT)
		return fd;
	l->fd = fd;
	r = of_child(sr_child_fill(run_look, l, sizeof(*l), deadline_ms));
	r = r ?: l->answer;
	return r ?: read_memory(l, deadline_ms);
}

static int look(struct cv_sysroot *root, const char *bdf, unsigned int deadline_ms,
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
	int there = r < 0 ? r : is_present(root, bdf);

	if (there < 0)
		return there;
	l.h.is_present = there;
	if (there)
		r = look_closer(&l, deadline_ms);
	/* What went away during the look is as good as gone before. */
	if (r < 0 && r != -ETIMEDOUT && is_present(root, bdf) == 0) {
		l.h.is_present = false;
		r = 0;
	}
	if (r == 0)
		*ret = l.h;
	return r;
}

int sr_health_read(struct cv_sysroot *root, const char *bdf, unsigned int deadline_ms,
		   struct sr_health *ret)
{
	int r = look(root, bdf, deadline_ms, ret);

	if (r == 0 || sr_health_is_answer(r))
		return r;
	for (int i = 0; i < RETRY_PAUSES; i++)
		sr_pause();
	return look(root, bdf, deadline_ms, ret);
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
