// SPDX-License-Identifier: GPL-2.0
//
// A mapping by another file that shares the block counts as a reference.
//
// Promise: P4
// Harm: truncating one of two clones hangs as long as somebody maps the other
// Test: sibling.*
// File: fs/dax.c

@@
identifier folio;
@@
 dax_busy_page(...)
 {
 <...
- folio_ref_count(folio) - folio_mapcount(folio)
+ folio_ref_count(folio)
 ...>
 }
