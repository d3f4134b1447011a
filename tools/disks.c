// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/disks.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "tools/vm.h"
#include "vmm/spawn.h"

#define OPEN_MS 10000
#define HELD_TRIES 3 /* somebody may only be looking: udev after a change */
#define HELD_PAUSE_MS 100
#define SECTOR 512

/** struct found - what the child saw; in memory that is shared with it */
struct found {
	struct stat st;
	uint64_t size;
	bool is_held, is_qcow2;
};

/** struct probe - one disk, opened as the user of the VM */
struct probe {
	const struct plan_disk *d;
	uid_t uid;
	gid_t gid;
	gid_t groups[VMM_GROUPS_MAX];
	size_t n_groups;
	struct found *found;
};

/** struct check - @seen: of the disks looked at before, by index */
struct check {
	struct cmd *c;
	const struct plan *p;
	struct probe probe;
	struct stat seen[PLAN_MAX_DISKS];
};

/* ---- in the child ---- */

/* The kernel gives a block device to one exclusive user: a mount, md, LVM, a VMM. */
static bool is_held(const char *path)
{
	for (int i = 0; i < HELD_TRIES; i++) {
		_cleanup_close_ int fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK |
							    O_NOCTTY);

		if (fd >= 0 || errno != EBUSY)
			return false;
		poll(NULL, 0, HELD_PAUSE_MS);
	}
	return true;
}

static int look(const struct plan_disk *d, struct found *f)
{
	int access = d->is_readonly ? O_RDONLY : O_RDWR;
	_cleanup_close_ int fd = open(d->path, access | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char magic[4] = "";
	off_t end;

	if (fd < 0 || fstat(fd, &f->st) < 0)
		return -errno;
	if (!S_ISREG(f->st.st_mode) && !S_ISBLK(f->st.st_mode))
		return 0;
	end = lseek(fd, 0, SEEK_END);
	if (end < 0)
		return -errno;
	f->size = (uint64_t)end;
	f->is_qcow2 = pread(fd, magic, sizeof(magic), 0) == sizeof(magic) &&
		      memcmp(magic, "QFI\xfb", sizeof(magic)) == 0;
	f->is_held = S_ISBLK(f->st.st_mode) && is_held(d->path);
	return 0;
}

static int run_probe(void *arg)
{
	const struct probe *p = arg;

	if (setgroups(p->n_groups, p->groups) < 0 || setgid(p->gid) < 0 || setuid(p->uid) < 0)
		return -errno;
	return look(p->d, p->found);
}

/* ---- what is there ---- */

static int fail_open(const struct check *k, const struct plan_disk *d, int r)
{
	struct cv_error *err = &k->c->err;

	cv_fail_errno(err, r, d->path, "user %s cannot open the disk for %s", k->p->user,
		      d->is_readonly ? "reading" : "reading and writing");
	if (r == -ENOENT)
		cv_error_hint(err, "truncate -s 16G FILE makes an empty one; check the path");
	else
		cv_error_hint(
			err,
			"check the permissions of the file and of every directory above it, or "
			"make the disk readonly: true");
	return r;
}

static int fail_disk(const struct check *k, const struct plan_disk *d, const char *what,
		     const char *wanted, const char *hint)
{
	struct cv_error *err = &k->c->err;

	cv_fail(err, -EINVAL, CV_EXIT_PRECONDITION, "BAD_DISK", d->path, "%s", what);
	cv_error_wanted(err, "%s", wanted);
	cv_error_hint(err, "%s", hint);
	return -EINVAL;
}

static int check_kind(const struct check *k, const struct plan_disk *d, const struct found *f)
{
	if (S_ISBLK(f->st.st_mode) && !plan_disk_is_device(d->path))
		return fail_disk(k, d, "the path is a block device's, but not below /dev",
				 "the path of a file, or of a device below /dev",
				 "name the device itself: /dev/...");
	if (S_ISREG(f->st.st_mode) && plan_disk_is_device(d->path))
		return fail_disk(k, d, "there is a file where a block device should be",
				 "a block device below /dev, or a file elsewhere",
				 "check the path: the device may not be there");
	if (!S_ISREG(f->st.st_mode) && !S_ISBLK(f->st.st_mode))
		return fail_disk(k, d, "this is no disk", "a raw file or a block device",
				 "check the path");
	return 0;
}

static int check_content(const struct check *k, const struct plan_disk *d, const struct found *f)
{
	if (f->is_qcow2) {
		return fail_disk(k, d, "the file is a qcow2 image: its guest would see no disk",
				 "a raw image", "convert it: qemu-img convert -O raw FILE NEW");
	}
	if (f->size > 0 && f->size % SECTOR == 0)
		return 0;
	fail_disk(k, d, "the disk has no whole sectors", "a multiple of 512 bytes, not 0",
		  "truncate -s 16G FILE makes it so long");
	cv_error_found(&k->c->err, "%llu bytes", (unsigned long long)f->size);
	return -EINVAL;
}

/* ---- who else has it ---- */

static bool is_same(const struct check *k, const struct stat *a, const struct stat *b)
{
	if (S_ISBLK(a->st_mode) && S_ISBLK(b->st_mode))
		return a->st_rdev == b->st_rdev ||
		       disk_whole(k->c->root, a->st_rdev) == b->st_rdev ||
		       a->st_rdev == disk_whole(k->c->root, b->st_rdev);
	return a->st_mode == b->st_mode && a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int fail_busy(const struct check *k, const struct plan_disk *d, const char *user)
{
	struct cv_error *err = &k->c->err;

	cv_fail(err, -EBUSY, CV_EXIT_BUSY, "DISK_BUSY", d->path, "the disk is in use");
	cv_error_found(err, "%s", user);
	cv_error_wanted(err, d->is_readonly ? "nobody who writes to it" : "nobody else");
	cv_error_hint(err, "end what uses it, or give the guest a copy");
	return -EBUSY;
}

static int check_own(const struct check *k, size_t i)
{
	const struct plan_disk *d = &k->p->disks[i];

	for (size_t n = 0; n < i; n++)
		if (is_same(k, &k->seen[n], &k->seen[i]) &&
		    !(d->is_readonly && k->p->disks[n].is_readonly))
			return fail_busy(k, d, "another disk of this guest is the same");
	return 0;
}

static int check_vm(const struct check *k, size_t i, const struct vm *vm)
{
	const struct plan_disk *d = &k->p->disks[i];

	for (size_t n = 0; n < vm->plan.n_disks; n++) {
		const struct plan_disk *other = &vm->plan.disks[n];
		char user[96];
		struct stat st;

		if ((d->is_readonly && other->is_readonly) ||
		    cv_stat(k->c->root, other->path, &st) < 0 || !is_same(k, &k->seen[i], &st))
			continue;
		snprintf(user, sizeof(user), "guest %s has it, %s", vm->name,
			 other->is_readonly ? "to read" : "to write");
		return fail_busy(k, d, user);
	}
	return 0;
}

static int check_vms(const struct check *k, size_t i)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	int r = vm_list(k->c, &names);

	for (size_t n = 0; n < names.n && r == 0; n++) {
		_cleanup_vm_ struct vm vm = { 0 };

		if (strcmp(names.v[n], k->p->name) == 0)
			continue;
		r = vm_read(k->c, names.v[n], &vm);
		r = r ?: check_vm(k, i, &vm);
	}
	return r;
}

static int check_host(const struct check *k, const struct plan_disk *d, const struct found *f)
{
	char user[512] = "another program opened it for itself alone (O_EXCL)";

	if (!S_ISBLK(f->st.st_mode))
		return 0;
	if (!disk_find_user(k->c->root, f->st.st_rdev, user, sizeof(user)) && !f->is_held)
		return 0;
	return fail_busy(k, d, user);
}

static int check_disk(struct check *k, size_t i)
{
	const struct plan_disk *d = &k->p->disks[i];
	struct found *f = k->probe.found;
	int result = 0, r;

	memset(f, 0, sizeof(*f));
	k->probe.d = d;
	r = cv_child_run(run_probe, &k->probe, OPEN_MS, &result);
	r = r < 0 ? r : result;
	if (r < 0)
		return fail_open(k, d, r);
	k->seen[i] = f->st;
	r = check_kind(k, d, f);
	r = r ?: check_content(k, d, f);
	r = r ?: check_own(k, i);
	r = r ?: check_vms(k, i);
	return r ?: check_host(k, d, f);
}

int disks_check(struct cmd *c, const struct plan *p, uid_t uid, gid_t gid)
{
	struct check k = { .c = c, .p = p, .probe = { .uid = uid, .gid = gid } };
	void *shared;
	int r;

	if (p->n_disks == 0)
		return 0;
	shared = mmap(NULL, sizeof(struct found), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return cv_fail_errno(&c->err, -errno, NULL, "cannot look at the disks");
	k.probe.found = shared;
	r = vmm_groups(uid, gid, k.probe.groups, &k.probe.n_groups);
	if (r < 0)
		cv_fail_errno(&c->err, r, p->user, "cannot find the groups of the user");
	for (size_t i = 0; i < p->n_disks && r == 0; i++)
		if (!p->disks[i].is_vhost_user) /* tools/links.h */
			r = check_disk(&k, i);
	munmap(shared, sizeof(struct found));
	return r;
}
