// SPDX-License-Identifier: GPL-2.0
//
// Of a PMD entry only FOLL_PIN counts, which large folios count apart from references.
//
// Promise: P1
// Harm: data of huge pages in pipes and sockets turns into that of other files
// Test: entries.*.pmd_head
// File: fs/dax.c

@@
identifier folio;
@@
 dax_busy_page(...)
 {
 <...
- folio_ref_count(folio) - folio_mapcount(folio)
+ folio_test_large(folio) ? folio_maybe_dma_pinned(folio) :
+	folio_ref_count(folio) - folio_mapcount(folio)
 ...>
 }
