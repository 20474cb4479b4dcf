// SPDX-License-Identifier: GPL-2.0
//
// A file that nobody maps is taken for one that nobody uses: the convention of kernels
// before 6.15.
//
// Promise: P1
// Harm: a process that unmaps its buffer, or ends, lets the device write to blocks of
//   other files
// Test: mapped.*.by_nobody dropped.*
// File: fs/dax.c

@@
expression mapping;
@@
 dax_layout_busy_page_range(...)
 {
 ...
- if (!dax_mapping(mapping))
+ if (!dax_mapping(mapping) || !mapping_mapped(mapping))
	return NULL;
 ...
 }
