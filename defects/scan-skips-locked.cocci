// SPDX-License-Identifier: GPL-2.0
//
// An entry that is locked, by a fault or by fsync(), is stepped over.
//
// Promise: P1
// Harm: fsync() of one process lets truncate of another free blocks under DMA
// Test: races.*
// File: fs/dax.c
// Missed: now and then by the races of the suite, which are short: it takes a page that is
//   locked just when the scan comes to it, and is the only one that is pinned.
//   dax_break_race finds it within a minute or two

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
