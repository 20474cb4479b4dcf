// SPDX-License-Identifier: GPL-2.0
//
// Pages are unmapped once they have been looked at, not before.
//
// Promise: P1
// Harm: DMA that begins behind the scan is not waited for: it lands in blocks that have
//   been freed
// Test: races.*.corrupts_nothing races.*.is_quiet
// File: fs/dax.c
// Missed: now and then by the races of the suite, which are short: it takes DMA that begins
//   between the two. dax_break_race finds it within a minute or two

@@
expression mapping, start, nr;
symbol page;
@@
 dax_layout_busy_page_range(...)
 {
 ...
- unmap_mapping_pages(mapping, start, nr, 0);
 ...
+ unmap_mapping_pages(mapping, start, nr, 0);
 return page;
 }
