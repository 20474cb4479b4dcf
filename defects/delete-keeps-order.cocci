// SPDX-License-Identifier: GPL-2.0
//
// A large folio stays one when its entry is deleted.
//
// Promise: P9
// Harm: blocks that were mapped by a huge page cannot be mapped by small ones any more
// Test: entries.*.pmd_head
// File: fs/dax.c

@@
expression folio, order;
@@
 dax_folio_put(...)
 {
 <...
- order = dax_folio_reset_order(folio);
+ order = 0;
+ folio->mapping = NULL;
+ folio->share = 0;
 ...>
 }
