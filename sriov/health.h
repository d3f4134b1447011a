/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is a function as good as it was? Taken before it is given away, compared when it comes back. */
#ifndef CARVE_SRIOV_HEALTH_H
#define CARVE_SRIOV_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "base/sysroot.h"

/** enum sr_check - what is looked at, in this order; a function that fails the first has no others */
enum sr_check {
	SR_CHECK_PRESENT, /* the function is on the bus */
	SR_CHECK_CONFIG, /* config space answers: vendor id (VF: command register) is not all ones */
	SR_CHECK_MEMORY, /* a BAR can be read where that is safe: see sr_health_read() */
	SR_CHECK_LINK,	 /* speed and width at least those of before */
	SR_CHECK_AER, /* uncorrectable errors (fatal, nonfatal) did not grow; correctable: note */
	SR_CHECK_DRIVER, /* the previous driver took it again */
	SR_CHECKS,
};

/** sr_check_name() - "present", "config", "memory", "link", "aer", "driver" */
const char *sr_check_name(enum sr_check check);

/**
 * struct sr_health - one look at a function; -1: the kernel does not tell
 * @header:      first four bytes of config space; all ones of a VF are expected there (SR-IOV 1.1
 *               section 3.4.1.1), then @command tells
 * @command:     command and status, config offset 4
 * @link_speed:  current, 0.1 GT/s (80: 8.0 GT/s); of a VF that of its PF
 * @link_width:  lanes
 * @memory:      the dword that was read of BAR 0, -1: not read
 * @driver:      "" none
 * @class:       24 bits, 0 unknown
 */
struct sr_health {
	bool is_present;
	bool is_vf;
	int64_t header, command;
	int link_speed, link_width;
	int link_speed_max, link_width_max; /* capability */
	int64_t memory;
	int64_t aer_correctable, aer_nonfatal, aer_fatal; /* TOTAL_ERR_* of aer_dev_* */
	char driver[64];
	uint32_t class;
};

/**
 * sr_health_read() - look at the function now
 * @deadline_ms: 0: for who is a child with a deadline already, see sr_child_fill()
 *
 * The read of config space and of the BAR run in a child: a dead device answers late. BAR 0 is read
 * only where its class has a register at offset 0 that a read does not change: NVMe (CAP, NVMe Base
 * 2.0 section 3.1.3.1), and only while memory decoding is on and no driver but vfio-pci is bound.
 * What this machine lacks (memory, a process, a descriptor) is tried once more after a short pause.
 * Return: 0, also when the function is gone; -ETIMEDOUT: it did not answer; -EIO: its config space
 * cannot be read; another -errno: this machine could not look, nothing is known of the function
 * (-ECHILD: the child was killed).
 */
int sr_health_read(struct cv_sysroot *root, const char *bdf, unsigned int deadline_ms,
		   struct sr_health *ret);
/**
 * sr_health_is_answer() - does a failed read tell something of the function?
 * @r: -errno of sr_health_read(), sr_health_await() or of an attribute of the function
 * Return: true for no answer, an I/O error, and what is gone; false for all that this machine lacks:
 * then nobody may be judged by it.
 */
bool sr_health_is_answer(int r);
/** sr_health_cause() - of what is no answer, for a message. Return: text of @r, or a constant. */
const char *sr_health_cause(int r);

/** struct sr_verdict - @evidence: "PATH: VALUE, WANTED before" */
struct sr_verdict {
	bool is_healthy;
	enum sr_check failed;
	char reason[128];
	char evidence[256];
	char note[128]; /* of a healthy one: "12 correctable errors more", "" none */
};

/**
 * sr_health_judge() - pure: is @now as good as @before?
 * @before: NULL: judged alone, a link below its capability is then a note
 * @driver: that has to be bound; NULL: not judged
 *
 * A GPU at rest lowers the speed of its link: of classes 03h and 12h a speed below that of before is a
 * note, lost lanes are not.
 */
void sr_health_judge(const struct sr_health *before, const struct sr_health *now,
		     const char *driver, struct sr_verdict *ret);

/**
 * sr_health_await() - look until the function is healthy, or for as long as that can still come
 * @before, @driver: as for sr_health_judge()
 *
 * A link trains and a function answers within a second or never; a driver has the deadline. Who only
 * wants a single look calls sr_health_read() and sr_health_judge().
 * Return: 0 with the last verdict; those of sr_health_read().
 */
int sr_health_await(struct cv_sysroot *root, const char *bdf, unsigned int deadline_ms,
		    const struct sr_health *before, const char *driver, struct sr_verdict *ret);

/** sr_health_json(), sr_health_from_json() - as kept in a journal. Return: new object / 0, -EINVAL. */
json_t *sr_health_json(const struct sr_health *h);
int sr_health_from_json(const json_t *j, struct sr_health *ret);

#endif
