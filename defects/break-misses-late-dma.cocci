// SPDX-License-Identifier: GPL-2.0
//
// After a wait the range is looked at only from the page on that was waited for.
//
// Promise: P1
// Harm: DMA that began during the wait, to an earlier page, writes to freed blocks
// Test: during.*.pinned_before
// File: fs/dax.c

@@
expression page, cb, inode;
identifier error;
symbol start;
typedef loff_t;
@@
 dax_break_layout(...)
 {
 <...
+ start = (loff_t)page_folio(page)->index << PAGE_SHIFT;
 error = wait_page_idle(page, cb, inode);
 ...>
 }
