// SPDX-License-Identifier: GPL-2.0
//
// Where the scan should make a pause, after 4096 entries, it ends.
//
// Promise: P1
// Harm: in files of more than 16 MiB DMA to all but the first part is not waited for
// Test: scan.*.around_pause
// File: fs/dax.c

@@
@@
 dax_layout_busy_page_range(...)
 {
 <...
- xas_pause(&xas);
+ break;
 ...>
 }
