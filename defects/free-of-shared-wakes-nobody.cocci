// SPDX-License-Identifier: GPL-2.0
//
// Nobody is woken when the last reference to a page goes that several files share.
//
// Promise: P2
// Harm: truncating one of two clones hangs until a signal comes
// Test: shared.* sibling.*
// File: mm/memremap.c

@@
expression folio;
@@
 free_zone_device_folio(...)
 {
 <...
- wake_up_var(&folio->page);
+ if (folio->mapping)
+	wake_up_var(&folio->page);
 ...>
 }
