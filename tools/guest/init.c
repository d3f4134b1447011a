// SPDX-License-Identifier: GPL-2.0-or-later
/* What pid 1 of the initramfs does before it serves: mounts, modules, interfaces, the power button. */
#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "tools/guest/guest.h"

#define MODULE_LIST "modules.list"
#define MODULE_DIR "modules"
#define BUTTONS_MAX 16
#define RESCAN_MS 1000

struct mount_point {
	const char *type, *target;
	unsigned long flags;
};

static const struct mount_point mount_points[] = {
	{ "proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC },
	{ "tmpfs", "/run", MS_NOSUID | MS_NODEV },
};

static void mount_all(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(mount_points); i++) {
		const struct mount_point *point = &mount_points[i];

		(void)mkdir(point->target, 0755);
		(void)mount(point->type, point->target, point->type, point->flags, NULL);
	}
}

static int load_module(const struct guest *g, const char *name)
{
	_cleanup_close_ int fd = guest_open(g, O_RDONLY, MODULE_DIR "/%s.ko", name);

	if (fd < 0)
		return fd;
	if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

static void load_modules(struct guest *g)
{
	char list[GUEST_TEXT_MAX];
	char *rest, *name;

	if (guest_read_text(g, list, sizeof(list), MODULE_LIST) < 0)
		return;
	for (name = strtok_r(list, "\n", &rest); name; name = strtok_r(NULL, "\n", &rest)) {
		int ret = load_module(g, name);

		json_object_set_new(g->modules, name, json_string(ret < 0 ? strerror(-ret) : "ok"));
	}
}

/* An interface that is down does not tell its carrier. Takes up to a second: its own process. */
static void set_interfaces_up(const struct guest *g)
{
	_cleanup_names_ struct guest_names names = {};

	(void)guest_list(g, &names, "", "sys/class/net");
	for (size_t i = 0; i < names.count; i++)
		(void)guest_net_up(names.names[i], NULL);
}

static bool has_power_key(int fd)
{
	uint8_t keys[KEY_MAX / 8 + 1] = {};

	if (ioctl(fd, EVIOCGBIT(EV_KEY, sizeof(keys)), keys) < 0)
		return false;
	return keys[KEY_POWER / 8] >> (KEY_POWER % 8) & 1;
}

static size_t open_buttons(const struct guest *g, struct pollfd *buttons)
{
	_cleanup_names_ struct guest_names names = {};
	size_t count = 0;

	(void)guest_list(g, &names, "event", "dev/input");
	for (size_t i = 0; i < names.count && count < BUTTONS_MAX; i++) {
		int fd = guest_open(g, O_RDONLY | O_NONBLOCK, "dev/input/%s", names.names[i]);

		if (fd < 0)
			continue;
		if (has_power_key(fd))
			buttons[count++] = (struct pollfd){ .fd = fd, .events = POLLIN };
		else
			close(fd);
	}
	return count;
}

static bool is_pressed(int fd)
{
	struct input_event event;
	bool pressed = false;

	while (read(fd, &event, sizeof(event)) == sizeof(event))
		pressed |= event.type == EV_KEY && event.code == KEY_POWER && event.value == 1;
	return pressed;
}

void guest_power_off(void)
{
	sync();
	(void)reboot(RB_POWER_OFF);
}

void guest_reboot(void)
{
	sync();
	(void)reboot(RB_AUTOBOOT);
}

/* Its own process: a device test in progress must not delay the power button. */
static void watch_power_button(const struct guest *g)
{
	struct pollfd buttons[BUTTONS_MAX];
	size_t count = 0;

	for (;;) {
		if (!count)
			count = open_buttons(g, buttons);
		if (poll(buttons, count, count ? -1 : RESCAN_MS) <= 0)
			continue;
		for (size_t i = 0; i < count; i++)
			if (is_pressed(buttons[i].fd))
				guest_power_off();
			else if (buttons[i].revents & (POLLERR | POLLHUP))
				buttons[i].fd = -1;
	}
}

void guest_init_system(struct guest *g)
{
	mount_all();
	load_modules(g);
	signal(SIGCHLD, SIG_IGN);
	if (fork() == 0) {
		set_interfaces_up(g);
		_exit(EXIT_SUCCESS);
	}
	if (fork() == 0)
		watch_power_button(g);
}

bool guest_cmdline_has(const struct guest *g, const char *word)
{
	char text[GUEST_TEXT_MAX];
	char *rest, *at;

	if (guest_read_text(g, text, sizeof(text), "proc/cmdline") < 0)
		return false;
	for (at = strtok_r(text, " ", &rest); at; at = strtok_r(NULL, " ", &rest))
		if (strcmp(at, word) == 0)
			return true;
	return false;
}
