// SPDX-License-Identifier: GPL-2.0
//
// A page keeps pointing to its file when its entry is deleted.
//
// Promise: P9
// Harm: memory errors, and the next file that owns the block, meet a file that is gone
// Test: precise.*.mapped
// File: fs/dax.c

@@
identifier folio;
@@
 dax_folio_reset_order(struct folio *folio)
 {
 <...
- folio->mapping = NULL;
 ...>
 }
