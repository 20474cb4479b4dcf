// SPDX-License-Identifier: GPL-2.0
//
// A signal does not end the wait: it is begun anew at once, and again.
//
// Promise: P3
// Harm: a process that waits for a lost device cannot be killed, and burns a processor
// Test: interrupted.*.eintr
// File: fs/dax.c

@@
expression page, cb, inode;
identifier error;
@@
 dax_break_layout(...)
 {
 <...
- error = wait_page_idle(page, cb, inode);
+ wait_page_idle(page, cb, inode);
 ...>
 }
