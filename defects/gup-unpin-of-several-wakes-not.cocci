// SPDX-License-Identifier: GPL-2.0
//
// Pages of a large folio that O_DIRECT lets go at once are freed without waking who
// waits for them.
//
// Promise: P2
// Harm: truncate() hangs until a signal comes, though the device is done
// Test: batch.*.at_once
// File: mm/gup.c

@@
expression folio, refs;
@@
 gup_put_folio(...)
 {
 ...
+ if ((flags & FOLL_PIN) && refs > 1 && folio_has_pincount(folio) && folio_is_fsdax(folio)) {
+	folio_ref_sub(folio, refs);
+	return;
+ }
 folio_put_refs(folio, refs);
 }
