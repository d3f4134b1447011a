/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A PCI address: domain, bus, device, function. */
#ifndef CARVE_BASE_BDF_H
#define CARVE_BASE_BDF_H

#include <stdint.h>

/**
 * struct cv_bdf - a plain value
 * @domain: segment; 16 bits on hardware, up to 32 for VMD and Hyper-V
 */
struct cv_bdf {
	uint32_t domain;
	uint8_t bus;
	uint8_t dev;
	uint8_t fn;
};

#define CV_BDF_MAX 20

/** cv_parse_bdf() - "0000:65:00.0" or "65:00.0" (domain 0). Return: 0, -EINVAL, -ERANGE. */
int cv_parse_bdf(const char *s, struct cv_bdf *ret);
/** cv_format_bdf() - "0000:65:00.0". Return: @buf. */
const char *cv_format_bdf(struct cv_bdf b, char buf[CV_BDF_MAX]);
/** cv_bdf_cmp() - total order. Return: <0, 0, >0. */
int cv_bdf_cmp(struct cv_bdf a, struct cv_bdf b);
/**
 * cv_bdf_add() - the address @n routing ids further on (SR-IOV 1.1 section 2.1.2: VF routing id =
 * PF routing id + First VF Offset + (n-1) * VF Stride, modulo 2^16)
 */
struct cv_bdf cv_bdf_add(struct cv_bdf b, unsigned int n);

#endif
