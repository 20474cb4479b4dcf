// SPDX-License-Identifier: GPL-2.0
//
// Nobody is woken when the last reference to a large folio goes.
//
// Promise: P2
// Harm: truncating a file that is mapped by huge pages hangs until a signal comes
// Test: entries.*.pmd_head
// File: mm/memremap.c

@@
expression folio;
@@
 free_zone_device_folio(...)
 {
 <...
- wake_up_var(&folio->page);
+ if (!folio_test_large(folio))
+	wake_up_var(&folio->page);
 ...>
 }
