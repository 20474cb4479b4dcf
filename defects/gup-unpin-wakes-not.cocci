// SPDX-License-Identifier: GPL-2.0
//
// Pages that O_DIRECT lets go are freed without waking who waits for them; pages in
// pipes are not concerned.
//
// Promise: P2
// Harm: truncate() hangs until a signal comes, though the device is done
// Test: waits.*_punch_dio_read.two_pins_one_by_one
// File: mm/gup.c

@@
expression folio, refs;
@@
 gup_put_folio(...)
 {
 ...
+ if ((flags & FOLL_PIN) && folio_is_fsdax(folio)) {
+	folio_ref_sub(folio, refs);
+	return;
+ }
 folio_put_refs(folio, refs);
 }
