// SPDX-License-Identifier: GPL-2.0
//
// At the end of an inode the file is looked at once: the first busy page is waited for,
// the others are not.
//
// Promise: P1
// Harm: deleting a file frees blocks that a device still writes to
// Test: waits.*_unlink_vmsplice.two_pins_one_by_one
// File: fs/dax.c

@@
@@
 dax_break_layout_final(...)
 {
 <...
 wait_page_idle_uninterruptible(...);
+ break;
 ...>
 }
