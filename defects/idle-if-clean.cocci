// SPDX-License-Identifier: GPL-2.0
//
// Only dirty pages are looked at.
//
// Promise: P1
// Harm: a buffer that a device only reads, to send or to write it elsewhere, turns into
//   data of other files
// Test: mappings.*.read_only
// File: fs/dax.c

@@
expression entry;
symbol page;
@@
 dax_layout_busy_page_range(...)
 {
 <...
- if (entry)
+ if (entry && xas_get_mark(&xas, PAGECACHE_TAG_DIRTY))
	page = dax_busy_page(entry);
 ...>
 }
