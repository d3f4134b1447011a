// SPDX-License-Identifier: GPL-2.0-only
#include "apic_msg.h"

#define XAPIC_BROADCAST 0xffU
#define X2APIC_BROADCAST 0xffffffffU

static bool is_broadcast_dest(const struct carve_apic_msg *msg)
{
	return msg->dest == (msg->wide ? X2APIC_BROADCAST : XAPIC_BROADCAST);
}

/* An xAPIC has 8 bits of either kind of address. */
static bool matches_xapic_logical(const struct carve_apic_addr *who, u32 dest)
{
	if (dest > 0xff)
		return false;
	if (!who->cluster)
		return who->ldr & dest;
	return who->ldr >> 4 == dest >> 4 && (who->ldr & dest & 0xf);
}

static bool matches_logical(const struct carve_apic_addr *who, u32 dest)
{
	if (who->mode == CARVE_APIC_XAPIC)
		return matches_xapic_logical(who, dest);
	return who->ldr >> 16 == dest >> 16 && (who->ldr & dest & 0xffff);
}

bool carve_apic_matches(const struct carve_apic_addr *who, const struct carve_apic_msg *msg)
{
	if (who->mode == CARVE_APIC_OFF)
		return false;
	if (is_broadcast_dest(msg))
		return true;
	return msg->logical ? matches_logical(who, msg->dest) : who->id == msg->dest;
}

bool carve_apic_is_for(const struct carve_apic_addr *who, const struct carve_apic_msg *msg,
		       bool is_sender)
{
	switch (msg->shorthand) {
	case CARVE_APIC_DEST_SELF:
		return is_sender;
	case CARVE_APIC_DEST_ALL:
		return who->mode != CARVE_APIC_OFF;
	case CARVE_APIC_DEST_OTHERS:
		return who->mode != CARVE_APIC_OFF && !is_sender;
	default:
		return carve_apic_matches(who, msg);
	}
}

bool carve_apic_is_broadcast(const struct carve_apic_msg *msg)
{
	if (msg->shorthand == CARVE_APIC_DEST_FIELD)
		return is_broadcast_dest(msg);
	return msg->shorthand == CARVE_APIC_DEST_ALL;
}

size_t carve_apic_pick_lowest(const u8 *ppr, size_t n, u8 vector)
{
	size_t best = vector % n;

	for (size_t i = 1; i < n; i++) {
		size_t at = (vector + i) % n;

		if (ppr[at] < ppr[best])
			best = at;
	}
	return best;
}
