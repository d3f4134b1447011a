/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small encoder of AML (ACPI 6.5 chapter 20) and of resource descriptors (chapter 6.4). Names are
 * full: single segments of four characters ("_HID", "PC00"), with '\' before that of a root object.
 *
 * What is opened is closed with aml_end() in reverse order; lengths are encoded as short as they can
 * be, as iasl does. */
#ifndef CARVE_VMM_AML_H
#define CARVE_VMM_AML_H

#include "vmm/boot/bytes.h"

/* ---- objects that contain others: the mark is for aml_end() ---- */

size_t aml_scope(struct vmm_bytes *b, const char *name);
size_t aml_device(struct vmm_bytes *b, const char *name);
/** aml_method() - serialised, with @args arguments (0 to 7). */
size_t aml_method(struct vmm_bytes *b, const char *name, unsigned int args);
/** aml_package() - of @n elements, which follow. */
size_t aml_package(struct vmm_bytes *b, uint8_t n);
/** aml_if() - the predicate follows first. */
size_t aml_if(struct vmm_bytes *b);
size_t aml_else(struct vmm_bytes *b);
void aml_end(struct vmm_bytes *b, size_t mark);

/* ---- names and data ---- */

/** aml_name() - the data object that follows gets this name. */
void aml_name(struct vmm_bytes *b, const char *name);
/** aml_ref() - the object of this name, as a term. */
void aml_ref(struct vmm_bytes *b, const char *name);
void aml_int(struct vmm_bytes *b, uint64_t v);
void aml_string(struct vmm_bytes *b, const char *s);
/** aml_buffer() - a whole buffer. */
void aml_buffer(struct vmm_bytes *b, const void *data, size_t len);
/** aml_eisa_id() - "PNP0A08" (section 19.6.37). */
void aml_eisa_id(struct vmm_bytes *b, const char *id);
void aml_named_int(struct vmm_bytes *b, const char *name, uint64_t v);

/* ---- code ---- */

void aml_arg(struct vmm_bytes *b, unsigned int n);
void aml_local(struct vmm_bytes *b, unsigned int n);
/** aml_return() - the term follows. */
void aml_return(struct vmm_bytes *b);

/** enum aml_op - operators; their operands follow, for AND and OR the target last */
enum aml_op {
	AML_STORE = 0x70, /* source, target */
	AML_AND = 0x7b,
	AML_OR = 0x7d,
	AML_NOTIFY = 0x86,	 /* object, value */
	AML_CREATE_DWORD = 0x8a, /* buffer, offset, name as aml_ref() */
	AML_NOT = 0x92,
	AML_EQUAL = 0x93,
};
void aml_op(struct vmm_bytes *b, enum aml_op op);

/* ---- resources ---- */

/** aml_resources() - descriptors follow, then aml_resources_end(). */
size_t aml_resources(struct vmm_bytes *b, const char *name);
void aml_resources_end(struct vmm_bytes *b, size_t mark);
/** aml_io() - ports that a device decodes. */
void aml_io(struct vmm_bytes *b, uint16_t start, uint8_t len);
/** aml_edge_interrupt() - a GSI of its own, active high. */
void aml_edge_interrupt(struct vmm_bytes *b, uint32_t gsi);
/** aml_memory32() - a fixed range. */
void aml_memory32(struct vmm_bytes *b, uint32_t start, uint32_t len);
/** aml_bus_window(), aml_io_window(), aml_memory_window() - what a host bridge hands on. */
void aml_bus_window(struct vmm_bytes *b, uint8_t first, uint8_t last);
void aml_io_window(struct vmm_bytes *b, uint16_t start, uint16_t len);
/** @is_64bit: as a QWord descriptor; else it lies below 4 GiB. */
void aml_memory_window(struct vmm_bytes *b, const struct vmm_window *w, bool is_64bit);

#endif
