// SPDX-License-Identifier: GPL-2.0
//
// PMD entries are not looked at.
//
// Promise: P1
// Harm: files that are mapped by huge pages lose their blocks under DMA
// Test: entries.*.pmd_head pmd_part.*
// File: fs/dax.c

@@
expression entry;
@@
 dax_busy_page(...)
 {
 ...
- if (dax_is_zero_entry(entry) || dax_is_empty_entry(entry))
+ if (dax_is_zero_entry(entry) || dax_is_empty_entry(entry) || dax_is_pmd_entry(entry))
	return NULL;
 ...
 }
