// SPDX-License-Identifier: GPL-2.0
//
// The entries of pages that were found idle stay in the file's mapping.
//
// Promise: P9
// Harm: truncate warns, and drops entries under pages that have come back into use
// Test: precise.*.mapped
// File: fs/dax.c

@@
@@
 dax_break_layout(...)
 {
 ...
- if (...)
-	dax_delete_mapping_range(...);
 ...
 }
