// SPDX-License-Identifier: GPL-2.0
//
// The page cache of a file that is not DAX is scanned, as if its pages were entries.
//
// Promise: P4
// Harm: truncating any file unmaps it, warns, and takes its time
// Test: not_dax.*
// File: fs/dax.c

@@
@@
 dax_break_layout(...)
 {
 ...
- if (!dax_mapping(...))
-	return 0;
 ...
 }

@@
@@
 dax_layout_busy_page_range(...)
 {
 ...
- if (!dax_mapping(...))
-	return NULL;
 ...
 }
