// SPDX-License-Identifier: GPL-2.0
//
// The scan ends with the last whole page of the file.
//
// Promise: P1
// Harm: DMA to the end of a file is not waited for if its size is no multiple of the
//   page size
// Test: eof.*.last_page
// File: fs/dax.c

@@
identifier mapping, end_idx;
@@
 dax_layout_busy_page_range(struct address_space *mapping, ...)
 {
 <...
- end_idx = ULONG_MAX;
+ end_idx = (i_size_read(mapping->host) >> PAGE_SHIFT) - 1;
 ...>
 }
