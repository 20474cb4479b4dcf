// SPDX-License-Identifier: GPL-2.0
//
// ext4 looks at a busy page again at every tick of the clock.
//
// Promise: P2
// Harm: a device that keeps a page for long costs CPU time, and battery, for as long
// Test: cost.ext4_punch.*
// File: fs/ext4/inode.c

@@
@@
 ext4_wait_dax_page(...)
 {
 <...
- schedule();
+ schedule_timeout(1);
 ...>
 }
