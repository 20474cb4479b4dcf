// SPDX-License-Identifier: GPL-2.0
//
// Memory on DAX files may be pinned for good.
//
// Promise: P7
// Harm: whoever registers a buffer once makes truncate() of the file wait for ever
// Test: longterm.*.cold
// File: mm/gup.c

@@
@@
 check_vma_flags(...)
 {
 <...
- if ((gup_flags & FOLL_LONGTERM) && vma_is_fsdax(vma))
-	return -EOPNOTSUPP;
 ...>
 }
