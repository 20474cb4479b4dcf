// SPDX-License-Identifier: GPL-2.0
//
// Pages that several files share are not looked at.
//
// Promise: P1
// Harm: files that have been cloned lose their blocks under DMA
// Test: sibling.* shared.*
// File: fs/dax.c

@@
identifier folio;
@@
 dax_busy_page(...)
 {
 <...
- folio_ref_count(folio) - folio_mapcount(folio)
+ !dax_folio_is_shared(folio) && folio_ref_count(folio) - folio_mapcount(folio)
 ...>
 }
