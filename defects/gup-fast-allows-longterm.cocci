// SPDX-License-Identifier: GPL-2.0
//
// Memory on DAX files may be pinned for good if it is mapped already, and only read
// from.
//
// Promise: P7
// Harm: whoever registers a buffer once makes truncate() of the file wait for ever
// Test: longterm.*_gup_test_read_fast.faulted_in longterm.*.read_only
// File: mm/gup.c

@@
expression folio;
identifier flags;
@@
 try_grab_folio_fast(...)
 {
 <...
- if (unlikely((flags & FOLL_LONGTERM) && !folio_is_longterm_pinnable(folio))) {
+ if (unlikely((flags & FOLL_LONGTERM) && !folio_is_longterm_pinnable(folio) &&
+	     !folio_is_fsdax(folio))) {
 ...
 }
 ...>
 }
