// SPDX-License-Identifier: GPL-2.0
//
// Only FOLL_PIN makes a page busy, a reference (FOLL_GET) does not.
//
// Promise: P1
// Harm: data in pipes and in sockets that send without copying turns into that of other
//   files
// Test: waits.*_punch_vmsplice.two_pins_one_by_one
// File: fs/dax.c

@@
identifier folio;
@@
 dax_busy_page(...)
 {
 <...
- folio_ref_count(folio) - folio_mapcount(folio)
+ folio_maybe_dma_pinned(folio)
 ...>
 }
