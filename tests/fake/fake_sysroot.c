// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/fake/fake_sysroot.h"

#define N_NODES 2048
#define N_HOOKS 32
#define PATH_LEN 256
#define DATA_LEN 4096
#define LINKS_MAX 40

/**
 * struct node - one entry
 * @mode: S_IFDIR, S_IFREG or S_IFLNK and the permissions; 0: the slot is free
 * @fd:   memfd that holds the contents once the file was opened, or -1
 */
struct node {
	char path[PATH_LEN];
	mode_t mode;
	uid_t uid;
	gid_t gid;
	int fd;
	size_t len;
	char data[DATA_LEN];
};

/* Counts up to the operation that fails. */
struct trap {
	unsigned int n;
	unsigned int fail_at;
	int err;
};

struct fake {
	pid_t pid;	      /* of the test */
	pthread_mutex_t lock; /* of the operations: children of the test may work at the same time */
	struct node nodes[N_NODES];
	size_t n_nodes; /* slots ever used */
	struct trap writes;
	struct trap changes;
	char block[PATH_LEN];
	char block_read[PATH_LEN];
	struct fake_hook hooks[N_HOOKS];
	size_t n_hooks;
};

/* A child may have been killed with the lock. */
static struct fake *lock(struct fake *f)
{
	if (pthread_mutex_lock(&f->lock) == EOWNERDEAD)
		pthread_mutex_consistent(&f->lock);
	return f;
}

static void unlock(struct fake **held)
{
	if (*held)
		pthread_mutex_unlock(&(*held)->lock);
	*held = NULL;
}

#define _cleanup_unlock_ __attribute__((cleanup(unlock), unused))

static int make_lock(struct fake *f)
{
	pthread_mutexattr_t a;
	int r = pthread_mutexattr_init(&a);

	if (r)
		return -r;
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE);
	r = pthread_mutex_init(&f->lock, &a);
	pthread_mutexattr_destroy(&a);
	return -r;
}

static int spring(struct trap *t)
{
	t->n++;
	return t->fail_at && t->n == t->fail_at ? t->err : 0;
}

static struct node *find(struct fake *f, const char *path)
{
	for (size_t i = 0; i < f->n_nodes; i++)
		if (f->nodes[i].mode && !strcmp(f->nodes[i].path, path))
			return &f->nodes[i];
	return NULL;
}

static void drop(struct node *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->mode = 0;
}

static struct node *add(struct fake *f, const char *path, mode_t mode)
{
	struct node *n = find(f, path);

	if (n)
		drop(n);
	for (size_t i = 0; !n && i < f->n_nodes; i++)
		if (!f->nodes[i].mode)
			n = &f->nodes[i];
	if (!n && f->n_nodes < N_NODES)
		n = &f->nodes[f->n_nodes++];
	if (!n || strlen(path) >= PATH_LEN)
		abort();
	snprintf(n->path, sizeof(n->path), "%s", path);
	n->mode = mode;
	n->uid = 0;
	n->gid = 0;
	n->fd = -1;
	n->len = 0;
	return n;
}

static void set_data(struct node *n, const char *data, size_t len)
{
	if (len >= DATA_LEN)
		abort();
	memcpy(n->data, data, len);
	n->len = len;
	n->data[len] = '\0';
}

static bool is_kernel_path(const char *path)
{
	return !strncmp(path, "/sys/", 5) || !strncmp(path, "/proc/", 6);
}

static void set_text(struct node *n, const char *text)
{
	size_t len = strlen(text);

	set_data(n, text, len);
	if (is_kernel_path(n->path) && (!len || text[len - 1] != '\n')) {
		n->data[n->len++] = '\n';
		n->data[n->len] = '\0';
	}
}

static void add_parents(struct fake *f, const char *path)
{
	char part[PATH_LEN];

	for (const char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
		if (!find(f, part))
			add(f, part, S_IFDIR | 0755);
	}
}

void fake_dir(struct fake *f, const char *path)
{
	add_parents(f, path);
	if (!find(f, path))
		add(f, path, S_IFDIR | 0755);
}

void fake_file(struct fake *f, const char *path, const char *text)
{
	add_parents(f, path);
	set_text(add(f, path, S_IFREG | 0644), text);
}

void fake_filef(struct fake *f, const char *path, const char *fmt, ...)
{
	char text[DATA_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fake_file(f, path, text);
}

void fake_link(struct fake *f, const char *path, const char *target)
{
	add_parents(f, path);
	set_data(add(f, path, S_IFLNK | 0777), target, strlen(target));
}

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !strncmp(path, dir, len) && (path[len] == '/' || !path[len]);
}

void fake_remove(struct fake *f, const char *path)
{
	for (size_t i = 0; i < f->n_nodes; i++)
		if (f->nodes[i].mode && is_below(f->nodes[i].path, path))
			drop(&f->nodes[i]);
}

/* The contents of a file that has a descriptor are there, not in the node. */
static void load(struct node *n)
{
	ssize_t len;

	if (n->fd < 0)
		return;
	len = pread(n->fd, n->data, DATA_LEN - 1, 0);
	n->len = len < 0 ? 0 : (size_t)len;
	n->data[n->len] = '\0';
}

/* Appends one component to @real; ".." goes up. */
static int step_into(char real[PATH_LEN], const char *name, size_t len)
{
	char *slash = strrchr(real, '/');
	size_t used;

	if (!len || (len == 1 && name[0] == '.'))
		return 0;
	if (len == 2 && name[0] == '.' && name[1] == '.') {
		if (slash)
			*slash = '\0';
		return 0;
	}
	used = strlen(real);
	if (used + len + 2 > PATH_LEN)
		return -ENAMETOOLONG;
	snprintf(real + used, PATH_LEN - used, "/%.*s", (int)len, name);
	return 0;
}

/*
 * Turns @path into the one without links, in @real ("" is the root). The last component need not
 * exist; @nofollow keeps it when it is a link.
 */
static int resolve(struct fake *f, const char *path, bool nofollow, char real[PATH_LEN])
{
	char rest[2 * PATH_LEN], next[2 * PATH_LEN];
	int links = 0;

	if (*path != '/')
		return *path ? -EINVAL : -ENOENT;
	real[0] = '\0';
	snprintf(rest, sizeof(rest), "%s", path + 1);
	while (*rest) {
		size_t len = strcspn(rest, "/");
		bool is_last = !rest[len + strspn(rest + len, "/")];
		int rc = step_into(real, rest, len);
		const struct node *n = *real ? find(f, real) : NULL;

		if (rc)
			return rc;
		if (*real && !n && !is_last)
			return -ENOENT;
		if (n && S_ISLNK(n->mode) && !(is_last && nofollow)) {
			if (++links > LINKS_MAX)
				return -ELOOP;
			if (n->data[0] == '/')
				real[0] = '\0';
			else
				*strrchr(real, '/') = '\0';
			snprintf(next, sizeof(next), "%.250s/%.250s", n->data, rest + len);
		} else {
			snprintf(next, sizeof(next), "%s", rest + len);
		}
		snprintf(rest, sizeof(rest), "%s", next + strspn(next, "/"));
	}
	return 0;
}

static int lookup(struct fake *f, const char *path, bool nofollow, struct node **ret)
{
	char real[PATH_LEN] = "";
	int rc = resolve(f, path, nofollow, real);
	struct node *n = rc ? NULL : find(f, *real ? real : "/");

	if (!n)
		return rc ? rc : -ENOENT;
	*ret = n;
	return 0;
}

const char *fake_text(struct fake *f, const char *path)
{
	struct node *n = NULL;

	if (lookup(f, path, false, &n) || !S_ISREG(n->mode))
		return NULL;
	load(n);
	if (n->len && n->data[n->len - 1] == '\n') {
		static char text[DATA_LEN];

		snprintf(text, sizeof(text), "%.*s", (int)n->len - 1, n->data);
		return text;
	}
	return n->data;
}

static void dump_node(struct cv_strv *lines, struct node *n)
{
	load(n);
	cv_strv_addf(lines, "%s %o %u:%u %s", n->path, n->mode, n->uid, n->gid,
		     S_ISDIR(n->mode) ? "" : n->data);
}

char *fake_dump(struct fake *f, const char *skip)
{
	_cleanup_strv_ struct cv_strv lines = { 0 };

	for (size_t i = 0; i < f->n_nodes; i++)
		if (f->nodes[i].mode && !(skip && is_below(f->nodes[i].path, skip)))
			dump_node(&lines, &f->nodes[i]);
	cv_strv_sort(&lines);
	return cv_strv_join(&lines, "\n");
}

void fake_fail_write(struct fake *f, unsigned int n, int err)
{
	f->writes.fail_at = n ? f->writes.n + n : 0;
	f->writes.err = err;
}

void fake_fail_change(struct fake *f, unsigned int n, int err)
{
	f->changes.fail_at = n ? f->changes.n + n : 0;
	f->changes.err = err;
}

unsigned int fake_writes(const struct fake *f)
{
	return f->writes.n;
}

unsigned int fake_changes(const struct fake *f)
{
	return f->changes.n;
}

void fake_block(struct fake *f, const char *path)
{
	snprintf(f->block, sizeof(f->block), "%s", path ? path : "");
}

void fake_block_read(struct fake *f, const char *pattern)
{
	snprintf(f->block_read, sizeof(f->block_read), "%s", pattern ? pattern : "");
}

void fake_hook(struct fake *f, const struct fake_hook *hook)
{
	if (f->n_hooks == N_HOOKS)
		abort();
	f->hooks[f->n_hooks++] = *hook;
}

static int op_read(void *ctx, const char *path, char **ret, size_t *ret_len)
{
	_cleanup_unlock_ struct fake *held = lock(ctx);
	struct fake *f = ctx;
	struct node *n = NULL;
	char *data;
	int rc = lookup(ctx, path, false, &n);

	if (rc)
		return rc;
	if (!S_ISREG(n->mode))
		return -EISDIR;
	if (*f->block_read && !fnmatch(f->block_read, n->path, 0))
		fake_hang(f);
	load(n);
	data = malloc(n->len + 1);
	if (!data)
		return -ENOMEM;
	memcpy(data, n->data, n->len);
	data[n->len] = '\0';
	*ret = data;
	*ret_len = n->len;
	return 0;
}

static int run_hooks(struct fake *f, const char *path, const char *text)
{
	for (size_t i = 0; i < f->n_hooks; i++)
		if (f->hooks[i].write && !fnmatch(f->hooks[i].pattern, path, 0))
			return f->hooks[i].write(f, path, text, f->hooks[i].ctx);
	return 0;
}

static int store(struct node *n, const char *text)
{
	if (n->fd < 0) {
		set_text(n, text);
		return 0;
	}
	if (ftruncate(n->fd, 0) < 0 || pwrite(n->fd, text, strlen(text), 0) < 0)
		return -errno;
	return 0;
}

void fake_hang(struct fake *f)
{
	pthread_mutex_unlock(&f->lock);
	for (;;)
		pause();
}

static int op_write(void *ctx, const char *path, const void *data, size_t len)
{
	_cleanup_unlock_ struct fake *held = lock(ctx);
	char text[DATA_LEN] = "";
	char real[PATH_LEN] = "";
	struct fake *f = ctx;
	struct node *n = NULL;
	int change = spring(&f->changes);
	int rc = spring(&f->writes);

	if (change || rc)
		return change ? change : rc;
	rc = lookup(f, path, false, &n);
	if (rc || !S_ISREG(n->mode))
		return rc ? rc : -EISDIR;
	/* As in the kernel: a write(2) of nothing does nothing to an attribute. */
	if (!len || len >= sizeof(text))
		return len ? -E2BIG : 0;
	memcpy(text, data, len);
	text[strcspn(text, "\n")] = '\0';
	snprintf(real, sizeof(real), "%s", n->path);
	if (f->block[0] && (!strcmp(f->block, path) || !strcmp(f->block, real)))
		fake_hang(f);
	rc = run_hooks(f, real, text);
	if (rc)
		return rc < 0 ? rc : 0;
	return store(n, is_kernel_path(real) ? text : (const char *)data);
}

static int op_readlink(void *ctx, const char *path, char **ret)
{
	_cleanup_unlock_ struct fake *held = lock(ctx);
	struct node *n = NULL;
	char *target;
	int rc = lookup(ctx, path, true, &n);

	if (rc)
		return rc;
	if (!S_ISLNK(n->mode))
		return -EINVAL;
	target = strdup(n->data);
	if (!target)
		return -ENOMEM;
	*ret = target;
	return 0;
}

/* The name of @n when it lies directly in @dir ("" for the root), else NULL. */
static const char *name_in(const struct node *n, const char *dir)
{
	size_t len = strlen(dir);

	if (!n->mode || strncmp(n->path, dir, len) || n->path[len] != '/' || !n->path[len + 1])
		return NULL;
	return strchr(n->path + len + 1, '/') ? NULL : n->path + len + 1;
}

static int op_list(void *ctx, const char *path, struct cv_strv *ret)
{
	_cleanup_unlock_ struct fake *held = lock(ctx);
	_cleanup_strv_ struct cv_strv names = { 0 };
	struct fake *f = ctx;
	struct node *dir = NULL;
	int rc = lookup(f, path, false, &dir);

	if (rc || !S_ISDIR(dir->mode))
		return rc ? rc : -ENOTDIR;
	for (size_t i = 0; !rc && i < f->n_nodes; i++) {
		const char *name = name_in(&f->nodes[i], dir->path[1] ? dir->path : "");

		rc = name ? cv_strv_add(&names, name) : 0;
	}
	if (rc)
		return rc;
	cv_strv_sort(&names);
	*ret = names;
	names = (struct cv_strv){ 0 };
	return 0;
}

static int op_stat(void *ctx, const char *path, bool nofollow, struct stat *ret)
{
	_cleanup_unlock_ struct fake *held = lock(ctx);
	struct node *n = NULL;
	int rc = lookup(ctx, path, nofollow, &n);

	if (rc)
		return rc;
	load(n);
	*ret = (struct stat){
		.st_mode = n->mode, .st_uid = n->uid, .st_gid = n->gid, .st_size = (off_t)n->len
	};
	return 0;
}

static int give_fd(struct node *n)
{
	if (n->fd >= 0)
		return 0;
	n->fd = memfd_create("fake", MFD_CLOEXEC);
	if (n->fd < 0)
		return -errno;
	return pwrite(n->fd, n->data, n->len, 0) == (ssize_t)n->len ? 0 : -EIO;
}

/* For a child that only reads: a descriptor of its own would be in the tree, but not in its parent. */
static int give_copy(const struct node *n)
{
	int fd = memfd_create("fake-copy", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	return pwrite(fd, n->data, n->len, 0) == (ssize_t)n->len ? fd : -EIO;
}

/* A new open file of the same contents, with flags of its own. */
static int reopen(const struct fake *f, struct node *n, int flags)
{
	char path[48];
	int fd, rc;

	if (getpid() != f->pid && n->fd < 0 && (flags & O_ACCMODE) == O_RDONLY)
		return give_copy(n);
	rc = give_fd(n);
	if (rc)
		return rc;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", n->fd);
	fd = open(path, (flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW)) | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static bool has_parent(struct fake *f, const char *real)
{
	char parent[PATH_LEN];
	const struct node *n;

	snprintf(parent, sizeof(parent), "%s", real);
	*strrchr(parent, '/') = '\0';
	n = find(f, *parent ? parent : "/");
	return n && S_ISDIR(n->mode);
}

static int create(struct fake *f, const char *path, mode_t mode, struct node **ret)
{
	char real[PATH_LEN] = "";
	int rc = spring(&f->changes);

	if (!rc)
		rc = resolve(f, path, true, real);
	if (!rc && find(f, *real ? real : "/"))
		rc = -EEXIST;
	if (!rc && !has_parent(f, real))
		rc = -ENOENT;
	if (rc)
		return rc;
	*ret = add(f, real, mode);
	set_data(*ret, "", 0);
	return 0;
}

static int op_open(void *ctx, const char *path, int flags, mode_t mode)
{
	_cleanup_unlock_ struct fake *held = lock(ctx);
	struct fake *f = ctx;
	struct node *n = NULL;
	int rc = lookup(f, path, flags & O_NOFOLLOW, &n);

	if (!rc && flags & O_CREAT && flags & O_EXCL)
		return -EEXIST;
	if (rc == -ENOENT && flags & O_CREAT)
		rc = create(f, path, S_IFREG | (mode & 07777), &n);
	if (rc)
		return rc;
	if (S_ISLNK(n->mode))
		return -ELOOP;
	/* Of a directory the callers want something that fsync() accepts. */
	if (S_ISDIR(n->mode))
		return flags & O_ACCMODE ? -EISDIR : memfd_create("fake-dir", MFD_CLOEXEC);
	return flags & O_DIRECTORY ? -ENOTDIR : reopen(f, n, flags);
}

/* The hook that fills directories of this path, or NULL. */
static const struct fake_hook *find_filler(const struct fake *f, const char *path)
{
	for (size_t i = 0; i < f->n_hooks; i++)
		if (f->hooks[i].made && !fnmatch(f->hooks[i].pattern, path, 0))
			return &f->hooks[i];
	return NULL;
}

static int op_mkdir(void *ctx, const char *path, mode_t mode)
{
	_cleanup_unlock_ struct fake *held = lock(ctx);
	const struct fake_hook *filler = find_filler(ctx, path);
	struct node *n = NULL;
	int rc = create(ctx, path, S_IFDIR | mode, &n);

	if (!rc && filler)
		rc = filler->made(ctx, path, filler->ctx);
	if (rc < 0 && n)
		fake_remove(ctx, path);
	return rc;
}

static int op_rmdir(void *ctx, const char *path)
{
	_cleanup_unlock_ struct fake *held = lock(ctx);
	struct fake *f = ctx;
	struct node *n = NULL;
	int rc = spring(&f->changes);

	if (!rc)
		rc = lookup(f, path, true, &n);
	if (rc || !S_ISDIR(n->mode))
		return rc ? rc : -ENOTDIR;
	if (find_filler(f, path)) {
		fake_remove(f, path);
		return 0;
	}
	for (size_t i = 0; i < f->n_nodes; i++)
		if (name_in(&f->nodes[i], n->path))
			return -ENOTEMPTY;
	drop(n);
	return 0;
}

static int op_unlink(void *ctx, const char *path)
{
	_cleanup_unlock_ struct fake *held = lock(ctx);
	struct fake *f = ctx;
	struct node *n = NULL;
	int rc = spring(&f->changes);

	if (!rc)
		rc = lookup(f, path, true, &n);
	if (rc || S_ISDIR(n->mode))
		return rc ? rc : -EISDIR;
	drop(n);
	return 0;
}

/* Files only, which is what the callers rename. */
static int op_rename(void *ctx, const char *from, const char *to)
{
	_cleanup_unlock_ struct fake *held = lock(ctx);
	char real[PATH_LEN] = "";
	struct fake *f = ctx;
	struct node *n = NULL, *old;
	int rc = spring(&f->changes);

	if (!rc)
		rc = lookup(f, from, true, &n);
	if (!rc)
		rc = resolve(f, to, true, real);
	if (rc || S_ISDIR(n->mode))
		return rc ? rc : -EISDIR;
	old = find(f, real);
	if (!has_parent(f, real) || (old && S_ISDIR(old->mode)))
		return old ? -EISDIR : -ENOENT;
	if (old && old != n)
		drop(old);
	snprintf(n->path, sizeof(n->path), "%s", real);
	return 0;
}

static int op_chown(void *ctx, const char *path, uid_t uid, gid_t gid, mode_t mode)
{
	_cleanup_unlock_ struct fake *held = lock(ctx);
	struct fake *f = ctx;
	struct node *n = NULL;
	int rc = spring(&f->changes);

	if (!rc)
		rc = lookup(f, path, true, &n);
	if (rc)
		return rc;
	if (uid != (uid_t)-1)
		n->uid = uid;
	if (gid != (gid_t)-1)
		n->gid = gid;
	if (mode != (mode_t)-1)
		n->mode = (n->mode & S_IFMT) | (mode & 07777);
	return 0;
}

static void op_close(void *ctx)
{
	struct fake *f = ctx;

	for (size_t i = 0; i < f->n_nodes; i++)
		if (f->nodes[i].mode)
			drop(&f->nodes[i]);
	munmap(f, sizeof(*f));
}

static const struct cv_sysroot_ops fake_ops = {
	.read = op_read,
	.write = op_write,
	.readlink = op_readlink,
	.list = op_list,
	.stat = op_stat,
	.open = op_open,
	.mkdir = op_mkdir,
	.rmdir = op_rmdir,
	.unlink = op_unlink,
	.rename = op_rename,
	.chown = op_chown,
	.close = op_close,
};

int fake_new(struct fake **ret, struct cv_sysroot **ret_root)
{
	struct fake *f = mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			      -1, 0);
	int rc;

	if (f == MAP_FAILED)
		return -ENOMEM;
	f->pid = getpid();
	add(f, "/", S_IFDIR | 0755);
	rc = make_lock(f);
	if (!rc)
		rc = cv_sysroot_new(&fake_ops, f, ret_root);
	if (rc) {
		munmap(f, sizeof(*f));
		return rc;
	}
	*ret = f;
	return 0;
}

char *fake_dump_host(struct fake *f)
{
	char *all = fake_dump(f, "/run"), *to = all;

	for (const char *line = all; line && *line;) {
		size_t len = strcspn(line, "\n") + 1;

		if (strncmp(line, "/.fake", 6) != 0) {
			memmove(to, line, len);
			to += len;
		}
		line += len;
	}
	*to = '\0';
	return all;
}
