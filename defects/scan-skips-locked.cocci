// SPDX-License-Identifier: GPL-2.0
//
// An entry that is locked, by a fault or by fsync(), is stepped over.
//
// Promise: P1
// Harm: fsync() of one process lets truncate of another free blocks under DMA
// Test: dma.*
// File: fs/dax.c
// Missed: it takes an entry that is locked just when the scan comes to it, by a fault
//   or fsync() on another processor; that no test can bring about on purpose

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
