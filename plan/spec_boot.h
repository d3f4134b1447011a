/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The boot: mapping, of a spec and of a site file. */
#ifndef CARVE_PLAN_SPEC_BOOT_H
#define CARVE_PLAN_SPEC_BOOT_H

#include "plan/source.h"
#include "plan/spec_yaml.h"

/**
 * spec_read_boot() - what is given of kernel, initrd and command line, each as a new heap string
 * @kernel, @initrd, @cmdline: an older string is released; one of a key that is not given stays
 *
 * The VMM runs in another directory than carve: kernel and initrd must be absolute paths.
 * Return: 0, -EINVAL with the source's error filled, -ENOMEM.
 */
int spec_read_boot(const struct source *s, const struct raw_boot *boot, char **kernel,
		   char **initrd, char **cmdline);

#endif
