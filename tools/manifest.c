// SPDX-License-Identifier: GPL-2.0-or-later
/* Run manifests on disk. */
#include "tools/manifest.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "plan/run_manifest.h"
#include "tools/version.h"

#define CPU_DIR "/sys/devices/system/cpu"
#define STAMP_FORMAT "%Y%m%dT%H%M%SZ"

/* ---- facts that the inventory does not have ---- */

static json_t *text_of(struct cv_sysroot *root, const char *path)
{
	_cleanup_free_ char *text = NULL;

	return cv_read_str(root, path, &text) < 0 ? json_null() : cv_json_string(text);
}

/* @names: files of @dir, ends with NULL. Return: {name: text or null}. */
static json_t *texts_in(struct cv_sysroot *root, const char *dir, const char *const *names)
{
	_cleanup_json_ json_t *j = json_object();
	char path[CV_PATH_MAX];

	for (; *names; names++)
		if (json_object_set_new(j, *names,
					text_of(root, cv_pathf(path, "%s/%s", dir, *names))) < 0)
			return NULL;
	return TAKE_PTR(j);
}

static json_t *read_firmware(struct cv_sysroot *root)
{
	static const char *const names[] = {
		"bios_vendor",	"bios_version", "bios_date", "bios_release",
		"product_name", "board_name",	NULL
	};

	return texts_in(root, "/sys/class/dmi/id", names);
}

static json_t *read_mitigations(struct cv_sysroot *root)
{
	_cleanup_strv_ struct cv_strv names = { 0 };

	if (cv_list(root, CPU_DIR "/vulnerabilities", &names) < 0 || names.n == 0)
		return json_object();
	return texts_in(root, CPU_DIR "/vulnerabilities", (const char *const *)names.v);
}

static void find_microcode(const char *cpuinfo, char *buf, size_t size)
{
	const char *line = strstr(cpuinfo, "\nmicrocode");
	const char *colon = line ? strchr(line, ':') : NULL;

	if (!colon)
		return;
	colon += 1 + strspn(colon + 1, " \t");
	snprintf(buf, size, "%.*s", (int)strcspn(colon, "\n"), colon);
}

/* "" where the kernel does not tell, as in a guest. */
static void read_microcode(struct cv_sysroot *root, char *buf, size_t size)
{
	_cleanup_free_ char *cpuinfo = NULL;
	size_t len;

	buf[0] = '\0';
	if (cv_read_into(root, CPU_DIR "/cpu0/microcode/version", buf, size) == 0)
		return;
	if (cv_read(root, "/proc/cpuinfo", &cpuinfo, &len) == 0)
		find_microcode(cpuinfo, buf, size);
}

/* ---- drivers ---- */

/* A driver's module may have another name; one that is built in has a directory only if it has parameters. */
static int add_driver(struct cv_sysroot *root, json_t *drivers, const char *driver)
{
	static const char *const names[] = { "version", "srcversion", NULL };
	char path[CV_PATH_MAX], module[64];

	if (!driver[0] || json_object_get(drivers, driver))
		return 0;
	cv_pathf(path, "/sys/bus/pci/drivers/%s/module", driver);
	if (cv_readlink_base(root, path, module, sizeof(module)) < 0)
		snprintf(module, sizeof(module), "%s", driver);
	cv_pathf(path, "/sys/module/%s", module);
	return json_object_set_new(drivers, driver, texts_in(root, path, names));
}

static int add_kvm(struct cv_sysroot *root, json_t *drivers)
{
	static const char *const modules[] = { "kvm", "kvm_amd", "kvm_intel" };
	char path[CV_PATH_MAX];
	int r = 0;

	for (size_t i = 0; i < CV_ARRAY_SIZE(modules) && r == 0; i++)
		if (cv_exists(root, cv_pathf(path, "/sys/module/%s", modules[i])))
			r = add_driver(root, drivers, modules[i]);
	return r;
}

/* Of the PFs, of the devices before they were taken, and of what guests run by. */
static json_t *read_drivers(struct cv_sysroot *root, const struct manifest_run *run)
{
	_cleanup_json_ json_t *drivers = json_object();
	int r = add_kvm(root, drivers);

	for (size_t i = 0; i < run->plan->n_devices && r == 0; i++) {
		const struct plan_device *d = &run->plan->devices[i];
		int dev = run_manifest_anchor(run->inv, d);

		r = add_driver(root, drivers, d->driver);
		if (r == 0 && dev >= 0)
			r = add_driver(root, drivers, run->inv->devs[dev].driver);
	}
	if (r == 0 && run->plan->n_devices)
		r = add_driver(root, drivers, "vfio-pci");
	return r < 0 ? NULL : TAKE_PTR(drivers);
}

/* ---- writing ---- */

static char *manifest_text(struct cv_sysroot *root, const struct manifest_run *run, time_t now)
{
	_cleanup_json_ json_t *firmware = read_firmware(root), *j = NULL;
	_cleanup_json_ json_t *mitigations = read_mitigations(root);
	_cleanup_json_ json_t *drivers = read_drivers(root, run);
	char microcode[64];

	read_microcode(root, microcode, sizeof(microcode));
	if (!firmware || !mitigations || !drivers)
		return NULL;
	j = run_manifest_json(&(struct run_manifest){
		.plan = run->plan,
		.inv = run->inv,
		.time = now,
		.version = CARVE_VERSION,
		.build = CARVE_BUILD_ID,
		.hypervisor = run->hypervisor,
		.vmm_version = run->vmm_version,
		.firmware = firmware,
		.microcode = microcode,
		.mitigations = mitigations,
		.drivers = drivers,
		.timings = run->timings,
	});
	return j ? cv_json_text(j) : NULL;
}

/* TIME-NAME.json: the order of the names is that of the starts. */
static int keep_copy(struct cv_sysroot *root, const char *name, time_t now, const char *text,
		     struct cv_error *err)
{
	char path[CV_PATH_MAX], stamp[32];
	struct tm tm;
	int r = cv_mkdir_p(root, MANIFEST_DIR, 0755);

	if (r < 0 || !gmtime_r(&now, &tm))
		return cv_fail_errno(err, r < 0 ? r : -EOVERFLOW, MANIFEST_DIR,
				     "cannot keep the manifest");
	strftime(stamp, sizeof(stamp), STAMP_FORMAT, &tm);
	r = cv_replace_file(root, cv_pathf(path, MANIFEST_DIR "/%s-%s.json", stamp, name), text,
			    0644);
	return r < 0 ? cv_fail_errno(err, r, path, "cannot keep the manifest") : 0;
}

int manifest_write(struct cv_sysroot *root, const struct manifest_run *run, struct cv_error *err)
{
	time_t now = time(NULL);
	_cleanup_free_ char *text = manifest_text(root, run, now);
	char path[CV_PATH_MAX];
	int r;

	if (!text)
		return cv_fail_errno(err, -ENOMEM, run->plan->name, "cannot make the manifest");
	cv_pathf(path, CV_VM_DIR "/%s/" MANIFEST_FILE, run->plan->name);
	r = cv_replace_file(root, path, text, 0644);
	if (r < 0)
		return cv_fail_errno(err, r, path, "cannot write the manifest");
	r = keep_copy(root, run->plan->name, now, text, err);
	return r ?: manifest_prune(root, MANIFEST_KEPT, err);
}

/* ---- not for ever ---- */

/* "20260131T235959Z-NAME.json": files of anybody else are not touched. */
static bool is_ours(const char *name)
{
	static const char shape[] = "ddddddddTddddddZ-";
	size_t length = strlen(name), i;

	for (i = 0; shape[i]; i++)
		if (shape[i] == 'd' ? !isdigit((unsigned char)name[i]) : name[i] != shape[i])
			return false;
	return length > i + 5 && strcmp(name + length - 5, ".json") == 0;
}

int manifest_prune(struct cv_sysroot *root, size_t keep, struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	char path[CV_PATH_MAX];
	size_t n = 0;
	int r = cv_list(root, MANIFEST_DIR, &names);

	if (r < 0)
		return r == -ENOENT ? 0 : cv_fail_errno(err, r, MANIFEST_DIR, "cannot list it");
	for (size_t i = 0; i < names.n; i++)
		n += is_ours(names.v[i]);
	for (size_t i = 0; i < names.n && n > keep; i++) {
		if (!is_ours(names.v[i]))
			continue;
		r = cv_unlink(root, cv_pathf(path, MANIFEST_DIR "/%s", names.v[i]));
		if (r < 0 && r != -ENOENT)
			return cv_fail_errno(err, r, path, "cannot remove an old manifest");
		n--;
	}
	return 0;
}
