// SPDX-License-Identifier: GPL-2.0-or-later
/* SHA-256 as FIPS 180-4 writes it down: constants 4.2.2, functions 4.1.2, computation 6.2.2. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/guest/guest.h"

static const uint32_t round_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static const uint32_t initial_state[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static uint32_t rotr(uint32_t x, unsigned int n)
{
	return x >> n | x << (32 - n);
}

static uint32_t load_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void expand(uint32_t w[64], const uint8_t *block)
{
	for (int t = 0; t < 16; t++)
		w[t] = load_be32(block + 4 * t);
	for (int t = 16; t < 64; t++) {
		uint32_t s0 = rotr(w[t - 15], 7) ^ rotr(w[t - 15], 18) ^ w[t - 15] >> 3;
		uint32_t s1 = rotr(w[t - 2], 17) ^ rotr(w[t - 2], 19) ^ w[t - 2] >> 10;

		w[t] = s1 + w[t - 7] + s0 + w[t - 16];
	}
}

/* v is a..h of the standard, v[0] being a. */
static void one_round(uint32_t v[8], uint32_t k_and_w)
{
	uint32_t sum1 = rotr(v[4], 6) ^ rotr(v[4], 11) ^ rotr(v[4], 25);
	uint32_t choose = (v[4] & v[5]) ^ (~v[4] & v[6]);
	uint32_t sum0 = rotr(v[0], 2) ^ rotr(v[0], 13) ^ rotr(v[0], 22);
	uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
	uint32_t t1 = v[7] + sum1 + choose + k_and_w;

	memmove(v + 1, v, 7 * sizeof(*v));
	v[4] += t1;
	v[0] = t1 + sum0 + majority;
}

static void take_block(struct guest_sha256 *sha, const uint8_t *block)
{
	uint32_t w[64], v[8];

	expand(w, block);
	memcpy(v, sha->state, sizeof(v));
	for (int t = 0; t < 64; t++)
		one_round(v, round_constants[t] + w[t]);
	for (int i = 0; i < 8; i++)
		sha->state[i] += v[i];
}

void guest_sha256_init(struct guest_sha256 *sha)
{
	*sha = (struct guest_sha256){};
	memcpy(sha->state, initial_state, sizeof(initial_state));
}

void guest_sha256_update(struct guest_sha256 *sha, const void *data, size_t length)
{
	const uint8_t *bytes = data;

	while (length) {
		size_t used = sha->length % sizeof(sha->block);
		size_t take = sizeof(sha->block) - used;

		if (take > length)
			take = length;
		memcpy(sha->block + used, bytes, take);
		sha->length += take;
		bytes += take;
		length -= take;
		if (used + take == sizeof(sha->block))
			take_block(sha, sha->block);
	}
}

void guest_sha256_hex(struct guest_sha256 *sha, char hex[GUEST_SHA256_HEX])
{
	uint64_t bits = sha->length * 8;
	uint8_t length_be[8];

	guest_sha256_update(sha, "\x80", 1);
	while (sha->length % sizeof(sha->block) != sizeof(sha->block) - sizeof(length_be))
		guest_sha256_update(sha, "", 1);
	for (int i = 0; i < 8; i++)
		length_be[i] = bits >> (56 - 8 * i);
	guest_sha256_update(sha, length_be, sizeof(length_be));
	for (int i = 0; i < 8; i++)
		snprintf(hex + 8 * i, 9, "%08x", sha->state[i]);
}

static bool is_digest(const char *unit, size_t repeat, const char *expected)
{
	char hex[GUEST_SHA256_HEX];
	struct guest_sha256 sha;

	guest_sha256_init(&sha);
	for (size_t i = 0; i < repeat; i++)
		guest_sha256_update(&sha, unit, strlen(unit));
	guest_sha256_hex(&sha, hex);
	return strcmp(hex, expected) == 0;
}

int guest_sha256_selftest(void)
{
	static const struct {
		const char *unit;
		size_t repeat;
		const char *digest;
	} vectors[] = {
		{ "", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
		{ "a", 1000000,
		  "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++)
		if (!is_digest(vectors[i].unit, vectors[i].repeat, vectors[i].digest))
			return -EBADMSG;
	return 0;
}
