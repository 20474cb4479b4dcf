// SPDX-License-Identifier: GPL-2.0
//
// Dirty pages are not looked at, as if who has written to a page were done with it.
//
// Promise: P1
// Harm: a buffer that a device fills for the second time turns into blocks of other
//   files
// Test: waits.*_punch_*.two_pins_one_by_one
// File: fs/dax.c

@@
expression entry;
symbol page;
@@
 dax_layout_busy_page_range(...)
 {
 <...
- if (entry)
+ if (entry && !xas_get_mark(&xas, PAGECACHE_TAG_DIRTY))
	page = dax_busy_page(entry);
 ...>
 }
