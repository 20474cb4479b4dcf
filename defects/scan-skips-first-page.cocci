// SPDX-License-Identifier: GPL-2.0
//
// The scan begins with the second page of the file.
//
// Promise: P1
// Harm: DMA to the beginning of a file is not waited for
// Test: pages.*_truncate_zero.first
// File: fs/dax.c

@@
identifier start_idx;
expression start;
@@
 dax_layout_busy_page_range(...)
 {
 ...
- pgoff_t start_idx = start >> PAGE_SHIFT;
+ pgoff_t start_idx = (start >> PAGE_SHIFT) + 1;
 ...
 }
