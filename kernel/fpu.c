// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's FPU state: an XSAVE area of our own in the standard format, which is also that of
 * KVM_GET_XSAVE. It is in the registers while the vCPU runs, inside a kernel FPU section: Linux has
 * saved the user's state before, and loads it again on the way to user space.
 */
#include <linux/gfp.h>
#include <linux/kvm.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <asm/asm.h>
#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>
#include <asm/pkru.h>
#include <asm/processor.h>
#include <asm/special_insns.h>

#include "carve.h"

#define XFEATURE_X87 BIT_ULL(0)
#define XFEATURE_SSE_STATE BIT_ULL(1)
#define XFEATURE_AVX_STATE BIT_ULL(2)
#define XFEATURE_AVX512_STATE (BIT_ULL(5) | BIT_ULL(6) | BIT_ULL(7))
#define XFEATURE_PKRU_STATE BIT_ULL(9)
#define OFFERED                                                                           \
	(XFEATURE_X87 | XFEATURE_SSE_STATE | XFEATURE_AVX_STATE | XFEATURE_AVX512_STATE | \
	 XFEATURE_PKRU_STATE)

/* Byte offsets in the area: Intel SDM vol. 1, 13.4; AMD APM vol. 2, 11.5. */
#define AREA_FCW 0
#define AREA_MXCSR 24
#define AREA_HEADER 512
#define AREA_EXTENDED 576
#define MXCSR_RESET 0x1f80
#define MXCSR_ALL 0xffff
#define FCW_RESET 0x37f

/* What Linux enables in XCR0 on every CPU. */
static u64 host_xcr0 __ro_after_init;

/**
 * carve_fpu_init() - notes the host's XCR0
 *
 * Return: 0, -EOPNOTSUPP without XSAVE.
 * Context: module load.
 */
int carve_fpu_init(void)
{
	if (!boot_cpu_has(X86_FEATURE_OSXSAVE))
		return -EOPNOTSUPP;
	host_xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
	return 0;
}

/**
 * carve_fpu_features() - the state components a guest may use, as bits of XCR0
 */
u64 carve_fpu_features(void)
{
	return host_xcr0 & OFFERED;
}

/**
 * carve_fpu_bytes() - the size of an XSAVE area
 * @xcr0: the components it holds
 */
u32 carve_fpu_bytes(u64 xcr0)
{
	u32 bytes = AREA_EXTENDED, i;
	u32 eax, ebx, ecx, edx;

	for (i = 2; i < 63; i++) {
		if (!(xcr0 & BIT_ULL(i)))
			continue;
		cpuid_count(0xd, i, &eax, &ebx, &ecx, &edx);
		bytes = max(bytes, ebx + eax);
	}
	return bytes;
}

static size_t area_bytes(void)
{
	return PAGE_ALIGN(carve_fpu_bytes(carve_fpu_features()));
}

/**
 * carve_fpu_reset() - as after RESET: x87 and SSE state initial, XCR0 only x87
 * @vcpu: does not run
 */
void carve_fpu_reset(struct carve_vcpu *vcpu)
{
	u8 *area = vcpu->fpu;

	memset(area, 0, area_bytes());
	*(u16 *)(area + AREA_FCW) = FCW_RESET;
	*(u32 *)(area + AREA_MXCSR) = MXCSR_RESET;
	*(u64 *)(area + AREA_HEADER) = XFEATURE_X87 | XFEATURE_SSE_STATE;
	vcpu->xcr0 = XFEATURE_X87;
}

/**
 * carve_fpu_new() - a vCPU's area
 * @vcpu: the vCPU
 *
 * Return: 0, -ENOMEM.
 */
int carve_fpu_new(struct carve_vcpu *vcpu)
{
	/* Whole pages: an area must begin at a multiple of 64. */
	vcpu->fpu = alloc_pages_exact(area_bytes(), GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	return vcpu->fpu ? 0 : -ENOMEM;
}

/**
 * carve_fpu_free() - frees the area
 * @vcpu: the vCPU
 */
void carve_fpu_free(struct carve_vcpu *vcpu)
{
	if (vcpu->fpu)
		free_pages_exact(vcpu->fpu, area_bytes());
	vcpu->fpu = NULL;
}

/* Return: 0, -EFAULT when the CPU refuses the state: the fault skips what clears the answer. */
static int restore(const void *area, u64 mask)
{
	int ret = -EFAULT;

	asm volatile("1: xrstor64 %[area]\n"
		     "xor %[ret], %[ret]\n"
		     "2:\n" _ASM_EXTABLE(1b, 2b)
		     : [ret] "+&r"(ret)
		     : [area] "m"(*(const u8(*)[AREA_EXTENDED])area), "a"((u32)mask),
		       "d"((u32)(mask >> 32))
		     : "memory");
	return ret;
}

static void save(void *area, u64 mask)
{
	if (static_cpu_has(X86_FEATURE_XSAVEOPT))
		asm volatile("xsaveopt64 %0"
			     : "+m"(*(u8(*)[AREA_EXTENDED])area)
			     : "a"((u32)mask), "d"((u32)(mask >> 32))
			     : "memory");
	else
		asm volatile("xsave64 %0"
			     : "+m"(*(u8(*)[AREA_EXTENDED])area)
			     : "a"((u32)mask), "d"((u32)(mask >> 32))
			     : "memory");
}

/**
 * carve_fpu_load() - the guest's state into the registers
 * @vcpu: about to run
 *
 * Context: process, irqs on. Preemption and softirqs are off from here to carve_fpu_unload().
 */
void carve_fpu_load(struct carve_vcpu *vcpu)
{
	u64 features = carve_fpu_features();

	kernel_fpu_begin_mask(0);
	vcpu->host_pkru = cpu_feature_enabled(X86_FEATURE_OSPKE) ? rdpkru() : 0;
	if (WARN_ON_ONCE(restore(vcpu->fpu, features))) {
		carve_fpu_reset(vcpu);
		restore(vcpu->fpu, features);
	}
	if (vcpu->xcr0 != host_xcr0)
		xsetbv(XCR_XFEATURE_ENABLED_MASK, vcpu->xcr0);
}

/**
 * carve_fpu_unload() - the registers back into the guest's area
 * @vcpu: has run
 *
 * Context: irqs on; preemption is on again on return.
 */
void carve_fpu_unload(struct carve_vcpu *vcpu)
{
	if (vcpu->xcr0 != host_xcr0)
		xsetbv(XCR_XFEATURE_ENABLED_MASK, host_xcr0);
	save(vcpu->fpu, carve_fpu_features());
	if (cpu_feature_enabled(X86_FEATURE_OSPKE))
		wrpkru(vcpu->host_pkru);
	kernel_fpu_end();
}

/**
 * carve_fpu_set_xcr0() - what XSETBV may write: AMD APM vol. 2, 11.5.2
 * @vcpu: may be loaded: XCR0 is then the guest's at the next entry
 * @xcr0: wanted
 *
 * Return: 0, -EINVAL for what the CPU would answer with #GP.
 */
int carve_fpu_set_xcr0(struct carve_vcpu *vcpu, u64 xcr0)
{
	u64 wide = xcr0 & XFEATURE_AVX512_STATE;

	if (!(xcr0 & XFEATURE_X87) || (xcr0 & ~carve_fpu_features()))
		return -EINVAL;
	if ((xcr0 & XFEATURE_AVX_STATE) && !(xcr0 & XFEATURE_SSE_STATE))
		return -EINVAL;
	if (wide && (wide != XFEATURE_AVX512_STATE || !(xcr0 & XFEATURE_AVX_STATE)))
		return -EINVAL;
	vcpu->xcr0 = xcr0;
	return 0;
}

/* The legacy area as struct kvm_fpu names its parts; FTW is abridged in both. */
struct legacy_area {
	u16 fcw, fsw;
	u8 ftwx, reserved;
	u16 last_opcode;
	u64 last_ip, last_dp;
	u32 mxcsr, mxcsr_mask;
	u8 fpr[8][16];
	u8 xmm[16][16];
};

/**
 * carve_fpu_get() - KVM_GET_FPU
 * @vcpu: the vCPU
 * @fpu: receives, or holds, the state
 */
void carve_fpu_get(struct carve_vcpu *vcpu, struct kvm_fpu *fpu)
{
	const struct legacy_area *area = vcpu->fpu;

	memcpy(fpu->fpr, area->fpr, sizeof(fpu->fpr));
	memcpy(fpu->xmm, area->xmm, sizeof(fpu->xmm));
	fpu->fcw = area->fcw;
	fpu->fsw = area->fsw;
	fpu->ftwx = area->ftwx;
	fpu->last_opcode = area->last_opcode;
	fpu->last_ip = area->last_ip;
	fpu->last_dp = area->last_dp;
	fpu->mxcsr = area->mxcsr;
}

/**
 * carve_fpu_set() - KVM_SET_FPU
 * @vcpu: the vCPU
 * @fpu: receives, or holds, the state
 *
 * Return: 0, -EINVAL for bits of MXCSR that no CPU takes.
 */
int carve_fpu_set(struct carve_vcpu *vcpu, const struct kvm_fpu *fpu)
{
	struct legacy_area *area = vcpu->fpu;

	if (fpu->mxcsr & ~MXCSR_ALL)
		return -EINVAL;
	memcpy(area->fpr, fpu->fpr, sizeof(fpu->fpr));
	memcpy(area->xmm, fpu->xmm, sizeof(fpu->xmm));
	area->fcw = fpu->fcw;
	area->fsw = fpu->fsw;
	area->ftwx = fpu->ftwx;
	area->last_opcode = fpu->last_opcode;
	area->last_ip = fpu->last_ip;
	area->last_dp = fpu->last_dp;
	area->mxcsr = fpu->mxcsr;
	*(u64 *)((u8 *)vcpu->fpu + AREA_HEADER) |= XFEATURE_X87 | XFEATURE_SSE_STATE;
	return 0;
}

/**
 * carve_fpu_get_xsave() - KVM_GET_XSAVE
 * @vcpu: the vCPU
 * @xsave: receives, or holds, the state
 */
void carve_fpu_get_xsave(struct carve_vcpu *vcpu, struct kvm_xsave *xsave)
{
	memcpy(xsave->region, vcpu->fpu, min(area_bytes(), sizeof(xsave->region)));
}

/**
 * carve_fpu_set_xsave() - KVM_SET_XSAVE
 * @vcpu: the vCPU
 * @xsave: receives, or holds, the state
 *
 * Return: 0, -EINVAL for what XRSTOR would answer with #GP: Intel SDM vol. 1, 13.8.
 */
int carve_fpu_set_xsave(struct carve_vcpu *vcpu, const struct kvm_xsave *xsave)
{
	const u8 *area = (const u8 *)xsave->region;
	const u64 *header = (const u64 *)(area + AREA_HEADER);
	size_t bytes = min_t(size_t, carve_fpu_bytes(carve_fpu_features()), sizeof(xsave->region));

	if (*(const u32 *)(area + AREA_MXCSR) & ~MXCSR_ALL)
		return -EINVAL;
	if (header[0] & ~carve_fpu_features())
		return -EINVAL;
	/* The other words of the header must be 0; XCOMP_BV would say that the area is compact. */
	if (memchr_inv(header + 1, 0, AREA_EXTENDED - AREA_HEADER - sizeof(*header)))
		return -EINVAL;
	memcpy(vcpu->fpu, area, bytes);
	return 0;
}
