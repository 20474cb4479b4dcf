// SPDX-License-Identifier: GPL-2.0
//
// Pages stay mapped while they are looked for, so that new DMA can begin behind the
// scan.
//
// Promise: P9
// Harm: entries are deleted of pages that are still mapped, and blocks are freed under
//   new DMA
// Test: precise.*.mapped races.*
// File: fs/dax.c

@@
@@
 dax_layout_busy_page_range(...)
 {
 ...
- unmap_mapping_pages(...);
 ...
 }
