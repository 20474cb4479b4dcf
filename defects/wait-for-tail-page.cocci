// SPDX-License-Identifier: GPL-2.0
//
// Of a large folio that is busy, the wait is for another page than the one that is
// woken for.
//
// Promise: P2
// Harm: truncating a file that is mapped by huge pages waits for ever, or spins
// Test: entries.*.pmd_head
// File: fs/dax.c

@@
identifier folio;
@@
 dax_busy_page(...)
 {
 <...
- return &folio->page;
+ return folio_page(folio, folio_nr_pages(folio) - 1);
 ...>
 }
