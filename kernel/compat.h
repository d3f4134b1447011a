/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels the module is built for: 6.12 up to 7.x. Only here may a kernel
 * version be asked for.
 */
#ifndef CARVE_KERNEL_COMPAT_H
#define CARVE_KERNEL_COMPAT_H

#include <linux/version.h>

/* MSR access took its new names in 6.16, and the header moved. */
#if __has_include(<asm/msr.h>)
#include <asm/msr.h>
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#define carve_rdmsr(msr, value) rdmsrq(msr, value)
#define carve_wrmsr(msr, value) wrmsrq(msr, value)
#else
#define carve_rdmsr(msr, value) rdmsrl(msr, value)
#define carve_wrmsr(msr, value) wrmsrl(msr, value)
#endif

#endif
