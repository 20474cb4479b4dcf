// SPDX-License-Identifier: GPL-2.0
//
// An entry that is locked, by a fault or by fsync(), is stepped over.
//
// Promise: P1
// Harm: fsync() of one process lets truncate of another free blocks under DMA
// Test: locked.* races.*
// File: fs/dax.c

@@
iterator name xas_for_each;
expression entry;
@@
 dax_layout_busy_page_range(...)
 {
 <...
- entry = wait_entry_unlocked_exclusive(&xas, entry);
+ if (dax_is_locked(entry))
+	continue;
 ...>
 }
