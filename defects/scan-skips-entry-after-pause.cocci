// SPDX-License-Identifier: GPL-2.0
//
// The entry behind each pause of the scan, one in 4096, is stepped over.
//
// Promise: P1
// Harm: now and then, in large files, a block is freed under DMA
// Test: scan.*.around_pause
// File: fs/dax.c

@@
@@
 dax_layout_busy_page_range(...)
 {
 <...
 xas_pause(&xas);
+ xas.xa_index++;
 ...>
 }
