// SPDX-License-Identifier: GPL-2.0
//
// Pages that have been copied on write, which are no longer the file's, are unmapped
// with it.
//
// Promise: P5
// Harm: what a process wrote to its private mapping is lost when somebody punches a
//   hole
// Test: private_copy.*.survives
// File: fs/dax.c

@@
expression mapping, start, nr;
@@
 dax_layout_busy_page_range(...)
 {
 ...
- unmap_mapping_pages(mapping, start, nr, 0);
+ unmap_mapping_pages(mapping, start, nr, 1);
 ...
 }
