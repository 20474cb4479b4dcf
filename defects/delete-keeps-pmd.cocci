// SPDX-License-Identifier: GPL-2.0
//
// PMD entries stay in the mapping when the layout is broken.
//
// Promise: P9
// Harm: truncate warns, and drops entries under pages that have come back into use
// Test: entries.*.pmd_head
// File: fs/dax.c

@@
expression entry;
@@
 dax_delete_mapping_range(...)
 {
 <...
- if (!xa_is_value(entry))
+ if (!xa_is_value(entry) || dax_is_pmd_entry(entry))
	continue;
 ...>
 }
