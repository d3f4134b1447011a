// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading sys and proc, and the strict parsers for what stands there. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tools/guest/guest.h"

static int format_path(char *path, const char *format, va_list args)
{
	int length = vsnprintf(path, GUEST_PATH_MAX, format, args);

	return length < 0 || length >= GUEST_PATH_MAX ? -ENAMETOOLONG : 0;
}

static int open_path(const struct guest *g, int flags, const char *path)
{
	int fd = openat(g->root_fd, path, flags | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int guest_open(const struct guest *g, int flags, const char *format, ...)
{
	char path[GUEST_PATH_MAX];
	va_list args;
	int ret;

	va_start(args, format);
	ret = format_path(path, format, args);
	va_end(args);
	return ret < 0 ? ret : open_path(g, flags, path);
}

/* Reads up to size - 1 bytes; sysfs gives an attribute in one piece, proc may not. */
static int read_whole(int fd, char *buf, size_t size)
{
	size_t used = 0;
	ssize_t n;

	while (used < size) {
		n = read(fd, buf + used, size - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used += n;
	}
	if (used == size)
		return -EFBIG;
	while (used > 0 && isspace((unsigned char)buf[used - 1]))
		used--;
	buf[used] = '\0';
	return used;
}

static int read_text_path(const struct guest *g, char *buf, size_t size, const char *path)
{
	_cleanup_close_ int fd = open_path(g, O_RDONLY, path);

	return fd < 0 ? fd : read_whole(fd, buf, size);
}

int guest_read_text(const struct guest *g, char *buf, size_t size, const char *format, ...)
{
	char path[GUEST_PATH_MAX];
	va_list args;
	int ret;

	va_start(args, format);
	ret = format_path(path, format, args);
	va_end(args);
	return ret < 0 ? ret : read_text_path(g, buf, size, path);
}

int guest_read_int(const struct guest *g, long long *ret_value, const char *format, ...)
{
	char path[GUEST_PATH_MAX], text[64];
	bool is_negative;
	uint64_t value;
	va_list args;
	int ret;

	va_start(args, format);
	ret = format_path(path, format, args);
	va_end(args);
	if (ret < 0)
		return ret;
	ret = read_text_path(g, text, sizeof(text), path);
	if (ret < 0)
		return ret;
	is_negative = text[0] == '-';
	ret = guest_parse_uint(text + is_negative, 10, &value);
	if (ret < 0)
		return ret;
	if (value > LLONG_MAX)
		return -ERANGE;
	*ret_value = is_negative ? -(long long)value : (long long)value;
	return 0;
}

int guest_read_link(const struct guest *g, char *buf, size_t size, const char *format, ...)
{
	char path[GUEST_PATH_MAX], target[GUEST_PATH_MAX];
	const char *name;
	va_list args;
	ssize_t n;
	int ret;

	va_start(args, format);
	ret = format_path(path, format, args);
	va_end(args);
	if (ret < 0)
		return ret;
	n = readlinkat(g->root_fd, path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	name = strrchr(target, '/');
	name = name ? name + 1 : target;
	if (strlen(name) >= size)
		return -ENAMETOOLONG;
	memcpy(buf, name, strlen(name) + 1);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(struct guest_names *names, const char *name)
{
	char **grown = reallocarray(names->names, names->count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	names->names = grown;
	grown[names->count] = strdup(name);
	if (!grown[names->count])
		return -ENOMEM;
	names->count++;
	return 0;
}

static int read_names(DIR *dir, const char *prefix, struct guest_names *names)
{
	const struct dirent *entry;
	int ret;

	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		ret = add_name(names, entry->d_name);
		if (ret < 0)
			return ret;
	}
	if (names->count)
		qsort(names->names, names->count, sizeof(*names->names), compare_names);
	return 0;
}

int guest_list(const struct guest *g, struct guest_names *ret_names, const char *prefix,
	       const char *format, ...)
{
	_cleanup_names_ struct guest_names names = {};
	char path[GUEST_PATH_MAX];
	va_list args;
	int fd, ret;
	DIR *dir;

	va_start(args, format);
	ret = format_path(path, format, args);
	va_end(args);
	if (ret < 0)
		return ret;
	fd = open_path(g, O_RDONLY | O_DIRECTORY, path);
	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	ret = read_names(dir, prefix, &names);
	closedir(dir);
	if (ret < 0)
		return ret;
	*ret_names = names;
	names = (struct guest_names){};
	return 0;
}

void guest_names_done(struct guest_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->names[i]);
	free(names->names);
	*names = (struct guest_names){};
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return INT_MAX;
}

int guest_parse_uint(const char *text, unsigned int base, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (base == 16 && text[0] == '0' && text[1] == 'x')
		text += 2;
	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		unsigned int digit = digit_value(*text);

		if (digit >= base)
			return -EINVAL;
		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return -ERANGE;
	}
	*ret_value = value;
	return 0;
}

bool guest_is_bdf(const char *text)
{
	static const char shape[] = "xxxx:xx:xx.7";

	if (!text || strlen(text) != strlen(shape))
		return false;
	for (size_t i = 0; shape[i]; i++) {
		if (shape[i] == 'x' &&
		    !(isdigit((unsigned char)text[i]) || (text[i] >= 'a' && text[i] <= 'f')))
			return false;
		if (shape[i] == '7' && !(text[i] >= '0' && text[i] <= '7'))
			return false;
		if ((shape[i] == ':' || shape[i] == '.') && text[i] != shape[i])
			return false;
	}
	return true;
}

uint64_t guest_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void guest_sleep_ms(unsigned int ms)
{
	struct timespec wait = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&wait, NULL);
}
