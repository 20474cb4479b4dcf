// SPDX-License-Identifier: GPL-2.0
//
// A page that is written through a mapping is not marked dirty.
//
// Promise: P5
// Harm: fsync() does not flush what was written: it is lost when the power fails
// Test: dirty.*.fsync dirty_still.*
// File: fs/dax.c

@@
@@
 dax_insert_entry(...)
 {
 <...
- if (dirty)
-	xas_set_mark(xas, PAGECACHE_TAG_DIRTY);
 ...>
 }
