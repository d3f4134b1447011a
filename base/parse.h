/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strict parsers of numbers, sizes and addresses: the whole string or nothing. */
#ifndef CARVE_BASE_PARSE_H
#define CARVE_BASE_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** cv_parse_u64() - decimal, no sign, no blanks. Return: 0, -EINVAL, -ERANGE. */
int cv_parse_u64(const char *s, uint64_t *ret);
/** cv_parse_hex() - hexadecimal with or without 0x. Return: 0, -EINVAL, -ERANGE. */
int cv_parse_hex(const char *s, uint64_t *ret);
/** cv_parse_int() - decimal with optional '-', within int. Return: 0, -EINVAL, -ERANGE. */
int cv_parse_int(const char *s, int *ret);
/** cv_parse_bool() - 1 0 y n Y N yes no true false on off. Return: 0, -EINVAL. */
int cv_parse_bool(const char *s, bool *ret);

/**
 * cv_parse_size() - a size in bytes with a unit: "4096", "512K", "2M", "1G", "1.5T" is refused
 *
 * Units are powers of 1024; K M G T P, optionally followed by "iB" or "B" is accepted ("1GiB").
 * Return: 0, -EINVAL (not a size), -ERANGE (over 2^64-1).
 */
int cv_parse_size(const char *s, uint64_t *ret_bytes);

/** cv_copy_text() - @src into a buffer of @size. Return: 0, -ENAMETOOLONG (nothing is copied). */
int cv_copy_text(char *dst, size_t size, const char *src);

/** cv_parse_mac() - "aa:bb:cc:dd:ee:ff". Return: 0, -EINVAL. */
int cv_parse_mac(const char *s, uint8_t ret[6]);

#define CV_SIZE_MAX 24
/** cv_format_size() - exact size with the largest unit that divides it: "1536M". Return: @buf. */
const char *cv_format_size(uint64_t bytes, char buf[CV_SIZE_MAX]);

#define CV_MAC_MAX 18
/** cv_format_mac() - "aa:bb:cc:dd:ee:ff". Return: @buf. */
const char *cv_format_mac(const uint8_t mac[6], char buf[CV_MAC_MAX]);

#endif
